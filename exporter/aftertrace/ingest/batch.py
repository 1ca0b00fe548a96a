"""From frames to rows: what the drain stores for some frames of one receiver."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.ingest.dialects import FAULTS
from aftertrace.ingest.duplicates import DuplicateWindow
from aftertrace.ingest.items import Item, by_day
from aftertrace.ingest.opened import Opened, Stretch
from aftertrace.ingest.places import Place, text
from aftertrace.ingest.record_ids import identity
from aftertrace.ingest.same_ids import SameIds, Told
from aftertrace.ingest.tellings import Telling
from aftertrace.store.frame import SALT_BYTES
from aftertrace.store.schema import TABLES
from aftertrace.verifier.verdicts import Finding


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
        is_after = pc.greater(rows.column("seq"), after_seq)
        # Nearly always all of them: what a filter makes is a copy.
        return rows if pc.all(is_after).as_py() else rows.filter(is_after)


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


def read_batch(opened: Opened, known: Known, settled: Mapping[Place, Settled]) -> Batch:
    """Find the records that came before, and read the others.

    Args:
        opened: the frames. It is used up.
        known: what came before.
        settled: what `evidence` says of those of these records that a crash left in it alone: it is said again.

    Raises:
        OSError: the disk does not take what is kept of them.
    """
    items = opened.items
    _mark_duplicates(items, known.copies, settled)
    readable, unread = _identified(items, opened.key)
    _mark_same_ids(readable, known.ids, settled)
    stretches = _fresh(opened, {item.place for item, _ in unread})
    spans, events = [TABLES["spans"].schema.empty_table()], [TABLES["events"].schema.empty_table()]
    reads = opened.readers.finish([stretch.reading for stretch in stretches])
    for stretch, made in zip(stretches, reads, strict=True):
        for item, flags in zip(stretch.items, made.flags, strict=True):
            item.flags = flags
        unread += [(stretch.items[position], fault) for position, fault in made.unread]
        spans.append(made.spans)
        events.append(made.events)
    findings = opened.findings + [(finding, b"") for finding in _unreadable(opened.receiver, unread)]
    return Batch(opened.receiver, opened.last_seq, items, pa.concat_tables(spans), pa.concat_tables(events), findings)


def _fresh(opened: Opened, unread: set[Place]) -> list[Stretch]:
    """The records that are to be read. Where one of a stretch is a copy, or something is known of it that was not known
    when its reading began, that is begun anew.
    """
    stretches: list[Stretch] = []
    for stretch in opened.stretches():
        fresh = [item for item in stretch.items if item.duplicate_of is None and item.place not in unread]
        if len(fresh) == len(stretch.items) and not any(item.relations for item in fresh):
            stretches.append(stretch)
            continue
        opened.readers.drop(stretch.reading)
        if fresh:
            stretches.append(opened.begin(fresh))
    return stretches


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
    arrays = [
        _joined(column) if field.name == "record" else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _joined(values: Sequence[bytes]) -> pa.Array:
    """Many megabytes as a column: Arrow would make it by doubling, and fill three times as much memory."""
    ends = pa.array(accumulate(map(len, values), initial=0), pa.int32())
    return pa.Array.from_buffers(pa.binary(), len(values), [None, ends.buffers()[1], pa.py_buffer(b"".join(values))])


def _unreadable(receiver: str, unread: Sequence[tuple[Item, str]]) -> list[Finding]:
    """One finding for each frame and fault, so that a sender of many bad records does not fill the quarantine."""
    indexes: dict[tuple[int, str], list[str]] = {}
    for item, fault in unread:
        indexes.setdefault((item.frame.seq, fault), []).append(str(item.index))
    return [
        Finding("record_unreadable", "warning", f"evidence {receiver}/{seq}/{','.join(found)}", f"raised {fault}")
        for (seq, fault), found in indexes.items()
    ]
