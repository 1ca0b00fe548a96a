"""Laminar, and OpenHands through it: model calls in the provider's own form, and a span for each action.

Seen from OpenHands' SDK 1.58 with `lmnr` 0.7. A model call is a span without an operation, whose messages are OpenAI's.
An action is a span named after its class, under the id that the model gave its call. One that never ran has a span as
well, which says so by its form: `tool_input` where `action` stands otherwise, and as output the message that tells the
model why.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, message_forms, messages
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "laminar"
READS: Final = (
    ("span LLM: gen_ai.input.messages, gen_ai.output.messages", "tool.called answered, refused …; action.proposed"),
    ("span LLM: gen_ai.tool.definitions, gen_ai.usage.*", "tool_names; input_tokens, output_tokens"),
    ("span TOOL: status, lmnr.span.output is_error", "tool.called completed, failed"),
    ("span TOOL: lmnr.span.input tool_input, lmnr.span.output of role tool",
     "tool.called refused, unknown_tool, invalid_arguments, cancelled"),
    ("span TOOL: lmnr.association.properties.metadata.tool_call_id", "call_id"),
    ("span: lmnr.association.properties.session_id, user_id", "conversation_id, user_id"),
)  # fmt: skip

_ABOUT: Final = "lmnr.association.properties."
_INNER: Final = "MCPToolExecutor.call_tool"
"""A TOOL span under that of the action, for the same call."""
_MODEL_KEYS: Final = ("gen_ai.input.messages", "gen_ai.output.messages")
_ERROR: Final = 2


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.is_span and outline.has_any("lmnr.span.path", "lmnr.span.type")


def read(record: Record) -> Reading | None:
    """Read a span of Laminar's own; one with an operation of the GenAI conventions is left to `genai`."""
    attributes = record.attributes
    if not isinstance(record, Span) or not ("lmnr.span.path" in attributes or "lmnr.span.type" in attributes):
        return None
    if "gen_ai.operation.name" in attributes:
        return None
    who = genai.who(attributes)
    who.conversation_id = text(attributes.get(f"{_ABOUT}session_id")) or who.conversation_id
    who.user_id = text(attributes.get(f"{_ABOUT}user_id")) or who.user_id
    reading = Reading(dialect=NAME, who=who, operation="step" if record.parent_span_id else "invoke_agent")
    kind = attributes.get("lmnr.span.type")
    if kind == "TOOL" and record.name != _INNER:
        given, told = mapping(_loaded(record, "input")), mapping(_loaded(record, "output"))
        reading.operation = "execute_tool"
        who.call_id = text(attributes.get(f"{_ABOUT}metadata.tool_call_id"))
        # Named after the class of its action, of which the model's call, with the same id, knows the tool.
        is_named_after_class = who.call_id is not None and "action" in given
        who.tool_name = _tool(given, told) or (None if is_named_after_class else record.name)
        reading.events = [_called(record, given, told)]
    elif kind == "LLM" and not attributes.keys().isdisjoint(_MODEL_KEYS):
        reading.operation = "chat"
        asked = message_forms.normal(messages.load(attributes.get(_MODEL_KEYS[0])))
        system = message_forms.instructions(asked)
        who.system_prompt_digest = who.system_prompt_digest or messages.instructions_digest(system)
        told_form = {
            _MODEL_KEYS[0]: asked,
            _MODEL_KEYS[1]: message_forms.normal(messages.load(attributes.get(_MODEL_KEYS[1]))),
            "gen_ai.system_instructions": system,
        }
        reading.events = genai.model_call_events(told_form, record.start_ns, record.end_ns)
    return reading


def _loaded(span: Span, end: str) -> Any:
    return messages.load(span.attributes.get(f"lmnr.span.{end}"))


def _tool(given: dict[str, Any], told: dict[str, Any]) -> str | None:
    """The tool as the model named it: told of actions that never ran; of others the span's name tells the class."""
    return text(mapping(given.get("tool_input")).get("name")) or (text(told.get("name")) if _is_message(told) else None)


def _is_message(told: dict[str, Any]) -> bool:
    return told.get("role") == "tool"


def _called(span: Span, given: dict[str, Any], told: dict[str, Any]) -> Event:
    output = _loaded(span, "output")
    event = Event(
        event="tool.called",
        state="completed" if span.end_ns else "started",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=_arguments(given),
        content=output,
    )
    reason = messages.response_text(told.get("content"))
    if span.status == _ERROR or told.get("is_error") is True:
        event.state, event.reason = "failed", text(span.status_message) or reason
    elif _is_message(told):
        if "tool_input" in given:
            event.state, event.reason, event.decided_by, event.rule = "cancelled", reason, "program", "openhands_unrun"
        # The wording tells why. A program's own tool may return such a message as well, with nothing to tell it by.
        messages.judged(event, reason)
    return event


def _arguments(given: dict[str, Any]) -> Any:
    """The arguments of an action, without its class; of a call that is none, as the model wrote them."""
    inner = given.get("action", given.get("tool_input", given or None))
    if not isinstance(inner, dict):
        return None
    if "arguments" in inner and "origin" in inner:
        return messages.load(inner["arguments"])
    if inner.get("kind") == "MCPToolAction" and isinstance(inner.get("data"), dict):
        return inner["data"]
    return {key: value for key, value in inner.items() if key != "kind"}
