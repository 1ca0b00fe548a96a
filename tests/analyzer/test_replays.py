"""A history that is told again in a later trace makes no new calls, where no conversation has a name."""

from __future__ import annotations

from typing import Any, Final

from .stories import COMPLETED, PROPOSED, calls_of, event, span

LATER: Final = {"trace_id": "2" * 32, "conversation_id": None}
EARLIER: Final = [{**PROPOSED, "conversation_id": None}, {**COMPLETED, "conversation_id": None}]
REPEATED: Final = event("tool.called", "answered", s=60, basis="inferred", content="paid", **LATER)
ROOTS: Final = (
    span("invoke_agent", parent_span_id=None, conversation_id=None),
    span("invoke_agent", s=60, parent_span_id=None, **LATER),
)


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Trace, outcome and rule of each call."""
    calls = calls_of(*events, spans=ROOTS)
    return [(row["trace_id"][0], row["outcome"], row["rules"][0]) for row in calls.to_dicts()]


def test_an_answer_that_a_later_trace_repeats_is_of_the_call_it_was_of() -> None:
    """With the proposal echoed before it or not."""
    echo = event("action.proposed", "echoed", s=60, **LATER)
    assert told(*EARLIER, REPEATED) == [("0", "executed", "ran")]
    assert told(*EARLIER, echo, REPEATED) == [("0", "executed", "ran")]


def test_a_call_that_is_told_of_in_its_own_right_is_a_call() -> None:
    """The controls: proposed again, run again, of another tool or sender, or known from nowhere else."""
    proposed = event("action.proposed", "proposed", s=61, **LATER)
    ran = event("tool.called", "completed", s=61, end_ns=None, **LATER)
    assert told(*EARLIER, proposed, {**REPEATED, "time_ns": REPEATED["time_ns"] + 2 * 10**9}) == [
        ("0", "executed", "ran"),
        ("2", "executed", "answered"),
    ]
    assert told(*EARLIER, ran) == [("0", "executed", "ran"), ("2", "executed", "ran")]
    assert len(told(*EARLIER, {**REPEATED, "tool_name": "mail"})) == 2
    assert len(told(*EARLIER, {**REPEATED, "service_name": "other"})) == 2
    assert told(REPEATED) == [("2", "executed", "answered")]


def test_a_trace_without_a_conversation_goes_on_with_what_one_left_open() -> None:
    """The OpenAI Agents SDK through Logfire: only the trace that stopped names the conversation."""
    answered = {**REPEATED, "content": "No."}
    again = event("tool.called", "completed", s=61, end_ns=None, call_id=None, tool_name="mail", **LATER)
    calls = calls_of(PROPOSED, answered, again, spans=ROOTS).select("conversation_id", "tool_name", "outcome")
    assert calls.rows() == [("s-1", "pay", "executed"), ("s-1", "mail", "executed")]
    closed = [PROPOSED, COMPLETED]
    assert calls_of(*closed, again, spans=ROOTS)["conversation_id"].to_list() == ["s-1", None]


def test_a_call_that_was_left_open_is_resumed_by_its_answer() -> None:
    """It was no replay: the earlier trace never told how it ended."""
    waits = [EARLIER[0], event("approval.requested", s=1, conversation_id=None)]
    assert told(*waits, REPEATED) == [("0", "executed", "answered")]
