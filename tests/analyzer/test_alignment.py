"""Two sequences of calls side by side: stories, and what must hold of any two."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.comparison.alignment import ALIGNED_AT_MOST, Asked, aligned


def asked(tool: str | None, **arguments: Any) -> Asked:
    """A call with these arguments; with none of them, they are not told."""
    return Asked(tool, json.dumps(arguments, sort_keys=True, separators=(",", ":")) if arguments else None)


CALLS = st.lists(
    st.builds(
        Asked,
        st.sampled_from(["read", "pay", None]),
        st.sampled_from(['{"n":1}', '{"n":2}', '{"n":1,"to":"ann"}', "no JSON", None]),
    ),
    max_size=9,
)


def test_a_call_that_was_left_out_shifts_nothing_after_it() -> None:
    """Whichever run lacks it."""
    whole = [asked("read", n=1), asked("pay", n=1), asked("read", n=2)]
    short = [whole[0], whole[2]]
    assert aligned(whole, short).pairs == ((0, 0), (1, None), (2, 1))
    assert aligned(short, whole).pairs == ((0, 0), (None, 1), (1, 2))


def test_a_call_meets_the_most_alike_one_that_the_order_lets_it_have() -> None:
    """Of two payments the one to the same person."""
    first = [asked("pay", to="ann", amount=900, memo="rent")]
    second = [asked("pay", to="bob", amount=5, memo="tea"), asked("pay", to="ann", amount=60, memo="rent")]
    assert aligned(first, second).pairs == ((None, 0), (0, 1))


def test_another_tool_never_stands_for_a_call() -> None:
    """However alike the arguments are; what the first run alone has comes before what the second alone has."""
    assert aligned([asked("read", n=1)], [asked("pay", n=1)]).pairs == ((0, None), (None, 0))


def test_arguments_that_are_not_told_stand_for_any() -> None:
    """But less than the same ones."""
    untold = [asked("pay")]
    assert aligned([asked("pay", n=1)], untold).pairs == ((0, 0),)
    assert aligned([asked("pay", n=1), asked("pay")], untold).pairs == ((0, None), (1, 0))


@given(CALLS, CALLS)
def test_every_call_has_its_place_once_and_in_order(first: list[Asked], second: list[Asked]) -> None:
    """And pairs are of one tool."""
    found = aligned(first, second)
    assert [one for one, _ in found.pairs if one is not None] == list(range(len(first)))
    assert [two for _, two in found.pairs if two is not None] == list(range(len(second)))
    assert all(first[one].tool == second[two].tool for one, two in found.pairs if one is not None and two is not None)
    assert found.left_out == (0, 0)


@given(CALLS, CALLS)
def test_with_the_sides_changed_the_pairs_are_the_same(first: list[Asked], second: list[Asked]) -> None:
    """Which of equal ways is taken does not depend on which run was named first."""
    pairs = {pair for pair in aligned(first, second).pairs if None not in pair}
    assert {(one, two) for two, one in aligned(second, first).pairs if None not in (one, two)} == pairs


@given(CALLS)
def test_a_sequence_beside_itself_is_itself(calls: list[Asked]) -> None:
    """Call by call."""
    assert aligned(calls, calls).pairs == tuple((at, at) for at in range(len(calls)))


def test_runs_that_differ_in_too_many_calls_are_cut_and_it_is_said() -> None:
    """What both begin and end with is laid side by side however long it is."""
    both = [asked("read", n=nth) for nth in range(2 * ALIGNED_AT_MOST)]
    first = [*both, *(asked("pay", n=nth) for nth in range(ALIGNED_AT_MOST + 7)), *both]
    second = [*both, asked("close", n=1), *both]
    found = aligned(first, second)
    assert found.left_out == (7, 0)
    lone = [pair for pair in found.pairs if None in pair]
    assert lone == [*((len(both) + at, None) for at in range(ALIGNED_AT_MOST)), (None, len(both))]
    assert found.pairs[-1] == (len(first) - 1, len(second) - 1)
