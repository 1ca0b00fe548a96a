"""Goose: GenAI spans whose status is unset, also where `error.type` tells that a tool failed or never ran.

By the source of 2026 (`state_machine/ops_toolcalling.rs`, `ops_unknown_tool.rs`, `hooks/mod.rs`): a call that a person
declines, and one in chat mode, is answered without a span; the model is told in a text. A call that a hook denies has
one. What else Goose sends is read as the conventions have it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from aftertrace.ingest.dialects import genai
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.records import Record, Span

NAME: Final = "goose"
READS: Final = (
    ("span execute_tool: error.type=tool_error, tool_execution_error …", "tool.called failed"),
    ("span execute_tool: error.type=hook_denied, hook_failed", "tool.called refused"),
    ("span execute_tool: error.type=tool_not_available, final_output_not_defined", "tool.called unknown_tool"),
    ("span execute_tool without error.type", "tool.called completed"),
)

State: TypeAlias = Literal["refused", "unknown_tool"]

_SCOPE: Final = "goose"
_UNRUN: Final[dict[str, State]] = {
    "hook_denied": "refused",
    "hook_failed": "refused",
    "tool_not_available": "unknown_tool",
    "final_output_not_defined": "unknown_tool",
}
"""Types of error of calls that never ran."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == _SCOPE and outline.is_span


def read(record: Record) -> Reading | None:
    """Read the span of a tool call; all else is left to `genai`."""
    if record.origin.scope_name != _SCOPE or not isinstance(record, Span):
        return None
    if record.attributes.get("gen_ai.operation.name") != "execute_tool":
        return None
    reading = genai.read(record)
    if reading is None:
        return None
    reading.dialect = NAME
    error = record.attributes.get("error.type")
    if isinstance(error, str) and error:
        for event in reading.events:
            _settle(event, error)
    return reading


def _settle(event: Event, error: str) -> None:
    if event.event != "tool.called" or event.state not in ("completed", "failed"):
        return
    event.state, event.reason = _UNRUN.get(error, "failed"), event.reason or error
    if event.state != "failed":
        event.rule = "error_type"
    if event.state == "refused":
        event.decided_by = "hook"
