"""A history that is told again in a later trace makes no new calls, where no conversation has a name."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.calls.replays import without_replays
from aftertrace.analyzer.identity.identity import RESUME_WITHIN_NS

from .stories import AT_NS, COMPLETED, PROPOSED, calls_of, event, span, stored

LATER: Final = {"trace_id": "2" * 32, "conversation_id": None}
EARLIER: Final = [{**PROPOSED, "conversation_id": None}, {**COMPLETED, "conversation_id": None}]
REPEATED: Final = event("tool.called", "answered", s=60, basis="inferred", content="paid", **LATER)


AT_ONCE: Final = REPEATED | {"time_ns": AT_NS}


def scoped(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Call events, told apart by their traces."""
    return stored(*rows).events.with_columns(scope="trace_id")


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


def test_runs_that_number_their_calls_alike_are_not_told_apart_in_pairs() -> None:
    """Thousands of traces with a `call_0` each, half of them repeating one: only those right after a whole one do."""
    days = 400
    rows = [
        {**row, "trace_id": f"{at:032x}", "call_id": "call_0", "time_ns": row["time_ns"] + at * RESUME_WITHIN_NS}
        for at in range(1, days + 1)
        for row in (EARLIER if at % 3 == 1 else [AT_ONCE])
    ]
    found = without_replays(scoped(rows))
    kept = sorted(int(trace, 16) for trace in found["trace_id"].unique())
    assert kept == [at for at in range(1, days + 1) if at % 3 != 2]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.sampled_from((None, "pay", "mail"))), max_size=12))
def test_an_answer_is_a_replay_where_any_whole_call_before_it_was_of_its_tool(
    told_of: list[tuple[bool, int, str | None]],
) -> None:
    """As if each were compared with each."""
    hour_ns = RESUME_WITHIN_NS // 5
    rows = [
        {**row, "trace_id": f"{at + 1:032x}", "tool_name": tool, "time_ns": row["time_ns"] + hour * hour_ns}
        for at, (is_whole, hour, tool) in enumerate(told_of)
        for row in (EARLIER if is_whole else [AT_ONCE])
    ]
    wholes = [(hour, tool) for is_whole, hour, tool in told_of if is_whole]
    replays = {
        at + 1
        for at, (is_whole, hour, tool) in enumerate(told_of)
        if not is_whole
        and any(
            of <= hour and (hour - of) * hour_ns - 8 * 10**9 <= RESUME_WITHIN_NS and tool in (None, of_tool)
            for of, of_tool in wholes
        )
    }
    kept = {int(trace, 16) for trace in without_replays(scoped(rows))["trace_id"]}
    assert kept == {at + 1 for at in range(len(told_of))} - replays


def test_a_call_that_was_left_open_is_resumed_by_its_answer() -> None:
    """It was no replay: the earlier trace never told how it ended."""
    waits = [EARLIER[0], event("approval.requested", s=1, conversation_id=None)]
    assert told(*waits, REPEATED) == [("0", "executed", "answered")]
