"""Parquet files as the tables hold them: written once, durable before anything names them, with a digest."""

from __future__ import annotations

import json
import time
import uuid
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aftertrace.store.digest import tagged
from aftertrace.store.objects import Objects
from aftertrace.store.schema import PARTITION

STATISTICS: Final = ("seq", "received_ns", "start_ns", "end_ns", "time_ns")
"""Columns with minima and maxima in files and log: numbers alone, since a log outlives what it describes and must
hold nothing of a record's content."""
ROW_GROUP_ROWS: Final = 8192
"""A reader of a few rows reads so many; more in a group would make files little smaller."""
_DISTINCT: Final = frozenset(
    {"record", "bytes", "record_key", "record_id", "digest", "attributes", "arguments", "content"}
    | {"span_id", "parent_span_id", "call_id", "arguments_digest", "content_digest"}
    | {"start_ns", "end_ns", "time_ns", "wait_ns", "input_tokens", "output_tokens", "cost_usd"}
)
"""Columns that a dictionary does not make smaller."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table."""

    path: str
    """Relative to the table's folder."""
    day: date
    """The partition it belongs to."""
    size_bytes: int
    plain_bytes: int
    """What its rows take in memory: up to thousands of times as much, since equal bytes take next to none in a file."""
    digest: str
    rows: int
    statistics: str
    """Delta's JSON: row count, minima and maxima."""
    written_ms: int


def write(objects: Objects, table: str, day: date, rows: pa.Table, receiver: str) -> DataFile:
    """Write rows of one partition to a new file of a receiver, durable when this returns.

    A crash on the way leaves a file that no commit names: nobody reads it, and vacuum removes it.
    """
    path = f"{PARTITION}={day.isoformat()}/{receiver}.{uuid.uuid4().hex}.parquet"
    content = encode(rows)
    objects.add(f"{table}/{path}", content)
    return DataFile(
        path=path,
        day=day,
        size_bytes=len(content),
        plain_bytes=rows.nbytes,
        digest=tagged(content),
        rows=rows.num_rows,
        statistics=_statistics(rows),
        written_ms=time.time_ns() // 1_000_000,
    )


def receiver_of(path: str) -> str:
    """Whose file it is: the receiver through which its rows came."""
    return path.rpartition("/")[2].partition(".")[0]


def encode(rows: pa.Table) -> bytes:
    """The bytes of a file that holds these rows; the partition column is in its path."""
    stored = rows.drop_columns([PARTITION])
    sink = pa.BufferOutputStream()
    pq.write_table(
        stored,
        sink,
        compression="zstd",
        compression_level=1,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=[name for name in stored.column_names if name not in _DISTINCT],
        write_statistics=[name for name in stored.column_names if name in STATISTICS],
        # A flipped bit in a page is otherwise read as other data without an error.
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


WHOLE: Final = -1
"""Stands for the number of a group of rows where a file was read whole."""

_EPOCH: Final = date(1970, 1, 1)

Source: TypeAlias = Path | IO[bytes] | pa.Buffer
"""A file, or its bytes."""


def read(file: Source, day: date, schema: pa.Schema, *, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a file, in the columns of its table.

    Args:
        file: the file, or its bytes.
        day: the partition it belongs to.
        schema: the columns of its table.
        columns: which of them; all if not given.

    Raises:
        OSError: a page's checksum is wrong, or the file cannot be read.
    """
    return read_groups(file, day, schema, columns=columns)[WHOLE]


def read_groups(
    file: Source,
    day: date,
    schema: pa.Schema,
    *,
    columns: Sequence[str] | None = None,
    row_groups: Sequence[int] | None = None,
) -> dict[int, pa.Table]:
    """Groups of `ROW_GROUP_ROWS` rows of a file by their number, in the columns of its table.

    All rows as the group `WHOLE` if no groups are given, and of a file whose groups are larger, as they once were.
    Parameters and errors as for `read`.
    """
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    opened = pq.ParquetFile(file, page_checksum_verification=True)
    metadata = opened.metadata
    is_older = any(metadata.row_group(group).num_rows > ROW_GROUP_ROWS for group in range(opened.num_row_groups))
    names = [name for name in wanted.names if name != PARTITION]

    def rows_of(groups: Sequence[int]) -> pa.Table:
        # A thread of Arrow's pool that lets go of a Python object, as the source may be, while the interpreter ends
        # aborts the process (apache/arrow issues 34314 and 50482), so that none of them is handed one.
        return _in_columns(opened.read_row_groups(groups, columns=names, use_threads=False), day, wanted)

    if row_groups is None or is_older:
        return {WHOLE: rows_of(range(opened.num_row_groups))}
    return {group: rows_of([group]) for group in row_groups}


def days(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each partition, in order of days."""
    found = sorted(pc.unique(rows.column(PARTITION)), key=lambda day: day.as_py())
    for day in found:
        yield day.as_py(), rows if len(found) == 1 else rows.filter(pc.equal(rows.column(PARTITION), day))


def _in_columns(stored: pa.Table, day: date, schema: pa.Schema) -> pa.Table:
    columns: list[Any] = []
    for field in schema:
        if field.name == PARTITION:
            columns.append(_repeated(day, stored.num_rows))
        elif field.name in stored.column_names:
            columns.append(stored.column(field.name).cast(field.type))
        else:
            # The column is younger than the file.
            columns.append(pa.nulls(stored.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _repeated(day: date, rows: int) -> pa.Array:
    """A column of one day, made of its bytes: to take over an object of Python, Arrow loads Pandas where that is there,
    which takes as long as a third of what else a command needs to begin.
    """
    number = (day - _EPOCH).days
    return pa.Array.from_buffers(pa.date32(), rows, [None, pa.py_buffer(array("i", [number]) * rows)])


def _statistics(rows: pa.Table) -> str:
    lowest: dict[str, int] = {}
    highest: dict[str, int] = {}
    missing: dict[str, int] = {}
    for name in STATISTICS:
        if name in rows.column_names:
            column = rows.column(name)
            missing[name] = column.null_count
            if column.null_count < rows.num_rows:
                bounds = pc.min_max(column).as_py()
                lowest[name], highest[name] = bounds["min"], bounds["max"]
    return json.dumps({"numRecords": rows.num_rows, "minValues": lowest, "maxValues": highest, "nullCount": missing})
