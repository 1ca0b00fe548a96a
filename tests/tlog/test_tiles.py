"""Tiles: named as C2SP names them, the right ones written, none believed that was changed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog.reference import LEAVES, leaves, root

from aftertrace.tlog.edge import Edge
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import HASH_BYTES, leaf_hash, root_of
from aftertrace.tlog.proofs import prove_consistency, prove_inclusion, verify_consistency, verify_inclusion
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import (
    MAX_ENTRY_BYTES,
    WIDTH,
    Bundle,
    Tile,
    bundled,
    bundles_since,
    entries_in,
    hashes_in,
    tiles_since,
)

LARGE = 70_000
"""The example of C2SP tlog-tiles."""


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(1, 999, 17), "tile/1/999.p/17"),
        (Tile(63, 1000, 255), "tile/63/x001/000.p/255"),
        (Bundle(0, 1), "tile/entries/000.p/1"),
        (Bundle(1234067), "tile/entries/x001/x234/067"),
    ],
)
def test_a_path_is_read_as_it_is_written(tile: Tile | Bundle, path: str) -> None:
    """As the specification shows them."""
    assert tile.path == path
    assert type(tile).parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/07",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/٠٠٠",
        "tile/0/000\n",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/" + "x999/" * 2_000 + "999",
    ],
)
def test_a_path_written_otherwise_is_refused(path: str) -> None:
    """One resource has one name."""
    for kind in (Tile, Bundle):
        with pytest.raises(Invalid):
            kind.parse(path)


@given(st.text(st.sampled_from("tile/entrsx.p0123456789"), max_size=40))
def test_any_text_is_a_path_or_refused(path: str) -> None:
    """And what is read is written as it was."""
    for kind in (Tile, Bundle):
        with suppress(Invalid):
            assert kind.parse(path).path == path


@given(st.integers(0, 63), st.integers(0, 2**54), st.integers(1, WIDTH))
def test_every_tile_has_a_path(level: int, index: int, width: int) -> None:
    """Up to the largest log."""
    for tile in (Tile(level, index, width), Bundle(index, width)):
        assert type(tile).parse(tile.path) == tile


def test_the_tiles_of_the_example() -> None:
    """273 whole tiles and one of 112 hashes at level 0, one whole and one of 17 above, and one of a single hash."""
    edge, tiles = Edge().extended(leaves(LARGE))
    assert sorted(tiles) == [
        *(Tile(0, index) for index in range(273)),
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert set(tiles_since(0, LARGE)) == set(tiles)
    assert edge.root() == root_of(leaves(LARGE))


@given(st.lists(st.integers(0, 1_200), min_size=1, max_size=4))
def test_a_log_grown_in_any_steps_can_be_read_at_each(steps: list[int]) -> None:
    """Written are the tiles that `tiles_since` names; the edge read back is the edge that was kept; proofs verify."""
    kept: dict[Tile, bytes] = {}
    edge, sizes = Edge(), [0]
    for step in steps:
        edge, tiles = edge.extended(LEAVES[edge.size : edge.size + step])
        assert set(tiles) == set(tiles_since(sizes[-1], edge.size))
        kept |= tiles
        sizes.append(edge.size)
    assert Edge.read(edge.size, kept.__getitem__) == edge
    for size in sizes:
        tree = TiledTree(size, root(0, size), kept.__getitem__)
        for index in {0, size // 2, size - 1} if size else set():
            verify_inclusion(LEAVES[index], index, size, prove_inclusion(index, size, tree.node), root(0, size))
        for old in sizes[: sizes.index(size)]:
            made = prove_consistency(old, size, tree.node)
            verify_consistency(old, root(0, old), size, root(0, size), made)


@given(st.integers(1, 3_000), st.data())
def test_no_changed_hash_is_read(size: int, data: st.DataObject) -> None:
    """Whichever tile it is in: the tree does not open, or the tile is refused as soon as it is asked for."""
    edge, tiles = Edge().extended(LEAVES[:size])
    tile = data.draw(st.sampled_from(sorted(tiles)))
    at = data.draw(st.integers(0, tile.width * HASH_BYTES - 1))
    content = bytearray(tiles[tile])
    content[at] ^= 1 << data.draw(st.integers(0, 7))

    def read_all(kept: dict[Tile, bytes]) -> list[bytes]:
        tree = TiledTree(size, edge.root(), kept.__getitem__)
        return [hashed for named in sorted(tiles) if not named.level for hashed in tree.hashes(0, named.index)]

    assert read_all(dict(tiles)) == LEAVES[:size]
    with pytest.raises(Invalid):
        read_all({**tiles, tile: bytes(content)})
    with pytest.raises(Invalid):
        read_all({**tiles, tile: bytes(content[:-1])})


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=600), st.data())
def test_entries_are_those_that_were_hashed(entries: list[bytes], data: st.DataObject) -> None:
    """From any index on; one that was changed is named."""
    edge, tiles = Edge().extended([leaf_hash(entry) for entry in entries])
    tree = TiledTree(edge.size, edge.root(), tiles.__getitem__)
    kept = {
        bundle: bundled(entries[bundle.index * WIDTH : bundle.index * WIDTH + bundle.width])
        for bundle in bundles_since(0, edge.size)
    }
    start = data.draw(st.integers(0, edge.size))
    assert list(tree.entries(kept.__getitem__, start)) == list(enumerate(entries))[start:]
    index = data.draw(st.integers(0, edge.size - 1))
    at = Bundle(index // WIDTH, min(WIDTH, edge.size - index // WIDTH * WIDTH))
    changed = [*entries_in(kept[at], at)]
    changed[index % WIDTH] += b"!"
    with pytest.raises(Invalid, match=f"entry {index} "):
        list(tree.entries((kept | {at: bundled(changed)}).__getitem__))


@given(st.binary(max_size=600), st.integers(1, 5))
def test_any_bytes_are_a_bundle_or_refused(content: bytes, width: int) -> None:
    """And what is read is written as it was; so it is with hashes."""
    with suppress(Invalid):
        assert bundled(entries_in(content, Bundle(0, width))) == content
    try:
        assert b"".join(hashes_in(content, Tile(0, 0, width))) == content
    except Invalid:
        assert len(content) != width * HASH_BYTES


def test_an_entry_has_a_length_that_two_bytes_can_tell() -> None:
    """One byte more is refused, as are no entries and too many."""
    longest = bytes(MAX_ENTRY_BYTES)
    assert entries_in(bundled([longest]), Bundle(0, 1)) == (longest,)
    for entries in ([longest + b"\0"], [], [b""] * (WIDTH + 1)):
        with pytest.raises(Invalid):
            bundled(entries)


@pytest.mark.parametrize(("level", "index"), [(0, 3), (-1, 0), (2, -1), (9, 0)])
def test_what_is_not_in_a_tree_is_not_read(level: int, index: int) -> None:
    """Rather an error than a hash of something else."""
    edge, tiles = Edge().extended(LEAVES[:3])
    tree = TiledTree(3, edge.root(), tiles.__getitem__)
    with pytest.raises(Invalid):
        tree.node(level, index)
    with pytest.raises(Invalid):
        tree.hashes(1, 0)
