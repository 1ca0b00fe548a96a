"""The logs that make derived tables Delta tables: other engines read them where they are, with nothing exported.

`STATE` says what counts (`derived`); the logs follow it, all to the same version, so that version N of each table is of
one state. A crash in between leaves some of them one version behind, which the next call makes good. Each version can
be read for an hour after another took its place; then its files are swept, and a checkpoint stands for its commits.

A checkpoint is made by the library that reads Delta, in a folder beside the log, and named when it is durable.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aftertrace.store import actions, commits, durable
from aftertrace.store.actions import Action
from aftertrace.store.commits import LAST_CHECKPOINT, METADATA_KEY, Log
from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Folder

KEEP_S: Final = 3600
"""A file that counts no more stays this long: somebody may be reading it."""
CHECKPOINT_EVERY: Final = 100
"""Versions between two checkpoints."""
BOUNDED: Final = "first_ns"
"""The column whose least and greatest value the log tells, so that readers pass over files of other times."""
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}
_STAGE: Final = ".checkpoint"


@dataclass(frozen=True, slots=True)
class Table:
    """A derived table as others read it."""

    name: str
    brief: str
    """What one row is."""
    columns_json: str
    """Its columns, in Delta's form. A file may have others, of which nobody is told."""
    files: frozenset[str]
    """Paths below the folder of derived tables."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a commit of a log says."""

    version: int = -1
    """-1: there is none."""
    table_id: str = ""
    columns: str = ""
    """Digest of its columns."""
    upto: dict[str, int] = field(default_factory=dict)
    """By receiver, the seq of the last frame whose records the state knew."""
    files: dict[str, int] = field(default_factory=dict)
    """By path below the table's folder, size in bytes."""


def follow(layout: Layout, tables: Sequence[Table], upto: Mapping[str, int], *, is_last: bool = False) -> None:
    """Let the logs name the files of a state. Durable when this returns. Only under the lock of whoever derives.

    While everything is derived anew, the logs stay at what was derived before, until it is as far again.

    Args:
        layout: of the store.
        tables: with the files that count.
        upto: by receiver, the seq of the last frame whose records the state knows.
        is_last: nothing more is to be derived for now.

    Raises:
        OSError: the disk does not take it. The next call makes it good.
        Corrupt: a file that counts is not there, or damaged.
    """
    found = {table.name: said(layout, table.name) for table in tables}
    known = {name: newest for name, newest in found.items() if newest is not None}
    if not is_last and any(
        upto.get(receiver, 0) < seq for each in known.values() for receiver, seq in each.upto.items()
    ):
        return
    top = max((newest.version for newest in known.values()), default=-1)
    ahead = [table for table in tables if table.name in known and known[table.name].version == top]
    has_changed = any(_differs(table, known[table.name]) for table in ahead)
    # Those of a table that a crash kept from the last version, which is still of this state.
    made_good = set() if has_changed else {top - 1}
    if len(known) < len(found) or {newest.version for newest in known.values()} - made_good != {top}:
        # One is damaged, was written by others, or has other versions than the rest. Nothing is in them that could not
        # be told anew.
        for table in tables:
            shutil.rmtree(_folder(layout, table.name), ignore_errors=True)
        known, top, has_changed = {table.name: Said() for table in tables}, -1, True
    target = top + 1 if has_changed else top
    for table in tables:
        if known[table.name].version < target:
            _commit(layout, table, known[table.name], upto)
    if has_changed and target and target % CHECKPOINT_EVERY == 0:
        for table in tables:
            _checkpoint(layout, table.name, target)


def named(layout: Layout) -> set[str]:
    """The files that the logs name, by their paths below the folder of derived tables.

    Raises:
        Corrupt: a log is damaged.
    """
    paths = set()
    for table in logged(layout):
        newest = said(layout, table)
        if newest is None:
            raise Corrupt(
                f"read {_folder(layout, table)}: not a whole commit, expected one; `aftertrace derive` makes it again"
            )
        paths |= {f"{table}/{path}" for path in newest.files}
    return paths


def log_of(layout: Layout, table: str) -> Log:
    """The log of a derived table."""
    return Log(Folder(layout.derived), table)


def logged(layout: Layout) -> list[str]:
    """The tables that others can read."""
    return sorted(path.parent.name for path in layout.derived.glob("*/_delta_log"))


def drafts(layout: Layout) -> list[Path]:
    """Files that a crash may have left beside the logs."""
    return [*layout.derived.glob("*/_delta_log/.*.new"), *layout.derived.glob(f"*/{_STAGE}/_delta_log/*")]


def _folder(layout: Layout, table: str) -> Path:
    return layout.derived / table / "_delta_log"


