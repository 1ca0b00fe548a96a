"""The leaves of many rows at once, as `verifier.leaf` has them for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store.errors import Corrupt
from aftertrace.verifier.leaf import CONTENT, CONTENT_TAG, PLACE, ROW_TAG, SALT_TAG

SALT: Final = "salt"
"""The column of `evidence` with it."""
_PART_BYTES: Final = 64 << 20
"""So much of a table is written out at a time: some times as much is in memory meanwhile."""


def leaves_of(table: str, rows: pa.Table, salts: Sequence[bytes | None]) -> Iterator[bytes]:
    """The leaves of rows of `evidence`, `spans` or `events`, in their order.

    Args:
        table: its name.
        rows: with all columns of the table.
        salts: of the request of each row.

    Raises:
        Corrupt: a row does not say which one it is.
    """
    done = 0
    for part in _parts(rows.drop_columns([SALT]) if SALT in rows.column_names else rows):
        yield from _leaves(table, part, salts[done : done + part.num_rows])
        done += part.num_rows


def _leaves(table: str, rows: pa.Table, salts: Sequence[bytes | None]) -> Iterator[bytes]:
    held = CONTENT[table]
    content = _fields(rows, sorted(held & set(rows.column_names)))
    envelope = _fields(rows, sorted(set(rows.column_names) - held))
    salt_end, content_tag, row_tag = (tag + table.encode() + b"\n" for tag in (b"", CONTENT_TAG, ROW_TAG))
    places = zip(rows.column("index").to_pylist(), _ordinals(rows), strict=True)
    for salt, place, told, others in zip(salts, places, content, envelope, strict=True):
        own = sha256(b"".join((content_tag, _own(salt, salt_end, place), told))).digest()
        yield sha256(b"".join((row_tag, own, others))).digest()


def _own(salt: bytes | None, end: bytes, place: tuple[int | None, int | None]) -> bytes:
    index, ordinal = place
    if index is None or ordinal is None or index < 0 or ordinal < 0:
        raise Corrupt("read row: no index or ordinal, expected both; restore its file from a backup")
    return sha256(b"".join((SALT_TAG, salt or b"", end, PLACE.pack(index, ordinal)))).digest()


def _ordinals(rows: pa.Table) -> Sequence[int | None]:
    return rows.column("ordinal").to_pylist() if "ordinal" in rows.column_names else [0] * rows.num_rows


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
    written = [field for name in names if (field := _field(name, rows.column(name))) is not None]
    if not written:
        return iter([memoryview(b"")] * rows.num_rows)
    joined = (
        pc.binary_join_element_wise(*written, b"", null_handling="replace", null_replacement="")
        if len(written) > 1
        else written[0]
    )
    return _each(joined)


def _field(name: str, column: pa.ChunkedArray) -> pa.Array | None:
    """A column as fields; null where its rows have none, None where none has any."""
    (array,) = column.chunks
    if array.null_count == len(array):
        return None
    begin = name.encode() + b"\x00"
    if pa.types.is_integer(array.type) or pa.types.is_date32(array.type):
        if pa.types.is_date32(array.type):
            array = array.cast(pa.int32())
        return _joined(begin + b"\x08\x00\x00\x00", _numbers(array.cast(pa.int64())))
    if pa.types.is_floating(array.type):
        return _joined(begin + b"\x08\x00\x00\x00", _numbers(array.cast(pa.float64())))
    values = array.cast(pa.binary())
    lengths = _numbers(pc.binary_length(values))
    return _joined(begin, lengths, values)


def _joined(begin: bytes, *parts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar(begin, pa.binary()), *parts, pa.scalar(b"", pa.binary()))


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
