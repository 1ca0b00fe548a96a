"""Writing the tables: Delta Lake, each commit durable and made once, also where several receivers commit to one table.

The library that reads Delta never calls `fsync`, and it commits a repeated transaction again. So commits are written
here, each in this order

    Parquet file, fsync -> its folders, fsync -> `_delta_log/N.json` as a draft, fsync -> named -> its folder, fsync

A commit is named only if nobody has named one of its version. Whoever comes second takes in what the other has
committed and tries the next version, so that each commit knows all before it. It carries the last seq of each receiver
whose rows are in. Rows up to that seq are never offered again: the caller asks `TableWriter.last_seq` first. One
process commits for a receiver, and looks after the files with its name: the drain of its WAL, under its lock.
"""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from deltalake import DeltaTable, Schema

from aftertrace.store import actions, commits, delta_checkpoints, durable, lookup, parquet
from aftertrace.store.actions import Action
from aftertrace.store.commits import Commit, Log
from aftertrace.store.layout import Layout
from aftertrace.store.objects import objects_of
from aftertrace.store.opened import OpenedTable
from aftertrace.store.parquet import DataFile
from aftertrace.store.schema import PARTITION, TABLES

if TYPE_CHECKING:
    import polars as pl

CHECKPOINT_EVERY: Final = 100
"""Versions between two checkpoints of a log. Older commits stay: they hold the digests of the files."""
SMALL_BYTES: Final = 16 << 20
"""A file below this is folded into another with its neighbours."""
SMALL_PLAIN_BYTES: Final = 64 << 20
"""Unless its rows take as much as this in memory: then it is as large as a fold makes any."""

StoredFile = tuple[str, int, date]
"""Path, size in bytes and partition of a file of a table."""


