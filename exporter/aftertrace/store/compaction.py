"""Folding small files: many small commits keep data fresh, and few large files keep reading fast.

A fold has three parts: `due` says what it is about, `fold` writes the large file, which takes a second and needs
nothing of the table, and `commit` puts it in the place of the small ones. A crash before that leaves a file that nobody
reads.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa

from aftertrace.store import lookup, parquet, quarantine
from aftertrace.store.digest import tagged
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Listed, Objects, objects_of
from aftertrace.store.parquet import DataFile
from aftertrace.store.schema import PARTITION, TABLES
from aftertrace.store.tables import SMALL_PLAIN_BYTES, TableWriter, write
from aftertrace.store.wire_keys import KEYED
from aftertrace.verifier.verdicts import Finding

_log = logging.getLogger(__name__)

FOLD_AT: Final = 64
"""A partition with more small files of one receiver than this is folded."""
FOLD_BYTES: Final = 32 << 20
"""One fold reads files up to this many bytes."""
FOLD_PLAIN_BYTES: Final = 2 * SMALL_PLAIN_BYTES
"""And rows up to this many bytes in memory, of which it takes a few times as much. Senders choose what they send: in a
file of 20 kB may be rows of 100 MB."""
KEEP_S: Final = 3600
"""A file that was replaced stays this long: somebody may be reading the version that holds it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Small files of one receiver and day that are to be one."""

    table: str
    receiver: str
    day: date
    paths: tuple[str, ...]
    digests: dict[str, tuple[str, int]]
    """Digest and size in bytes of those that were committed with them."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of a group."""

    group: Group
    replaced: tuple[str, ...] = ()
    """Files whose rows the new ones hold. Others of the group are left where they are."""
    files: tuple[DataFile, ...] = ()
    settled: tuple[str, ...] = ()
    """Files that are not to be tried again."""


def compact(layout: Layout, table: TableWriter, fold_at: int = FOLD_AT) -> int:
    """Fold one group of small files, if a partition has more than `fold_at` of them; returns how many were folded."""
    group = due(layout, table, fold_at)
    return commit(table, fold(layout, group)) if group is not None else 0


def due(layout: Layout, table: TableWriter, fold_at: int = FOLD_AT) -> Group | None:
    """The next group to fold, of a partition with more than `fold_at` small files of a receiver; None if there is none.

    They are of receivers whose files no other drain folds.

    Raises:
        Corrupt: a commit is damaged.
    """
    small: dict[tuple[str, date], list[tuple[str, int]]] = {}
    for path, size_bytes, day in table.small():
        small.setdefault((parquet.receiver_of(path), day), []).append((path, size_bytes))
    own = layout.own(receiver for receiver, _ in small)
    for (receiver, day), files in small.items():
        if receiver not in own or len(files) <= fold_at:
            continue
        paths: list[str] = []
        taken_bytes = 0
        for path, size_bytes in files:
            taken_bytes += size_bytes
            if paths and taken_bytes > FOLD_BYTES:
                break
            paths.append(path)
        return Group(table.name, receiver, day, tuple(paths), table.digests(set(paths)))
    return None


def fold(layout: Layout, group: Group) -> Folded:
    """Make one file of the first files of a group whose rows fit into a fold together. Nobody reads it before `commit`.

    Nothing of the table is looked at or changed: this can go on beside commits to it.

    Returns:
        A file whose bytes are not those that were committed is left where it is and put in quarantine: folding would
        give damaged rows a good digest. A group that Arrow or Polars cannot fold stays as it is: rows are as safe in
        many files as in one.

    Raises:
        OSError: the disk does not take it.
    """
    try:
        return _folded(layout, group)
    except (pa.ArrowException, pl.exceptions.PolarsError) as error:
        # A message of theirs could quote what is stored.
        kind = type(error).__name__
        about = len(group.paths), group.table, group.paths[0]
        _log.warning("fold %d files of %s, from %s: %s; left as they are", *about, kind)
        return Folded(group, settled=group.paths)


def commit(table: TableWriter, folded: Folded) -> int:
    """Let a folded file take the place of those it was made of; returns how many they are.

    None where another drain has replaced one of them meanwhile.

    Raises:
        OSError: the disk does not take it.
        Corrupt: the commit of another drain is damaged.
    """
    table.settle(folded.settled)
    if not folded.files or not table.rearrange(folded.replaced, folded.group.day, folded.files):
        return 0
    return len(folded.replaced)


def _folded(layout: Layout, group: Group) -> Folded:
    objects, schema = objects_of(layout), TABLES[group.table].schema
    sound: list[str] = []
    parts: list[pa.Table] = []
    left: list[str] = []
    read_bytes = 0
    for path in group.paths:
        content = _sound(layout, objects, f"{group.table}/{path}", group.digests.get(path))
        if content is None:
            # Tried again each time, damaged files would keep other days from being folded.
            left.append(path)
            continue
        rows = parquet.read(pa.BufferReader(content), group.day, schema)
        read_bytes += rows.nbytes
        if rows.nbytes >= SMALL_PLAIN_BYTES:
            # Written before this process began, which knows that of its own files.
            left.append(path)
        elif read_bytes <= FOLD_PLAIN_BYTES:
            sound.append(path)
            parts.append(rows)
        if read_bytes >= FOLD_PLAIN_BYTES:
            break
    if len(sound) < 2:
        return Folded(group, settled=tuple(left))
    rows = pa.concat_tables(parts)
    # Twice in memory while they are put in order, and not while they are written.
    parts.clear()
    rows = together(group.table, rows)
    files = write(layout, group.table, rows, group.receiver)
    return Folded(group, tuple(sound), tuple(files), tuple(left))


def vacuum(
    layout: Layout,
    table: TableWriter,
    now_s: float | None = None,
    keep_s: float = KEEP_S,
    only: Collection[date] | None = None,
) -> int:
    """Remove files that the newest version does not hold, once nobody can be reading them. Only under the lock.

    Files of receivers that have another drain are left to that: it may be about to commit them.

    Args:
        layout: of the store.
        table: whose files they are.
        now_s: the time, in seconds since 1970.
        keep_s: how long nobody may have needed them.
        only: of these days alone.

    Returns:
        How many files went: replaced ones, and those that a crash left without a commit.
    """
    oldest_s = (time.time() if now_s is None else now_s) - keep_s
    objects = objects_of(layout)
    found = listed(objects, table.name, only)
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


def listed(objects: Objects, table: str, only: Collection[date] | None = None) -> list[Listed]:
    """The files of a table that are there, of some days or of all, in use or not."""
    wanted = None if only is None else {f"{PARTITION}={day.isoformat()}" for day in only}
    days = [day for day in objects.folders(table) if not day.startswith("_") and (wanted is None or day in wanted)]
    return [each for day in days for each in objects.list_under(f"{table}/{day}")]


def together(table: str, rows: pa.Table) -> pa.Table:
    """The rows with those of one conversation beside one another, and in it those of one trace, so that few groups of
    rows hold what a question about a run reads. Each trace is of the first conversation that it names, if any.
    """
    if table not in KEYED:
        return rows
    of = pl.DataFrame(rows.select(["trace_id", "conversation_id"]))
    first = pl.when(pl.col("trace_id").is_not_null()).then(pl.col("conversation_id").min().over("trace_id"))
    of = of.with_columns(place=pl.coalesce(first, "conversation_id", "trace_id")).with_row_index("row")
    return rows.take(of.sort("place", "trace_id", maintain_order=True)["row"].to_arrow())


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
