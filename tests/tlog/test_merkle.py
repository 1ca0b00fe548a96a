"""Tree hashes: the published ones, and those of a reference that is written down from the RFC."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog.reference import ENTRIES, LEAVES, ROOTS, root

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of


def test_the_published_roots() -> None:
    """Of the trees over none, one … eight entries, at once and entry by entry."""
    hashes = [leaf_hash(entry) for entry in ENTRIES]
    assert [root_of(hashes[:size]).hex() for size in range(9)] == list(ROOTS)
    frontier, grown = Frontier(), [EMPTY_ROOT.hex()]
    for hashed in hashes:
        frontier = frontier.extended([hashed])
        grown.append(frontier.root().hex())
    assert grown == list(ROOTS)


def test_every_size_to_300_has_the_root_of_the_reference() -> None:
    """All at once, and grown leaf by leaf."""
    frontier = Frontier()
    for size in range(300):
        assert root_of(LEAVES[:size]) == frontier.root() == root(0, size)
        frontier = frontier.extended(LEAVES[size : size + 1])


@given(st.lists(st.integers(0, 1_500), min_size=1, max_size=3))
def test_a_tree_grown_in_any_steps_is_the_same(steps: list[int]) -> None:
    """What is remembered between them is enough."""
    frontier = Frontier()
    for step in steps:
        frontier = frontier.extended(LEAVES[frontier.size : frontier.size + step])
    assert (frontier.size, frontier.root()) == (sum(steps), root(0, sum(steps)))


def test_an_entry_is_not_taken_for_two_hashes() -> None:
    """Negative control of the first byte: without it, the second tree would have the root of the first."""
    left, right = LEAVES[:2]
    assert root_of([leaf_hash(left + right)]) != node_hash(left, right)
    assert root_of([node_hash(left, right)]) == root_of([left, right])


@pytest.mark.parametrize(("size", "peaks"), [(1, ()), (2, (LEAVES[0], LEAVES[1])), (1, (b"short",)), (-1, ())])
def test_a_frontier_that_no_tree_has_is_refused(size: int, peaks: tuple[bytes, ...]) -> None:
    """A damaged one would go on to a root that nobody can explain."""
    with pytest.raises(Invalid):
        Frontier(size, peaks)
