"""Finding rows by their ids without reading the tables: one small file of wire keys beside each data file.

`<data>/tables/_lookup/<table>/<path of the data file>` tells for each wire key which groups of rows of the data file
have rows with it (`key_file`). It is made with the file and before the commit that names it, and never changes.

It is derived, so it is not synced: after a power cut one may be missing or torn. Then the reader reads the whole data
file, and the answer is the same. `aftertrace fsck` tells of such files, and `fsck --repair` makes them again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from aftertrace.store import key_file, key_index, parquet, run_names
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.wire_keys import KEYED, KINDS, columns_of, wire_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    import polars as pl

    from aftertrace.store.key_index import Level
    from aftertrace.store.layout import Layout
    from aftertrace.store.objects import Objects
    from aftertrace.store.snapshot import Snapshot

_OF_SNAPSHOT: Final = ("receiver", "seq", "source")
"""What `Snapshot.within` looks at."""
_CACHED_SNAPSHOTS: Final = 8
_KEPT_GROUPS: Final = 32
_MANY_ROWS: Final = parquet.ROW_GROUP_ROWS // 2
"""A group of so many rows is asked by itself, and its wire keys are kept; smaller ones are asked together."""
_MANY_KEYS: Final = 256
"""For more keys than this, lookup files are read whole, once: most of their buckets are asked for."""
_DRAFT_S: Final = 60.0
"""A draft that is older than this belongs to nobody who is still writing it."""


def key_of(table: str, path: str) -> str:
    """Where the lookup file of a data file is."""
    return f"_lookup/{table}/{path}"


def write(layout: Layout, table: str, path: str, rows: pa.Table) -> None:
    """Make the lookup file of a data file that holds these rows; nothing for a table without wire keys.

    Raises:
        OSError: the disk does not take it.
    """
    if table not in KEYED:
        return
    objects_of(layout).put(key_of(table, path), made(table, rows), derived=True)


def made(table: str, rows: pa.Table) -> bytes:
    """What the lookup file of a data file with these rows holds."""
    import polars as pl

    frame, part = pl.DataFrame(rows.select(columns_read(table))), pl.col("row") // parquet.ROW_GROUP_ROWS
    keys = wire_keys(frame).select("kind", "key", part=part).unique()
    runs = run_names.nodes(frame).select("node", part=part).unique().collect()
    numbers = list(map(run_names.number_of, runs["node"].to_list()))
    return key_file.made([*key_file.numbers_of(keys), *numbers], [*keys["part"], *runs["part"]])


def columns_read(table: str) -> list[str]:
    """The columns that `made` reads of a table."""
    return list(dict.fromkeys((*columns_of(table), *run_names.COLUMNS)))


def read(layout: Layout, table: str, path: str) -> bytes | None:
    """The bytes of the lookup file of a data file; None where it is missing, or damaged at any place.

    Raises:
        ConnectionError: its place cannot be reached.
    """
    try:
        content = objects_of(layout).get(key_of(table, path))
    except ConnectionError:
        raise
    except OSError:
        return None
    return content if key_file.is_whole(content) else None


@dataclass(frozen=True, slots=True)
class _Joined:
    """Lookup files that were read whole."""

    files: list[tuple[str, date]]
    """Path and day of their data files, in the order of `entries`."""
    entries: pl.Series
    unknown: list[tuple[str, date]]
    """Data files whose own are missing or damaged."""


@dataclass(slots=True)
class _Kept:
    """A group of rows with all their columns, and their wire keys as soon as it is asked for any by itself."""

    table: str
    rows: pa.Table
    _keys: pl.DataFrame | None = None

    def with_any(self, keys: pl.DataFrame, columns: Sequence[str]) -> pa.Table:
        """Those that have any of some keys, with some columns."""
        if self._keys is None:
            self._keys = _wire_keys(self.table, self.rows)
        return _those(self.rows.select(columns), self._keys, keys)


class Reader:
    """Reads rows of one version by their keys, and keeps the groups of rows that it read last: questions about one run
    come back to them.
    """

    def __init__(self, snapshot: Snapshot, indexes: Mapping[str, Sequence[Level]] | None = None) -> None:
        """Read `snapshot`.

        Args:
            snapshot: a version of the store.
            indexes: by table, an index of its files (`extended`): of others, the lookup files are read.
        """
        self._snapshot = snapshot
        self._indexes = dict(indexes or {})
        self._kept: OrderedDict[tuple[str, str, int], _Kept] = OrderedDict()
        self._joined: dict[str, list[_Joined]] = {}
        """By table, its lookup files, where they were read whole."""
        self._asked: tuple[pl.DataFrame, set[int]] | None = None

    def rows_with(self, table: str, keys: pl.DataFrame, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of a table that have any of some wire keys.

        Args:
            table: `spans` or `events`.
            keys: `kind`, `key`, as in `wire_keys.KINDS`.
            columns: which columns; all of them if not given.

        Raises:
            Corrupt: a data file is damaged or missing.
            Unavailable: it is in a bucket that cannot be reached.
        """
        import polars as pl

        schema, objects = TABLES[table].schema, objects_of(self._snapshot.layout)
        wanted = list(schema.names if columns is None else columns)
        needed = [name for name in schema.names if name in {*wanted, *columns_of(table), *_OF_SNAPSHOT}]
        parts = [pa.Table.from_batches([], pa.schema([schema.field(name) for name in needed]))]
        read: list[pa.Table] = []
        for (path, day), groups in self._parts_with(objects, table, self._numbers_of(keys)):
            for group in self._groups(table, path, day, groups, needed):
                if isinstance(group, _Kept) and group.rows.num_rows >= _MANY_ROWS:
                    parts.append(group.with_any(keys, needed))
                    continue
                read.append(group.rows.select(needed) if isinstance(group, _Kept) else group)
                # Of small files many at once: a query takes a while, however few rows it is about.
                if sum(each.num_rows for each in read) >= parquet.ROW_GROUP_ROWS:
                    parts.append(_with_any(table, keys, read))
                    read = []
        if read:
            parts.append(_with_any(table, keys, read))
        return pl.DataFrame(pa.concat_tables(parts)).filter(self._snapshot.within(table)).select(wanted)

    def _numbers_of(self, keys: pl.DataFrame) -> set[int]:
        """The numbers of keys; one table after the other is asked for the same."""
        if self._asked is None or self._asked[0] is not keys:
            self._asked = keys, set(key_file.numbers_of(keys))
        return self._asked[1]

    def keys_of_runs(self, beginning: str) -> pl.DataFrame:
        """`kind`, `key` of wire keys of runs that may have an id with this beginning, of lower-case hexadecimal digits.

        Raises:
            Corrupt: a data file is damaged or missing.
            Unavailable: it is in a bucket that cannot be reached.
        """
        import polars as pl

        head = beginning[: run_names.NUMBER_CHARACTERS]
        between = (
            int(head.ljust(run_names.NUMBER_CHARACTERS, "0"), 16),
            int(head.ljust(run_names.NUMBER_CHARACTERS, "f"), 16),
        )
        objects = objects_of(self._snapshot.layout)
        found = [pl.DataFrame(schema={"kind": pl.String, "key": pl.String})]
        for table in KEYED:
            # What one id leads to is read next, and all of it; a short beginning leads to much that is not.
            columns = TABLES[table].schema.names if len(beginning) >= run_names.NUMBER_CHARACTERS else run_names.COLUMNS
            for (path, day), groups in self._parts_of_runs(objects, table, between):
                for group in self._groups(table, path, day, groups, columns):
                    rows = group.rows if isinstance(group, _Kept) else group
                    frame = pl.DataFrame(rows.select(run_names.COLUMNS)).filter(self._snapshot.within(table))
                    found.append(run_names.names(frame, beginning).select("kind", "key"))
        return pl.concat(found).unique(maintain_order=True)

    def whole(self, table: str, path: str, day: date, columns: Sequence[str]) -> pa.Table:
        """All rows of a file. Errors as of `rows_with`."""
        return pa.concat_tables(self._read(table, path, day, None, columns).values())

    def _parts_with(
        self, objects: Objects, table: str, numbers: set[int]
    ) -> Iterable[tuple[tuple[str, date], set[int] | None]]:
        """Files of a table, and which groups of rows of each may have some keys; None where that is not known."""
        files, indexed = _files(self._snapshot, table), self._indexed(table, numbers)
        yield from ((file, indexed[file[0]]) for file in files if indexed.get(file[0]))
        others = [file for file in files if file[0] not in indexed]
        if len(numbers) <= _MANY_KEYS:
            for file in others:
                yield file, key_file.parts_with(objects, key_of(table, file[0]), numbers)
            return
        import polars as pl

        if table not in self._joined:
            at_once = key_file.FILES_AT_MOST
            self._joined[table] = [
                self._join(table, others[start : start + at_once]) for start in range(0, len(others), at_once)
            ]
        sought = pl.Series(list(numbers), dtype=pl.UInt32)
        for joined in self._joined[table]:
            parts = key_file.parts_among(joined.entries, sought)
            yield from ((joined.files[at], parts[at]) for at in sorted(parts))
            yield from ((file, None) for file in joined.unknown)

    def _parts_of_runs(
        self, objects: Objects, table: str, between: tuple[int, int]
    ) -> Iterable[tuple[tuple[str, date], set[int] | None]]:
        """As `_parts_with`, for the runs whose numbers lie between two, both included."""
        if between[0] == between[1]:
            return self._parts_with(objects, table, {between[0]})
        files = _files(self._snapshot, table)
        return ((file, key_file.parts_within(objects, key_of(table, file[0]), [between])) for file in files)

    def _indexed(self, table: str, numbers: set[int]) -> dict[str, set[int]]:
        """By path of every file that the index of a table knows, which of its groups of rows may have some keys."""
        levels = self._indexes.get(table, ())
        found = key_index.places(self._snapshot.layout.derived_index, levels, sorted(numbers))
        if found is None:
            # It holds nothing that the lookup files do not.
            del self._indexes[table]
            return {}
        nowhere: set[int] = set()
        return {name: found.get(name, nowhere) for level in levels for name in level.of}

    def _join(self, table: str, files: Sequence[tuple[str, date]]) -> _Joined:
        whole: list[tuple[str, date]] = []
        unknown: list[tuple[str, date]] = []

        def entries() -> Iterator[pl.Series]:
            for file in files:
                content = read(self._snapshot.layout, table, file[0])
                (unknown if content is None else whole).append(file)
                if content is not None:
                    yield key_file.entries_of(content)

        return _Joined(whole, key_file.joined(entries()), unknown)

    def _groups(
        self, table: str, path: str, day: date, groups: set[int] | None, columns: Sequence[str]
    ) -> list[pa.Table | _Kept]:
        """Groups of rows of a file; all of it where it is not known which."""
        if groups is None:
            return list(self._read(table, path, day, None, columns).values())
        kept = {group: rows for group in groups if (rows := self._kept.get((table, path, group))) is not None}
        others = sorted(groups - kept.keys())
        read = self._read(table, path, day, others, columns) if others else {}
        if list(columns) != TABLES[table].schema.names:
            return [*kept.values(), *read.values()]
        new = {group: _Kept(table, rows) for group, rows in read.items()}
        self._keep({(table, path, group): new[group] for group in others if group in new})
        return [*kept.values(), *new.values()]

    def _read(
        self, table: str, path: str, day: date, groups: list[int] | None, columns: Sequence[str]
    ) -> dict[int, pa.Table]:
        try:
            with objects_of(self._snapshot.layout).open(f"{table}/{path}") as file:
                return parquet.read_groups(file, day, TABLES[table].schema, columns=columns, row_groups=groups)
        except ConnectionError as error:
            raise Unavailable(f"read {table}/{path}: its place cannot be reached; try again", 1.0) from error
        except (OSError, pa.ArrowException) as error:
            raise Corrupt(
                f"read {table}/{path}: {type(error).__name__}, expected the file as it was committed; "
                "run `aftertrace fsck`"
            ) from error

    def _keep(self, groups: dict[tuple[str, str, int], _Kept]) -> None:
        self._kept.update(groups)
        while len(self._kept) > _KEPT_GROUPS:
            self._kept.popitem(last=False)


