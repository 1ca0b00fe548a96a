"""Expectations held against calls that people let through without having been asked for."""

from __future__ import annotations

import polars as pl
import pytest

from aftertrace.analyzer.expectation_checks import check
from aftertrace.analyzer.expectations import parsed
from aftertrace.analyzer.schemas import DERIVED


@pytest.mark.parametrize(
    ("by", "reviewer", "found"),
    [
        ("human", "ann", []),
        ("human", "bob", [("broken", "bob approved it")]),
        ("human", None, [("unknown", "it was approved, and by whom is not told")]),
        ("policy", None, [("broken", "policy let it through, and nobody was asked")]),
    ],
)
def test_a_rule_that_names_reviewers_alone_takes_a_persons_word(
    by: str, reviewer: str | None, found: list[tuple[str, str]]
) -> None:
    """Also where no request for it is on record: not every emitter tells of one."""
    told = {"outcome": "executed", "allowed_by": by, "decided_by": by, "reviewer": reviewer, "tool_name": "pay"}
    calls = pl.DataFrame([told], schema=DERIVED["calls"].schema)
    rules = parsed('[[rule]]\nname = "ann looks"\nreviewers = ["ann"]\n', "rules")
    (checked,) = check(rules, calls, pl.DataFrame(schema=DERIVED["runs"].schema))
    assert checked.findings.select("verdict", "found").rows() == found


@pytest.mark.parametrize(("agents", "broken"), [('agents = ["*"]', 1), ("", 1), ('agents = ["clerk"]', 0)])
def test_a_rule_for_every_agent_is_about_agents_without_a_name_too(agents: str, broken: int) -> None:
    """Leaving the name out is no way around it."""
    told = {"outcome": "executed", "allowed_by": "policy", "decided_by": "policy", "tool_name": "pay"}
    calls = pl.DataFrame([told], schema=DERIVED["calls"].schema)
    rules = parsed(f'[[rule]]\nname = "ann looks"\nreviewers = ["ann"]\n{agents}\n', "rules")
    (checked,) = check(rules, calls, pl.DataFrame(schema=DERIVED["runs"].schema))
    assert (checked.calls, checked.broken) == (broken, broken)
