"""A tool that runs before its agent calls its model was asked about in the run before, though nothing else says so."""

from __future__ import annotations

from typing import Any, Final

from .stories import AT_NS, calls_of, event, span

AGENT, STEP, TOOL = "a" * 16, "b" * 16, "c" * 16
COLUMNS: Final = ("outcome", "decided_by", "approval_asked", "rules")
PLAIN: Final = [("executed", None, False, ["ran"])]
LET_ON: Final = [("executed", "human", True, ["ran", "ran_before_model"])]


def told(scope: str, *, model_s: float, under: str, **columns: Any) -> list[tuple[Any, ...]]:
    """What becomes of a tool that runs four seconds into a run, whose first model call comes at some time."""
    row: dict[str, Any] = {"scope_name": scope, "conversation_id": None}
    ran = event("tool.called", "completed", s=4, span_id=TOOL, parent_span_id=under, **{**row, **columns})
    spans = (
        span("invoke_agent", span_id=AGENT, parent_span_id=None, **row),
        span("step", span_id=STEP, parent_span_id=AGENT, **row),
        span("chat", s=model_s, parent_span_id=STEP, **row),
        span("execute_tool", s=4, span_id=TOOL, parent_span_id=under, **row),
    )
    return calls_of({**ran, "end_ns": AT_NS + 5 * 10**9}, spans=spans).select(COLUMNS).rows()


def test_what_runs_before_the_first_model_call_was_let_by_a_person() -> None:
    """By the clock where spans lie side by side (version 6); what runs after it is as it was."""
    assert told("ai", model_s=6, under=AGENT) == LET_ON
    assert told("ai", model_s=2, under=AGENT) == PLAIN


def test_what_runs_outside_of_every_step_was_let_by_a_person() -> None:
    """Version 7, whose clock may tell one millisecond of both; what runs in a step is as it was."""
    assert told("gen_ai", model_s=4, under=AGENT) == LET_ON
    assert told("gen_ai", model_s=2, under=STEP) == PLAIN


def test_the_order_tells_nothing_of_other_emitters() -> None:
    """Their agents may run tools of their own accord, before anything else."""
    assert told("shop", model_s=6, under=AGENT) == PLAIN


def test_a_denial_that_the_next_run_is_told_of_was_a_persons_in_one_trace_too() -> None:
    """The program's own span may hold both runs. The control: the run that proposed it is told by a rule."""
    whole: dict[str, Any] = {"scope_name": "gen_ai", "conversation_id": None}
    asked, went_on = (span("chat", s=s, span_id=f"{s:016x}", **whole) for s in (1, 8))
    proposed = event("action.proposed", "proposed", s=2, span_id=asked["span_id"], **whole)
    denied = event("tool.called", "refused", s=8, rule="denied_response", decided_by="human", **whole)
    told = []
    for under in ("2" * 16, "1" * 16):
        spans = (
            span("work", span_id="0" * 16, parent_span_id=None, s=9, **whole),
            span("invoke_agent", span_id="1" * 16, parent_span_id="0" * 16, **whole),
            span("invoke_agent", s=7, span_id="2" * 16, parent_span_id="0" * 16, **whole),
            {**asked, "parent_span_id": "1" * 16},
            {**went_on, "parent_span_id": under},
        )
        calls = calls_of(proposed, {**denied, "span_id": went_on["span_id"]}, spans=spans)
        told += calls.select("outcome", "decided_by", "approval_asked").rows()
    assert told == [("denied", "human", True), ("denied", "policy", False)]
