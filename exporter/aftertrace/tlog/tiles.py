"""Where the hashes and entries of a log are kept: tiles of C2SP tlog-tiles, 256 hashes or entries each.

::

    tile/<level>/<index>[.p/<width>]      hashes: of leaves at level 0, above it of whole tiles of the level below
    tile/entries/<index>[.p/<width>]      the entries themselves, each after its length in two bytes

The last tile of a level is partial until 256 are there. A whole tile never changes, nor does a partial one of a given
width: what was read once can be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import HASH_BYTES, MAX_SIZE

HEIGHT: Final = 8
"""Levels of the tree in a tile."""

WIDTH: Final = 1 << HEIGHT
"""Hashes in a whole tile, entries in a whole bundle."""

MAX_ENTRY_BYTES: Final = 0xFFFF
"""Length of the longest entry."""

MAX_LEVEL: Final = 63
"""The highest level that a path can name. A tree of `MAX_SIZE` leaves has 8."""

_LENGTH_BYTES: Final = 2
_PATH: Final = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile of hashes."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Refuse what no log has.

        Raises:
            Invalid: a number is out of range.
        """
        if not 0 <= self.level <= MAX_LEVEL:
            raise Invalid(f"name tile: level {self.level}, expected 0 to {MAX_LEVEL}")
        _check(self.index, self.width)

    @property
    def path(self) -> str:
        """Where it is, below the log's address."""
        return f"tile/{self.level}/{_suffix(self.index, self.width)}"

    @property
    def whole(self) -> Tile:
        """The same tile when it is full: it is read in place of one that is gone."""
        return Tile(self.level, self.index)

    @classmethod
    def parse(cls, path: str) -> Tile:
        """The inverse of `path`.

        Raises:
            Invalid: it is not one, or not written as `path` writes it.
        """
        match = _PATH.fullmatch(path)
        if match is None or match[1] == "entries":
            raise _no_path(path)
        tile = cls(int(match[1]), _index(match[2]), int(match[3] or WIDTH))
        if tile.path != path:
            raise _no_path(path)
        return tile


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """A bundle of entries: those whose hashes are in the tile of level 0 of the same index."""

    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Refuse what no log has.

        Raises:
            Invalid: a number is out of range.
        """
        _check(self.index, self.width)

    @property
    def path(self) -> str:
        """Where it is, below the log's address."""
        return f"tile/entries/{_suffix(self.index, self.width)}"

    @property
    def whole(self) -> Bundle:
        """The same bundle when it is full: it is read in place of one that is gone."""
        return Bundle(self.index)

    @classmethod
    def parse(cls, path: str) -> Bundle:
        """The inverse of `path`.

        Raises:
            Invalid: it is not one, or not written as `path` writes it.
        """
        match = _PATH.fullmatch(path)
        if match is None or match[1] != "entries":
            raise _no_path(path)
        bundle = cls(_index(match[2]), int(match[3] or WIDTH))
        if bundle.path != path:
            raise _no_path(path)
        return bundle


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes a tile has in a tree of some size; 0 where it has no such tile."""
    return max(0, min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH))


def tiles_since(old_size: int, size: int) -> Iterator[Tile]:
    """The tiles to write when a tree grows from one size to another: each at the width that it has then."""
    level = 0
    while (hashes := size >> (HEIGHT * level)) > 0:
        for index in range((old_size >> (HEIGHT * level)) // WIDTH, -(-hashes // WIDTH)):
            tile = Tile(level, index, width_at(level, index, size))
            if tile.width != width_at(level, index, old_size):
                yield tile
        level += 1


def bundles_since(old_size: int, size: int) -> Iterator[Bundle]:
    """The bundles to write when a log grows from one size to another."""
    return (Bundle(tile.index, tile.width) for tile in tiles_since(old_size, size) if not tile.level)


def hashes_in(content: bytes, tile: Tile) -> tuple[bytes, ...]:
    """The hashes of a tile.

    Raises:
        Invalid: it has another length.
    """
    if len(content) != tile.width * HASH_BYTES:
        raise Invalid(f"read {tile.path}: {len(content)} bytes, expected {tile.width * HASH_BYTES}")
    return tuple(content[start : start + HASH_BYTES] for start in range(0, len(content), HASH_BYTES))


def entries_in(content: bytes, bundle: Bundle) -> tuple[bytes, ...]:
    """The entries of a bundle.

    Raises:
        Invalid: it has more or fewer of them, or the last one is cut off.
    """
    entries: list[bytes] = []
    start = 0
    while start < len(content):
        end = start + _LENGTH_BYTES + int.from_bytes(content[start : start + _LENGTH_BYTES])
        if start + _LENGTH_BYTES > len(content) or end > len(content):
            raise Invalid(f"read {bundle.path}: entry {len(entries)} is cut off, expected {bundle.width} whole ones")
        entries.append(content[start + _LENGTH_BYTES : end])
        start = end
    if len(entries) != bundle.width:
        raise Invalid(f"read {bundle.path}: {len(entries)} entries, expected {bundle.width}")
    return tuple(entries)


def bundled(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle of some entries.

    Raises:
        Invalid: an entry is too long, or there is none, or more than a bundle holds.
    """
    if not 1 <= len(entries) <= WIDTH:
        raise Invalid(f"bundle entries: {len(entries)} of them, expected 1 to {WIDTH}")
    longest = max(map(len, entries))
    if longest > MAX_ENTRY_BYTES:
        raise Invalid(f"bundle entries: one of {longest} bytes, expected {MAX_ENTRY_BYTES} at most")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES) + entry for entry in entries)


def _check(index: int, width: int) -> None:
    if not 0 <= index <= MAX_SIZE // WIDTH:
        raise Invalid(f"name tile: index {index}, expected 0 to {MAX_SIZE // WIDTH}")
    if not 1 <= width <= WIDTH:
        raise Invalid(f"name tile: width {width}, expected 1 to {WIDTH}")


def _suffix(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *folders, name = (digits[start : start + 3] for start in range(0, len(digits), 3))
    partial = f".p/{width}" if width < WIDTH else ""
    return "".join(f"x{folder}/" for folder in folders) + name + partial


def _index(digits: str) -> int:
    # Longer than any index, and slow to read as a number.
    return int(digits.replace("x", "").replace("/", "")) if len(digits) < len(_suffix(MAX_SIZE, WIDTH)) else MAX_SIZE


def _no_path(path: str) -> Invalid:
    return Invalid(f"read tile path of {len(path)} characters: not one, expected tile/<level>/<index>[.p/<width>]")
