"""Spans of Gemini CLI: `user_prompt`, `llm_call`, `schedule_tool_calls`, `tool_call`, `agent_call`.

`schedule_tool_calls` holds a batch of calls with their results, the refused ones too; `tool_call` is one that ran, and
begins when the wait is over. The status says nothing of a call: a span is OK whatever it tells.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import gemini_messages, messages
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.gemini_decisions import OUTCOMES, Told, exit_code
from aftertrace.ingest.dialects.gemini_decisions import events as call_events
from aftertrace.ingest.dialects.values import NS_PER_MS, duration_ns, mapping, text
from aftertrace.ingest.records import Span

# Every command typed at a terminal opens a `user_prompt`, `/quit` too: it is no sign of an agent.
OPERATIONS: Final = {
    "agent_call": "invoke_agent",
    "llm_call": "chat",
    "tool_call": "execute_tool",
    "schedule_tool_calls": "step",
    "system_prompt": "step",
}
RUN_BEGAN: Final = "tool_call_span"
"""Rule of a run whose time is that of the tool's own beginning, after every wait."""
_ERROR: Final = 2


def events(operation: str, span: Span, who: Who) -> list[Event]:
    """What a span states; those of model calls and scheduled calls also complete `who`."""
    match operation:
        case "llm_call":
            return _model_call(span, who)
        case "tool_call":
            return _run(span, who)
        case "schedule_tool_calls":
            return _batch(span, who)
    return []


def _model_call(span: Span, who: Who) -> list[Event]:
    attributes = span.attributes
    system = gemini_messages.instructions(attributes.get("gen_ai.system_instructions"))
    definitions = gemini_messages.tools(attributes.get("gen_ai.tool.definitions"))
    who.turn_id = who.turn_id or text(attributes.get("gen_ai.prompt.name"))
    who.system_prompt_digest = messages.repeated_digest(system)
    who.tool_names = messages.tool_names(definitions)
    who.tools_digest = None if definitions is None else messages.repeated_digest(definitions)
    given = gemini_messages.given(attributes.get("gen_ai.input.messages"))
    found = [event for event in messages.answers(given) if event.state != "echoed"]
    if system is not None and messages.opens_conversation(given):
        found.append(Event(event="input.resolved", state="system_prompt", content=system))
    prompt = messages.user_text(given, last_only=True)
    if prompt is not None:
        found.append(Event(event="input.resolved", state="user_prompt", content=prompt))
    for event in found:
        event.time_ns = span.start_ns
    proposed = messages.proposals(gemini_messages.made(attributes.get("gen_ai.output.messages")))
    for event in proposed:
        event.time_ns = span.end_ns or span.start_ns
    return found + proposed


def _run(span: Span, who: Who) -> list[Event]:
    """A tool that began to run, with its result where content is sent."""
    completed = mapping(gemini_messages.whole(span.attributes.get("gen_ai.output.messages")))
    request = mapping(completed.get("request")) or mapping(
        gemini_messages.whole(span.attributes.get("gen_ai.input.messages"))
    )
    _complete(who, request)
    status = text(completed.get("status"))
    if status is None:
        failed = span.status == _ERROR
        called = Event(event="tool.called", state="failed" if failed else "completed", arguments=request.get("args"))
        called.time_ns, called.end_ns, called.rule = span.start_ns, span.end_ns or None, RUN_BEGAN
        called.reason = text(span.status_message) if failed else None
        if not span.end_ns:
            called.state = "started"
        elif not failed:
            # Without content an error that the tool returned cannot be told from its result.
            called.basis = "inferred"
        return [called]
    start_ns = _time_ns(completed.get("startTime")) or span.start_ns
    told = _told(completed, request, span, start_ns=start_ns, run_ns=span.start_ns, batch=True)
    found = call_events(told)
    for event in found:
        if event.event == "tool.called":
            event.time_ns, event.end_ns, event.rule = span.start_ns, span.end_ns or None, event.rule or RUN_BEGAN
    return found


def _batch(span: Span, who: Who) -> list[Event]:
    """The calls of a batch: with their results where the span has them, else as they were scheduled."""
    listed = gemini_messages.whole(span.attributes.get("gen_ai.output.messages"))
    found: list[Event] = []
    told_ids: set[str | None] = set()
    for completed in listed if isinstance(listed, list) else []:
        call = mapping(completed)
        request = mapping(call.get("request"))
        if request:
            _complete(who, request)
            told_ids.add(text(request.get("callId")))
            found += call_events(_told(call, request, span, start_ns=span.start_ns, run_ns=0, batch=False))
    asked = gemini_messages.whole(span.attributes.get("gen_ai.input.messages"))
    for item in asked if isinstance(asked, list) else [asked]:
        request = mapping(item)
        if text(request.get("callId")) not in told_ids and text(request.get("name")):
            _complete(who, request)
            found.append(
                Event(
                    event="tool.called",
                    state="entered",
                    time_ns=span.start_ns,
                    tool_name=text(request.get("name")),
                    call_id=text(request.get("callId")),
                    arguments=request.get("args"),
                )
            )
    return found


def _told(
    call: dict[str, Any], request: dict[str, Any], span: Span, *, start_ns: int, run_ns: int, batch: bool
) -> Told:
    response = mapping(call.get("response"))
    outcome = text(call.get("outcome"))
    status = text(call.get("status"))
    return Told(
        status=status,
        decision=None if outcome is None else OUTCOMES.get(outcome, outcome),
        error=_error(response),
        error_type=text(response.get("errorType")),
        is_edited=_is_edited(response),
        exit_code=exit_code(response.get("data")),
        is_span=True,
        tool_name=text(request.get("name")) or text(span.attributes.get("gen_ai.tool.name")),
        call_id=text(request.get("callId")) or text(span.attributes.get("gen_ai.tool.call_id")),
        arguments=request.get("args"),
        start_ns=start_ns,
        end_ns=span.end_ns or span.start_ns,
        run_ns=run_ns,
        wait_ns=max(run_ns - start_ns, 0) if run_ns else None,
        duration_ns=duration_ns(call.get("durationMs")),
        batch=span.parent_span_id if batch else span.span_id,
        mode=text(call.get("approvalMode")),
    )


def _error(response: dict[str, Any]) -> str | None:
    """The text that the model was given in place of a result."""
    parts = response.get("responseParts")
    for part in parts if isinstance(parts, list) else []:
        told = mapping(mapping(mapping(part).get("functionResponse")).get("response"))
        if text(told.get("error")):
            return text(told["error"])
    return None


def _is_edited(response: dict[str, Any]) -> bool:
    counted = mapping(mapping(response.get("resultDisplay")).get("diffStat"))
    lines = (counted.get(f"user_{change}_lines") for change in ("added", "removed"))
    return any(isinstance(count, int) and count > 0 for count in lines)


def _complete(who: Who, request: dict[str, Any]) -> None:
    who.turn_id = text(request.get("prompt_id")) or who.turn_id


def _time_ns(milliseconds: Any) -> int | None:
    is_time = isinstance(milliseconds, int) and not isinstance(milliseconds, bool)
    return milliseconds * NS_PER_MS if is_time and 0 < milliseconds < 2**63 // NS_PER_MS else None
