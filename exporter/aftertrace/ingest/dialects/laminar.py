"""OpenHands (SDK 1.58) through Laminar: a span for each action, run or rejected.

Source: `observability/laminar.py` and `reject_pending_actions` of its SDK, and `lmnr` 0.8. An action that a person
rejects has a TOOL span like one that ran; its output is the message that tells the model so. Model calls follow the
GenAI conventions and are read there.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Record, Span

NAME: Final = "laminar"
READS: Final = (
    ("span TOOL: status, lmnr.span.output is_error", "tool.called completed, failed"),
    ("span TOOL: lmnr.span.output, a message of role tool", "tool.called refused"),
    ("span TOOL: lmnr.association.properties.metadata.tool_call_id", "call_id"),
    ("span: lmnr.association.properties.session_id, user_id", "conversation_id, user_id"),
)

_ABOUT: Final = "lmnr.association.properties."
_INNER: Final = "MCPToolExecutor.call_tool"
"""A TOOL span under that of the action, for the same call."""
_ERROR: Final = 2


def read(record: Record) -> Reading | None:
    """Read a span of Laminar's own; those with GenAI attributes are left to `genai`."""
    attributes = record.attributes
    if not isinstance(record, Span) or not ("lmnr.span.path" in attributes or "lmnr.span.type" in attributes):
        return None
    kind = attributes.get("lmnr.span.type")
    if kind == "LLM" or "gen_ai.operation.name" in attributes:
        return None
    is_call = kind == "TOOL" and record.name != _INNER
    who = Who(
        conversation_id=text(attributes.get(f"{_ABOUT}session_id")),
        user_id=text(attributes.get(f"{_ABOUT}user_id")),
        call_id=text(attributes.get(f"{_ABOUT}metadata.tool_call_id")) if is_call else None,
        tool_name=record.name if is_call else None,
    )
    if not is_call:
        return Reading(dialect=NAME, who=who, operation="step" if record.parent_span_id else "invoke_agent")
    return Reading(dialect=NAME, who=who, operation="execute_tool", events=[_called(record)])


def _called(span: Span) -> Event:
    output = messages.load(span.attributes.get("lmnr.span.output"))
    event = Event(
        event="tool.called",
        state="completed" if span.end_ns else "started",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        arguments=_action(messages.load(span.attributes.get("lmnr.span.input"))),
        content=output,
    )
    told = output if isinstance(output, dict) else {}
    if span.status == _ERROR or told.get("is_error") is True:
        event.state, event.reason = "failed", text(span.status_message) or messages.response_text(told.get("content"))
    elif told.get("role") == "tool":
        # A message to the model stands in the place of what a tool observed. Its wording tells that the action did not
        # run: a program's own tool may return such a message as well.
        messages.judged(event, messages.response_text(told.get("content")))
    return event


def _action(given: Any) -> Any:
    """The arguments of an action, without the name of its class."""
    inner = given.get("action", given.get("tool_input")) if isinstance(given, dict) else None
    return {key: value for key, value in inner.items() if key != "kind"} if isinstance(inner, dict) else None
