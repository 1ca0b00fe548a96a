"""Folding small files: many small commits keep data fresh, and few large files keep reading fast."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa

from aftertrace.store import lookup, parquet, quarantine
from aftertrace.store.digest import tagged
from aftertrace.store.finding import Finding
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Objects, objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.tables import SMALL_PLAIN_BYTES, TableWriter
from aftertrace.store.wire_keys import KEYED

_log = logging.getLogger(__name__)

FOLD_AT: Final = 64
"""A partition with more small files of one receiver than this is folded."""
FOLD_BYTES: Final = 32 << 20
"""One fold reads files up to this many bytes, which bounds how long the drain waits for it."""
FOLD_PLAIN_BYTES: Final = 2 * SMALL_PLAIN_BYTES
"""And rows up to this many bytes in memory, of which it takes a few times as much. Senders choose what they send: in a
file of 20 kB may be rows of 100 MB."""
KEEP_S: Final = 3600
"""A file that was replaced stays this long: somebody may be reading the version that holds it."""


@dataclass(frozen=True, slots=True)
class _Group:
    receiver: str
    day: date
    paths: list[str]


def compact(layout: Layout, table: TableWriter, fold_at: int = FOLD_AT) -> int:
    """Fold one group of small files, if a partition has more than `fold_at` of them.

    One alone, since what was acknowledged waits meanwhile: the next call after the next commits takes the next.

    Returns:
        How many files were folded into others. A file whose bytes are not those that were committed is left where it
        is and put in quarantine: folding would give damaged rows a good digest. A group that Arrow cannot fold stays as
        it is and is not tried again by this process: rows are as safe in many files as in one.
    """
    for group in _groups(layout, table, fold_at)[:1]:
        try:
            return _fold(layout, table, group)
        except pa.ArrowException as error:
            # A message of Arrow could quote what is stored.
            kind = type(error).__name__
            _log.warning("fold %d files of %s, from %s: %s; left as they are", *_about(table, group), kind)
            table.settle(group.paths)
    return 0


def _fold(layout: Layout, table: TableWriter, group: _Group) -> int:
    """Make one file of the first files of a group whose rows fit into a fold together; returns how many they are."""
    objects, schema = objects_of(layout), TABLES[table.name].schema
    known = table.digests(set(group.paths))
    sound: list[str] = []
    parts: list[pa.Table] = []
    large: list[str] = []
    read_bytes = 0
    for path in group.paths:
        content = _sound(layout, objects, f"{table.name}/{path}", known.get(path))
        if content is None:
            continue
        rows = parquet.read(pa.BufferReader(content), group.day, schema)
        read_bytes += rows.nbytes
        if rows.nbytes >= SMALL_PLAIN_BYTES:
            # Written before this process began, which knows that of its own files.
            large.append(path)
        elif read_bytes <= FOLD_PLAIN_BYTES:
            sound.append(path)
            parts.append(rows)
        if read_bytes >= FOLD_PLAIN_BYTES:
            break
    table.settle(large)
    if len(sound) < 2:
        return 0
    rows = together(table.name, pa.concat_tables(parts))
    return len(sound) if table.rearrange(sound, group.day, rows, group.receiver) else 0


def _about(table: TableWriter, group: _Group) -> tuple[int, str, str]:
    """How many files a group has, their table, and the first of them."""
    return len(group.paths), table.name, group.paths[0]


def vacuum(layout: Layout, table: TableWriter, now_s: float | None = None, keep_s: float = KEEP_S) -> int:
    """Remove files that the newest version does not hold, once nobody can be reading them. Only under the lock.

    Files of receivers that have another drain are left to that: it may be about to commit them.

    Returns:
        How many files went: replaced ones, and those that a crash left without a commit.
    """
    oldest_s = (time.time() if now_s is None else now_s) - keep_s
    objects = objects_of(layout)
    days = [day for day in objects.folders(table.name) if not day.startswith("_")]
    found = [each for day in days for each in objects.list_under(f"{table.name}/{day}")]
    own = layout.own(parquet.receiver_of(each.key) for each in found)
    gone = 0
    for each in found:
        unused_s = table.unused_since_s(each.key.partition("/")[2])
        is_over = unused_s is not None and max(unused_s, each.modified_s) <= oldest_s
        if is_over and parquet.receiver_of(each.key) in own:
            objects.remove(each.key)
            gone += 1
    table.forget_unused(oldest_s)
    lookup.sweep(layout, table.name)
    return gone


def together(table: str, rows: pa.Table) -> pa.Table:
    """The rows with those of one conversation beside one another, and in it those of one trace, so that few groups of
    rows hold what a question about a run reads. Each trace is of the first conversation that it names, if any.
    """
    if table not in KEYED:
        return rows
    import polars as pl

    of = pl.DataFrame(rows.select(["trace_id", "conversation_id"]))
    first = pl.when(pl.col("trace_id").is_not_null()).then(pl.col("conversation_id").min().over("trace_id"))
    of = of.with_columns(place=pl.coalesce(first, "conversation_id", "trace_id")).with_row_index("row")
    return rows.take(of.sort("place", "trace_id", maintain_order=True)["row"].to_arrow())


def _groups(layout: Layout, table: TableWriter, fold_at: int) -> list[_Group]:
    """What to fold: files of one receiver and day, of receivers whose files no other drain folds."""
    small: dict[tuple[str, date], list[tuple[str, int]]] = {}
    for path, size_bytes, day in table.small():
        small.setdefault((parquet.receiver_of(path), day), []).append((path, size_bytes))
    own = layout.own(receiver for receiver, _ in small)
    groups = []
    for (receiver, day), files in small.items():
        if receiver not in own or len(files) <= fold_at:
            continue
        paths: list[str] = []
        taken_bytes = 0
        for path, size_bytes in files:
            if paths and taken_bytes + size_bytes > FOLD_BYTES:
                groups.append(_Group(receiver, day, paths))
                paths, taken_bytes = [], 0
            paths.append(path)
            taken_bytes += size_bytes
        groups.append(_Group(receiver, day, paths))
    return groups


def _sound(layout: Layout, objects: Objects, key: str, recorded: tuple[str, int] | None) -> bytes | None:
    """The bytes of a file, if they are those that were committed."""
    try:
        content = objects.get(key)
    except FileNotFoundError:
        content = b""
    if recorded is not None and tagged(content) == recorded[0]:
        return content
    where = f"{layout.tables_folder.name}/{key}"
    finding = Finding("file_digest", "error", where, "bytes differ from those that were committed; not folded")
    quarantine.keep(layout, finding, content)
    return None
