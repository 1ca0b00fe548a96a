"""Proofs that a leaf is in a tree, and that a tree begins with an older one: RFC 6962 section 2.1.

A proof is made from roots of complete trees inside the tree, which a caller's reader gives: the one at `index` of a
`level` covers the leaves from ``index << level`` up to ``(index + 1) << level``. `nodes_of` has them for leaves in
memory, `tiled` for a log in tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import EMPTY_ROOT, MAX_SIZE, checked, node_hash, root_of

Nodes: TypeAlias = Callable[[int, int], bytes]
"""Root of the complete tree at a level, 0 for leaves, and an index within it."""

_Leaves: TypeAlias = tuple[int, int]
"""The leaves of a subtree: the first, and the one behind the last."""

_ROOT: Final = "root"


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """The complete trees over leaf hashes in memory."""
    return lambda level, index: root_of(leaves[index << level : (index + 1) << level])


def prove_inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The proof that a leaf is at an index of the tree of some size: the hashes beside its way up, lowest first.

    Raises:
        Invalid: no tree of that size has that leaf.
    """
    return [_root_between(leaves, nodes) for leaves in _beside_leaf(index, size)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash is at an index of the tree that has a size and a root.

    Size and root have to come from one signed checkpoint: the same proof can lead to the same root for another size.

    Raises:
        Invalid: the proof does not show it.
    """
    if root_from(leaf, index, size, proof) != checked(root, _ROOT):
        raise Invalid(f"verify leaf {index}: the proof leads to another root than that of the {size} leaves")


def root_from(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree of some size to which the proof of a leaf leads, for a caller that compares it.

    Raises:
        Invalid: there is no such leaf, or the proof is not as long as one of it.
    """
    hashed = checked(leaf, "leaf hash")
    for (_, end), beside in _paired(_beside_leaf(index, size), proof):
        hashed = node_hash(beside, hashed) if end <= index else node_hash(hashed, beside)
    return hashed


def prove_consistency(old_size: int, size: int, nodes: Nodes) -> list[bytes]:
    """The proof that the tree of some size begins with the one of an older size; empty if one is empty or both are one.

    Raises:
        Invalid: the older one is larger.
    """
    return [_root_between(leaves, nodes) for leaves in _beside_tree(old_size, size)]


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree, given by size and root, begins with all leaves of an older one, in their order.

    Every tree begins with the empty one, and with itself: the proof of that is empty.

    Raises:
        Invalid: the proof does not show it.
    """
    paired = _paired(_beside_tree(old_size, size), proof)
    if not old_size:
        older, newer = EMPTY_ROOT, root if size else EMPTY_ROOT
    elif paired and paired[0][0][1] == old_size:
        # The last complete tree of the older one, from which both roots are computed.
        older = newer = paired.pop(0)[1]
    else:
        # The older one is a complete tree: its root is a node of the newer one.
        older = newer = checked(old_root, _ROOT)
    for (_, end), beside in paired:
        if end <= old_size:
            older, newer = node_hash(beside, older), node_hash(beside, newer)
        else:
            newer = node_hash(newer, beside)
    for found, expected, leaves in ((older, old_root, old_size), (newer, root, size)):
        if found != checked(expected, _ROOT):
            raise Invalid(f"verify tree of {size} leaves: the proof leads to another root of its first {leaves}")


def _beside_leaf(index: int, size: int) -> list[_Leaves]:
    """The subtrees beside the way from a leaf up to the root."""
    if not 0 <= index < size <= MAX_SIZE:
        raise Invalid(f"prove leaf {index}: a tree of {size} leaves, expected one that has it")
    beside: list[_Leaves] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_of(end - start)
        if index < middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    return beside[::-1]


def _beside_tree(old_size: int, size: int) -> list[_Leaves]:
    """The subtrees beside the way from the end of an older tree up to the root; the end itself before them.

    Not the end itself where it is the whole older tree: whoever verifies knows the root of that.
    """
    if not 0 <= old_size <= size <= MAX_SIZE:
        raise Invalid(f"prove tree of {size} leaves: {old_size} leaves before, expected no more than it has")
    beside: list[_Leaves] = []
    start, end = 0, size
    while old_size and end != old_size:
        middle = start + _left_of(end - start)
        if old_size <= middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    return [*([(start, end)] if start else []), *beside[::-1]]


def _left_of(leaves: int) -> int:
    """How many of some leaves, two at least, are to the left: the largest power of two below."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _root_between(leaves: _Leaves, nodes: Nodes) -> bytes:
    """Root of a subtree: a row of complete trees, the largest first."""
    start, end = leaves
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(nodes(level, start >> level))
        start += 1 << level
    hashed = peaks.pop()
    while peaks:
        hashed = node_hash(peaks.pop(), hashed)
    return hashed


def _paired(beside: Sequence[_Leaves], proof: Sequence[bytes]) -> list[tuple[_Leaves, bytes]]:
    """Each hash of a proof with the subtree of which it has to be the root."""
    if len(proof) != len(beside):
        raise Invalid(f"read proof: {len(proof)} hashes, expected {len(beside)}")
    return [(leaves, checked(hashed, "hash of a proof")) for leaves, hashed in zip(beside, proof, strict=True)]
