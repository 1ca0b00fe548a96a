"""The leaves of many rows at once, as `verifier.leaf` has them for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise, repeat
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store.errors import Corrupt
from aftertrace.verifier.leaf import CONTENT, CONTENT_TAG, PLACE, ROW_TAG, SALT_TAG

SALT: Final = "salt"
"""The column of `evidence` with it."""
_PART_BYTES: Final = 64 << 20
"""So much of a table is written out at a time: some times as much is in memory meanwhile."""


def leaves_of(table: str, rows: pa.Table, salts: Sequence[bytes | None]) -> list[bytes]:
    """The leaves of rows of `evidence`, `spans` or `events`, in their order.

    Args:
        table: its name.
        rows: with all columns of the table.
        salts: of the request of each row.

    Raises:
        Corrupt: a row does not say which one it is.
    """
    leaves: list[bytes] = []
    for part in _parts(rows.drop_columns([SALT]) if SALT in rows.column_names else rows):
        leaves += _leaves(table, part, salts[len(leaves) : len(leaves) + part.num_rows])
    return leaves


def _leaves(table: str, rows: pa.Table, salts: Sequence[bytes | None]) -> list[bytes]:
    held = CONTENT[table]
    content_tag, row_tag = (tag + table.encode() + b"\n" for tag in (CONTENT_TAG, ROW_TAG))
    content = _fields(rows, sorted(held & set(rows.column_names)))
    envelope = _fields(rows, sorted(set(rows.column_names) - held))
    return [
        sha256(b"".join((row_tag, sha256(b"".join((content_tag, own, told))).digest(), others))).digest()
        for own, told, others in zip(_own(table, rows, salts), content, envelope, strict=True)
    ]


def _own(table: str, rows: pa.Table, salts: Sequence[bytes | None]) -> Iterator[bytes]:
    """What stands for the salt of the request in each row."""
    columns = [rows.column(name) for name in ("index", "ordinal") if name in rows.column_names]
    if any(column.null_count or pc.min(column).as_py() < 0 for column in columns):
        raise Corrupt("read row: no index or ordinal, expected both; restore its file from a backup")
    begins = {salt: b"".join((SALT_TAG, salt or b"", table.encode(), b"\n")) for salt in set(salts)}
    index, ordinals = columns[0].to_pylist(), columns[1].to_pylist() if len(columns) > 1 else repeat(0, len(salts))
    place = PLACE.pack
    for salt, at, ordinal in zip(salts, index, ordinals, strict=True):
        yield sha256(begins[salt] + place(at, ordinal)).digest()


def _parts(rows: pa.Table) -> Iterator[pa.Table]:
    if rows.num_rows > 1 and rows.nbytes > _PART_BYTES:
        half = rows.num_rows // 2
        # A slice still counts the bytes of all where texts are views.
        yield from _parts(rows.slice(0, half))
        yield from _parts(rows.slice(half))
    elif rows.num_rows:
        yield rows.combine_chunks()


def _fields(rows: pa.Table, names: Sequence[str]) -> Iterator[memoryview]:
    """The fields of each row, one after the other."""
    parts = [part for name in names for part in _field(name, rows.column(name))]
    if not parts:
        return iter([memoryview(b"")] * rows.num_rows)
    return _each(_joined(parts, null_handling="replace", null_replacement=""))


def _field(name: str, column: pa.ChunkedArray) -> list[pa.Array | pa.Scalar]:
    """A column as fields, in parts that are to be joined; null where its rows have none."""
    (array,) = column.chunks
    if array.null_count == len(array):
        return []
    begin = name.encode() + b"\x00"
    if pa.types.is_integer(array.type) or pa.types.is_date32(array.type):
        if pa.types.is_date32(array.type):
            array = array.cast(pa.int32())
        parts = [begin + b"\x08\x00\x00\x00", _numbers(array.cast(pa.int64()))]
    elif pa.types.is_floating(array.type):
        parts = [begin + b"\x08\x00\x00\x00", _numbers(array.cast(pa.float64()))]
    else:
        values = array.cast(pa.binary())
        parts = [begin, _numbers(pc.binary_length(values)), values]
    parts[0] = pa.scalar(parts[0], pa.binary())
    # Where some rows have none, those have no name and length of it either.
    return [_joined(parts)] if array.null_count else parts


def _joined(parts: Sequence[pa.Array | pa.Scalar], **options: str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.binary()), **options)


def _numbers(array: pa.Array) -> pa.Array:
    """Numbers as the bytes that they have in memory."""
    width = array.type.bit_width // 8
    valid, data = array.buffers()
    fixed = pa.Array.from_buffers(pa.binary(width), len(array), [valid, data], offset=array.offset)
    return fixed.cast(pa.binary())


def _each(values: pa.Array) -> Iterator[memoryview]:
    """The values of an array of bytes, without an object of Arrow for each; null is empty."""
    _, offsets, data = values.buffers()
    ends: Any = memoryview(offsets).cast("i")[values.offset : values.offset + len(values) + 1]
    content = memoryview(data) if data is not None else memoryview(b"")
    for start, end in pairwise(ends):
        yield content[start:end]
