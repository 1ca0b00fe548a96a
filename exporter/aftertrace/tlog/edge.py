"""Growing a log in tiles: the hashes at its right edge, and the tiles that new leaves make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import MAX_SIZE, Frontier, checked, root_of
from aftertrace.tlog.tiles import HEIGHT, WIDTH, Tile, hashes_in, width_at

ReadTile: TypeAlias = Callable[[Tile], bytes]
"""The bytes of a tile, as they are kept somewhere; of a whole one in its place, the beginning."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The partial tiles of a tree: enough to add leaves to it and to write what changes."""

    size: int = 0
    """Number of leaves."""
    partial: tuple[tuple[bytes, ...], ...] = ()
    """The hashes of the partial tile of each level, the lowest first; none where its tiles are all whole."""

    def __post_init__(self) -> None:
        """Refuse other numbers of hashes than a tree of this size has at its edge.

        Raises:
            Invalid: there are others.
        """
        if not 0 <= self.size <= MAX_SIZE or [len(hashes) for hashes in self.partial] != _widths(self.size):
            raise Invalid(f"read edge of tiles: other widths than a tree of {self.size} leaves has")
        for hashes in self.partial:
            for hashed in hashes:
                checked(hashed, "hash in a tile")

    @classmethod
    def read(cls, size: int, read: ReadTile) -> Edge:
        """The edge of a tree that is in tiles. Its root is to be compared with one that is known.

        Raises:
            Invalid: a tile has another length.
        """
        levels = []
        for level, width in enumerate(_widths(size)):
            tile = Tile(level, (size >> (HEIGHT * level)) // WIDTH, width) if width else None
            levels.append(() if tile is None else hashes_in(read(tile), tile))
        return cls(size, tuple(levels))

    def root(self) -> bytes:
        """Root of the tree."""
        return self.frontier().root()

    def frontier(self) -> Frontier:
        """The complete trees that the tree is a row of."""
        peaks: list[bytes] = []
        for hashes in reversed(self.partial):
            start = 0
            while start < len(hashes):
                count = 1 << ((len(hashes) - start).bit_length() - 1)
                peaks.append(root_of(hashes[start : start + count]))
                start += count
        return Frontier(self.size, tuple(peaks))

    def extended(self, leaves: Sequence[bytes]) -> tuple[Edge, Mapping[Tile, bytes]]:
        """The edge after some more leaves, given by their hashes, and the tiles to write: those of `tiles_since`."""
        size = self.size + len(leaves)
        tiles: dict[Tile, bytes] = {}
        levels: list[tuple[bytes, ...]] = []
        added: Sequence[bytes] = leaves
        for level in range(max(len(self.partial), len(_widths(size)))):
            before = self.partial[level] if level < len(self.partial) else ()
            first = (self.size >> (HEIGHT * level)) // WIDTH
            hashes = (*before, *added)
            above: list[bytes] = []
            for start in range(0, len(hashes), WIDTH):
                part = hashes[start : start + WIDTH]
                if added:
                    tiles[Tile(level, first + start // WIDTH, len(part))] = b"".join(part)
                if len(part) == WIDTH:
                    above.append(root_of(part))
            levels.append(hashes[len(above) * WIDTH :])
            added = above
        return Edge(size, tuple(levels[: len(_widths(size))])), tiles


def _widths(size: int) -> list[int]:
    """Widths of the partial tiles by level, up to the highest level that has any tile."""
    widths = []
    level = 0
    while hashes := size >> (HEIGHT * level):
        widths.append(width_at(level, hashes // WIDTH, size))
        level += 1
    return widths
