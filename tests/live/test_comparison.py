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
        1, 0, (), 1, ("read_db: basis: no record of the result",)
    )
    failed = compare(agent, (told("read_db", "failed", basis="inferred"),), 1, None)
    assert (failed.right, failed.in_part, len(failed.faults)) == (0, 0, 1)


def _values(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in Call.__slots__}
