"""From stored records to rows of `spans` and `events`, as columns: the costly part of the drain, and pure.

Records are read a few hundred at a time: what is made of one is soon gone, and the processor's caches hold it. What
takes a record apart and what it says needs nothing but the record, so that another process can do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa

from aftertrace.ingest import records
from aftertrace.ingest.by_reference import Apart, whole
from aftertrace.ingest.dialects import FAULTS
from aftertrace.ingest.items import Pointer
from aftertrace.ingest.rows import EVENT, SPAN, WHO, Row, Rows, flags_column, rows_of
from aftertrace.store.request import Signal
from aftertrace.store.schema import TABLES

ROW_FAULTS: Final = (pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError, ValueError)
"""What Arrow raises at a value that does not fit its column."""

_FRAME: Final = ("received_date", "receiver", "seq", "index", "received_ns", "source", "tenant")
"""Columns that come with the frame: those of a `Pointer`, and the tenant."""
_TYPES: Final = {field.name: field.type for table in ("spans", "events") for field in TABLES[table].schema}
"""A column of both tables has one type."""
_Made: TypeAlias = Sequence[tuple[int, Rows]]
"""What records gave, each with its position."""
_Tables: TypeAlias = tuple[pa.Table, pa.Table]
"""Rows of `spans` and of `events`."""


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
    apart: tuple[Apart, ...] = ()
    """What it refers to."""


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
    made: list[tuple[int, Rows]] = []
    unread: list[tuple[int, str]] = []
    for position, source in enumerate(sources):
        flagged = None
        try:
            record = _record(source)
            flagged = flags_column(record)
            rows = rows_of(record, source.events_at_most, source.apart)
            flagged = flags_column(record)
        except FAULTS as error:
            unread.append((position, type(error).__name__))
        else:
            made.append((position, rows))
        flags.append(flagged)
    (spans, events), unfit = _fitting(sources, made)
    return Read(flags, spans, events, [*unread, *unfit])


def _record(source: Source) -> records.Record:
    origin = records.origin(source.resource, source.scope)
    decode: Callable[[bytes, records.Origin], records.Record] = (
        records.span if source.signal == "traces" else records.log
    )
    record = decode(whole(source.signal, source.record, source.apart), origin)
    record.flags += source.relations
    return record


def _fitting(sources: Sequence[Source], made: _Made) -> tuple[_Tables, list[tuple[int, str]]]:
    """The rows of records, without those that do not fit their columns; and the records of these.

    They are looked for by halves, so that one of them does not make every other row be tried by itself.
    """
    try:
        return _tables(sources, made), []
    except ROW_FAULTS as error:
        fault = type(error).__name__
    middle = len(made) // 2
    halves = [made[:middle], made[middle:]]
    if not middle:
        ((position, rows),) = made
        if rows.span is None or not rows.events:
            return _tables(sources, []), [(position, fault)]
        # What an agent writes stands in events; its span may fit all the same.
        halves = [[(position, rows._replace(events=[]))], [(position, rows._replace(span=None))]]
    (first, unfit), (second, more_unfit) = (_fitting(sources, half) for half in halves)
    spans, events = (pa.concat_tables(pair) for pair in zip(first, second, strict=True))
    return (spans, events), [*unfit, *more_unfit]


def _tables(sources: Sequence[Source], made: _Made) -> _Tables:
    """The rows of `spans` and of `events`. What the rows of a record share is made a column once."""
    given = [(position, rows) for position, rows in made if rows.span is not None or rows.events]
    frames = [(*sources[position].pointer, sources[position].tenant) for position, _ in given]
    shared = _columns(_FRAME, frames) | _columns(WHO, [rows.who for _, rows in given])
    spans = [(place, rows.span) for place, (_, rows) in enumerate(given) if rows.span is not None]
    events = [(place, event) for place, (_, rows) in enumerate(given) for event in rows.events]
    return _table("spans", shared, SPAN, spans), _table("events", shared, EVENT, events)


def _table(name: str, shared: dict[str, pa.Array], columns: Sequence[str], rows: Sequence[tuple[int, Row]]) -> pa.Table:
    """A table of rows of some columns, each with the place of what it shares."""
    schema = TABLES[name].schema
    if not rows:
        return schema.empty_table()
    own = _columns(columns, [row for _, row in rows])
    of_record = pa.RecordBatch.from_pydict({column: shared[column] for column in schema.names if column not in own})
    places = [place for place, _ in rows]
    # Nearly always each record is one span.
    is_each = places == list(range(of_record.num_rows))
    of_row = of_record if is_each else of_record.take(pa.array(places, pa.int32()))
    arrays = [own[column] if column in own else of_row.column(column) for column in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema)


def _columns(names: Iterable[str], rows: Sequence[Iterable[Any]]) -> dict[str, pa.Array]:
    """Columns by name; what the values are stands in the schemas."""
    columns = zip(*rows, strict=True)
    return {name: pa.array(column, _TYPES[name]) for name, column in zip(names, columns, strict=True)} if rows else {}
