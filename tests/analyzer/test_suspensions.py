"""A tool that asks from within runs twice: to ask, and to hear the answer. Only the second run can carry it out."""

from __future__ import annotations

from typing import Any, Final

from aftertrace.analyzer.calls.suspensions import ASKS_ITSELF

from .stories import PROPOSED, calls_of, event


def ran(s: float, **columns: Any) -> dict[str, Any]:
    """A run of the tool that takes a tenth of a second and returns nothing."""
    row = event("tool.called", "completed", s=s, **columns)
    return {**row, "end_ns": row["time_ns"] + 10**8}


FIRST: Final = ran(2)
ASKED: Final = event("approval.requested", s=3, rule=ASKS_ITSELF)
SECOND: Final = ran(6)


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What becomes of the call, who let it, whether somebody was asked, how long that took, and what failed."""
    calls = calls_of(PROPOSED, *events)
    return calls.select("outcome", "decided_by", "approval_asked", "wait_ns", "signals").rows()


def answered(verdict: str) -> dict[str, Any]:
    """What a person says, two seconds after they were asked."""
    return event(f"approval.{verdict}", s=5, decided_by="human")


def test_a_tool_that_asked_and_was_told_nothing_has_not_run() -> None:
    """Its span ended with the question. The control: one that asked nobody had returned nothing."""
    assert told(FIRST, ASKED) == [("pending", None, True, None, [])]
    assert told(FIRST) == [("executed", None, False, None, [])]


def test_a_tool_that_was_told_yes_ran() -> None:
    """Once, after the answer."""
    assert told(FIRST, ASKED, answered("granted"), SECOND) == [("executed", "human", True, 2_000_000_000, [])]


def test_a_tool_that_was_told_no_ran_to_hear_it() -> None:
    """That is no control that failed. The control: where the question came from elsewhere, it is one."""
    assert told(FIRST, ASKED, answered("rejected"), SECOND) == [("denied", "human", True, 2_000_000_000, [])]
    from_elsewhere = {**ASKED, "rule": None}
    ((outcome, *_, signals),) = told(from_elsewhere, answered("rejected"), SECOND)
    assert (outcome, signals) == ("executed", ["ran_refused"])


def test_a_tool_may_ask_once_more() -> None:
    """The run that was let asked again, and nobody answered."""
    again = {**ASKED, "time_ns": ASKED["time_ns"] + 4 * 10**9}
    assert [row[0] for row in told(FIRST, ASKED, answered("granted"), SECOND, again)] == ["pending"]
