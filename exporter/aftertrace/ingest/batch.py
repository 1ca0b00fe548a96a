"""From frames to rows: what the drain stores for some frames of one receiver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final, TypeAlias

import pyarrow as pa
from google.protobuf.message import DecodeError

from aftertrace.ingest import records
from aftertrace.ingest.duplicates import DuplicateWindow
from aftertrace.ingest.places import Place, text
from aftertrace.ingest.record_ids import record_id
from aftertrace.ingest.rows import flags_column, rows_of
from aftertrace.ingest.same_ids import SameIds, Told
from aftertrace.ingest.tellings import Telling
from aftertrace.ingest.wire import Slice, split
from aftertrace.store.digest import KEY_BYTES, origin_digest, record_key
from aftertrace.store.errors import Invalid
from aftertrace.store.finding import Finding
from aftertrace.store.frame import Frame
from aftertrace.store.schema import TABLES
from aftertrace.store.sources import tenant_of

Row: TypeAlias = dict[str, Any]

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_NS: Final = 86_400 * 10**9

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


@dataclass(slots=True)
class Item:
    """One record on its way."""

    frame: Frame
    index: int
    slice: Slice
    resource_digest: str
    scope_digest: str
    key: bytes
    record: records.Record | None = None
    """As decoded; None for a duplicate, a metric, and what does not decode."""
    record_id: bytes | None = None
    duplicate_of: Place | None = None
    span: Row | None = None
    events: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """What some frames of one receiver become."""

    receiver: str
    last_seq: int
    items: list[Item]
    findings: list[tuple[Finding, bytes]]
    """Records that could not be read, with the bytes to put aside where they are not in `evidence`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What came before."""

    copies: DuplicateWindow
    """Records of the same bytes."""
    ids: SameIds
    """Records of the same id."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was said of a record when it was stored in `evidence`."""

    duplicate_of: Place | None
    relations: tuple[str, ...]
    """Its flags that tell of another record of its id."""


def read_batch(
    receiver: str, frames: Sequence[Frame], key: bytes, known: Known, settled: Mapping[Place, Settled]
) -> Batch:
    """Split frames into records, find those that came before, and read the others.

    Args:
        receiver: whose frames these are.
        frames: in order.
        key: the store's secret.
        known: what came before.
        settled: what `evidence` says of those of these records that a crash left in it alone: it is said again.

    Raises:
        OSError: the disk does not take what is kept of them.
    """
    items: list[Item] = []
    findings: list[tuple[Finding, bytes]] = []
    for frame in frames:
        try:
            found = list(_items(frame, key))
        except Invalid as error:
            # `prepare` refuses what cannot be split, so the fault is ours: the frame is kept and told of.
            findings.append((_finding("frame_unreadable", receiver, frame.seq, str(error)), frame.payload))
            continue
        if len(found) != frame.records:
            message = f"{len(found)} records, expected {frame.records}"
            findings.append((_finding("record_count", receiver, frame.seq, message), frame.payload))
        items += found
    _mark_duplicates(receiver, items, known.copies, settled)
    unread: list[tuple[Item, str]] = []
    for item in items:
        if item.duplicate_of is None and item.frame.signal != "metrics":
            try:
                item.record = _record(item)
                item.record_id = record_id(item.record, tenant_of(item.frame.source), key)
            except DIALECT_FAULTS as error:
                unread.append((item, type(error).__name__))
    _mark_same_ids(receiver, items, known.ids, settled)
    for item in items:
        if item.record is not None and item.duplicate_of is None:
            try:
                item.span, item.events = rows_of(item.record)
            except DIALECT_FAULTS as error:
                # The message could quote the record, so only its kind is kept; the record is in `evidence`.
                unread.append((item, type(error).__name__))
    findings += [(finding, b"") for finding in _unreadable(receiver, unread)]
    return Batch(receiver, frames[-1].seq, items, findings)


def table_rows(batch: Batch, table: str, after_seq: int) -> tuple[pa.Table, list[Finding]]:
    """The rows of a table for the frames after a seq.

    A record whose rows do not fit the columns is left out and told of; the others go in.
    """
    schema = TABLES[table].schema
    items = [item for item in batch.items if item.frame.seq > after_seq]
    make = {"evidence": _evidence_rows, "spans": _span_rows, "events": _event_rows}[table]
    try:
        return pa.Table.from_pylist([row for item in items for row in make(batch.receiver, item)], schema), []
    except ROW_FAULTS:
        pass
    good: list[Row] = []
    unread: list[tuple[Item, str]] = []
    for item in items:
        rows = make(batch.receiver, item)
        try:
            pa.Table.from_pylist(rows, schema)
            good += rows
        except ROW_FAULTS as error:
            unread.append((item, type(error).__name__))
    return pa.Table.from_pylist(good, schema), _unreadable(batch.receiver, unread)


def origin_rows(batch: Batch, table: str) -> dict[str, Row]:
    """Rows of `resources` or `scopes`, by digest."""
    rows: dict[str, Row] = {}
    for item in batch.items:
        if table == "resources":
            digest, message, url = item.resource_digest, item.slice.resource, item.slice.resource_schema_url
        else:
            digest, message, url = item.scope_digest, item.slice.scope, item.slice.scope_schema_url
        if digest not in rows:
            day = received_date(item.frame)
            rows[digest] = {"received_date": day, "digest": digest, "bytes": message, "schema_url": url}
    return rows


