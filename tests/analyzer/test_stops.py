"""OpenHands asks by stopping: what lies between two runs of its agent is a question and its answer."""

from __future__ import annotations

from typing import Any, Final

from polars.testing import assert_frame_equal

from aftertrace.analyzer.calls.decisions import decisions

from .stories import AT_NS, DAY_NS, calls_of, event, span, stored

OWN: Final = {"dialect": "laminar", "scope_name": "lmnr.tracer", "agent_name": None}
TOLD: Final = ("tool_name", "outcome", "decided_by", "approval_asked", "approval", "wait_ns")
REJECTION: Final = {"rule": "text:openhands_rejected", "decided_by": "human", "basis": "inferred"}


def run(s: float, until_s: float) -> dict[str, Any]:
    """A run of the agent."""
    return span("step", s=s, name="conversation.run", end_ns=AT_NS + int(until_s * 1e9), **OWN)


def proposed(s: float, call_id: str = "c-1", tool: str = "pay") -> dict[str, Any]:
    """What the model proposed."""
    return event("action.proposed", "proposed", s=s, call_id=call_id, tool_name=tool, **OWN)


def called(state: str, s: float, call_id: str = "c-1", **columns: Any) -> dict[str, Any]:
    """What the span of an action tells."""
    return event("tool.called", state, s=s, call_id=call_id, **OWN, **columns)


def told(*events: dict[str, Any], runs: tuple[dict[str, Any], ...], **more: Any) -> list[tuple[Any, ...]]:
    """What is made of it."""
    return calls_of(*events, spans=runs, **more).select(TOLD).rows()


def test_a_call_that_the_next_run_begins_with_was_let_through() -> None:
    """The wait is what lies between the two."""
    runs = (run(0, 2), run(5, 8))
    assert told(proposed(1), called("completed", 6), runs=runs) == [
        ("pay", "executed", "human", True, "granted", 3 * 10**9)
    ]


def test_a_call_that_runs_in_its_own_run_was_asked_about_by_nobody() -> None:
    """The control."""
    assert told(proposed(1), called("completed", 1.5), runs=(run(0, 2), run(5, 8))) == [
        ("pay", "executed", None, False, None, None)
    ]


def test_what_is_rejected_between_two_runs_a_person_rejected() -> None:
    """And what is rejected within one a hook did: the words are the same."""
    runs = (run(0, 2), run(5, 8))
    assert told(proposed(1), called("refused", 4, **REJECTION), runs=runs) == [
        ("pay", "denied", "human", True, "rejected", 2 * 10**9)
    ]
    assert told(proposed(1), called("refused", 1.5, **REJECTION), runs=runs) == [
        ("pay", "denied", "hook", False, None, None)
    ]


def test_a_hook_may_refuse_what_a_person_let_through() -> None:
    """Both are told."""
    ((tool, outcome, _, asked, *_),) = told(proposed(1), called("refused", 6, **REJECTION), runs=(run(0, 2), run(5, 8)))
    assert (tool, outcome, asked) == ("pay", "denied", True)


def test_a_call_that_waits_is_pending_until_it_can_no_longer_be_answered() -> None:
    """The run of the agent ended with it. The tool that ends a run is asked about by nobody."""
    assert [row[:4] for row in told(proposed(1), runs=(run(0, 2),))] == [("pay", "pending", None, True)]
    late = AT_NS + 30 * DAY_NS
    assert [row[:4] for row in told(proposed(1), runs=(run(0, 2),), now_ns=late)] == [
        ("pay", "expired", "timeout", True)
    ]
    assert [row[3] for row in told(proposed(1, tool="finish"), runs=(run(0, 2),))] == [False]


def test_a_paused_agent_that_goes_on_asked_nothing() -> None:
    """Its next run begins with a model call."""
    events = (proposed(1), called("completed", 1.5), proposed(6, "c-2"), called("completed", 7, "c-2"))
    assert [row[3] for row in told(*events, runs=(run(0, 2), run(5, 8)))] == [False, False]


def test_runs_of_another_conversation_or_emitter_tell_nothing() -> None:
    """Two conversations at once; a span of the same name of somebody else."""
    other = {**run(0, 2), "conversation_id": "s-2"}
    foreign = {**run(0, 2), "dialect": "genai"}
    for runs in ((other,), (foreign,)):
        assert [row[3] for row in told(proposed(1), called("completed", 6), runs=runs)] == [False]


def test_an_agent_that_broke_off_asked_nothing() -> None:
    """Its model's server was gone, or the program was stopped: nobody was there to be asked."""
    broken = {**run(0, 2), "status": "error"}
    late = AT_NS + 30 * DAY_NS
    assert [row[:4] for row in told(proposed(1), runs=(broken,), now_ns=late)] == [("pay", "unresolved", None, False)]
    assert [row[:4] for row in told(proposed(1), called("completed", 6), runs=(broken, run(5, 8)))] == [
        ("pay", "executed", None, False)
    ]


def test_what_one_record_tells_is_always_told_in_the_same_order() -> None:
    """A rejection, and that the call was refused."""
    rows = (proposed(1), called("refused", 4, **REJECTION))
    analysis = stored(*rows, spans=(run(0, 2),)).analysis()
    calls, found = analysis.calls, analysis.of().call_events
    for order in (found, found.reverse()):
        assert_frame_equal(decisions(calls, order), analysis.decisions)
