"""Our own events: `aftertrace.*` log records and span events, from the API or from plain OTel."""

from __future__ import annotations

from typing import Final

from aftertrace.ingest.dialects.events import Reading
from aftertrace.ingest.records import Record

NAME: Final = "aftertrace"
READS: Final = (("log, span event: aftertrace.*", "the event of the same name"),)


def read(record: Record) -> Reading | None:
    """Read a record that names an aftertrace event."""
    return None
