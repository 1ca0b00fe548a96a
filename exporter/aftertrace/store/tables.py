"""Writing the tables: Delta Lake with the durability and the exactly-once check that its library leaves out.

The library never calls `fsync`, and it commits a repeated transaction again. So here a commit goes

    Parquet file, fsync -> its folders, fsync -> commit `_delta_log/N.json` -> fsync of that file and its folder

and it carries, in the same file, the last seq of each receiver whose rows are in. Rows up to that seq are never
offered again: the caller asks `TableWriter.last_seq` first. One writer per table: the drain, under its lock.
"""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.transaction import AddAction, RemoveAction

from aftertrace.store import commits, durable, lookup, parquet, quarantine
from aftertrace.store.errors import Corrupt
from aftertrace.store.finding import Finding
from aftertrace.store.layout import Layout, SegmentName, segments
from aftertrace.store.parquet import DataFile
from aftertrace.store.schema import PARTITION, SCHEMA_VERSION, TABLES

CHECKPOINT_EVERY: Final = 100
"""Versions between two checkpoints of a log. Older commits stay: they hold the digests of the files."""
SMALL_BYTES: Final = 16 << 20
"""A file below this is folded into another with its neighbours."""
_LAST_CHECKPOINT: Final = "_last_checkpoint"
_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class TableWriter:
    """The one writer of a table."""

    def __init__(self, layout: Layout, name: str) -> None:
        """Open a table, after undoing what a power cut may have left of its last commit; make it if it is new."""
        self.name = name
        self._layout = layout
        self._schema = TABLES[name].schema
        self._folder = layout.table(name)
        self._log = layout.commits(name)
        recover(layout, name)
        if not commits.versions(self._log):
            self._create()
        self._delta = DeltaTable(self._folder)
        self._synced_version = self._delta.version()
        newest = commits.newest(self._log)
        self._stored = newest.stored if newest else {}
        self._widen()
        self.small_files = count_small_files(self._delta)
        """How many small files the partition with the most of them has, or a few more; folding begins by it."""

    @property
    def version(self) -> int:
        """The version that was committed last."""
        return int(self._delta.version())

    @property
    def delta(self) -> DeltaTable:
        """The table as of the last commit."""
        return self._delta

    def last_seq(self, receiver: str) -> int:
        """The last seq of a receiver whose rows are in; 0 when none are."""
        return self._stored.get(receiver, 0)

    def append(self, rows: pa.Table, upto: dict[str, int]) -> None:
        """Commit rows, and that everything of each receiver up to a seq is in. Durable when this returns.

        A crash before the commit leaves nothing that a reader sees; a crash after it leaves a commit that
        `recover` makes durable or takes away whole.
        """
        files = self._write(rows)
        self._commit([_add(file, data_change=True) for file in files], files, upto)
        self.small_files += len(files)

    def rearrange(self, removed: list[str], day: date, rows: pa.Table) -> None:
        """Replace files of a partition by one that holds the same rows. Durable when this returns."""
        files = self._write(rows)
        now_ms = time.time_ns() // 1_000_000
        values: dict[str, str | None] = {PARTITION: day.isoformat()}
        gone = [
            RemoveAction(path, data_change=False, deletion_timestamp=now_ms, partition_values=values)
            for path in removed
        ]
        self._commit([*gone, *(_add(file, data_change=False) for file in files)], files, {})
        self.small_files = count_small_files(self._delta)

    def _write(self, rows: pa.Table) -> list[DataFile]:
        files = []
        for day, part in parquet.days(rows):
            file = parquet.write(self._folder, day, part)
            lookup.write(self._layout, self.name, file.path, part)
            files.append(file)
        return files

    def _commit(self, actions: list[Any], files: list[DataFile], upto: dict[str, int]) -> None:
        stored = {**self._stored, **upto}
        metadata = {
            "schema": SCHEMA_VERSION,
            "files": {file.path: [file.digest, file.size_bytes] for file in files},
            "stored": stored,
        }
        self._delta.create_write_transaction(
            actions,
            mode="append",
            schema=self._schema,
            partition_by=[PARTITION],
            commit_properties=CommitProperties(
                custom_metadata={commits.METADATA_KEY: metadata},
                app_transactions=[Transaction(receiver, seq) for receiver, seq in sorted(upto.items())],
            ),
            post_commithook_properties=_HOOKS,
        )
        self._delta.update_incremental()
        self._sync()
        self._stored = stored
        if self.version % CHECKPOINT_EVERY == 0:
            self._checkpoint()

    def _sync(self) -> None:
        """Bring the commits since the last call to stable storage."""
        for version in range(self._synced_version + 1, self.version + 1):
            durable.sync_file(commits.path_of(self._log, version))
        durable.sync_folder(self._log)
        self._synced_version = self.version

    def _create(self) -> None:
        durable.make_folder(self._log)
        DeltaTable.create(
            self._folder,
            schema=self._schema,
            partition_by=[PARTITION],
            name=self.name,
            description=f"One row per {TABLES[self.name].brief}",
            configuration={"delta.enableExpiredLogCleanup": "false"},
        )
        durable.sync_file(commits.path_of(self._log, 0))
        durable.sync_folder(self._log)

    def _widen(self) -> None:
        """Add the columns that the table is older than; its rows have null in them."""
        known = {field.name for field in self._delta.schema().fields}
        younger = [field for field in Schema.from_arrow(self._schema).fields if field.name not in known]
        if younger:
            metadata = {"schema": SCHEMA_VERSION, "files": {}, "stored": self._stored}
            self._delta.alter.add_columns(
                younger,
                commit_properties=CommitProperties(custom_metadata={commits.METADATA_KEY: metadata}),
                post_commithook_properties=_HOOKS,
            )
            self._delta.update_incremental()
            self._sync()

    def _checkpoint(self) -> None:
        """Let readers begin here and not at commit 0. A crash in between leaves a checkpoint that `recover` checks."""
        self._delta.create_checkpoint()
        durable.sync_file(_checkpoint_path(self._log, self.version))
        durable.sync_file(self._log / _LAST_CHECKPOINT)
        durable.sync_folder(self._log)