def received_date(frame: Frame) -> date:
    """Day of receipt in UTC; the first or last day there is for a clock that is beyond."""
    return _date(_EPOCH_DAY + frame.received_ns // _DAY_NS)


@lru_cache(maxsize=16)
def _date(ordinal: int) -> date:
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def _items(frame: Frame, key: bytes) -> Iterator[Item]:
    digests: dict[tuple[bytes, str], str] = {}

    def digest(message: bytes, schema_url: str) -> str:
        known = digests.get((message, schema_url))
        if known is None:
            known = digests[(message, schema_url)] = origin_digest(message, schema_url)
        return known

    for index, part in enumerate(split(frame.payload, frame.signal)):
        own_key = frame.keys[index * KEY_BYTES : (index + 1) * KEY_BYTES]
        yield Item(
            frame,
            index,
            part,
            digest(part.resource, part.resource_schema_url),
            digest(part.scope, part.scope_schema_url),
            own_key if len(own_key) == KEY_BYTES else record_key(key, part.resource, part.scope, part.record),
        )


def _mark_duplicates(
    receiver: str, items: list[Item], copies: DuplicateWindow, settled: Mapping[Place, Settled]
) -> None:
    for day, of_day in _by_day(items):
        places = [_place(receiver, item) for item in of_day]
        tenants = [tenant_of(item.frame.source) for item in of_day]
        answers = copies.first_copies(day, [item.key for item in of_day], places, tenants)
        for item, place, first in zip(of_day, places, answers, strict=True):
            item.duplicate_of = settled[place].duplicate_of if place in settled else first


def _mark_same_ids(receiver: str, items: list[Item], ids: SameIds, settled: Mapping[Place, Settled]) -> None:
    unstored: dict[Place, Telling] = {}
    for day, of_day in _by_day([item for item in items if item.record_id is not None and item.duplicate_of is None]):
        places = [_place(receiver, item) for item in of_day]
        told = [_told(item, place) for item, place in zip(of_day, places, strict=True)]
        answers = ids.relate(day, told, unstored)
        unstored |= {each.place: each.telling for each in told}
        for item, place, related in zip(of_day, places, answers, strict=True):
            if item.record is None:
                continue
            if place in settled:
                item.record.flags += settled[place].relations
            elif related is not None and related.relation == "same":
                item.duplicate_of = related.place
            elif related is not None:
                item.record.flags.append(related.flag)


def telling(item: Item) -> Telling:
    """A record with its origin, to be compared with another of its id."""
    return Telling(item.frame.signal, item.slice.resource, item.slice.scope, item.slice.record)


def _told(item: Item, place: Place) -> Told:
    is_open = isinstance(item.record, records.Span) and not item.record.end_ns
    return Told(item.record_id or b"", place, telling(item), is_open)


def _by_day(items: list[Item]) -> Iterator[tuple[date, list[Item]]]:
    days: dict[date, list[Item]] = {}
    for item in items:
        days.setdefault(received_date(item.frame), []).append(item)
    yield from days.items()


def _place(receiver: str, item: Item) -> Place:
    return receiver, item.frame.seq, item.index


def _record(item: Item) -> records.Record:
    origin = records.origin(item.slice.resource, item.slice.scope)
    if item.frame.signal == "traces":
        return records.span(item.slice.record, origin)
    return records.log(item.slice.record, origin)


def _pointer(receiver: str, item: Item) -> Row:
    return {
        "received_date": received_date(item.frame),
        "receiver": receiver,
        "seq": item.frame.seq,
        "index": item.index,
        "received_ns": item.frame.received_ns,
        "source": item.frame.source,
    }


def _evidence_rows(receiver: str, item: Item) -> list[Row]:
    first = item.duplicate_of
    return [
        {
            **_pointer(receiver, item),
            "frame_records": item.frame.records,
            "signal": item.frame.signal,
            "record": item.slice.record,
            "resource_digest": item.resource_digest,
            "scope_digest": item.scope_digest,
            "record_key": item.key,
            "duplicate_of": None if first is None else text(first),
            "redactions": item.frame.redactions,
            "policy_digest": item.frame.policy,
            "record_id": item.record_id,
            "flags": None if item.record is None or first is not None else flags_column(item.record),
        }
    ]


def _span_rows(receiver: str, item: Item) -> list[Row]:
    return [] if item.span is None else [{**item.span, **_frame_columns(receiver, item)}]


def _event_rows(receiver: str, item: Item) -> list[Row]:
    columns = _frame_columns(receiver, item) if item.events else {}
    return [{**row, **columns} for row in item.events]


def _frame_columns(receiver: str, item: Item) -> Row:
    return {**_pointer(receiver, item), "tenant": tenant_of(item.frame.source)}


def _unreadable(receiver: str, unread: list[tuple[Item, str]]) -> list[Finding]:
    """One finding for each frame and fault, so that a sender of many bad records does not fill the quarantine."""
    indexes: dict[tuple[int, str], list[str]] = {}
    for item, fault in unread:
        indexes.setdefault((item.frame.seq, fault), []).append(str(item.index))
    return [
        Finding("record_unreadable", "warning", f"evidence {receiver}/{seq}/{','.join(found)}", f"raised {fault}")
        for (seq, fault), found in indexes.items()
    ]


def _finding(code: str, receiver: str, seq: int, message: str) -> Finding:
    return Finding(code, "error", f"evidence {receiver}/{seq}", message)