def _with_any(table: str, keys: pl.DataFrame, parts: Sequence[pa.Table]) -> pa.Table:
    """Of some rows those that have any of some keys."""
    rows = pa.concat_tables(parts)
    return _those(rows, _wire_keys(table, rows, set(keys["kind"])), keys)


def _wire_keys(table: str, rows: pa.Table, kinds: Collection[str] = KINDS) -> pl.DataFrame:
    import polars as pl

    return wire_keys(pl.DataFrame(rows.select(columns_of(table))), kinds)


def _those(rows: pa.Table, of_rows: pl.DataFrame, keys: pl.DataFrame) -> pa.Table:
    import polars as pl

    # To look for few keys among many rows' is quicker so than by a join.
    near = of_rows.filter(pl.col("key").is_in(keys["key"].implode()))
    return rows.take(near.join(keys, on=["kind", "key"], how="semi")["row"].unique().sort().to_arrow())


def rows_with(
    snapshot: Snapshot, table: str, keys: pl.DataFrame, *, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of a table that have any of some wire keys: `Reader.rows_with`, for one question."""
    return Reader(snapshot).rows_with(table, keys, columns)


def extended(snapshot: Snapshot, table: str, levels: Iterable[Level]) -> tuple[Level, ...]:
    """An index of all files of a table, as far as their lookup files are there (`key_index.extended`).

    Args:
        snapshot: the version of the store.
        table: `spans` or `events`.
        levels: of the index as it was.

    Raises:
        OSError: the disk does not take it.
    """

    def entries_of(path: str) -> pl.Series | None:
        content = read(snapshot.layout, table, path)
        return None if content is None else key_file.entries_of(content)

    paths = [path for path, _ in _files(snapshot, table)]
    return key_index.extended(snapshot.layout.derived_index, levels, paths, entries_of)


def differing(snapshot: Snapshot, table: str, levels: Iterable[Level]) -> list[str]:
    """The files of a table of which an index says otherwise than their rows; parameters as of `extended`.

    Raises:
        Corrupt: a data file is damaged or missing.
        Unavailable: it is in a bucket that cannot be reached.
    """
    days, reader = dict(_files(snapshot, table)), Reader(snapshot)

    def entries_of(path: str) -> pl.Series:
        return key_file.entries_of(made(table, reader.whole(table, path, days[path], columns_read(table))))

    return key_index.differing(snapshot.layout.derived_index, levels, days, entries_of)


@lru_cache(maxsize=_CACHED_SNAPSHOTS)
def _files(snapshot: Snapshot, table: str) -> tuple[tuple[str, date], ...]:
    return tuple(snapshot.files(table))


def sweep(layout: Layout, table: str) -> None:
    """Remove lookup files of data files that are gone, and drafts that a crash left."""
    objects = objects_of(layout)
    for day in objects.folders(f"_lookup/{table}"):
        listed = objects.list_under(f"_lookup/{table}/{day}")
        # A data file is there before its lookup file, so nobody is about to need one that has none.
        there = {each.name for each in objects.list_under(f"{table}/{day}")}
        for each in listed:
            if each.name not in there:
                objects.remove(each.key)
    if objects.folder is not None:
        for draft in (objects.folder / "_lookup" / table).glob("*/.*"):
            if time.time() - draft.stat().st_mtime > _DRAFT_S:
                draft.unlink(missing_ok=True)
