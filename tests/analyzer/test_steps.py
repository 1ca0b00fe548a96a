"""Steps of smolagents: an error that names no tool is about the only call of its step, a led agent's run is a call."""

from __future__ import annotations

from typing import Any, Final

from .stories import calls_of, event, span

STEP: Final = "5" * 16
MODEL: Final = "6" * 16
SPANS: Final = (
    span("invoke_agent", span_id="f" * 16, parent_span_id=None),
    span("step", span_id=STEP),
    span("chat", span_id=MODEL, parent_span_id=STEP),
)
PROPOSED: Final = event("action.proposed", "proposed", span_id=MODEL, parent_span_id=STEP)
WRONG: Final = event(
    "tool.called",
    "invalid_arguments",
    s=1,
    tool_name=None,
    call_id=None,
    span_id=STEP,
    parent_span_id="f" * 16,
    rule="smolagents_step",
)


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Tool, call and outcome of every call."""
    calls = calls_of(*events, spans=SPANS)
    return calls.sort("tool_name", "tool_call_id").select("tool_name", "tool_call_id", "outcome").rows()


def test_an_error_is_about_the_only_call_of_its_step() -> None:
    """Only what was wrong with the arguments is said, and not whose they were."""
    assert told(PROPOSED, WRONG) == [("pay", "c-1", "invalid_arguments")]


def test_an_error_is_about_no_call_where_several_were_proposed() -> None:
    """Nor about one that was proposed in another step, or by another's rule."""
    other = {**PROPOSED, "call_id": "c-2"}
    assert [outcome for *_, outcome in told(PROPOSED, other, WRONG)] == ["unresolved", "unresolved"]
    assert told({**PROPOSED, "parent_span_id": "7" * 16}, WRONG) == [("pay", "c-1", "unresolved")]
    assert told(PROPOSED, {**WRONG, "rule": "another"}) == [("pay", "c-1", "unresolved")]


def test_the_run_of_an_agent_in_another_ones_step_is_a_call() -> None:
    """The one that was proposed, or one that code made. A run that lies elsewhere is a run."""
    run = event(
        "tool.called",
        "completed",
        s=1,
        tool_name="helper",
        call_id=None,
        span_id="8" * 16,
        parent_span_id=STEP,
        rule="managed_agent",
    )
    assert told({**PROPOSED, "tool_name": "helper"}, run) == [("helper", "c-1", "executed")]
    assert told(run) == [("helper", None, "executed")]
    assert told(PROPOSED, {**run, "parent_span_id": "f" * 16}) == [("pay", "c-1", "unresolved")]
