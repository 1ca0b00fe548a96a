"""The comparison of live cases: what it lets pass, and that it sees each kind of fault."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .agent import Agent, Call, Installation
from .comparison import Fault, Verdict, compare

CALLS: Final = (
    Call("read_db", "executed", bases=("explicit",), arguments={"q": "a"}),
    Call("pay", "denied", "human", asked=True, wait_s=2.0, arguments={"amount": 900}),
    Call("pay", "executed", "human", asked=True, wait_s=2.0, arguments={"amount": 5}),
)
AGENT: Final = Agent("shop/pays", Installation("pip", ("shop==1.0",)), ("{bin}/python",), CALLS)


def told(tool: str, outcome: str, decided_by: str | None = None, **columns: Any) -> dict[str, Any]:
    """A row of `calls`."""
    asked = decided_by is not None
    row = {"tool_name": tool, "outcome": outcome, "decided_by": decided_by, "basis": "explicit", "arguments": None}
    return {**row, "approval_asked": asked, "wait_ns": 2_100_000_000 if asked else None, **columns}


ROWS: Final = (
    told("pay", "executed", "human", arguments='{"amount":5}'),
    told("pay", "denied", "human", basis="inferred", arguments='{"amount":900}'),
    told("read_db", "executed"),
)
RAN: Final = ("read_db", "pay")


def test_a_case_told_as_it_was_is_right() -> None:
    """Order, arguments that the telemetry does not hold, and a wait that is near enough are no faults."""
    assert compare(AGENT, ROWS, 1, RAN) == Verdict(3, 3, ())


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("outcome", "unresolved", Fault("read_db", "outcome", "executed", "unresolved")),
        ("decided_by", "policy", Fault("read_db", "decided_by", None, "policy")),
        ("basis", "inferred", Fault("read_db", "basis", "explicit", "inferred")),
        ("approval_asked", True, Fault("read_db", "asked", False, True)),
        ("arguments", '{"q":"b"}', Fault("read_db", "arguments", '{"q": "a"}', '{"q":"b"}')),
    ],
)
def test_each_kind_of_fault_is_seen(column: str, value: object, fault: Fault) -> None:
    """The controls: one column of one row is otherwise."""
    assert compare(AGENT, (*ROWS[:2], {**ROWS[2], column: value}), 1, RAN) == Verdict(3, 2, (fault,))


def test_a_wait_that_is_off_is_seen() -> None:
    """Ten per cent of two seconds are let pass, three seconds are not; nor is no wait at all."""
    for wait_ns, told_s in ((3_000_000_000, 3.0), (None, None)):
        rows = ({**ROWS[0], "wait_ns": wait_ns}, *ROWS[1:])
        assert compare(AGENT, rows, 1, RAN) == Verdict(3, 2, (Fault("pay", "wait_s", 2.0, told_s),))


def test_a_call_that_is_missing_or_never_was_is_seen() -> None:
    """One too few, one too many, and a run too many."""
    assert compare(AGENT, ROWS[:2], 1, RAN) == Verdict(3, 2, (Fault("read_db", "tool", "executed", None),))
    rows = (*ROWS, told("wipe", "denied", "policy"))
    faults = (Fault("wipe", "tool", None, "denied"), Fault("", "runs", 1, 2))
    assert compare(AGENT, rows, 2, RAN) == Verdict(3, 3, faults)


def test_a_truth_that_is_wrong_itself_is_seen() -> None:
    """The tools' own log is asked: a call that is said to be refused did run."""
    assert compare(AGENT, ROWS, 1, (*RAN, "pay")).faults == (Fault("pay", "times run (truth)", 2, 1),)
    assert compare(AGENT, ROWS, 1, None).faults == ()


def test_what_the_telemetry_cannot_tell_is_not_held_against_it_but_said() -> None:
    """Column by column; another column of the same call still counts."""
    silent = Call("read_db", "executed", untold={"basis": "no record of the result"})
    agent = Agent(
        "shop/reads", AGENT.installation, AGENT.command, (Call(**{**_values(silent), "bases": ("explicit",)}),)
    )
    assert compare(agent, (told("read_db", "executed", basis="inferred"),), 1, None) == Verdict(
        1, 0, (), 1, ("read_db: basis is inferred, in truth explicit: no record of the result",)
    )
    failed = compare(agent, (told("read_db", "failed", basis="inferred"),), 1, None)
    assert (failed.right, failed.in_part, len(failed.faults)) == (0, 0, 1)


def verdict(call: Call, row: dict[str, Any]) -> Verdict:
    """On a case of one call."""
    return compare(Agent("shop/voids", AGENT.installation, AGENT.command, (call,)), (row,), 1, None)


@pytest.mark.parametrize(
    ("outcome", "basis", "passes"),
    [
        ("executed", "explicit", False),
        ("executed", "inferred", True),
        ("unresolved", "explicit", True),
        ("pending", "explicit", True),
    ],
)
def test_an_excuse_is_none_for_another_answer_that_claims_to_be_stated(outcome: str, basis: str, passes: bool) -> None:
    """What cannot be told may be guessed, or left open; a wrong answer that is explicit is wrong."""
    told_so = verdict(
        Call("void", "denied", untold={"outcome": "its span is that of one that ran"}),
        told("void", outcome, basis=basis),
    )
    remark = f"void: outcome is {outcome}, in truth denied: its span is that of one that ran"
    fault = Fault("void", "outcome", "denied", outcome)
    assert told_so == (Verdict(1, 0, (), 1, (remark,)) if passes else Verdict(1, 0, (fault,)))


def test_an_answer_that_is_known_to_be_wrong_is_stated_and_no_other_passes() -> None:
    """The page then says what aftertrace says."""
    call = Call("void", "denied", untold={"outcome": "alike"}, told={"outcome": "executed"})
    assert verdict(call, told("void", "executed")).untold == ("void: outcome is executed, in truth denied: alike",)
    fault = Fault("void", "outcome", "denied", "failed")
    assert verdict(call, told("void", "failed", basis="inferred")) == Verdict(1, 0, (fault,))


def test_an_excuse_that_is_needed_no_more_is_a_fault() -> None:
    """One that the analyzer, or a newer version, has outgrown must go."""
    call = Call("void", "denied", untold={"outcome": "alike"})
    fault = Fault("void", "excuse of outcome", "needed", "stale")
    assert verdict(call, told("void", "denied")) == Verdict(1, 0, (fault,))


def _values(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in Call.__slots__}
