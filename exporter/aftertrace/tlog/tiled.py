"""Reading a log in tiles that nobody has to trust: each hash is checked against the root before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aftertrace.tlog.edge import Edge, ReadTile
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import leaf_hash, root_of
from aftertrace.tlog.tiles import HEIGHT, WIDTH, Bundle, Tile, bundles_since, entries_in, hashes_in, width_at


class TiledTree:
    """A tree of a known size and root, over a reader of its tiles.

    A tile at the right edge is right because the root is made of the whole edge; any other, because its own root is in
    the tile above it, which was checked before. Tiles above the lowest are kept, one for 256 of those below.
    """

    def __init__(self, size: int, root: bytes, read: ReadTile) -> None:
        """Check the edge of the tree against its root.

        Raises:
            Invalid: the tiles at the edge do not make that root.
        """
        self.size = size
        self._read = read
        edge = Edge.read(size, read)
        if edge.root() != root:
            raise Invalid(f"read tiles: those at the end lead to another root than that of the {size} leaves")
        self._checked: dict[Tile, tuple[bytes, ...]] = {
            Tile(level, (size >> (HEIGHT * level)) // WIDTH, len(hashes)): hashes
            for level, hashes in enumerate(edge.partial)
            if hashes
        }
        self._lowest: tuple[int, tuple[bytes, ...]] = (-1, ())

    def node(self, level: int, index: int) -> bytes:
        """Root of the complete tree at a level and an index: what `proofs` asks for.

        Raises:
            Invalid: there is none in a tree of this size, or a tile is not what was hashed.
        """
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise Invalid(f"read tiles: no complete tree {index} at level {level} of a tree of {self.size} leaves")
        tile_level, height = divmod(level, HEIGHT)
        tile_index, first = divmod(index << height, WIDTH)
        return root_of(self.hashes(tile_level, tile_index)[first : first + (1 << height)])

    def hashes(self, level: int, index: int) -> tuple[bytes, ...]:
        """The hashes of a tile.

        Raises:
            Invalid: there is no such tile in a tree of this size, or it is not what was hashed.
        """
        width = width_at(level, index, self.size)
        if not width:
            raise Invalid(f"read tiles: no tile {index} at level {level} of a tree of {self.size} leaves")
        tile = Tile(level, index, width)
        if tile in self._checked:
            return self._checked[tile]
        if not level and self._lowest[0] == index:
            return self._lowest[1]
        above, position = divmod(index, WIDTH)
        expected = self.hashes(level + 1, above)[position]
        hashes = hashes_in(self._read(tile), tile)
        if root_of(hashes) != expected:
            raise Invalid(f"read {tile.path}: its hashes lead to another one than the tile above has for it")
        if level:
            self._checked[tile] = hashes
        else:
            self._lowest = (index, hashes)
        return hashes

    def entries(self, read: Callable[[Bundle], bytes], start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The entries with their indices, from an index on.

        Raises:
            Invalid: an entry is not the one that was hashed.
        """
        for bundle in bundles_since(start, self.size):
            entries = entries_in(read(bundle), bundle)
            for index, (entry, hashed) in enumerate(
                zip(entries, self.hashes(0, bundle.index), strict=True), bundle.index * WIDTH
            ):
                if leaf_hash(entry) != hashed:
                    raise Invalid(f"read {bundle.path}: entry {index} has another hash than its tile")
                if index >= start:
                    yield index, entry