def said(layout: Layout, table: str, version: int | None = None) -> Said | None:
    """What a commit of a table says, the newest one if none is asked for; None where it is damaged, or not ours."""
    log = log_of(layout, table)
    if version is None:
        version = commits.newest_version(log)
    if version is None:
        return Said()
    try:
        info = json.loads(log.objects.get(log.commit(version)).splitlines()[0])["commitInfo"][METADATA_KEY]
        files = {str(path): int(size_bytes) for path, size_bytes in info["files"].items()}
        upto = {str(receiver): int(seq) for receiver, seq in info["upto"].items()}
        return Said(version, str(info["id"]), str(info["columns"]), upto, files)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _differs(table: Table, newest: Said) -> bool:
    return newest.files.keys() != _paths(table) or newest.columns != _mark(table)


def _mark(table: Table) -> str:
    return tagged(table.columns_json.encode())


def _paths(table: Table) -> set[str]:
    """Of its files, below the table's folder."""
    return {path.removeprefix(f"{table.name}/") for path in table.files}


def _commit(layout: Layout, table: Table, newest: Said, upto: Mapping[str, int]) -> None:
    """Make the next version of a table. A crash leaves it whole, or not at all."""
    folder, now_ms = layout.derived / table.name, time.time_ns() // 1_000_000
    made = Said(newest.version + 1, newest.table_id or str(uuid.uuid4()), _mark(table), dict(upto))
    found: list[Action] = []
    if not made.version:
        durable.make_folder(_folder(layout, table.name))
        found.append(actions.protocol())
    if newest.columns != made.columns:
        found.append(_described(table, made.table_id, now_ms))
    wanted = _paths(table)
    for path in sorted(newest.files.keys() - wanted):
        # It is swept in an hour from now, and not before: somebody may be reading the version that has it.
        with suppress(FileNotFoundError):
            os.utime(folder / path)
        found.append(actions.file_removed(path, {}, newest.files[path], now_ms, is_gone=True))
    for path in sorted(wanted):
        if path in newest.files:
            made.files[path] = newest.files[path]
        else:
            told = statistics(folder / path)
            made.files[path] = (folder / path).stat().st_size
            found.append(actions.file_added(path, {}, made.files[path], now_ms, told, is_new=True))
    ours = {"id": made.table_id, "columns": made.columns, "upto": made.upto, "files": made.files}
    log = log_of(layout, table.name)
    if not log.objects.create(log.commit(made.version), actions.lines("WRITE", now_ms, found, ours)):
        raise FileExistsError(
            errno.EEXIST, "somebody else writes to it, expected `aftertrace derive` alone", str(folder)
        )


def _described(table: Table, table_id: str, now_ms: int) -> Action:
    about = (table_id, table.name, table.brief, table.columns_json, now_ms)
    return actions.described(*about, partitions=(), configuration=_CONFIGURATION)


def statistics(path: Path) -> str:
    """Delta's JSON of counts and bounds of a file, from its footer.

    Raises:
        Corrupt: it is not there, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(path)
        # A damaged one may be whole by its form, and of other columns.
        at = footer.schema.names.index(BOUNDED)
        bounds = [footer.row_group(group).column(at).statistics for group in range(footer.num_row_groups)]
        told: dict[str, object] = {"numRecords": footer.num_rows}
        if all(each is not None and each.has_min_max for each in bounds):
            told["minValues"] = {BOUNDED: min(each.min for each in bounds)}
            told["maxValues"] = {BOUNDED: max(each.max for each in bounds)}
        return json.dumps(told)
    except (OSError, pa.ArrowException, TypeError, ValueError) as error:
        raise Corrupt(
            f"read {path}: {type(error).__name__}, expected what was derived there; "
            "`aftertrace derive --anew` makes it again"
        ) from error


def _checkpoint(layout: Layout, table: str, version: int) -> None:
    """Let readers begin here, and take away what only versions need that nobody can be reading any more.

    A crash leaves a log without it, or with it and more commits than are needed.
    """
    from deltalake import DeltaTable

    log, stage = _folder(layout, table), layout.derived / table / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    (stage / "_delta_log").mkdir(parents=True)
    for path in log.iterdir():
        if not path.name.startswith("."):
            (stage / "_delta_log" / path.name).hardlink_to(path)
    DeltaTable(str(stage), version=version).create_checkpoint()
    made = f"{version:020d}.checkpoint.parquet"
    for name in (made, LAST_CHECKPOINT):
        durable.write_file(log / name, (stage / "_delta_log" / name).read_bytes())
    shutil.rmtree(stage)
    _forget(log, time.time() - KEEP_S)


def _forget(log: Path, before_s: float) -> None:
    """Remove commits and checkpoints before the newest checkpoint that was made before then."""
    made = sorted(log.glob("*.checkpoint.parquet"))
    old = [path for path in made if path.stat().st_mtime < before_s]
    if old:
        first = old[-1].name.partition(".")[0]
        for path in log.iterdir():
            stem = path.name.partition(".")[0]
            if stem.isdecimal() and stem < first:
                path.unlink()
