"""From frames to rows: what the drain stores for some frames of one receiver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.ingest.by_reference import Apart
from aftertrace.ingest.dialects import FAULTS
from aftertrace.ingest.duplicates import DuplicateWindow
from aftertrace.ingest.items import Item, by_day, items_of
from aftertrace.ingest.places import Place, text
from aftertrace.ingest.reading import Read, Source, read
from aftertrace.ingest.record_ids import identity
from aftertrace.ingest.rows import EVENTS_PER_RECORD, EVENTS_PER_REQUEST
from aftertrace.ingest.same_ids import SameIds, Told
from aftertrace.ingest.tellings import Telling
from aftertrace.store.errors import Invalid
from aftertrace.store.frame import SALT_BYTES, Frame
from aftertrace.store.schema import TABLES
from aftertrace.verifier.verdicts import Finding

Row: TypeAlias = dict[str, Any]
Reading: TypeAlias = Callable[[Iterable[Sequence[Source]]], Iterator[Read]]
"""What reads stretches of records, in order: this process, or several (`ingest.readers`)."""

STRETCH_RECORDS: Final = 512
"""How many records are read at a time. What is made of them stays in the processor's caches: of eight times as many,
each takes half as long again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What some frames of one receiver become."""

    receiver: str
    last_seq: int
    items: list[Item]
    spans: pa.Table
    events: pa.Table
    findings: list[tuple[Finding, bytes]]
    """Records that could not be read, with the bytes to put aside where they are not in `evidence`."""

    def rows(self, table: str, after_seq: int) -> pa.Table:
        """The rows of `evidence`, `spans` or `events` for the frames after a seq."""
        if table == "evidence":
            return _evidence([item for item in self.items if item.frame.seq > after_seq])
        rows = {"spans": self.spans, "events": self.events}[table]
        return rows.filter(pc.greater(rows.column("seq"), after_seq))


@dataclass(frozen=True, slots=True)
class Known:
    """What came before."""

    copies: DuplicateWindow
    """Records of the same bytes."""
    ids: SameIds
    """Records of the same id."""

    def take_in(self, stored: Iterable[tuple[date, pl.DataFrame]]) -> None:
        """Know rows of `evidence`, by day, that another receiver has stored.

        Raises:
            OSError: the disk does not take it.
        """
        for day, evidence in stored:
            self.copies.take_in(day, evidence)
            self.ids.take_in(day, evidence)

    def keep(self) -> None:
        """What is known now is what `back` goes back to."""
        self.copies.keep()
        self.ids.keep()

    def back(self) -> None:
        """Forget the records of a batch that was not stored."""
        self.copies.back()
        self.ids.back()


@dataclass(frozen=True, slots=True)
class Settled:
    """What was said of a record when it was stored in `evidence`."""

    duplicate_of: Place | None
    relations: tuple[str, ...]
    """Its flags that tell of another record of its id."""


def in_this_process(stretches: Iterable[Sequence[Source]]) -> Iterator[Read]:
    """The simplest way."""
    return map(read, stretches)


def nothing_apart(record: bytes) -> tuple[Apart, ...]:  # noqa: ARG001
    """Records that refer to nothing."""
    return ()


def read_batch(
    receiver: str,
    frames: Sequence[Frame],
    key: bytes,
    known: Known,
    settled: Mapping[Place, Settled],
    reading: Reading = in_this_process,
    apart: Callable[[bytes], tuple[Apart, ...]] = nothing_apart,
) -> Batch:
    """Split frames into records, find those that came before, and read the others.

    Args:
        receiver: whose frames these are.
        frames: in order.
        key: the store's secret.
        known: what came before.
        settled: what `evidence` says of those of these records that a crash left in it alone: it is said again.
        reading: what reads the records.
        apart: what a record refers to.

    Raises:
        OSError: the disk does not take what is kept of them.
    """
    items: list[Item] = []
    findings: list[tuple[Finding, bytes]] = []
    for frame in frames:
        try:
            found = list(items_of(receiver, frame, key))
        except Invalid as error:
            # `prepare` refuses what cannot be split, so the fault is ours: the frame is kept and told of.
            findings.append((_finding("frame_unreadable", receiver, frame.seq, str(error)), frame.payload))
            continue
        if len(found) != frame.records:
            message = f"{len(found)} records, expected {frame.records}"
            findings.append((_finding("record_count", receiver, frame.seq, message), frame.payload))
        items += found
    _mark_duplicates(items, known.copies, settled)
    readable, unread = _identified(items, key)
    _mark_same_ids(readable, known.ids, settled)
    fresh = [item for item in readable if item.duplicate_of is None]
    stretches = [fresh[start : start + STRETCH_RECORDS] for start in range(0, len(fresh), STRETCH_RECORDS)]
    spans, events = [TABLES["spans"].schema.empty_table()], [TABLES["events"].schema.empty_table()]
    sources = ([_source(item, apart) for item in part] for part in stretches)
    for stretch, made in zip(stretches, reading(sources), strict=True):
        for item, flags in zip(stretch, made.flags, strict=True):
            item.flags = flags
        unread += [(stretch[position], fault) for position, fault in made.unread]
        spans.append(made.spans)
        events.append(made.events)
    findings += [(finding, b"") for finding in _unreadable(receiver, unread)]
    return Batch(receiver, frames[-1].seq, items, pa.concat_tables(spans), pa.concat_tables(events), findings)


def origin_rows(batch: Batch, table: str) -> dict[str, Row]:
    """Rows of `resources` or `scopes`, by digest."""
    rows: dict[str, Row] = {}
    for item in batch.items:
        if table == "resources":
            digest, message, url = item.resource_digest, item.slice.resource, item.slice.resource_schema_url
        else:
            digest, message, url = item.scope_digest, item.slice.scope, item.slice.scope_schema_url
        if digest not in rows:
            rows[digest] = {"received_date": item.day, "digest": digest, "bytes": message, "schema_url": url}
    return rows


def _mark_duplicates(items: Sequence[Item], copies: DuplicateWindow, settled: Mapping[Place, Settled]) -> None:
    for day, of_day in by_day(items).items():
        places = [item.place for item in of_day]
        answers = copies.first_copies(day, [item.key for item in of_day], places, [item.tenant for item in of_day])
        for item, place, first in zip(of_day, places, answers, strict=True):
            item.duplicate_of = settled[place].duplicate_of if place in settled else first


def _identified(items: Sequence[Item], key: bytes) -> tuple[list[Item], list[tuple[Item, str]]]:
    """The records that are to be read, with their ids; and those that are none, with what was raised."""
    readable: list[Item] = []
    unread: list[tuple[Item, str]] = []
    for item in items:
        if item.duplicate_of is None and item.frame.signal != "metrics":
            try:
                found = identity(item.frame.signal, item.slice, item.tenant, key)
            except FAULTS as error:
                unread.append((item, type(error).__name__))
            else:
                item.record_id, item.is_open = found.record_id, found.is_open
                readable.append(item)
    return readable, unread


def _mark_same_ids(items: Sequence[Item], ids: SameIds, settled: Mapping[Place, Settled]) -> None:
    unstored: dict[Place, Telling] = {}
    for day, of_day in by_day([item for item in items if item.record_id is not None]).items():
        told = [Told(item.record_id or b"", item.place, item.telling, item.is_open) for item in of_day]
        answers = ids.relate(day, told, unstored)
        unstored |= {each.place: each.telling for each in told}
        for item, each, related in zip(of_day, told, answers, strict=True):
            if each.place in settled:
                item.relations = settled[each.place].relations
            elif related is not None and related.relation == "same":
                item.duplicate_of = related.place
            elif related is not None:
                item.relations = (related.flag,)


def _source(item: Item, apart: Callable[[bytes], tuple[Apart, ...]]) -> Source:
    part = item.slice
    # By what the request alone says, so that a replay cuts where the first time did, whatever is read beside it.
    share = EVENTS_PER_REQUEST * len(part.record) // len(item.frame.payload)
    return Source(
        item.pointer,
        item.tenant,
        item.frame.signal,
        part.resource,
        part.scope,
        part.record,
        item.relations,
        max(EVENTS_PER_RECORD, share),
        # Where nothing was replaced, its sender says so itself.
        apart(part.record) if item.frame.redactions else (),
    )


def _evidence(items: Sequence[Item]) -> pa.Table:
    schema = TABLES["evidence"].schema
    if not items:
        return schema.empty_table()
    # Frames that an older aftertrace wrote have none.
    salts = {item.frame.seq: item.frame.salt for item in items}
    salts = {seq: salt or os.urandom(SALT_BYTES) for seq, salt in salts.items()}
    rows = (
        (
            *item.pointer,
            item.frame.records,
            item.frame.signal,
            item.slice.record,
            item.resource_digest,
            item.scope_digest,
            item.key,
            None if item.duplicate_of is None else text(item.duplicate_of),
            item.frame.redactions,
            item.frame.policy,
            item.record_id,
            item.flags,
            salts[item.frame.seq],
            item.frame.credential or None,
        )
        for item in items
    )
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _unreadable(receiver: str, unread: Sequence[tuple[Item, str]]) -> list[Finding]:
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
