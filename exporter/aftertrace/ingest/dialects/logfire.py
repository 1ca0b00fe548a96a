"""Logfire's instrumentation of the OpenAI Agents SDK.

Source: what Logfire 5.2 was seen to send. Each of the SDK's spans is one of Logfire's; values that are no text are JSON
text, also `null`. A function span has no call id, and one without output may only wait for an approval.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, handoffs, message_forms, messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import flag, mapping, text
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "logfire"
READS: Final = (
    ("span Responses API: raw_input, response, events", "tool.called answered, refused …; action.proposed"),
    ("span Chat completion: input, output, request_data, response_data", "as above"),
    ("span Function: name, input, output, error", "tool.called completed, failed, entered"),
    ("span Turn: error Tool not found", "tool.called unknown_tool"),
    ("span Handoff: to_agent", "tool.called completed of transfer_to_*"),
    ("span Guardrail: name, triggered", "policy.evaluated allow, deny"),
    ("span OpenAI Agents trace: group_id, metadata", "conversation_id, user_id"),
    ("span Agent run: name, tools", "agent_name, tool_names"),
)  # fmt: skip

_SCOPE: Final = "logfire.openai_agents"
_PENDING: Final = "pending_span"
"""Logfire announces a span that has only begun by a second one: it states nothing of its own."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == _SCOPE and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a span of Logfire's instrumentation of the OpenAI Agents SDK."""
    if isinstance(record, Log) or record.origin.scope_name != _SCOPE:
        return None
    attributes = record.attributes
    reading = Reading(dialect=NAME, who=_who(attributes), operation="step")
    if attributes.get("logfire.span_type") == _PENDING:
        return reading
    match _kind(record):
        case "trace" | "agent":
            reading.operation = "invoke_agent"
        case "function":
            reading.operation = "execute_tool"
            reading.who.tool_name = text(attributes.get("name"))
            reading.events = [_function(record)]
        case "handoff":
            reading.events = handoffs.events(record, _text(attributes.get("to_agent")))
        case "guardrail":
            reading.operation = "guardrail"
            reading.events = [_guardrail(record)]
        case "model":
            reading.operation = "chat"
            reading.events = _model_call(record, reading.who)
        case _:
            reading.events = _not_found(record)
    return reading


def _kind(span: Span) -> str | None:
    """Which of the SDK's spans this is, by the attributes that it alone has."""
    attributes = span.attributes
    if "agent_trace_id" in attributes:
        return "trace"
    if "handoffs" in attributes or "output_type" in attributes:
        return "agent"
    if "mcp_data" in attributes or span.name.startswith("Function:"):
        return "function"
    if "to_agent" in attributes:
        return "handoff"
    if "triggered" in attributes:
        return "guardrail"
    return "model" if {"events", "raw_input", "response", "request_data", "input"} & attributes.keys() else None


def _who(attributes: dict[str, Any]) -> Who:
    who = genai.who(attributes)
    metadata = messages.load(attributes.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    who.conversation_id = who.conversation_id or _text(attributes.get("group_id"))
    who.user_id = who.user_id or text(metadata.get("user_id")) or text(metadata.get("user"))
    if "handoffs" in attributes:
        who.agent_name = _text(attributes.get("name"))
        who.tool_names = messages.tool_names(attributes.get("tools"))
        who.tools_digest = messages.value_digest(who.tool_names)
    return who


def _model_call(span: Span, who: Who) -> list[Event]:
    attributes = {key: messages.load(value) for key, value in span.attributes.items()}
    request, response = mapping(attributes.get("request_data")), mapping(attributes.get("response"))
    made = response.get("output", attributes.get("output"))
    given = attributes.get("raw_input", attributes.get("input", request.get("messages")))
    if made is None:
        made = mapping(attributes.get("response_data")).get("message")
    if made is None:
        # `events` tells input and output as one list: the output is what the model said last.
        asked, said = _split(message_forms.normal(attributes.get("events")))
    else:
        asked, said = message_forms.normal(given), message_forms.normal(made)
    system = text(response.get("instructions")) or message_forms.instructions(asked) or _told_instructions(attributes)
    who.system_prompt_digest = messages.instructions_digest(system)
    if response.get("tools"):
        who.tool_names = messages.tool_names(response["tools"])
        who.tools_digest = messages.value_digest(who.tool_names)
    who.model_served = who.model_served or text(response.get("model"))
    read = {
        "gen_ai.input.messages": asked,
        "gen_ai.output.messages": said,
        "gen_ai.system_instructions": system,
    }
    return genai.model_call_events(read, span.start_ns, span.end_ns)


def _told_instructions(attributes: dict[str, Any]) -> str | None:
    return message_forms.instructions(message_forms.normal(attributes.get("events")))


def _split(told: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    last = max((index for index, message in enumerate(told) if message["role"] != "assistant"), default=-1)
    return told[: last + 1], told[last + 1 :]


def _function(span: Span) -> Event:
    attributes = span.attributes
    given, output = messages.load(attributes.get("input")), messages.load(attributes.get("output"))
    error = mapping(messages.load(attributes.get("error")))
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        tool_name=text(attributes.get("name")),
        arguments=given,
        content=output,
    )
    if error or span.status == 2:
        event.state = "failed"
        event.reason = (
            text(mapping(error.get("data")).get("error")) or text(error.get("message")) or span.status_message
        )
        messages.judged(event, event.reason)
    elif not span.end_ns:
        event.state = "started"
    elif output is None:
        # A call that waits for an approval and one that returned None look alike here.
        event.state, event.rule = "entered", "null_output"
    return event


def _not_found(span: Span) -> list[Event]:
    """The turn that looked for a tool which does not exist tells of it."""
    error = mapping(messages.load(span.attributes.get("error")))
    name = text(mapping(error.get("data")).get("tool_name"))
    if error.get("message") != "Tool not found" or name is None:
        return []
    return [
        Event(
            event="tool.called",
            state="unknown_tool",
            time_ns=span.end_ns or span.start_ns,
            tool_name=name,
            # The model may be told as well, with the call's id: then this is of the same call.
            position=0,
            reason="Tool not found",
            rule="openai_turn",
        )
    ]


def _guardrail(span: Span) -> Event:
    triggered = flag(span.attributes.get("triggered"))
    return Event(
        event="policy.evaluated",
        state="unknown" if triggered is None else "deny" if triggered else "allow",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        decided_by="guardrail",
        decider=text(span.attributes.get("name")),
        rule="guardrail",
    )


def _text(value: Any) -> str | None:
    """A text; None for the text `null`, which stands for nothing."""
    return None if value == "null" else text(value)
