"""Keys of the records of one day with the place of each, in bounded memory: 26 bytes a key, most of them in a file.

Runs of sorted keys, each at least twice as long as the next, so that adding stays cheap and looking up needs few binary
searches. Short runs are in memory. Long ones are in files without a name, mapped into memory: the system keeps of them
what is asked for, and they are gone with the process. Nothing here is worth keeping: it is made anew from `evidence`.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa

SCHEMA: Final = pl.Schema(
    {"key": pl.UInt64, "check": pl.UInt32, "receiver": pl.UInt16, "seq": pl.Int64, "index": pl.Int32}
)
"""A key, more of the digest that it is the beginning of, and receiver (by number), seq and index of its record."""
MEMORY_ROWS: Final = 1 << 18
"""A run with more keys than this is a file. All shorter ones of a day take 14 MB of memory at most."""
_MERGED_ROWS: Final = 1 << 22
"""Longer runs are not merged any more: records wait meanwhile."""
_KEYS: Final = 1 << 64
_ARROW: Final = {
    "key": pa.uint64(),
    "check": pa.uint32(),
    "receiver": pa.uint16(),
    "seq": pa.int64(),
    "index": pa.int32(),
}


class Seen:
    """Keys with their places; a key that is added again has its newest place."""

    def __init__(self, folder: Path, memory_rows: int = MEMORY_ROWS) -> None:
        """Begin with none. Files go to a folder."""
        self._folder = folder
        self._memory_rows = memory_rows
        self._runs: list[pl.DataFrame] = []
        """Oldest first."""

    def kept(self) -> tuple[pl.DataFrame, ...]:
        """What `back` goes back to. What is added takes nothing from it."""
        return tuple(self._runs)

    def back(self, kept: tuple[pl.DataFrame, ...]) -> None:
        """Forget what was added since `kept` was asked for."""
        self._runs = list(kept)

    def find(self, keys: pl.Series) -> pl.DataFrame:
        """Those of `keys` that are known, with their places."""
        hits = [found for run in self._runs if (found := _hits(run, keys)).height]
        return pl.concat(hits).unique("key", keep="last", maintain_order=True) if hits else pl.DataFrame(schema=SCHEMA)

    def add(self, rows: pl.DataFrame) -> None:
        """Keep places of keys, as columns of `SCHEMA`, the newest last.

        Raises:
            OSError: the disk does not take it.
        """
        if not rows.height:
            return
        runs = [*self._runs, _sorted(rows)]
        while len(runs) > 1 and runs[-2].height < 2 * runs[-1].height:
            if runs[-2].height + runs[-1].height > _MERGED_ROWS:
                break
            newer = runs.pop()
            runs.append(self._merged(runs.pop(), newer))
        self._runs = runs

    def _merged(self, older: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
        rows = older.height + newer.height
        if rows <= self._memory_rows:
            return _newest(older.merge_sorted(newer, key="key"))
        # Keys are digests, so that equal ranges of them hold about as many.
        parts = -(-rows // self._memory_rows)
        bounds = [_KEYS * part // parts for part in range(parts + 1)]
        ranges = pairwise(bounds)
        return _filed(
            (_newest(_between(older, *each).merge_sorted(_between(newer, *each), key="key")) for each in ranges),
            rows,
            self._folder,
        )


def _hits(run: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    # Where each key would stand behind one that is like it; -1 is the last, which is not like one before all others.
    places = run["key"].search_sorted(keys, side="right").cast(pl.Int64) - 1
    return run[places.filter(run["key"].gather(places) == keys)]


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    return _newest(rows.sort("key", maintain_order=True))


def _newest(run: pl.DataFrame) -> pl.DataFrame:
    """Of each key the last, of a run in which the older comes first."""
    return run.filter((pl.col("key") != pl.col("key").shift(-1)).fill_null(value=True))


def _between(run: pl.DataFrame, low: int, high: int) -> pl.DataFrame:
    """The keys from `low` up to `high`, without it."""
    first, last = (_place(run, bound) for bound in (low, high))
    return run.slice(first, last - first)


def _place(run: pl.DataFrame, bound: int) -> int:
    """How many keys of a run are below a bound."""
    if bound >= _KEYS:
        return run.height
    return int(run["key"].search_sorted(pl.Series([bound], dtype=pl.UInt64))[0])


def _filed(parts: Iterator[pl.DataFrame], capacity: int, folder: Path) -> pl.DataFrame:
    """Sorted parts as one run in a file: a column after the other, each with space for `capacity` rows."""
    starts, end = {}, 0
    for name, kind in _ARROW.items():
        starts[name] = end
        end += -(-capacity * kind.byte_width // 64) * 64
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.truncate(end)
        rows = 0
        for part in parts:
            for name, kind in _ARROW.items():
                _write(file, part[name], starts[name] + rows * kind.byte_width)
            rows += part.height
        # The mapping outlives the file.
        mapped = pa.py_buffer(mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ))
    columns = {
        name: pa.Array.from_buffers(kind, rows, [None, mapped.slice(starts[name], rows * kind.byte_width)])
        for name, kind in _ARROW.items()
    }
    run = pl.from_arrow(pa.table(columns))
    if not isinstance(run, pl.DataFrame):
        raise TypeError("a table gives a frame")
    return run.with_columns(pl.col("key").set_sorted())


def _write(file: BinaryIO, column: pl.Series, at: int) -> None:
    file.seek(at)
    array = column.to_arrow()
    width = array.type.byte_width
    content = memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
    while content:
        content = content[file.write(content) :]
