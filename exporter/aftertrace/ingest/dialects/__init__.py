"""Dialects: one small pure module for each way in which agents report.

A dialect is a module with

- ``NAME``: what `spans.dialect` and `events.dialect` hold;
- ``READS``: the table of what it reads, from which the docs are made;
- ``read(record)``: a `Reading`, or None when the record is not of this dialect.

A dialect looks at one record alone. It never drops: what it does not know stays in the evidence and, if short, in
`attributes`. The first dialect of `DIALECTS` that answers wins; `plain` takes what is left.
"""

from __future__ import annotations

from typing import Final, Protocol

from aftertrace.ingest.dialects import (
    aftertrace_events,
    claude_code,
    copilot,
    genai,
    openinference,
    plain,
)
from aftertrace.ingest.dialects.events import Reading
from aftertrace.ingest.records import Record


class Dialect(Protocol):
    """What a dialect module offers."""

    NAME: str
    READS: tuple[tuple[str, str], ...]
    """Where it looks, and what that becomes: `("log tool_decision: decision", "policy.evaluated: state")`."""

    @staticmethod
    def read(record: Record) -> Reading | None:
        """Read one record, or answer None when it speaks another dialect."""


DIALECTS: Final[tuple[Dialect, ...]] = (aftertrace_events, claude_code, copilot, openinference, genai, plain)


def read(record: Record) -> Reading:
    """Read a record with the first dialect that knows it."""
    for dialect in DIALECTS:
        reading = dialect.read(record)
        if reading is not None:
            return reading
    raise AssertionError("the plain dialect reads every record")
