"""The analyzer's page shows the judgement as it is."""

from __future__ import annotations

from pathlib import Path

from aftertrace.analyzer.outcomes import RULES

PAGE = Path(__file__).parents[2] / "analyzer" / "README.md"


def rules_table() -> str:
    """The judgement as a Markdown table."""
    lines = ["| rule | outcome | when |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | `{rule.outcome}` | {rule.brief} |" for rule in RULES]
    return "\n".join(lines)


def test_the_rules_of_the_page_are_the_rules_of_the_judgement() -> None:
    """In their order, with what each says."""
    shown = PAGE.read_text("utf-8").split("<!-- rules -->\n")[1].split("\n<!-- /rules -->")[0]
    assert shown == rules_table()
