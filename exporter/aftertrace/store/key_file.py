"""Files that tell in which parts of another file a key is, without being read whole.

Entries are numbers of 64 bits: the CRC-32 of the key above, the part below. They are sorted and lie in buckets by the
first bits of the CRC, each with a checksum of its own in the head, so that a question reads the head and one bucket:

    8 bytes   magic
    u32       number of bits that tell buckets apart
    u32       number of entries
    2^bits x  u32 where the bucket ends, u32 CRC-32 of its bytes
    u32       CRC-32 of all before
    entries   u64 each

Numbers are little-endian. Two keys may have one CRC: what is named may hold the key, and what is not named does not.
"""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from struct import Struct
from typing import IO, TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from aftertrace.store.objects import Objects

MAGIC: Final = b"aftkeys2"
"""Another one for every change of what is in the files: one of another kind is taken for damaged, and made again."""

_PREFIX: Final = Struct("<8sII")
_BUCKET: Final = Struct("<II")
_CRC: Final = Struct("<I")
_ENTRY_BYTES: Final = 8
_BUCKET_ENTRIES: Final = 512
_LOW: Final = (1 << 32) - 1
_MOST_BITS: Final = 24
_HEADS: Final = 1024
PART_BITS: Final = 16
"""Of an entry that several files were joined to, so many bits are the part of its file."""
FILES_AT_MOST: Final = 1 << 16
"""So many files are joined."""


def number_of(kind: str, key: str) -> int:
    """The number by which a key is found."""
    return crc32(f"{kind}\x1f{key}".encode("utf-8", "surrogatepass"))


def numbers_of(keys: pl.DataFrame) -> list[int]:
    """The numbers of `kind` and `key`."""
    import polars as pl

    texts = keys.select(pl.concat_str("kind", "key", separator="\x1f")).to_series()
    return [crc32(text.encode("utf-8", "surrogatepass")) for text in texts.to_list()]


def made(numbers: Sequence[int], parts: Sequence[int]) -> bytes:
    """The bytes of a file of numbers, each with its part."""
    import polars as pl

    high, low = (pl.Series(column, dtype=pl.UInt64) for column in (numbers, parts))
    return made_of((high * (1 << 32) + low).unique().sort())


