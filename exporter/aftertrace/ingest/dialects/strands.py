"""Strands Agents (1.62): spans whose content lies in span events, under both generations of the conventions.

`OTEL_SEMCONV_STABILITY_OPT_IN` chooses between one event a message and `gen_ai.client.inference.operation.details`, and
may move the content to the span. What sets the emitter apart (`telemetry/tracer.py`, `tools/executors/_executor.py`):

- A call that a hook cancels, or holds back for an interrupt, has no tool span. The hook's text is the call's result.
- An interrupt is what `invoke_agent` returns, as the Python `repr` of a list; its id names the call. The answer to it
  is not sent; the run goes on in another trace.
- A tool span without `gen_ai.tool.status` had no result: the tool itself raised an interrupt.
- A tool that does not exist has a span, and so has one whose arguments are invalid.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Final

from aftertrace.ingest.dialects import genai, messages, span_messages
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.span_messages import DETAILS, GIVEN, INSTRUCTIONS, MADE
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Record, Span

NAME: Final = "strands"
READS: Final = (
    ("span chat: events gen_ai.choice; operation.details gen_ai.output.messages", "action.proposed"),
    ("span chat: events gen_ai.tool.message; operation.details gen_ai.input.messages", "tool.called answered …"),
    ("span execute_event_loop_cycle: tool.result; operation.details", "tool.called answered, cancelled …"),
    ("span execute_tool: gen_ai.tool.status success, error", "tool.called completed, failed, unknown_tool …"),
    ("span execute_tool without gen_ai.tool.status", "tool.called entered: it was interrupted"),
    ("span invoke_agent: finish_reason=interrupt, v1:before_tool_call:<id>:…", "approval.requested"),
    ("span invoke_agent: gen_ai.agent.tools, gen_ai.tool.definitions", "tool_names"),
    ("span: events gen_ai.system.message, gen_ai.system_instructions", "system_prompt_digest"),
    ("span: session.id, gen_ai.conversation.id, user.id of trace_attributes", "conversation_id, user_id"),
)

REDACTED: Final = "[REDACTED]"
"""What stands for a content that `gen_ai_unredacted_attributes` does not let through."""
MAX_CHARACTERS: Final = 200_000
"""An interrupt's text is read as a literal up to this length; its ids are found in any."""

_SCOPES: Final = ("strands.telemetry.tracer", "strands-agents")
_ERROR: Final = 2
_INTERRUPT_ID: Final = re.compile(r"v1:(?:before_tool_call|tool_call):(.{1,256}?):[0-9a-f]{8}-[0-9a-f-]{27}")
_CANCELLED_BY_HOOK: Final = "tool cancelled by user"
"""What a hook says that cancels a call and gives no reason."""
_CANCELLED: Final = "Tool execution cancelled"
"""What each open call is answered when the agent itself is stopped."""
_INVALID: Final = "Validation failed for input parameters:"


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope in _SCOPES and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a span of Strands' own tracer."""
    if record.origin.scope_name not in _SCOPES or not isinstance(record, Span):
        return None
    attributes = _kept({**span_messages.told(record.events), **record.attributes})
    operation = attributes.get("gen_ai.operation.name")
    reading = Reading(dialect=NAME, who=genai.who(attributes))
    if operation == "chat":
        reading.operation = "chat"
        reading.events = genai.model_call_events(attributes, record.start_ns, record.end_ns)
    elif operation == "execute_tool":
        reading.operation = "execute_tool"
        reading.events = [_tool_event(record, attributes)]
    elif operation == "execute_event_loop_cycle":
        reading.operation = "step"
        reading.events = _results(record)
    elif isinstance(operation, str) and operation.startswith("invoke_"):
        reading.operation = "invoke_agent"
        reading.events = _agent_events(record, attributes)
        if reading.who.tool_names is None and "gen_ai.agent.tools" in attributes:
            reading.who.tool_names = messages.tool_names(attributes["gen_ai.agent.tools"])
            reading.who.tools_digest = messages.repeated_digest(attributes["gen_ai.agent.tools"])
    for event in reading.events:
        _mark(event)
    return reading


