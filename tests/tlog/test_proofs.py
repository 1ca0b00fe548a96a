"""Proofs: equal to those of the RFC, good for what they prove, and for nothing else."""

from __future__ import annotations

import json
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog.reference import LEAVES, path, proof, root

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import EMPTY_ROOT
from aftertrace.tlog.proofs import (
    nodes_of,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[1] / "testdata" / "tlog" / "proofs.jsonl"
NODES = cache(nodes_of(LEAVES))
OTHER = bytes(32)


UNHASHED = "consistency/additional/sizes-are-equal-one-and-proof-is-empty"
"""The one vector that gives a text for a root, which is refused here before it is compared with itself."""


def vectors() -> list[Any]:
    """Published proofs, good ones and bad ones; NOTICE beside them says whose they are."""
    read = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(vector, id=vector["name"]) for vector in read]


def verify(vector: dict[str, Any]) -> None:
    """Check a published proof."""
    hashes = [b64decode(hashed) for hashed in vector["proof"] or ()]
    if "leafIdx" in vector:
        leaf, expected = b64decode(vector["leafHash"]), b64decode(vector["root"])
        verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], hashes, expected)
    else:
        old, new = b64decode(vector["root1"]), b64decode(vector["root2"])
        verify_consistency(vector["size1"], old, vector["size2"], new, hashes)


@pytest.mark.parametrize("vector", vectors())
def test_published_proofs_are_judged_as_they_should_be(vector: dict[str, Any]) -> None:
    """196 of them, of which most were changed in one place."""
    if vector["wantErr"] or vector["name"] == UNHASHED:
        with pytest.raises(Invalid):
            verify(vector)
    else:
        verify(vector)


def test_every_leaf_of_every_tree_to_300_is_proved() -> None:
    """With the proof of the RFC, which verifies."""
    for size in range(1, 301):
        for index in range(size):
            made = prove_inclusion(index, size, NODES)
            assert made == path(index, 0, size)
            verify_inclusion(LEAVES[index], index, size, made, root(0, size))


def test_every_tree_to_300_is_proved_to_begin_with_every_smaller_one() -> None:
    """With the proof of the RFC, which verifies; from an empty tree, and from the tree itself, with none."""
    for size in range(1, 301):
        for old in range(1, size + 1):
            made = prove_consistency(old, size, NODES)
            assert made == proof(old, 0, size)
            verify_consistency(old, root(0, old), size, root(0, size), made)
        verify_consistency(0, EMPTY_ROOT, size, root(0, size), prove_consistency(0, size, NODES))


@st.composite
def trees(draw: st.DrawFn) -> tuple[int, int]:
    """The size of a tree, and of an older one."""
    size = draw(st.integers(1, len(LEAVES)))
    return draw(st.integers(1, size)), size


def changed(draw: st.DataObject, made: list[bytes]) -> list[bytes]:
    """A proof with a bit flipped, a hash left out, put in, or two in another order."""
    at = draw.draw(st.integers(0, len(made) - 1)) if made else 0
    kind = draw.draw(st.sampled_from(["flip", "drop", "twice", "swap"] if made else ["add"]))
    if kind == "flip":
        bit = draw.draw(st.integers(0, 255))
        hashed = (int.from_bytes(made[at]) ^ (1 << bit)).to_bytes(32)
        return [*made[:at], hashed, *made[at + 1 :]]
    if kind == "drop":
        return made[:at] + made[at + 1 :]
    if kind == "twice":
        return [*made[: at + 1], *made[at:]]
    if kind == "swap" and len(made) > 1:
        return [*made[1:], made[0]]
    return [*made, OTHER]


@given(trees(), st.data())
def test_no_change_of_an_inclusion_proof_goes_unseen(tree: tuple[int, int], data: st.DataObject) -> None:
    """Of the proof, the leaf, its index, or the root: the one that was not changed verifies."""
    beyond, size = tree
    index, expected = beyond - 1, root(0, size)
    made = prove_inclusion(index, size, NODES)
    verify_inclusion(LEAVES[index], index, size, made, expected)
    other = data.draw(st.integers(0, size + 1).filter(lambda other: other != index))
    for leaf, at, of, hashes, to in (
        (LEAVES[index], index, size, changed(data, made), expected),
        (OTHER, index, size, made, expected),
        (LEAVES[index], other, size, made, expected),
        (LEAVES[index], index, size, made, OTHER),
    ):
        with pytest.raises(Invalid):
            verify_inclusion(leaf, at, of, hashes, to)


@given(trees(), st.data())
def test_no_change_of_a_consistency_proof_goes_unseen(tree: tuple[int, int], data: st.DataObject) -> None:
    """Of the proof or either root; nor an older tree that had one leaf in another place."""
    old, size = tree
    before, now = root(0, old), root(0, size)
    made = prove_consistency(old, size, NODES)
    verify_consistency(old, before, size, now, made)
    for first, second, hashes in ((before, now, changed(data, made)), (OTHER, now, made), (before, OTHER, made)):
        with pytest.raises(Invalid):
            verify_consistency(old, first, size, second, hashes)


@given(trees(), st.integers(1, 6_000))
def test_a_consistency_proof_is_for_one_older_tree(tree: tuple[int, int], other: int) -> None:
    """Said to be of another older tree, it does not lead to its root."""
    old, size = tree
    made = prove_consistency(old, size, NODES)
    if other != old and other <= size:
        with pytest.raises(Invalid):
            verify_consistency(other, root(0, old), size, root(0, size), made)


def test_a_size_is_proved_by_whoever_signed_it_with_the_root() -> None:
    """The first of three and of four leaves have ways up of one shape; a tree twice as large has another."""
    made = prove_inclusion(0, 3, NODES)
    verify_inclusion(LEAVES[0], 0, 4, made, root(0, 3))
    with pytest.raises(Invalid):
        verify_inclusion(LEAVES[0], 0, 6, made, root(0, 3))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3), (0, 2**63)])
def test_a_leaf_that_no_tree_has_is_not_proved(index: int, size: int) -> None:
    """Neither made nor verified."""
    with pytest.raises(Invalid):
        prove_inclusion(index, size, NODES)
    with pytest.raises(Invalid):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "size"), [(-1, 3), (4, 3), (1, 2**63)])
def test_a_tree_never_shrinks(old: int, size: int) -> None:
    """A smaller tree after a larger one is no tree that grew."""
    with pytest.raises(Invalid):
        prove_consistency(old, size, NODES)
    with pytest.raises(Invalid):
        verify_consistency(old, LEAVES[0], size, LEAVES[0], [])