def made_of(entries: pl.Series) -> bytes:
    """The bytes of a file of entries, which are sorted and each there once."""
    import polars as pl

    values = entries.to_arrow()
    start, size = values.offset * _ENTRY_BYTES, len(values) * _ENTRY_BYTES
    content = values.buffers()[1][start : start + size].to_pybytes() if size else b""
    bits = max(0, (entries.len() // _BUCKET_ENTRIES).bit_length())
    bounds = pl.Series([bucket << (64 - bits) for bucket in range(1, 1 << bits)], dtype=pl.UInt64)
    head, start = [_PREFIX.pack(MAGIC, bits, entries.len())], 0
    for end in (*entries.search_sorted(bounds, side="left").to_list(), entries.len()):
        head.append(_BUCKET.pack(end, crc32(content[start * _ENTRY_BYTES : end * _ENTRY_BYTES])))
        start = end
    before = b"".join(head)
    return before + _CRC.pack(crc32(before)) + content


@dataclass(frozen=True, slots=True)
class _Head:
    bits: int
    ends: tuple[int, ...]
    checksums: tuple[int, ...]
    bytes_before: int


def parts_with(objects: Objects, key: str, numbers: Collection[int]) -> set[int] | None:
    """The parts that may hold any of some keys, given by their numbers; None where the file is missing or damaged."""
    return parts_within(objects, key, [(number, number) for number in numbers])


def parts_within(objects: Objects, key: str, ranges: Collection[tuple[int, int]]) -> set[int] | None:
    """The parts with a number in any of some ranges, both ends included; None where the file is missing or damaged."""
    try:
        with objects.open(key) as file:
            head = _head(objects, key, objects.changed_ns(key))

            def read(size: int, at: int) -> bytes:
                file.seek(at)
                return file.read(size)

            return None if head is None else _within(head, ranges, read)
    except OSError:
        return None


def parts_at(path: Path, numbers: Iterable[int]) -> set[int] | None:
    """As `parts_with`, of a file on this machine that never changes."""
    try:
        head = _head_at(path)
        if head is None:
            return None
        with path.open("rb", buffering=0) as file:
            ranges = ((number, number) for number in numbers)
            return _within(head, ranges, lambda size, at: os.pread(file.fileno(), size, at))
    except OSError:
        return None


def _within(head: _Head, ranges: Iterable[tuple[int, int]], read: Callable[[int, int], bytes]) -> set[int] | None:
    """What is below the numbers in any of some ranges; `read` gives so many bytes from a place on."""
    by_bucket: dict[int, list[tuple[int, int]]] = {}
    for low, high in ranges:
        for bucket in range(low >> (32 - head.bits), (high >> (32 - head.bits)) + 1):
            by_bucket.setdefault(bucket, []).append((low, high))
    found: set[int] = set()
    for bucket, wanted in sorted(by_bucket.items()):
        start = head.ends[bucket - 1] if bucket else 0
        content = read((head.ends[bucket] - start) * _ENTRY_BYTES, head.bytes_before + start * _ENTRY_BYTES)
        if crc32(content) != head.checksums[bucket]:
            return None
        values = array("Q", content)
        if sys.byteorder == "big":
            values.byteswap()
        for low, high in wanted:
            at = bisect_left(values, low << 32)
            while at < len(values) and values[at] >> 32 <= high:
                found.add(values[at] & _LOW)
                at += 1
    return found


def entries_of(content: bytes) -> pl.Series:
    """The entries of a whole file (`is_whole`)."""
    head = _read_head(BytesIO(content))
    return _entries(b"" if head is None else content[head.bytes_before :])


def is_there(path: Path) -> bool:
    """Whether a file is there, begins as it was made, and is as long: cheap, and `parts_at` finds the rest."""
    try:
        head = _head_at(path)
        return head is not None and path.stat().st_size == head.bytes_before + head.ends[-1] * _ENTRY_BYTES
    except OSError:
        return False


def _entries(content: bytes) -> pl.Series:
    """Entries as they lie in a file."""
    import polars as pl
    import pyarrow as pa

    # As Arrow has them where numbers are little-endian, which is wherever there are wheels of it.
    values = pa.Array.from_buffers(pa.uint64(), len(content) // _ENTRY_BYTES, [None, pa.py_buffer(content)])
    return pl.Series("entry", values)


def joined(of_files: Iterable[pl.Series]) -> pl.Series:
    """The entries of several files, sorted by number, to ask all of them for many keys at once.

    Below a number is the file, by its position, and the part. A file has fewer than 65,536 parts, and so many files
    are joined at most. They are taken one after the other, so that no more than one is held beside what is made.
    """
    import polars as pl

    found = [_entries(b"")]
    for at, entries in enumerate(of_files):
        if at == FILES_AT_MOST:
            raise ValueError(f"join more files than {FILES_AT_MOST:,}: expected that many at most")
        found.append(entries | (at << PART_BITS))
    return pl.concat(found).sort()


def parts_among(joined: pl.Series, numbers: pl.Series) -> dict[int, set[int]]:
    """By file, the parts that may hold any of some keys, given by their numbers: as `parts_with`, of what `joined`
    gives; a file without any is not named.
    """
    import polars as pl

    low = numbers.cast(pl.UInt64) * (1 << 32)
    ranges = pl.DataFrame(
        {
            "at": joined.search_sorted(low, side="left"),
            "end": joined.search_sorted(low + _LOW, side="right"),
        }
    ).filter(pl.col("end") > pl.col("at"))
    at = ranges.select(pl.int_ranges("at", "end").explode(empty_as_null=False, keep_nulls=False)).to_series()
    found: dict[int, set[int]] = {}
    for place in (joined.gather(at) & _LOW).unique().to_list():
        found.setdefault(place >> PART_BITS, set()).add(place & (1 << PART_BITS) - 1)
    return found


def is_whole(content: bytes) -> bool:
    """Whether the bytes of a file are as they were made, all of them."""
    head = _read_head(BytesIO(content))
    if head is None or len(content) != head.bytes_before + head.ends[-1] * _ENTRY_BYTES:
        return False
    bounds = [head.bytes_before + end * _ENTRY_BYTES for end in (0, *head.ends)]
    return all(
        crc32(content[start:end]) == checksum
        for (start, end), checksum in zip(pairwise(bounds), head.checksums, strict=True)
    )


@lru_cache(maxsize=_HEADS)
def _head(objects: Objects, key: str, _changed_ns: int) -> _Head | None:
    with objects.open(key) as file:
        return _read_head(file)


@lru_cache(maxsize=_HEADS)
def _head_at(path: Path) -> _Head | None:
    with path.open("rb") as file:
        return _read_head(file)


def _read_head(file: IO[bytes]) -> _Head | None:
    """The head of a file; None where it is not whole."""
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    magic, bits, entries = _PREFIX.unpack(prefix)
    if magic != MAGIC or bits > _MOST_BITS:
        return None
    table, checksum = file.read(_BUCKET.size << bits), file.read(_CRC.size)
    if len(checksum) < _CRC.size or _CRC.unpack(checksum)[0] != crc32(prefix + table):
        return None
    buckets = list(_BUCKET.iter_unpack(table))
    if buckets[-1][0] != entries:
        return None
    before = _PREFIX.size + len(table) + _CRC.size
    return _Head(bits, tuple(end for end, _ in buckets), tuple(checksum for _, checksum in buckets), before)