def _kept(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes without what was redacted, which would pass for a content."""
    kept = {key: value for key, value in attributes.items() if value != REDACTED}
    for key in (GIVEN, MADE, INSTRUCTIONS):
        if isinstance(kept.get(key), list) and REDACTED in str(kept[key]):
            kept[key] = [item for item in kept[key] if not _is_redacted(item)]
    return {key: value for key, value in kept.items() if key != INSTRUCTIONS or value}


def _is_redacted(item: Any) -> bool:
    listed = item.get("parts", [item]) if isinstance(item, dict) else []
    return [part.get("content") for part in listed if isinstance(part, dict)] == [REDACTED]


def _tool_event(span: Span, attributes: dict[str, Any]) -> Event:
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=messages.load(_arguments(span, attributes)),
        content=_result(span, attributes),
    )
    status = text(attributes.get("gen_ai.tool.status"))
    if not span.end_ns:
        event.state = "started"
    elif status == "error" or span.status == _ERROR:
        _failed(event, span, attributes)
    elif status is None:
        event.state, event.rule = "entered", "no_tool_status"
    return event


def _failed(event: Event, span: Span, attributes: dict[str, Any]) -> None:
    raised = next((item.attributes for item in span.events if item.name == "exception"), None)
    spoken = messages.response_text(event.content)
    said = text(span.status_message) or text((raised or {}).get("exception.message")) or spoken
    event.state, event.reason = "failed", said
    name = attributes.get("gen_ai.tool.name")
    if said == f"Unknown tool: {name}":
        event.state, event.rule = "unknown_tool", "unknown_tool"
    elif said is not None and said.removeprefix("Error: ").startswith(_INVALID):
        event.state, event.rule = "invalid_arguments", "validation_failed"
    elif raised is None:
        # Before a hook's cancellation left no span, its span looked like that of a tool which returned an error.
        event.basis = "inferred"
        if said == _CANCELLED_BY_HOOK:
            event.state, event.decided_by, event.rule = "refused", "hook", "hook_cancelled"


def _arguments(span: Span, attributes: dict[str, Any]) -> Any:
    if "gen_ai.tool.call.arguments" in attributes:
        return attributes["gen_ai.tool.call.arguments"]
    for event in span.events:
        if event.name == "gen_ai.tool.message" and event.attributes.get("content") != REDACTED:
            return event.attributes.get("content")
    return next((item.arguments for item in messages.proposals(attributes.get(GIVEN))), None)


def _result(span: Span, attributes: dict[str, Any]) -> Any:
    if "gen_ai.tool.call.result" in attributes:
        return messages.load(attributes["gen_ai.tool.call.result"])
    for event in span.events:
        if event.name == "gen_ai.choice" and event.attributes.get("message") != REDACTED:
            return messages.load(event.attributes.get("message"))
    return next((item.content for item in messages.answers(attributes.get(MADE)) if item.state != "echoed"), None)


def _results(span: Span) -> list[Event]:
    """What a cycle's tools gave back, also where no model call follows that is told of it."""
    given: list[dict[str, Any]] = [
        {"role": "tool", "parts": span_messages.parts(event.attributes.get("tool.result"))} for event in span.events
    ]
    # The first event is the history that the cycle began with, which its model call repeats.
    details = [event.attributes for event in span.events if event.name == DETAILS][1:] or [span.attributes]
    given += [message for told in details for key in (GIVEN, MADE) for message in messages.messages(told.get(key))]
    answers = [event for event in messages.answers(given) if event.state != "echoed" and event.call_id]
    for event in answers:
        event.time_ns = span.end_ns or span.start_ns
    return answers


def _agent_events(span: Span, attributes: dict[str, Any]) -> list[Event]:
    found: list[Event] = []
    asked = messages.user_text(attributes.get(GIVEN))
    if asked is not None:
        found.append(Event(event="input.resolved", state="user_prompt", time_ns=span.start_ns, content=asked))
    for message in messages.messages(attributes.get(MADE)):
        if message.get("finish_reason") == "interrupt":
            found += _interrupts(messages.parts(message), span.end_ns or span.start_ns)
    return found


def _interrupts(parts: Any, time_ns: int) -> list[Event]:
    """One `approval.requested` per interrupt; without its reason where the text is no literal."""
    said = "".join(part["content"] for part in parts if isinstance(part.get("content"), str))
    reasons = _reasons(said)
    return [
        Event(
            event="approval.requested",
            time_ns=time_ns,
            call_id=match[1],
            group=match[0],
            content=reasons.get(match[0]),
            rule="interrupt",
        )
        for match in _INTERRUPT_ID.finditer(said)
    ]


def _reasons(said: str) -> dict[str, Any]:
    if len(said) > MAX_CHARACTERS:
        return {}
    try:
        listed = ast.literal_eval(said.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return {
        item["id"]: item.get("reason")
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and isinstance(item.get("id"), str)
    }


def _mark(event: Event) -> None:
    """Tell by the framework's own words what an answer was."""
    if event.event != "tool.called" or event.state != "answered":
        return
    said = messages.response_text(event.content)
    if event.attributes.get("answer_status") != "success":
        event.reason = said
    if said == _CANCELLED:
        event.state, event.rule = "cancelled", "agent_cancelled"
    elif said == _CANCELLED_BY_HOOK:
        event.state, event.decided_by, event.rule = "refused", "hook", "hook_cancelled"
    elif said is not None and said.removeprefix("Error: ").startswith(_INVALID):
        event.state, event.rule = "invalid_arguments", "validation_failed"
