"""Carrying out retention and erasure that are recorded in the ledger and signed, under the lock of the drain.

For each order::

    a commit per table and day      `events`, `spans`, `evidence`: readers see the rows no more
    resources and scopes            those that no record names any more
    what was derived                all of it: it is made anew from what is left
    the log                         its writer begins another segment, and those with the requests are removed
    files                           that were replaced or taken away, once nobody can be reading them
    blobs                           that no record refers to any more, with the key of a day that has none
    `retained`                      all of that is done

A crash in between leaves an order that is not `retained`, and the next drain goes over all steps again: each does
nothing where nothing is left to do.

Before each day all holds are looked at. Where one keeps some of an order, that is `withdrawn`: what is gone by then is
said, its files go, and the rest stays.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store import derived, durable, lock, parquet, spares, wal_reader
from aftertrace.store.blobs.sweeping import Sweeping
from aftertrace.store.commits import SEQUENCED
from aftertrace.store.compaction import listed, vacuum
from aftertrace.store.errors import Corrupt, Held
from aftertrace.store.folder import read_store_key
from aftertrace.store.layout import Layout, SegmentName, segments
from aftertrace.store.ledger import files
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.covering import Ledger
from aftertrace.store.ledger.entries import Erasure, Hold, Retained, Retention, Withdrawn
from aftertrace.store.ledger.orders import Order, last_seq
from aftertrace.store.objects import objects_of
from aftertrace.store.retention.keeping import Keeping
from aftertrace.store.retention.taking import Taking, taking
from aftertrace.store.schema import PARTITION, TABLES
from aftertrace.store.snapshot import collected
from aftertrace.store.tables import TableWriter, write
from aftertrace.store.wal import WalOptions, WalWriter

_log = logging.getLogger(__name__)

_LOOK_S: Final = 5.0
"""How often is looked whether an order that waits for something can go on."""
_ORIGINS: Final = {"resources": "resource_digest", "scopes": "scope_digest"}


class Destroying:
    """What one drain has carried out of the orders that it knows of."""

    def __init__(self, layout: Layout, grace_s: float) -> None:
        """Nothing yet. Files that were taken away stay for `grace_s`."""
        self._layout = layout
        self._grace_s = grace_s
        self._taken: set[str] = set()
        """Orders whose rows no reader sees any more."""
        self._keeping = Keeping()
        self._forgotten: set[str] = set()
        """Those of which nothing is left in what was derived."""
        self._files: dict[str, int] = {}
        """Files that were removed, by order."""
        self._looked_s: float | None = None

    def go_on(self, tables: Mapping[str, TableWriter], ledger: Ledger) -> bool:
        """Do what can be done now; whether rows went.

        Raises:
            Corrupt: a table is damaged where rows have to be taken out.
            OSError: the disk does not take it, or not let it go. The next call begins again.
        """
        orders = pending(ledger.acts)
        if not orders or (self._looked_s is not None and time.monotonic() - self._looked_s < self._wait_s()):
            return False
        self._looked_s = time.monotonic()
        signed = files.signed_size(self._layout)
        has_taken = False
        for ident, order in orders.items():
            if order.number >= signed:
                continue
            if order.withdrawn is None and self._is_kept(ident, order, tables, ledger):
                continue
            if ident not in self._taken:
                has_taken = True
                if not self._take(ident, order, tables, ledger):
                    continue
            if self._is_gone(ident, order.taken, tables, ledger):
                uid = order.entries[0].uid
                ledger.record([Retained(id=ident, uid=uid, files=self._files.pop(ident, 0))])
                _log.info("destroyed what %s ordered", ident)
        return has_taken

    def _wait_s(self) -> float:
        return min(_LOOK_S, self._grace_s)

    def _is_kept(self, ident: str, order: Ordered, tables: Mapping[str, TableWriter], ledger: Ledger) -> bool:
        """Whether a hold keeps any of an order, which is withdrawn then; or nobody can tell."""
        found = self._keeping.of(ident, order.entries, ledger)
        if not isinstance(found, Hold):
            if found is not None:
                _log.warning("%s waits: %s", ident, found)
            return found is not None
        day, gone = _reached(order.entries, tables)
        ledger.record([Withdrawn(id=ident, uid=order.entries[0].uid, hold=found.id, day=day, gone=gone)])
        self._taken.discard(ident)
        _log.warning("withdrew what %s ordered: hold %s keeps some of it", ident, found.id)
        return True

    def _take(self, ident: str, order: Ordered, tables: Mapping[str, TableWriter], ledger: Ledger) -> bool:
        """Let no reader see the rows any more; False where a hold came in between."""
        days = [] if order.withdrawn else sorted({act.day for act in order.entries})
        for day in days:
            ledger.settle()
            if self._is_kept(ident, order, tables, ledger):
                return False
            named = taking([act for act in order.entries if act.day == day])
            # Evidence last: it has the salts of the others.
            for name in reversed(SEQUENCED):
                while not _destroy(self._layout, tables[name], date.fromisoformat(day), named):
                    tables[name].refresh()
        if not self._layout.is_shared:
            # What another receiver's drain is about to name nobody here can tell.
            for name in _ORIGINS:
                _drop_origins(self._layout, tables, name)
        self._taken.add(ident)
        ledger.settle()
        return True

    def _is_gone(self, ident: str, ordered: Sequence[Order], tables: Mapping[str, TableWriter], ledger: Ledger) -> bool:
        """Whether no byte of it is left below the data folder, after removing what can be."""
        if ident not in self._forgotten and self._layout.derived.is_dir():
            try:
                with lock.held(self._layout.derived_lock, "derives the tables of this store"):
                    derived.forget(self._layout)
            except Held:
                return False
        self._forgotten.add(ident)
        is_left = False
        for receiver in {act.receiver for act in ordered} & set(self._layout.receivers()):
            last = max(last_seq(act) for act in ordered if act.receiver == receiver)
            stored = min(tables[name].last_seq(receiver) for name in SEQUENCED)
            is_left |= not _left_log(self._layout, receiver, last, min(stored, ledger.covered_seq(receiver)))
        days = {date.fromisoformat(act.day) for act in ordered}
        for name, table in tables.items():
            only = days if name in SEQUENCED else None
            gone = vacuum(self._layout, table, keep_s=self._grace_s, only=only)
            self._files[ident] = self._files.get(ident, 0) + gone
            is_left |= bool(_unused(self._layout, table, only))
        if self._layout.blobs.is_dir():
            key = read_store_key(self._layout)
            sweeping = Sweeping(self._layout, key, tables["evidence"].scan, self._grace_s)
            for day in sorted(days):
                swept, is_young = sweeping.sweep(day)
                self._files[ident] += swept
                is_left |= is_young
        return not is_left


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that is not done."""

    entries: tuple[Order, ...]
    number: int
    """Of its last entry in the ledger."""
    withdrawn: Withdrawn | None = None

    @property
    def taken(self) -> tuple[Order, ...]:
        """Entries of days of which any row goes."""
        back = self.withdrawn
        if back is None:
            return self.entries
        return tuple(act for act in self.entries if act.day < back.day or (act.day == back.day and back.gone))


