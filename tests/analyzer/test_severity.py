"""How bad a near miss was, and which near misses come first."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.documents.severity import RISKS, SEVERITIES, weighed
from aftertrace.analyzer.reports.near_miss_figures import Figures, figures

from .frames import LATER_NS
from .stories import event, stored


def told(analysis: Analysis) -> Figures:
    """The figures of all that is recorded."""
    return figures(analysis, Period.of(None, None, now_ns=LATER_NS), Filter())


def refused(call: str, tool: str, by: str, *, s: float = 0.0, arguments: str | None = None, **more: Any) -> list[Any]:
    """A call that was proposed and refused."""
    about = {"call_id": call, "tool_name": tool, **more}
    return [
        event("action.proposed", "proposed", s=s, arguments=arguments, **about),
        event("policy.evaluated", "deny", s=s + 1, decided_by=by, **about),
    ]


def near(risk: str, by: str | None, outcome: str = "denied") -> pl.LazyFrame:
    """One near miss, as far as its severity goes."""
    return pl.LazyFrame(
        [("c", risk, by, outcome)], ["call_key", "risk", "decided_by", "outcome"], orient="row"
    ).with_columns(pl.col("decided_by").cast(pl.String))


def verdicts(*by: str) -> pl.LazyFrame:
    """Verdicts that refused the call."""
    rows = [("c", "deny", who) for who in by]
    return pl.LazyFrame(rows, {"call_key": pl.String, "decision": pl.String, "decided_by": pl.String}, orient="row")


@pytest.mark.parametrize(
    ("risk", "by", "outcome", "expected"),
    [
        ("money", "human", "denied", ("one person", "critical")),
        ("money", "human", "modified", ("one person", "critical")),
        ("money", "target", "denied", ("no judgement", "critical")),
        ("destructive", "timeout", "expired", ("no judgement", "critical")),
        ("permission", "policy", "denied", ("one rule", "high")),
        ("external", "human", "denied", ("one person", "high")),
        ("external", "hook", "denied", ("one rule", "medium")),
        ("write", "target", "denied", ("no judgement", "high")),
        ("write", "policy", "denied", ("one rule", "medium")),
        ("money", "model", "rejected_by_model", ("the model itself", "medium")),
        ("write", None, "denied", ("not told", "medium")),
        ("read", "human", "denied", ("one person", "low")),
    ],
)
def test_severity_is_what_the_tool_can_do_and_what_held(
    risk: str, by: str | None, outcome: str, expected: tuple[str, str]
) -> None:
    """Nobody's judgement is closer than a person's, and a person's closer than a rule's."""
    held_by, level = weighed(near(risk, by, outcome), verdicts()).select("held_by", "severity").collect().row(0)
    assert (held_by, SEVERITIES[level]) == expected


def test_a_call_that_two_controls_refused_was_less_close() -> None:
    """Either of them would have held; the same one twice is one."""
    held = [
        weighed(near("money", "human"), verdicts(*by)).select("held_by", "severity").collect().row(0)
        for by in (("human",), ("human", "human"), ("hook", "human"))
    ]
    assert held == [("one person", 3), ("one person", 3), ("several controls", 1)]


def test_nothing_closer_or_riskier_is_less_severe() -> None:
    """Along both sides of the table severity never falls."""
    by = ("model", "policy", "human", "target")
    risks = sorted(RISKS, key=RISKS.__getitem__)
    level = {
        (risk, who): weighed(near(risk, who), verdicts()).select("severity").collect().item()
        for risk in risks
        for who in by
    }
    assert all(level[risk, a] <= level[risk, b] for risk in risks for a, b in pairwise(by))
    assert all(level[a, who] <= level[b, who] for who in by for a, b in pairwise(risks))


def test_the_target_of_many_requests_comes_before_the_target_of_one() -> None:
    """Three requests that differ have one payee in common; another payee is refused three times in one request."""
    rows = []
    for run, prompt, payee in [
        ("1", "book a trip", "EH90"), ("2", "buy a lamp", "EH90"), ("3", "tidy up", "EH90"),
        ("4", "pay the rent", "DE10"), ("5", "pay the rent", "DE10"), ("6", "pay the rent", "DE10"),
    ]:  # fmt: skip
        where = {"conversation_id": f"s-{run}", "trace_id": f"{int(run):032x}"}
        asked = event("input.resolved", "user_prompt", content=prompt, tool_name=None, call_id=None, **where)
        rows += [asked, *refused("c-1", "pay", "policy", s=int(run), arguments=f'{{"to":"{payee}"}}', **where)]
    found = told(stored(*rows).analysis())
    assert found.listed.select("arguments", "spread").rows() == [
        *[('{"to":"EH90"}', 3)] * 3,
        *[('{"to":"DE10"}', 1)] * 3,
    ]
    assert found.targets.select("argument", "target", "near_misses", "requests", "ran").rows() == [
        ("to", "EH90", 3, 3, 0),
        ("to", "DE10", 3, 1, 0),
    ]


def test_a_target_that_went_through_elsewhere_says_how_often() -> None:
    """What was refused once and ran once is worth a look."""
    ran = {"call_id": "c-2", "tool_name": "pay"}
    rows = [
        *refused("c-1", "pay", "policy", arguments='{"to":"EH90"}'),
        event("action.proposed", "proposed", s=2, arguments='{"to":"EH90"}', **ran),
        event("tool.called", "completed", s=3, **ran),
        event("action.proposed", "proposed", s=2, arguments='{"to":"EH9"}', call_id="c-3"),
        event("tool.called", "completed", s=3, call_id="c-3"),
        *refused("c-4", "pay", "policy", s=5, arguments='{"to":"EH90"}', conversation_id="s-2", trace_id="2" * 32),
    ]
    assert told(stored(*rows).analysis()).targets.select("target", "near_misses", "ran").rows() == [("EH90", 2, 1)]


@pytest.mark.parametrize("arguments", ["not json", "[" * 10_000, '{"a":' * 50 + "1" + "}" * 50, "null", '"x"', "{}"])
def test_arguments_that_name_no_target_leave_none(arguments: str) -> None:
    """What an agent wrote need not be JSON, nor shallow."""
    found = told(stored(*refused("c-1", "pay", "policy", arguments=arguments)).analysis())
    assert (found.targets.height, found.listed["spread"].to_list()) == (0, [0])
