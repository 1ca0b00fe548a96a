"""Reading the tables: one version of each, and no row beyond what all of them hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aftertrace.store import commits, lake
from aftertrace.store.commits import Log
from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt, Invalid, Unavailable
from aftertrace.store.folder import check_format
from aftertrace.store.layout import Layout
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

_ORIGINS: Final = {"resources": "resource_digest", "scopes": "scope_digest"}
"""Tables that name no source, and by which column of `evidence` their rows are of one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a store held at one moment. Hashable: the key of anything that is computed from it."""

    data: Path
    versions: tuple[tuple[str, int], ...]
    """Version of each table that exists."""
    watermarks: tuple[tuple[str, int], ...]
    """By receiver: the last seq that every table has."""
    uneven: bool
    """Whether some table is ahead of another: a drain was between two commits, or was stopped there."""
    tenants: frozenset[str] | None = None
    """Whose records are read, by the names of their sources: all others are as if they had never come. None: all."""
    _opened: dict[str, DeltaTable] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, data: Path, tenants: frozenset[str] | None = None) -> Snapshot:
        """Pin the newest version of every table. Needs no lock.

        Args:
            data: folder of the store.
            tenants: whose records are read; None: all.

        Raises:
            Invalid: `data` holds no store.
            Corrupt: a table's log is damaged.
            Unavailable: it cannot be reached, or is a lake that is not there: an empty one would be shown in its place.
        """
        layout = Layout(data)
        check_format(layout)
        lake.check_there(layout)
        objects = objects_of(layout)
        with _reaching(objects.url):
            newest = {name: commits.newest(Log(objects, name)) for name in TABLES}
        stored = [commit.stored if (commit := newest[name]) else {} for name in commits.SEQUENCED]
        watermarks = {
            receiver: min(seqs.get(receiver, 0) for seqs in stored) for receiver in sorted(set().union(*stored))
        }
        return cls(
            data,
            tuple((name, commit.version) for name, commit in newest.items() if commit),
            tuple(watermarks.items()),
            any(seqs != watermarks for seqs in stored),
            tenants,
        )

    @property
    def layout(self) -> Layout:
        """The paths of the store."""
        return Layout(self.data)

    def files(self, table: str) -> list[tuple[str, date]]:
        """Path and partition of each file of a table, in order of partitions.

        Raises:
            Unavailable: it cannot be reached.
        """
        from aftertrace.store.tables import files_of

        pinned = self._table(table)
        if pinned is None:
            return []
        with _reaching(self._url(table)):
            held = files_of(pinned)
        return sorted(((path, day) for path, _, day in held), key=lambda file: (file[1], file[0]))

    def size_bytes(self, table: str) -> int:
        """Length of all files of a table.

        Raises:
            Unavailable: it cannot be reached.
        """
        from aftertrace.store.tables import files_of

        pinned = self._table(table)
        if pinned is None:
            return 0
        with _reaching(self._url(table)):
            return sum(length for _, length, _ in files_of(pinned))

    def commit_digest(self, table: str, version: int) -> str | None:
        """Tagged digest of the commit of a version of a table; None where there is none.

        Raises:
            Unavailable: it cannot be reached.
        """
        log = commits.log_of(self.layout, table)
        with _reaching(self._url(table)):
            try:
                return tagged(log.objects.get(log.commit(version)))
            except FileNotFoundError:
                return None

    def within(self, table: str) -> pl.Expr:
        """Whether a row (`receiver`, `seq`, `source`) is up to what every table holds, and of those whose records are
        read.
        """
        import polars as pl

        if not self.uneven or table not in commits.SEQUENCED:
            return self._is_theirs(table)
        stored = [(pl.col("receiver") == receiver) & (pl.col("seq") <= seq) for receiver, seq in self.watermarks]
        return pl.any_horizontal(stored) & self._is_theirs(table)

    def _is_theirs(self, table: str) -> pl.Expr:
        """Whether a row is of whose records are read; of a table that names no source, every row."""
        import polars as pl

        if self.tenants is None or "source" not in TABLES[table].schema.names:
            return pl.lit(value=True)
        return pl.any_horizontal(
            pl.lit(value=False), *(pl.col("source").str.starts_with(f"{tenant}/") for tenant in sorted(self.tenants))
        ).fill_null(value=False)

    def scan(self, table: str, *, columns: Sequence[str] | None = None, whole: bool = False) -> pl.LazyFrame:
        """A table's rows, up to the watermark of each receiver; all that it has where the `whole` table is asked for.

        A table that does not exist yet is an empty frame with the right columns.

        Raises:
            Invalid: there is no such table.
            Unavailable: it cannot be reached.
        """
        import polars as pl

        if table not in TABLES:
            raise Invalid(f"scan {table!r}: no such table, expected one of {', '.join(TABLES)}")
        pinned, wanted = self._table(table), pl.Schema(TABLES[table].schema)
        if pinned is None:
            frame = pl.LazyFrame(schema=wanted)
        else:
            with _reaching(self._url(table)):
                frame = pl.scan_delta(pinned)
                known = frame.collect_schema()
            # No drain has opened the table since these columns came to be.
            younger = {name: pl.lit(None, kind) for name, kind in wanted.items() if name not in known}
            frame = frame.with_columns(**younger) if younger else frame
        if self.uneven and not whole:
            frame = frame.filter(self.within(table))
        elif self.tenants is not None:
            frame = frame.filter(self._is_theirs(table))
        if self.tenants is not None and table in _ORIGINS:
            # Two tenants may have one and the same; it is told by whoever sent something from there.
            sent = self.scan("evidence", columns=[_ORIGINS[table]]).unique()
            frame = frame.join(sent, left_on="digest", right_on=_ORIGINS[table], how="semi")
        return frame if columns is None else frame.select(columns)

    def _table(self, table: str) -> DeltaTable | None:
        """The pinned version of a table, opened once: its log is read from the last checkpoint on each time."""
        from aftertrace.store.opened import OpenedTable

        version = dict(self.versions).get(table)
        if version is not None and table not in self._opened:
            with _reaching(self._url(table)):
                self._opened[table] = OpenedTable(self._url(table), version=version)
        return self._opened.get(table)

    def _url(self, table: str) -> str:
        return f"{objects_of(self.layout).url}/{table}"


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # The library that reads Delta gives no number, and a first line that says what is wrong.
        said = error.strerror or str(error).partition("\n")[0]
        raise Unavailable(f"read {url}: {said}; it cannot be reached: see to its permissions, or try again") from error


def collected(*frames: pl.LazyFrame, streaming: bool = False) -> list[pl.DataFrame]:
    """The rows of lazy frames over stored tables, read at once.

    Args:
        frames: over stored tables.
        streaming: as `streamed` does.

    Raises:
        Corrupt: a file of a table is damaged or missing.
        Unavailable: the tables are in a bucket that cannot be reached.
    """
    import polars as pl

    with _reading():
        return streamed(*frames) if streaming else pl.collect_all(frames)


def batches(frame: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    """The rows of a lazy frame over stored tables, so many at a time and in no order. Raises as `collected`."""
    with _reading():
        yield from frame.collect_batches(chunk_size=rows)


@contextmanager
def _reading() -> Iterator[None]:
    import polars as pl

    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise Unavailable("read tables: their place cannot be reached; try again", 1.0) from error
    # The Parquet reader of Polars panics at a file that was cut off.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise Corrupt(
            f"read tables: {type(error).__name__}, expected files as they were committed; run `aftertrace fsck`"
        ) from error


def streamed(*frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """The rows of lazy frames, in the streaming engine and each by itself: what is held of long tables is what is made
    of their rows, and not what several frames read alike.
    """
    import polars as pl

    return pl.collect_all(frames, engine="streaming", optimizations=pl.QueryOptFlags(comm_subplan_elim=False))


def scan(data: Path, table: str, *, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """A table's rows now. For several tables that must agree, pin one `Snapshot` and scan that."""
    return Snapshot.of(data).scan(table, columns=columns)