def pending(known: Iterable[Recorded]) -> dict[str, Ordered]:
    """By id, the orders that are to be carried out, or of which files are to go; of acts in order."""
    found: dict[str, Ordered] = {}
    for each in known:
        act = each.act
        if isinstance(act, Retention | Erasure):
            before = found[act.id].entries if act.id in found else ()
            found[act.id] = Ordered((*before, act), each.number)
        elif isinstance(act, Withdrawn) and act.id in found:
            found[act.id] = Ordered(found[act.id].entries, each.number, act)
            if not found[act.id].taken:
                del found[act.id]
        elif isinstance(act, Retained):
            found.pop(act.id, None)
    return found


def _reached(ordered: Sequence[Order], tables: Mapping[str, TableWriter]) -> tuple[str, tuple[str, ...]]:
    """The first day of which rows are there that orders name, and in which tables there are none any more; without one,
    the day behind the last.
    """
    for day in sorted({act.day for act in ordered}):
        of_day = [act for act in ordered if act.day == day]
        gone = [name for name in SEQUENCED if _names_rows(of_day, name) and not _are_there(of_day, day, tables[name])]
        if len(gone) < sum(_names_rows(of_day, name) for name in SEQUENCED):
            return day, tuple(gone)
    return (date.fromisoformat(max(act.day for act in ordered)) + timedelta(days=1)).isoformat(), ()


