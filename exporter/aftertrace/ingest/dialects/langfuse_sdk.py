"""Langfuse's SDK (OpenTelemetry since version 3): its observations as spans, whoever they are exported to.

Seen from `langfuse` 5.0 with its decorator and its OpenAI client. The attributes are the fields of an observation,
which its exports hold under other names: they are turned into those and read as an export is.
"""

from __future__ import annotations

from typing import Final

from aftertrace.ingest.dialects import langfuse, messages
from aftertrace.ingest.dialects.events import Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.records import Record, Span

NAME: Final = "langfuse-sdk"
READS: Final = (
    ("span: session.id, user.id", "conversation_id, user_id"),
    ("span generation: langfuse.observation.input, output", "tool.called answered, refused …; action.proposed"),
    ("span generation: langfuse.observation.model.name, usage_details, cost_details",
     "model, input_tokens, output_tokens, cost_usd"),
    ("span tool: langfuse.observation.input, output, level, status_message",
     "tool.called completed, failed, refused …"),
    ("span agent: name", "agent_name"),
)  # fmt: skip

_SCOPE: Final = "langfuse-sdk"
_ABOUT: Final = "langfuse.observation."
_FIELDS: Final = {
    "input": "input",
    "output": "output",
    "level": "level",
    "statusMessage": "status_message",
    "model": "model.name",
    "usageDetails": "usage_details",
    "costDetails": "cost_details",
}
"""Fields of an exported observation, and the attributes that hold them here."""
_LOADED: Final = ("usageDetails", "costDetails")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == _SCOPE and outline.is_span


def read(record: Record) -> Reading | None:
    """Read a span of the SDK's own; those of other instrumentations that it exports are left to others."""
    if record.origin.scope_name != _SCOPE or not isinstance(record, Span):
        return None
    kind = record.attributes.get(f"{_ABOUT}type")
    if not isinstance(kind, str):
        return None
    told = {field: record.attributes.get(f"{_ABOUT}{name}") for field, name in _FIELDS.items()}
    told |= {field: messages.load(told[field]) for field in _LOADED}
    reading = langfuse.of_observation(record, {**told, "type": kind.upper(), "name": record.name})
    reading.dialect = NAME
    return reading
