"""Rules as TOML, as `expectations.parsed` reads them back."""

from __future__ import annotations

from aftertrace.analyzer.expectations.rules import Rule
from aftertrace.analyzer.expectations.toml_texts import listed, quoted


def written(rule: Rule) -> str:
    """One `[[rule]]` table, with the keys that say something, in the order of the reference."""
    lines = ["[[rule]]", f"name = {quoted(rule.name)}"]
    # Empty selectors are of everything, demands that are None are none.
    texts = {
        "agents": rule.agents or None,
        "environments": rule.environments or None,
        "tools": rule.tools or None,
        "risks": rule.risks or None,
        "approved_by": rule.approved_by,
        "reviewers": rule.reviewers,
        "only_tools": rule.only_tools,
    }
    lines += [f"{key} = {listed(chosen)}" for key, chosen in texts.items() if chosen is not None]
    lines += ["standing_grants = true"] if rule.standing_grants else []
    lines += [f"{limit.key} = {limit.most!r}" for limit in rule.limits]
    if rule.arguments:
        lines += ["", "[rule.arguments]"]
        lines += [f"{quoted(each.path)} = {listed(each.patterns)}" for each in rule.arguments]
    return "\n".join(lines) + "\n"
