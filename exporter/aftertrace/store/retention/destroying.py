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

A hold that comes before the first step beats an order that was entered before it: that waits until it is released.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store import derived, durable, lock, parquet, spares, wal_reader
from aftertrace.store.blobs.sweeping import Sweeping
from aftertrace.store.commits import SEQUENCED, Stretches
from aftertrace.store.compaction import listed, vacuum
from aftertrace.store.errors import Corrupt, Held
from aftertrace.store.folder import read_store_key
from aftertrace.store.layout import Layout, SegmentName, segments
from aftertrace.store.ledger import acts, files
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.covering import Ledger
from aftertrace.store.ledger.entries import Erasure, Retained, Retention
from aftertrace.store.ledger.orders import last_seq
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
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
        for ident, found in orders.items():
            if found[-1].number >= signed or (ident not in self._taken and _is_held_since(found[0].number, ledger)):
                continue
            ordered = [each.act for each in found if isinstance(each.act, Retention | Erasure)]
            if ident not in self._taken:
                self._take(ordered, tables)
                self._taken.add(ident)
                has_taken = True
                ledger.settle()
            if self._is_gone(ident, ordered, tables, ledger):
                ledger.record([Retained(id=ident, uid=ordered[0].uid, files=self._files.pop(ident, 0))])
                _log.info("destroyed what %s ordered", ident)
        return has_taken

    def _wait_s(self) -> float:
        return min(_LOOK_S, self._grace_s)

    def _take(self, ordered: Sequence[Retention | Erasure], tables: Mapping[str, TableWriter]) -> None:
        """Let no reader see the rows any more, nor what was derived from them."""
        for day in sorted({act.day for act in ordered}):
            taking = _taking([act for act in ordered if act.day == day])
            # Evidence last: it has the salts of the others.
            for name in reversed(SEQUENCED):
                while not _destroy(self._layout, tables[name], date.fromisoformat(day), taking):
                    tables[name].refresh()
        if not self._layout.is_shared:
            # What another receiver's drain is about to name nobody here can tell.
            for name in _ORIGINS:
                _drop_origins(self._layout, tables, name)

    def _is_gone(
        self, ident: str, ordered: Sequence[Retention | Erasure], tables: Mapping[str, TableWriter], ledger: Ledger
    ) -> bool:
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
class _Taking:
    """What is to be taken out of the tables on a day."""

    receivers: frozenset[str]
    is_gone: Callable[[pa.Table], pa.Array]
    """Of rows with `receiver`, `seq` and `index`, whether each is of it."""
    told: Mapping[str, Any]
    """As a commit tells it."""


def _taking(ordered: Sequence[Retention | Erasure]) -> _Taking:
    requests: dict[str, list[tuple[int, int]]] = {}
    records: dict[str, set[tuple[int, int]]] = {}
    for act in ordered:
        if isinstance(act, Retention):
            requests.setdefault(act.receiver, []).extend(act.requests)
        else:
            rows = (row for found in act.rows.values() for row in found)
            records.setdefault(act.receiver, set()).update((row.seq, row.index) for row in rows)
    if records:
        told = {receiver: sorted(found) for receiver, found in records.items()}
        return _Taking(frozenset(records), partial(_among, records=told), {"erased": told})
    # Each term has entries of its own, and their stretches lie between each other.
    requests = {receiver: sorted(found) for receiver, found in requests.items()}
    return _Taking(frozenset(requests), partial(_within, requests=requests), {"destroyed": requests})


def pending(known: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """By order, its entries of what is to be destroyed, where not all of it is; of acts in order."""
    found: dict[str, list[Recorded]] = {}
    for each in known:
        if isinstance(each.act, Retention | Erasure):
            found.setdefault(each.act.id, []).append(each)
        elif isinstance(each.act, Retained):
            found.pop(each.act.id, None)
    return found


def _is_held_since(number: int, ledger: Ledger) -> bool:
    """Whether anything holds that was set after an entry. By a run or an agent it cannot be told here what."""
    return bool(acts.holds(each for each in ledger.acts if each.number > number))


def _destroy(layout: Layout, table: TableWriter, day: date, taking: _Taking) -> bool:
    """Take rows of a day out of a table; False where somebody else has replaced one of its files."""
    removed: list[str] = []
    kept: list[parquet.DataFile] = []
    objects, schema = objects_of(layout), TABLES[table.name].schema
    for path, _, of in table.files():
        receiver = parquet.receiver_of(path)
        if of != day or receiver not in taking.receivers:
            continue
        try:
            content = objects.get(f"{table.name}/{path}")
            whose = parquet.read(pa.BufferReader(content), day, schema, columns=["receiver", "seq", "index"])
            is_gone = taking.is_gone(whose)
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
    return not removed or table.destroy(removed, day, kept, taking.told)


def _within(rows: pa.Table, requests: Stretches) -> pa.Array:
    """Whether each row is of one of some requests."""
    frame = pl.DataFrame(rows)
    told = [(receiver, first, last) for receiver, found in requests.items() for first, last in found]
    bounds = pl.DataFrame(told, schema={"receiver": pl.String, "first": pl.Int64, "last": pl.Int64}, orient="row")
    joined = frame.with_row_index("row").sort("seq")
    joined = joined.join_asof(
        bounds.sort("first"), left_on="seq", right_on="first", by="receiver", check_sortedness=False
    )
    is_within = joined.sort("row").select((pl.col("seq") <= pl.col("last")).fill_null(value=False)).to_series()
    return is_within.to_arrow()


def _among(rows: pa.Table, records: Stretches) -> pa.Array:
    """Whether each row is of one of some records."""
    told = [(receiver, *place) for receiver, found in records.items() for place in found]
    schema = {"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32}
    wanted = pl.DataFrame(told, schema=schema, orient="row").with_columns(is_gone=pl.lit(value=True))
    joined = pl.DataFrame(rows).join(wanted, on=list(schema), how="left", maintain_order="left")
    return joined["is_gone"].fill_null(value=False).to_arrow()


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
                durable.write_file(layout.wal_anew(receiver), b"")
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
