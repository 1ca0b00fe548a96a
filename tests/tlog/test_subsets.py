"""Proofs of several leaves at once: good for those leaves at those places, and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog.reference import LEAVES, root

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import EMPTY_ROOT, leaf_hash
from aftertrace.tlog.proofs import nodes_of, prove_inclusion
from aftertrace.tlog.subsets import prove_subset, root_from_subset

ALL = list(LEAVES[:80])
OTHER = leaf_hash(b"another")


@st.composite
def subsets(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A size, and some places in a tree of it."""
    size = draw(st.integers(1, len(ALL)))
    return size, sorted(draw(st.sets(st.integers(0, size - 1))))


@given(subsets())
def test_a_proof_leads_to_the_root_of_the_whole_tree(subset: tuple[int, list[int]]) -> None:
    """As the RFC defines it, for any places in any order of tree."""
    size, places = subset
    proof = prove_subset(places, ALL[:size])
    assert root_from_subset(places, [ALL[place] for place in places], size, proof) == root(0, size)


@given(subsets(), st.data())
def test_nothing_else_leads_there(subset: tuple[int, list[int]], data: st.DataObject) -> None:
    """Another leaf, another hash, one more or less of either."""
    size, places = subset
    shown, proof = [ALL[place] for place in places], prove_subset(places, ALL[:size])
    forged: list[tuple[list[int], list[bytes], int, list[bytes]]] = []
    if shown:
        at = data.draw(st.integers(0, len(shown) - 1))
        forged += [
            (places, [*shown[:at], OTHER, *shown[at + 1 :]], size, proof),
            (places[:at] + places[at + 1 :], shown[:at] + shown[at + 1 :], size, proof),
            (places, shown[:-1], size, proof),
        ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        forged += [
            (places, shown, size, [*proof[:at], OTHER, *proof[at + 1 :]]),
            (places, shown, size, proof[:at] + proof[at + 1 :]),
        ]
    forged.append((places, shown, size, [*proof, OTHER]))
    for each in forged:
        try:
            found = root_from_subset(*each)
        except Invalid:
            continue
        assert found != root(0, size)


def test_the_proof_of_one_leaf_has_the_hashes_of_its_inclusion_proof() -> None:
    """From left to right instead of upwards."""
    for size in range(1, 40):
        for place in range(size):
            proof = prove_subset([place], ALL[:size])
            assert sorted(proof) == sorted(prove_inclusion(place, size, nodes_of(ALL[:size])))


def test_all_leaves_need_no_proof_and_none_only_the_root() -> None:
    """Both ends."""
    assert prove_subset(range(7), ALL[:7]) == []
    assert prove_subset([], ALL[:7]) == [root(0, 7)]
    assert (prove_subset([], []), root_from_subset([], [], 0, [])) == ([], EMPTY_ROOT)


@pytest.mark.parametrize("places", [[1, 1], [2, 1], [-1], [7], [0, 7]])
def test_places_that_no_tree_has_are_refused(places: list[int]) -> None:
    """Twice, out of order, outside."""
    with pytest.raises(Invalid, match="prove leaves"):
        prove_subset(places, ALL[:7])
    with pytest.raises(Invalid, match="prove leaves"):
        root_from_subset(places, [OTHER] * len(places), 7, [])


def test_a_size_that_somebody_made_up_costs_nothing() -> None:
    """The work is that of the places, whatever the tree is said to hold."""
    with pytest.raises(Invalid, match="hashes, expected"):
        root_from_subset([5, 2**62], [OTHER, OTHER], 2**63 - 1, [])
    with pytest.raises(Invalid, match="prove leaves"):
        root_from_subset([], [], 2**63, [])
