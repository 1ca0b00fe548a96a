"""Notes, tiles and proofs go both ways between aftertrace and Go's own golang.org/x/mod/sumdb."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tlog.go_program import CannotBuild, GoProgram, Proof, Refused, built
from tlog.reference import LEAVES, leaves

from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.edge import Edge
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.merkle import root_of
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import prove_consistency, prove_inclusion, verify_consistency, verify_inclusion
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import Tile

KEY = SignerKey("aftertrace.example/log", bytes(range(32)))
SIZES = (1, 2, 255, 256, 257, 1_000, 70_000)


@pytest.fixture(scope="module")
def go() -> GoProgram:
    """The program; tests that need it are skipped, with the reason, where none can be made."""
    try:
        return built()
    except CannotBuild as reason:
        pytest.skip(f"NO GO PROGRAM, notes and tiles are not tested against golang.org/x/mod/sumdb: {reason}")


def written(folder: Path, hashes: list[bytes]) -> TiledTree:
    """A log of ours in a folder."""
    edge, tiles = Edge().extended(hashes)
    for tile, content in tiles.items():
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "checkpoint").write_bytes(bytes(Checkpoint(KEY.name, edge.size, edge.root()).signed(KEY)))
    return TiledTree(edge.size, edge.root(), tiles.__getitem__)


def some(size: int) -> list[int]:
    """Indices of some leaves, those at the ends among them."""
    return sorted({0, size // 3, size // 2, size - 1})


@pytest.mark.parametrize("size", SIZES)
def test_go_verifies_a_log_of_ours(go: GoProgram, tmp_path: Path, size: int) -> None:
    """Signature, tiles, proofs of inclusion and consistency; and makes the same proofs from our tiles."""
    hashes = leaves(size)
    tree = written(tmp_path, hashes)
    old = max(1, size * 2 // 3)
    ours = [Proof(index, prove_inclusion(index, size, tree.node), leaf=hashes[index]) for index in some(size)]
    ours.append(Proof(old, prove_consistency(old, size, tree.node), old=root_of(hashes[:old])))
    answer = go.check(tmp_path, str(KEY.verifier), some(size), old, ours)
    assert (answer.origin, answer.size, answer.root) == (KEY.name, size, root_of(hashes))
    assert [list(proof.hashes) for proof in answer.proofs] == [list(proof.hashes) for proof in ours]


@pytest.mark.parametrize("size", SIZES[:-1])
def test_a_log_of_go_verifies_here(go: GoProgram, tmp_path: Path, size: int) -> None:
    """Signature, every tile, and every proof."""
    old = max(1, size * 2 // 3)
    answer = go.build(tmp_path, KEY.secret_text(), size, some(size), old)
    checkpoint = opened(Note.parse((tmp_path / "checkpoint").read_bytes()), KEY.name, KEY.verifier)
    assert (checkpoint.size, checkpoint.root) == (answer.size, answer.root)
    tree = TiledTree(size, checkpoint.root, lambda tile: (tmp_path / tile.path).read_bytes())
    assert [hashed for index in range(-(-size // 256)) for hashed in tree.hashes(0, index)] == LEAVES[:size]
    *inclusion, consistency = answer.proofs
    for proof in inclusion:
        verify_inclusion(proof.leaf, proof.index, size, proof.hashes, checkpoint.root)
    verify_consistency(old, consistency.old, size, checkpoint.root, consistency.hashes)


def test_go_sees_what_is_wrong_with_a_log(go: GoProgram, tmp_path: Path) -> None:
    """Negative control: a proof, a tile, a checkpoint or a key that is another one."""
    tree = written(tmp_path, LEAVES[:300])
    right = Proof(7, prove_inclusion(7, 300, tree.node), leaf=LEAVES[7])
    assert go.check(tmp_path, str(KEY.verifier), [7], 0, [right])
    with pytest.raises(Refused, match="proof 7"):
        go.check(tmp_path, str(KEY.verifier), [], 0, [replace(right, leaf=LEAVES[8])])
    with pytest.raises(Refused, match="no verifiable signatures"):
        go.check(tmp_path, str(replace(KEY, secret=bytes(32)).verifier), [], 0, [])
    tile = tmp_path / Tile(0, 0).path
    content = tile.read_bytes()
    tile.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Refused, match="downloaded inconsistent tile"):
        go.check(tmp_path, str(KEY.verifier), [7], 0, [])
    with pytest.raises(Invalid):
        TiledTree(300, tree.hashes(1, 0)[0], lambda _: content)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"\n300\n", b"\n301\n"))
    with pytest.raises(Refused, match="invalid signature"):
        go.check(tmp_path, str(KEY.verifier), [], 0, [])
