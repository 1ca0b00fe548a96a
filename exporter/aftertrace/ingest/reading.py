"""From stored records to rows of `spans` and `events`, as columns: the costly part of the drain, and pure.

Records are read a few hundred at a time: what is made of one is soon gone, and the processor's caches hold it. What
takes a record apart and what it says needs nothing but the record, so that another process can do it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa
from google.protobuf.message import DecodeError

from aftertrace.ingest import records
from aftertrace.ingest.items import Pointer
from aftertrace.ingest.rows import flags_column, rows_of
from aftertrace.store.request import Signal
from aftertrace.store.schema import TABLES

DIALECT_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    DecodeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a dialect can raise at a record that it was not written for. One such record must not stop the drain, since all
later ones would wait behind it; what the disk or the machine raises (OSError, MemoryError …) does stop it."""

ROW_FAULTS: Final = (pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError, ValueError)
"""What Arrow raises at a value that does not fit its column."""

_Row: TypeAlias = dict[str, Any]
_FRAME: Final = ("received_date", "receiver", "seq", "index", "received_ns", "source", "tenant")
"""Columns that come with the frame: those of a `Pointer`, and the tenant."""
_OWN: Final = {
    table: tuple(name for name in TABLES[table].schema.names if name not in _FRAME) for table in ("spans", "events")
}
"""Columns that come with the record."""


class Source(NamedTuple):
    """A span or log record that is to be read."""

    pointer: Pointer
    tenant: str | None
    signal: Signal
    resource: bytes
    scope: bytes
    record: bytes
    relations: tuple[str, ...]
    """Flags that tell of other records of its id."""
    events_at_most: int
    """How many rows of `events` it may give."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read from some records."""

    flags: list[str | None]
    """Of each record, as stored."""
    spans: pa.Table
    events: pa.Table
    unread: list[tuple[int, str]]
    """Records without rows: their position, and the kind of what was raised. A message could quote the record."""


def read(sources: Sequence[Source]) -> Read:
    """Read records with their dialects.

    A record that cannot be read, or whose rows do not fit the columns, has none; the others have theirs.
    """
    flags: list[str | None] = []
    spans: list[tuple[int, _Row]] = []
    events: list[tuple[int, _Row]] = []
    unread: list[tuple[int, str]] = []
    for position, source in enumerate(sources):
        flagged = None
        try:
            record = _record(source)
            flagged = flags_column(record)
            span, own_events = rows_of(record, source.events_at_most)
            flagged = flags_column(record)
        except DIALECT_FAULTS as error:
            unread.append((position, type(error).__name__))
        else:
            if span is not None:
                spans.append((position, span))
            events += ((position, event) for event in own_events)
        flags.append(flagged)
    span_columns, unfit_spans = _fitting("spans", sources, spans)
    event_columns, unfit_events = _fitting("events", sources, events)
    return Read(flags, span_columns, event_columns, [*unread, *unfit_spans, *unfit_events])


def _record(source: Source) -> records.Record:
    origin = records.origin(source.resource, source.scope)
    decode: Callable[[bytes, records.Origin], records.Record] = (
        records.span if source.signal == "traces" else records.log
    )
    record = decode(source.record, origin)
    record.flags += source.relations
    return record


def _columns(table: str, sources: Sequence[Source], rows: Sequence[tuple[int, _Row]]) -> pa.Table:
    schema = TABLES[table].schema
    if not rows:
        return schema.empty_table()
    own = itemgetter(*_OWN[table])
    whole = ((*sources[position].pointer, sources[position].tenant, *own(row)) for position, row in rows)
    columns = dict(zip((*_FRAME, *_OWN[table]), zip(*whole, strict=True), strict=True))
    return pa.Table.from_arrays([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _fitting(
    table: str, sources: Sequence[Source], rows: Sequence[tuple[int, _Row]]
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """The rows of a table, without those of records of which a row does not fit; and these.

    They are looked for by halves, so that one of them does not make every other row be tried by itself.
    """
    try:
        return _columns(table, sources, rows), []
    except ROW_FAULTS as error:
        first, last = rows[0][0], rows[-1][0]
        if first == last:
            return TABLES[table].schema.empty_table(), [(first, type(error).__name__)]
    middle = bisect_right(rows, (first + last) // 2, key=itemgetter(0))
    halves = [_fitting(table, sources, half) for half in (rows[:middle], rows[middle:])]
    return pa.concat_tables([half[0] for half in halves]), [unfit for half in halves for unfit in half[1]]