def recover(layout: Layout, name: str) -> None:
    """Take away a commit or checkpoint that a power cut left in part; make durable what stays. Only under the lock.

    The rows of a commit that was torn are still in the WAL, since no segment retires before the commit is synced.

    Raises:
        Corrupt: they are not, so the commit was whole once and is damaged now.
    """
    log = layout.commits(name)
    found = commits.versions(log)
    while found:
        try:
            commits.read(log, found[-1])
            break
        except Corrupt as damage:
            if not _can_repeat(layout, name, found):
                raise Corrupt(
                    f"open table {name}: commit {found[-1]} is damaged and the WAL no longer holds its rows,"
                    " expected a whole commit; put the file back from a backup"
                ) from damage
            _set_aside(layout, commits.path_of(log, found.pop()), "commit_torn")
    checkpoints = sorted(log.glob("*.checkpoint.parquet")) if found else []
    if checkpoints and not (_is_parquet(checkpoints[-1]) and _is_json(log / _LAST_CHECKPOINT)):
        _set_aside(layout, checkpoints[-1], "checkpoint_torn")
        if (log / _LAST_CHECKPOINT).exists():
            _set_aside(layout, log / _LAST_CHECKPOINT, "checkpoint_torn")
    if found:
        # Written again, not synced again: a sync that failed once may succeed for nothing.
        newest = commits.path_of(log, found[-1])
        durable.write_file(newest, newest.read_bytes())


def _can_repeat(layout: Layout, name: str, versions: list[int]) -> bool:
    """Whether the WAL still holds what the last of these commits stored."""
    if name not in commits.SEQUENCED:
        return True
    before = commits.read(layout.commits(name), versions[-2]).stored if len(versions) > 1 else {}
    for receiver in layout.receivers():
        oldest = next((SegmentName.parse(path.name) for path in segments(layout.wal(receiver))), None)
        if oldest is not None and oldest.first_seq > before.get(receiver, 0) + 1:
            return False
    return True


def count_small_files(table: DeltaTable) -> int:
    """How many small files the partition with the most of them has."""
    counts: dict[str, int] = {}
    for path, size_bytes, _ in files_of(table):
        if size_bytes < SMALL_BYTES:
            partition = path.partition("/")[0]
            counts[partition] = counts.get(partition, 0) + 1
    return max(counts.values(), default=0)


def files_of(table: DeltaTable) -> list[tuple[str, int, date]]:
    """Path, size in bytes and partition of each file of a table."""
    actions = pa.table(table.get_add_actions(flatten=True))
    columns = (actions.column(name).to_pylist() for name in ("path", "size_bytes", f"partition.{PARTITION}"))
    return sorted(zip(*columns, strict=True))


def _add(file: DataFile, *, data_change: bool) -> AddAction:
    return AddAction(
        path=file.path,
        size=file.size_bytes,
        partition_values={PARTITION: file.day.isoformat()},
        modification_time=file.written_ms,
        data_change=data_change,
        stats=file.statistics,
    )


def _set_aside(layout: Layout, path: Path, code: str) -> None:
    where = str(path.relative_to(layout.data))
    finding = Finding(code, "info", where, "not whole; taken away and made again")
    quarantine.keep(layout, finding, path.read_bytes())
    durable.remove(path)


def _checkpoint_path(log: Path, version: int) -> Path:
    return log / f"{version:020d}.checkpoint.parquet"


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_table(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True