def _names_rows(of_day: Sequence[Order], table: str) -> bool:
    return any(act.rows.get(table) for act in of_day)


def _are_there(of_day: Sequence[Order], day: str, table: TableWriter) -> bool:
    rows = table.scan().filter(pl.col(PARTITION) == date.fromisoformat(day)).select("receiver", "seq", "index")
    return bool(pc.any(taking(of_day).is_gone(collected(rows)[0].to_arrow())).as_py())


def _destroy(layout: Layout, table: TableWriter, day: date, named: Taking) -> bool:
    """Take rows of a day out of a table; False where somebody else has replaced one of its files."""
    removed: list[str] = []
    kept: list[parquet.DataFile] = []
    objects, schema = objects_of(layout), TABLES[table.name].schema
    for path, _, of in table.files():
        receiver = parquet.receiver_of(path)
        if of != day or receiver not in named.receivers:
            continue
        try:
            content = objects.get(f"{table.name}/{path}")
            whose = parquet.read(pa.BufferReader(content), day, schema, columns=["receiver", "seq", "index"])
            is_gone = named.is_gone(whose)
            if not pc.any(is_gone).as_py():
                continue
            removed.append(path)
            if not pc.all(is_gone).as_py():
                rows = parquet.read(pa.BufferReader(content), day, schema).filter(pc.invert(is_gone))
                kept += write(layout, table.name, rows, receiver)
        except FileNotFoundError:
            return False
        except pa.ArrowException as error:
            raise Corrupt(
                f"read {table.name}/{path}: {type(error).__name__}, expected the file as it was committed; "
                "run `aftertrace fsck`"
            ) from error
    return not removed or table.destroy(removed, day, kept, named.told)


def _drop_origins(layout: Layout, tables: Mapping[str, TableWriter], name: str) -> None:
    """Take resources or scopes out that no record names any more."""
    (named,) = collected(tables["evidence"].scan().select(pl.col(_ORIGINS[name]).unique()))
    wanted = pa.array(named.to_series().drop_nulls().to_list(), pa.string())
    table, objects, schema = tables[name], objects_of(layout), TABLES[name].schema
    for path, _, day in table.files():
        rows = parquet.read(pa.BufferReader(objects.get(f"{name}/{path}")), day, schema)
        is_named = pc.is_in(rows.column("digest"), wanted)
        if not pc.all(is_named).as_py():
            left = rows.filter(is_named)
            kept = write(layout, name, left, parquet.receiver_of(path)) if left.num_rows else []
            table.rearrange([path], day, kept)


def _left_log(layout: Layout, receiver: str, last_seq: int, stored_seq: int) -> bool:
    """Whether a receiver's log has no frame up to a seq any more, after removing what can be."""
    folder = layout.wal(receiver)
    spares.clear(folder)
    if _begins(segments(folder)[-1:]) <= last_seq and stored_seq >= last_seq:
        # The segment that is written stays; the one that follows it may be empty.
        try:
            WalWriter(layout, receiver, WalOptions()).close()
        except Held:
            if not layout.wal_anew(receiver).exists():
                durable.write_file(layout.wal_anew(receiver), b"", mode=0o600)
    wal_reader.retire(layout, receiver, stored_seq)
    return _begins(segments(folder)[:1]) > last_seq


def _begins(paths: Sequence[Path]) -> int:
    """The first seq of the first of some segments; without any, one behind all."""
    names = [SegmentName.parse(path.name) for path in paths]
    return min((name.first_seq for name in names if name is not None), default=1 << 63)


def _unused(layout: Layout, table: TableWriter, only: Iterable[date] | None) -> list[str]:
    """Files of own receivers that are there and in no version that is read."""
    objects = objects_of(layout)
    found = listed(objects, table.name, None if only is None else set(only))
    own = layout.own(parquet.receiver_of(each.key) for each in found)
    paths = [each.key.partition("/")[2] for each in found if parquet.receiver_of(each.key) in own]
    return [path for path in paths if table.unused_since_s(path) is not None]
