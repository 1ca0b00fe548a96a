"""Proofs that some leaves are in a tree: one for all of them, and nothing but hashes of what is beside them.

RFC 6962 has proofs of one leaf. Several leaves of a tree have most of these hashes in common, or make them together::

    root(tree)  = the hash of its one leaf, if that is shown
                = the next hash of the proof, if none of its leaves is shown
                = node(root(left), root(right)), split as RFC 6962 does

The proof of one leaf has the hashes of an inclusion proof, from left to right.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import EMPTY_ROOT, MAX_SIZE, checked, node_hash, root_of


def prove_subset(places: Sequence[int], leaves: Sequence[bytes]) -> list[bytes]:
    """The proof that the leaves at some places, in order, are in the tree over some leaf hashes.

    Raises:
        Invalid: the places are not in order, or the tree does not have them.
    """
    _check(places, len(leaves))
    return [root_of(leaves[start:end]) for start, end in _hidden(places, 0, len(leaves))]


def root_from_subset(places: Sequence[int], leaves: Sequence[bytes], size: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree of some size to which the proof of some leaves leads, for a caller that compares it.

    Size and root have to come from one signed text: the same proof can lead to the same root for another size.

    Args:
        places: of the leaves, in order.
        leaves: their hashes.
        size: of the tree, from whoever signed its root.
        proof: as `prove_subset` makes it.

    Raises:
        Invalid: the tree has no such places, or the proof is not as long as one of them.
    """
    _check(places, size)
    if len(leaves) != len(places):
        raise Invalid(f"read proof: {len(leaves)} leaves, expected one for each of {len(places)} places")
    hidden = list(_hidden(places, 0, size))
    if len(proof) != len(hidden):
        raise Invalid(f"read proof: {len(proof)} hashes, expected {len(hidden)}")
    beside = iter(proof)

    def root(start: int, end: int) -> bytes:
        first = bisect_left(places, start)
        if first == len(places) or places[first] >= end:
            return checked(next(beside), "hash of a proof")
        if end - start == 1:
            return checked(leaves[first], "leaf hash")
        middle = start + _left_of(end - start)
        return node_hash(root(start, middle), root(middle, end))

    return root(0, size) if size else EMPTY_ROOT


def _hidden(places: Sequence[int], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The largest subtrees without any of the places, from left to right."""
    if start == end:
        return
    first = bisect_left(places, start)
    if first == len(places) or places[first] >= end:
        yield start, end
    elif end - start > 1:
        middle = start + _left_of(end - start)
        yield from _hidden(places, start, middle)
        yield from _hidden(places, middle, end)


def _left_of(leaves: int) -> int:
    return 1 << ((leaves - 1).bit_length() - 1)


def _check(places: Sequence[int], size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise Invalid(f"prove leaves: a tree of {size} leaves, expected 0 to {MAX_SIZE}")
    last = -1
    for place in places:
        if not last < place < size:
            raise Invalid(f"prove leaves: place {place} behind {last} of {size} leaves, expected them in order")
        last = place
