"""Expectations held against calls that people let through without having been asked for."""

from __future__ import annotations

import polars as pl
import pytest

from aftertrace.analyzer.expectations.checks import check
from aftertrace.analyzer.expectations.rules import parsed
from aftertrace.analyzer.schemas.derived import DERIVED


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


BY_RULE = {"outcome": "executed", "allowed_by": "policy", "decided_by": "policy"}
"""A call that nobody was asked about."""
WANT = "; whether the rule is about it is not told, for want of its "


@pytest.mark.parametrize(
    ("selector", "told", "found"),
    [
        ("", {}, ("broken", "")),
        ('agents = ["*"]', {}, ("broken", "")),
        ('agents = ["clerk"]', {}, ("unknown", f"{WANT}agent")),
        ('agents = ["cl*"]', {"agent_name": "clerk"}, ("broken", "")),
        ('agents = ["clerk"]', {"agent_name": "cook"}, None),
        ('environments = ["production"]', {"agent_name": "clerk"}, ("unknown", f"{WANT}environment")),
        ('tools = ["pay"]\nrisks = ["money"]', {}, ("unknown", f"{WANT}tool and risk")),
        ('tools = ["pay"]\nrisks = ["money"]', {"tool_name": "read"}, None),
        ('tools = ["pay"]\nagents = ["clerk"]', {"tool_name": "pay"}, ("unknown", f"{WANT}agent")),
    ],
)
def test_leaving_a_name_out_is_no_way_around_a_rule(
    selector: str, told: dict[str, str], found: tuple[str, str] | None
) -> None:
    """A rule for everyone is broken; one for somebody may be, which nobody can tell; one for others is not."""
    calls = pl.DataFrame([{**BY_RULE, **told}], schema=DERIVED["calls"].schema)
    rules = parsed(f'[[rule]]\nname = "ann looks"\nreviewers = ["ann"]\n{selector}\n', "rules")
    (checked,) = check(rules, calls, pl.DataFrame(schema=DERIVED["runs"].schema))
    expected = [] if found is None else [(found[0], "policy let it through, and nobody was asked" + found[1])]
    assert checked.findings.select("verdict", "found").rows() == expected
    assert checked.calls == (found is not None and found[0] == "broken")


def test_a_call_without_names_that_keeps_a_rule_is_not_listed() -> None:
    """Whomever the rule is about, it holds of this one."""
    ann = {"outcome": "executed", "approval": "granted", "decided_by": "human", "reviewer": "ann"}
    calls = pl.DataFrame([ann], schema=DERIVED["calls"].schema)
    rules = parsed('[[rule]]\nname = "ann looks"\nreviewers = ["ann"]\nagents = ["clerk"]\n', "rules")
    (checked,) = check(rules, calls, pl.DataFrame(schema=DERIVED["runs"].schema))
    assert (checked.calls, checked.findings.height) == (0, 0)


def test_a_run_without_a_name_over_the_limit_of_an_agent_is_unknown() -> None:
    """Under it, it is nobody's concern."""
    runs = pl.DataFrame([{"run_id": "r-1", "calls": 9}, {"run_id": "r-2", "calls": 1}], schema=DERIVED["runs"].schema)
    rules = parsed('[[rule]]\nname = "few"\nmost_calls = 2\nagents = ["clerk"]\n', "rules")
    (checked,) = check(rules, pl.DataFrame(schema=DERIVED["calls"].schema), runs)
    assert checked.findings.select("run_id", "verdict", "found").rows() == [("r-1", "unknown", f"9 calls{WANT}agent")]
    assert (checked.runs, checked.broken, checked.unknown) == (0, 0, 1)
