"""Finding rows by their ids without reading the tables: one small file of wire keys beside each data file.

`<data>/tables/_lookup/<table>/<path of the data file>` holds `kind`, `key` and `row_group`, sorted: which groups of
rows of the data file have rows with that key. It is made with the file and before the commit that names it, and never
changes.

It is derived, so it is not synced: after a power cut one may be missing or torn. Then the reader reads the whole data
file, and the answer is the same. `aftertrace fsck` tells of such files, and `fsck --repair` makes them again.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from aftertrace.store import parquet
from aftertrace.store.errors import Corrupt
from aftertrace.store.schema import TABLES
from aftertrace.store.wire_keys import KEYED, columns_of, wire_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from aftertrace.store.layout import Layout
    from aftertrace.store.snapshot import Snapshot

SCHEMA: Final = pa.schema([("kind", pa.string()), ("key", pa.string()), ("row_group", pa.int32())])
_CACHED_FILES: Final = 512
_DRAFT_S: Final = 60.0
"""A draft that is older than this belongs to nobody who is still writing it."""


def write(layout: Layout, table: str, path: str, rows: pa.Table) -> None:
    """Make the lookup file of a data file that holds these rows; nothing for a table without wire keys.

    Raises:
        OSError: the disk does not take it.
    """
    if table not in KEYED:
        return
    target = layout.lookup(table) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    pq.write_table(made(table, rows), draft, compression="zstd", write_page_checksum=True)
    draft.replace(target)


def made(table: str, rows: pa.Table) -> pa.Table:
    """What the lookup file of a data file with these rows holds."""
    import polars as pl

    frame = pl.DataFrame(rows.select(columns_of(table)))
    group = (pl.col("row") // parquet.ROW_GROUP_ROWS).cast(pl.Int32)
    keys = wire_keys(frame).select("kind", "key", row_group=group).unique().sort("kind", "key", "row_group")
    return keys.to_arrow().cast(SCHEMA)


def read(layout: Layout, table: str, path: str) -> pl.DataFrame | None:
    """The lookup file of a data file; None where it is missing or damaged."""
    try:
        file = layout.lookup(table) / path
        return _read(file, file.stat().st_mtime_ns)
    except (OSError, pa.ArrowException):
        return None


def rows_with(
    snapshot: Snapshot, table: str, keys: pl.DataFrame, *, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of a table that have any of some wire keys.

    Args:
        snapshot: the version to read.
        table: `spans` or `events`.
        keys: `kind`, `key`, as in `wire_keys.KINDS`.
        columns: which columns; all of them if not given.

    Raises:
        Corrupt: a data file is damaged or missing.
    """
    import polars as pl

    schema = TABLES[table].schema
    wanted = list(schema.names if columns is None else columns)
    needed = [name for name in schema.names if name in {*wanted, *columns_of(table), "receiver", "seq"}]
    layout = snapshot.layout
    parts = [pl.DataFrame(schema.empty_table().select(needed))]
    for path, day in snapshot.files(table):
        stored = read(layout, table, path)
        groups = None
        if stored is not None:
            groups = stored.join(keys, on=["kind", "key"], how="semi")["row_group"].unique().sort().to_list()
            if not groups:
                continue
        try:
            rows = parquet.read(layout.table(table) / path, day, schema, columns=needed, row_groups=groups)
        except (OSError, pa.ArrowException) as error:
            raise Corrupt(
                f"read {table}/{path}: {type(error).__name__}, expected the file as it was committed; "
                "run `aftertrace fsck`"
            ) from error
        frame = pl.DataFrame(rows)
        hits = wire_keys(frame).join(keys, on=["kind", "key"], how="semi")["row"].unique().sort()
        parts.append(frame[hits])
    return pl.concat(parts).filter(snapshot.within(table)).select(wanted)


def sweep(layout: Layout, table: str) -> None:
    """Remove lookup files of data files that are gone, and drafts that a crash left."""
    folder = layout.lookup(table)
    for path in folder.glob("*/*") if folder.is_dir() else ():
        if path.name.startswith("."):
            is_left = time.time() - path.stat().st_mtime > _DRAFT_S
        else:
            # A data file is there before its lookup file, so nobody is about to need one that has none.
            is_left = not (layout.table(table) / path.relative_to(folder)).exists()
        if is_left:
            path.unlink(missing_ok=True)


@lru_cache(maxsize=_CACHED_FILES)
def _read(path: Path, _written_ns: int) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(pq.ParquetFile(path, page_checksum_verification=True).read().cast(SCHEMA))
