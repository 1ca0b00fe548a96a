"""Spans of Codex: the few of a turn's hundreds that state something, once `codex` has told them from others.

Nothing in a span says how a call was refused or what it printed; `success=false` of a span event is a refusal as well
as a failure, and states neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.ingest.dialects.codex_logs import mode_events, sandbox_event
from aftertrace.ingest.dialects.codex_results import INCLUDES_WAIT
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.values import flag, text

if TYPE_CHECKING:
    from aftertrace.ingest.records import Span, SpanEvent

_TURN: Final = "session_task.turn"
_USAGE: Final = "codex.turn.token_usage."
_HOOK: Final = "codex.hooks.command"
_BEFORE_TOOL: Final = "PreToolUse"
_SPAN_EVENTS: Final = (
    "codex.conversation_starts",
    "codex.tool_call_received",
    "codex.tool_result",
    "codex.sandbox_outcome",
)


def describe(span: Span, reading: Reading) -> None:
    """Say what a span is and states. A step of Codex's machinery has neither operation nor events."""
    attributes, who = span.attributes, reading.who
    if "aborted" in attributes and who.call_id is not None:
        reading.operation, reading.events = "execute_tool", _tool_events(span)
    elif span.name == _TURN:
        reading.operation = "invoke_agent"
        who.input_tokens, who.output_tokens = (attributes.get(f"{_USAGE}{of}_tokens") for of in ("input", "output"))
        if span.end_ns:
            reading.events = [Event(event="run.completed", time_ns=span.end_ns)]
    elif attributes.get("gen_ai.usage.input_tokens") is not None:
        reading.operation = "chat"
        who.input_tokens = attributes["gen_ai.usage.input_tokens"]
        who.output_tokens = attributes.get("gen_ai.usage.output_tokens")
    elif span.name == _HOOK and attributes.get("hook.event_name") == _BEFORE_TOOL:
        reading.operation, reading.events = "guardrail", [_hook_event(span)]
    elif attributes.get("rpc.method") == "turn/start" and who.turn_id is not None:
        # The request to begin a turn is answered at once: its end is not the turn's.
        reading.events = [Event(event="run.created", time_ns=span.start_ns)]
    for event in span.events:
        if event.attributes.get("event.name") in _SPAN_EVENTS:
            who.conversation_id = who.conversation_id or text(event.attributes.get("conversation.id"))
            reading.events += _told(event)


def _tool_events(span: Span) -> list[Event]:
    entered = Event(
        event="tool.called",
        state="entered",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        attributes={INCLUDES_WAIT: True},
    )
    if not flag(span.attributes.get("aborted")):
        return [entered]
    return [entered, Event(event="tool.called", state="cancelled", time_ns=span.end_ns, rule="aborted")]


def _hook_event(span: Span) -> Event:
    """A hook ran before the call whose span it lies in; what it said is not told."""
    return Event(
        event="policy.evaluated",
        state="unknown",
        time_ns=span.end_ns or span.start_ns,
        decided_by="hook",
        rule="hook_ran",
    )


def _told(event: SpanEvent) -> list[Event]:
    """What a span event repeats of a log event: about a call, or of the mode."""
    attributes = event.attributes
    match attributes["event.name"]:
        case "codex.conversation_starts":
            return mode_events(attributes, event.time_ns)
        case "codex.tool_call_received":
            told = Event(event="action.proposed", state="proposed", time_ns=event.time_ns)
        case "codex.sandbox_outcome":
            told = sandbox_event(attributes, event.time_ns)
        case _:
            state = "completed" if flag(attributes.get("success")) else "entered"
            told = Event(event="tool.called", state=state, time_ns=event.time_ns, attributes={"weight": "span"})
    told.tool_name, told.call_id = text(attributes.get("tool_name")), text(attributes.get("call_id"))
    return [told]
