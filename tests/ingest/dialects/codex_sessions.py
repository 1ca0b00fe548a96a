"""Readings of recorded Codex sessions, who acts in them, and log events made by hand."""

from __future__ import annotations

from typing import Any

from aftertrace.ingest.dialects import codex
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Log, Record, Span

from .recordings import make_log, read_recording

SCOPE = "codex_otel.log_only"
CONVERSATION = "01a1fcf5-3635-74f0-a419-bc33e224f19f"
TURN = "01a1fcf5-3654-7200-8cc4-208af0be07e0"


def headless(**changes: Any) -> Who:
    """Who acts in the recording of `codex exec` with spans, with what one record adds."""
    return _who(CONVERSATION, "gpt-5.4", changes)


def embedded(**changes: Any) -> Who:
    """Who acts in the recording of an app server, with what one record adds."""
    return _who("01a1fd26-bd2c-71c0-80f0-ed3fc2c8f693", "gpt-5.4", changes)


def _who(conversation_id: str, model: str, changes: dict[str, Any]) -> Who:
    who = Who(conversation_id=conversation_id, agent_name="codex", agent_version="0.169.0", model=model)
    for name, value in changes.items():
        setattr(who, name, value)
    return who


def readings(case: str, name: str) -> list[Reading]:
    """The readings of all log events, or spans, of one name."""
    return [reading for record, reading in recorded(case) if _name(record) == name]


def recorded(case: str) -> list[tuple[Record, Reading]]:
    """Every record of a recording, with its reading."""
    found = [(record, codex.read(record)) for record in read_recording("codex", case)]
    return [(record, reading) for record, reading in found if reading is not None]


def stated(kind: str, **attributes: Any) -> list[Event]:
    """What a log event made by hand states."""
    reading = codex.read(log(kind, **attributes))
    assert reading is not None
    return reading.events


def log(kind: str, **attributes: Any) -> Log:
    """A log event made by hand; a double underscore in a name stands for a dot."""
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return make_log(None, {"event.name": f"codex.{kind}", **named}, scope=SCOPE)


def _name(record: Record) -> str:
    return record.name if isinstance(record, Span) else str(record.attributes.get("event.name"))
