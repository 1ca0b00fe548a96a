"""DuckDB over the tables of a store, where they are: by its own reader of Delta, which is installed like all that tests
need, so that none waits for a download.
"""

from __future__ import annotations

from functools import cache
from importlib import resources, util
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
import pytest

from aftertrace.analyzer.derived.kept_columns import SHARED
from aftertrace.store.schema import TABLES

_UTC: Final = pl.Datetime("us", "UTC")
MISSING: Final = "DuckDB's delta extension of this version is not installed: requirements/dev.txt has it"


def reader() -> Path | None:
    """The file of DuckDB's reader of Delta; None where there is none for this version."""
    if util.find_spec("duckdb_extension_delta") is None:
        return None
    folder = resources.files("duckdb_extension_delta") / "extensions" / f"v{duckdb.__version__}"
    found = Path(str(folder)) / "delta.duckdb_extension"
    return found if found.is_file() else None


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """DuckDB with that, loaded once; the test is skipped where it has none."""
    if (found := reader()) is None:
        pytest.skip(MISSING)
    opened = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    opened.execute("SET TimeZone = 'UTC'")
    opened.load_extension(str(found))
    return opened


def tables(data: Path) -> duckdb.DuckDBPyConnection:
    """The same with each table of a store under its name, until it is of another store."""
    opened = engine()
    folders = [data / "derived" / name for name in SHARED] + [data / "tables" / name for name in TABLES]
    for folder in folders:
        if (folder / "_delta_log").is_dir():
            opened.table_function("delta_scan", [str(folder)]).create_view(folder.name)
    return opened


def version(opened: duckdb.DuckDBPyConnection, folder: Path, number: int | None = None) -> pl.DataFrame:
    """A version of a table, or the newest."""
    opened.execute("SET VARIABLE folder = $1", [str(folder)])
    pinned = "" if number is None else f", version => {number}"
    return rows(opened, f"FROM delta_scan(getvariable('folder'){pinned})")


def rows(opened: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """What a query answers."""
    return plain(pl.from_arrow(opened.execute(text).to_arrow_table()))


def plain(frame: pl.DataFrame | pl.Series) -> pl.DataFrame:
    """Values as every engine has them: times in microseconds, counts and sums as one kind of number; rows in an order
    of their own.
    """
    assert isinstance(frame, pl.DataFrame)
    kinds: dict[str, pl.DataType] = {}
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime):
            kinds[name] = _UTC
        elif kind.is_integer() or (isinstance(kind, pl.Decimal) and kind.scale == 0):
            kinds[name] = pl.Int64()
    told = frame.with_columns(pl.col(name).cast(kind) for name, kind in kinds.items())
    by = [name for name, kind in told.schema.items() if not kind.is_nested()]
    return told.sort(by, nulls_last=True) if by else told
