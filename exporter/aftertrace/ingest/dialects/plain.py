"""What no other dialect knows: plain OTel, read as far as it says anything about an agent.

Takes every record, so that a span or log record always has a row. A span with a tool's name and what only the call of
a tool has, under names that many use, is taken for one; nothing else states an event.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.values import associated_conversation, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "plain"
READS: Final = (
    ("span, log: session.id, gen_ai.conversation.id, traceloop.association.properties.*", "conversation_id"),
    ("span, log: aftertrace.run.id", "run_key"),
    ("span, log: user.id, enduser.id", "user_id"),
    ("span: tool.name, tool_name; tool.call_id, tool_call_id, tool.call.id", "tool_name; call_id"),
    ("span: tool.name with an id, tool.arguments, tool.input, tool.result, tool.output …",
     "tool.called completed, failed, inferred"),
)  # fmt: skip

_NAMES: Final = ("tool.name", "tool_name")
_IDS: Final = ("tool.call_id", "tool.call.id", "tool_call_id")
_ARGUMENTS: Final = ("tool.arguments", "tool.parameters", "tool.input", "tool_input", "tool.args", "tool_args")
_RESULTS: Final = ("tool.result", "tool.output", "tool_output", "tool_result")
_ERROR: Final = 2


def read(record: Record) -> Reading:
    """Read identity by the standard names; everything else stays in `attributes` and in the evidence."""
    attributes = record.attributes
    reading = Reading(
        dialect=NAME,
        who=Who(
            run_key=attributes.get("aftertrace.run.id"),
            conversation_id=attributes.get("gen_ai.conversation.id")
            or attributes.get("session.id")
            or associated_conversation(attributes),
            user_id=attributes.get("user.id") or attributes.get("enduser.id"),
        ),
    )
    name = _first(attributes, _NAMES)
    if isinstance(name, str) and isinstance(record, Span):
        _add_call(reading, record, name)
    return reading


def _add_call(reading: Reading, span: Span, name: str) -> None:
    attributes = span.attributes
    call_id = text(_first(attributes, _IDS))
    given, result = _first(attributes, _ARGUMENTS), _first(attributes, _RESULTS)
    if call_id is None and given is None and result is None:
        return
    failed = span.status == _ERROR
    reading.operation = "execute_tool"
    reading.who.tool_name, reading.who.call_id = name, call_id
    reading.events = [
        Event(
            event="tool.called",
            state="failed" if failed else "completed" if span.end_ns else "started",
            time_ns=span.start_ns,
            end_ns=span.end_ns or None,
            arguments=messages.load(given),
            content=messages.load(result),
            basis="inferred",
            reason=text(span.status_message) if failed else None,
            rule="tool_names",
        )
    ]


def _first(attributes: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((attributes[key] for key in keys if attributes.get(key) is not None), None)