class TableWriter:
    """A table as one drain writes it."""

    def __init__(self, layout: Layout, name: str, told: Callable[[Commit], object] | None = None) -> None:
        """Open a table, after undoing what a power cut may have left of its last checkpoint; make it if it is new.

        Args:
            layout: of the store.
            name: of the table.
            told: called with each commit of others after that, once it is known here.

        Raises:
            Corrupt: its log is damaged.
        """
        self.name = name
        self._layout = layout
        self._told = told
        self.taken_in: Callable[[Commit, bool], object] = lambda _commit, _is_own: None
        """Called with each commit once it is known here, and whether it was made here."""
        self._objects = objects_of(layout)
        self._log = Log(self._objects, name)
        self._url = f"{self._objects.url}/{name}"
        if self._objects.folder is not None:
            delta_checkpoints.recover(layout, self._objects.folder, name)
        if commits.newest(self._log) is None:
            self._create()
        self._version = -1
        self._stored: dict[str, int] = {}
        self._files: dict[str, tuple[int, date]] = {}
        self._digests: dict[str, tuple[str, int]] = {}
        self._unused: dict[str, float] = {}
        self._settled: set[str] = set()
        """Small files that are not to be folded."""
        self._opened_s = time.time()
        self.small_files = 0
        """How many small files the partition with the most of them has of one receiver, or a few more; folding begins
        by it."""
        while not self._open():
            # Another drain has changed the table meanwhile.
            pass

    @property
    def log(self) -> Log:
        """Its commits."""
        return self._log

    @property
    def version(self) -> int:
        """The newest version that is known here."""
        return self._version

    def files(self) -> list[StoredFile]:
        """The files of that version, in order of their paths."""
        return sorted((path, size_bytes, day) for path, (size_bytes, day) in self._files.items())

    def small(self) -> list[StoredFile]:
        """Those of them that are to be folded with others, as far as is known here."""
        return [file for file in self.files() if self._is_small(file[0], file[1])]

    def settle(self, paths: Iterable[str]) -> None:
        """Leave files as they are from now on: they are damaged, take much memory, or could not be folded."""
        self._settled.update(paths)
        self.small_files = self._count_small_files()

    def scan(self) -> pl.LazyFrame:
        """The rows of that version."""
        import polars as pl

        return pl.scan_delta(OpenedTable(self._url, version=self._version))

    def digests(self, paths: set[str]) -> dict[str, tuple[str, int]]:
        """Digest and size in bytes of some files of that version, as far as commits tell them.

        Raises:
            Corrupt: a commit is damaged.
        """
        known = {path: self._digests[path] for path in paths & self._digests.keys()}
        return {**known, **commits.digests(self._log, paths - known.keys(), self._version)}

    def unused_since_s(self, path: str) -> float | None:
        """Since when a file of the table is in no version, as far as is known here; None for one that is in use."""
        return None if path in self._files else self._unused.get(path, self._opened_s)

    def forget_unused(self, until_s: float) -> None:
        """Remember no longer since when files are in no version, of those that no one can be reading any more."""
        self._unused = {path: since_s for path, since_s in self._unused.items() if since_s > until_s}

    def last_seq(self, receiver: str) -> int:
        """The last seq of a receiver whose rows are in; 0 when none are."""
        return self._stored.get(receiver, 0)

    def refresh(self) -> list[Commit]:
        """Get to know what others have committed.

        Returns:
            Their commits since the last that was known here, in order.

        Raises:
            Corrupt: one of them is damaged.
        """
        found = commits.after(self._log, self._version)
        for commit in found:
            self._take_in(commit)
            self.taken_in(commit, False)
            if self._told is not None:
                self._told(commit)
        return found

    def append(
        self, rows: pa.Table, receiver: str, seq: int | None = None, unless: Callable[[], bool] | None = None
    ) -> bool:
        """Commit rows of a receiver, and that everything of it up to a seq is in. Durable when this returns.

        A crash before the commit leaves nothing that a reader sees; a crash after it leaves a whole one.

        Args:
            rows: may be none.
            receiver: through which they came.
            seq: up to which the table holds all of its rows with these; None says nothing of it.
            unless: says, after others have committed, whether these rows must not be committed any more.

        Returns:
            Whether they were.

        Raises:
            OSError: the disk does not take it. It may be committed or not; opening the table again tells.
            Corrupt: the commit of somebody else is damaged.
        """
        files = write(self._layout, self.name, rows, receiver)
        upto = {} if seq is None else {receiver: seq}
        txn = [actions.stored_upto(receiver, seq)] if seq is not None else []
        added = [actions.added(file, is_new=True) for file in files]
        is_in = self._commit("WRITE", [*txn, *added], files, upto, lambda _: unless is not None and unless())
        self._settled.update(file.path for file in files if file.plain_bytes >= SMALL_PLAIN_BYTES)
        self.small_files += sum(self._is_small(file.path, file.size_bytes) for file in files)
        return is_in

    def rearrange(self, removed: Sequence[str], day: date, files: Sequence[DataFile]) -> bool:
        """Replace files of a day by others that hold the same rows. Durable when this returns.

        Returns:
            Whether they were; not where somebody else has replaced one of them.
        """
        return self._replace("OPTIMIZE", removed, day, files, {})

    def destroy(self, removed: Sequence[str], day: date, files: Sequence[DataFile], gone: Mapping[str, Any]) -> bool:
        """Take files of a day away, with rows that no other has then. Durable when this returns.

        Args:
            removed: those that held them.
            day: of receipt.
            files: that hold the other rows of these.
            gone: which they are, as `actions.commit` has it.

        Returns:
            Whether they were; not where somebody else has replaced one of the files.
        """
        return self._replace("DELETE", removed, day, files, gone)

    def _replace(
        self, operation: str, removed: Sequence[str], day: date, files: Sequence[DataFile], gone: Mapping[str, Any]
    ) -> bool:
        now_ms = time.time_ns() // 1_000_000
        known = [path for path in removed if path in self._files]
        sizes = {path: self._files[path][0] for path in known}
        taken = [actions.replaced(path, day, size, now_ms, is_gone=bool(gone)) for path, size in sizes.items()]
        added = [actions.added(file, is_new=False) for file in files]
        is_in = len(known) == len(removed) and self._commit(
            operation, [*taken, *added], files, {}, lambda others: _touch(others, removed), gone
        )
        self.settle(file.path for file in files if file.plain_bytes >= SMALL_PLAIN_BYTES)
        return is_in

    def _commit(
        self,
        operation: str,
        found: Iterable[Action],
        files: Sequence[DataFile],
        upto: dict[str, int],
        unless: Callable[[list[Commit]], bool],
        gone: Mapping[str, Any] | None = None,
    ) -> bool:
        now_ms = time.time_ns() // 1_000_000
        while True:
            content = actions.commit(operation, now_ms, found, {**self._stored, **upto}, files, gone)
            if self._name(self._version + 1, content):
                break
            if unless(self.refresh()):
                return False
        made = commits.parsed(self._log, self._version + 1, content)
        self._take_in(made)
        self.taken_in(made, True)
        if self._version % CHECKPOINT_EVERY == 0:
            self._checkpoint()
        return True

    def _name(self, version: int, content: bytes) -> bool:
        """Make a version of the table unless somebody else has. A crash leaves it whole and synced, or not at all."""
        folder = self._objects.folder
        if version and folder is not None and not (folder / self._log.commit(version - 1)).exists():
            # A lake that is not mounted any more: what was made in its place would be gone when it is back.
            raise FileNotFoundError(errno.ENOENT, "the table is not there any more", self._url)
        return self._objects.create(self._log.commit(version), content)

    def _take_in(self, commit: Commit) -> None:
        self._version = commit.version
        self._stored = commit.stored
        for path in commit.removed:
            self._files.pop(path, None)
            self._digests.pop(path, None)
            self._settled.discard(path)
            self._unused[path] = commit.timestamp_ms / 1000
        self._digests |= commit.digests
        self._files.update({file.path: (file.size_bytes, file.day) for file in commit.added})

    def _create(self) -> None:
        if self._objects.folder is not None:
            # Also where it is there: whoever made it may have been killed before it was durably named.
            durable.make_folder(self._objects.folder / self._log.key)
        now_ms = time.time_ns() // 1_000_000
        table = TABLES[self.name]
        columns = Schema.from_arrow(table.schema).to_json()
        about = actions.described(str(uuid.uuid4()), table.name, table.brief, columns, now_ms)
        # Whoever comes second finds the table made.
        self._name(0, actions.commit("CREATE TABLE", now_ms, [actions.protocol(), about], {}, []))

    def _open(self) -> bool:
        """Read the table as it is, and add the columns that it is older than; its rows have null in them.

        Returns:
            Whether it could be done before anybody else committed.
        """
        delta = DeltaTable(self._url)
        self._version = int(delta.version())
        self._stored = commits.read(self._log, self._version).stored
        self._files = {path: (size_bytes, day) for path, size_bytes, day in files_of(delta)}
        self.small_files = self._count_small_files()
        columns = delta.schema().fields
        known = {column.name for column in columns}
        wanted = Schema.from_arrow(TABLES[self.name].schema).fields
        younger = [column for column in wanted if column.name not in known]
        if not younger:
            return True
        about = delta.metadata()
        schema = Schema([*columns, *younger]).to_json()
        widened = actions.described(str(about.id), self.name, TABLES[self.name].brief, schema, about.created_time)
        return self._commit("ADD COLUMN", [widened], [], {}, lambda _: True)

    def _checkpoint(self) -> None:
        """Let readers begin here and not at commit 0. A crash in between leaves one that `delta_checkpoints` checks."""
        # Of this version, also where another drain has committed the next.
        DeltaTable(self._url, version=self._version).create_checkpoint()
        if self._objects.folder is not None:
            log = self._objects.folder / self._log.key
            durable.sync_file(delta_checkpoints.path_of(log, self._version))
            durable.sync_file(log / commits.LAST_CHECKPOINT)
            durable.sync_folder(log)

    def _is_small(self, path: str, size_bytes: int) -> bool:
        return size_bytes < SMALL_BYTES and path not in self._settled

    def _count_small_files(self) -> int:
        counts: dict[tuple[str, date], int] = {}
        for path, (size_bytes, day) in self._files.items():
            if self._is_small(path, size_bytes):
                of = (parquet.receiver_of(path), day)
                counts[of] = counts.get(of, 0) + 1
        own = self._layout.own(receiver for receiver, _ in counts)
        return max((count for (receiver, _), count in counts.items() if receiver in own), default=0)


def write(layout: Layout, table: str, rows: pa.Table, receiver: str) -> list[DataFile]:
    """Write rows of a receiver to new files, each with its wire keys. Nobody reads them before a commit names them.

    Raises:
        OSError: the disk does not take it.
    """
    files = []
    for day, part in parquet.days(rows):
        file = parquet.write(objects_of(layout), table, day, part, receiver)
        lookup.write(layout, table, file.path, part)
        files.append(file)
    return files


def files_of(table: DeltaTable) -> list[StoredFile]:
    """The files of a table, in order of their paths."""
    listed = table.get_add_actions(flatten=True)
    columns = (listed.column(name).to_pylist() for name in ("path", "size_bytes", f"partition.{PARTITION}"))
    return sorted(zip(*columns, strict=True))


def _touch(others: list[Commit], paths: Sequence[str]) -> bool:
    return any(set(paths) & set(commit.removed) for commit in others)
