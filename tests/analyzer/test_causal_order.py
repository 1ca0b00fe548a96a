"""The order of what happened: by cause where it is known, by clocks elsewhere, and said to be unknown where it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.timelines.causal_order import ROUNDED_NS, Entry, Placed, Skew, ordered

S = 10**9


def order(*entries: Entry) -> list[tuple[int, str]]:
    """The places of entries in order, and why."""
    return [(placed.entry, placed.order) for placed in ordered(entries)[0]]


def test_what_nothing_connects_is_in_the_order_of_the_clock() -> None:
    """Of one sender."""
    assert order(Entry(2 * S, "a"), Entry(S, "a"), Entry(3 * S, "a")) == [(1, "clock"), (0, "clock"), (2, "clock")]


def test_equal_times_are_told_apart_by_cause_or_not_at_all() -> None:
    """What was told together may have happened either way round."""
    assert order(Entry(S, "a", (1,)), Entry(S, "a")) == [(1, "clock"), (0, "cause")]
    assert order(Entry(S, "a"), Entry(S, "a")) == [(0, "clock"), (1, "unsure")]


def test_a_cause_comes_first_whatever_the_other_clock_says_and_the_clocks_are_told_to_disagree() -> None:
    """By at least as much as the cause is later."""
    entries = [Entry(5 * S, "shop"), Entry(2 * S, "gate", (0,)), Entry(6 * S, "shop")]
    assert ordered(entries) == (
        [Placed(0, "clock"), Placed(1, "cause", 3 * S, 0), Placed(2, "unsure")],
        [Skew("gate", "shop", 3 * S, 1)],
    )


def test_clocks_that_agree_are_not_told_to_disagree() -> None:
    """Negative control; nor is a difference that is rounding."""
    assert ordered([Entry(5 * S, "shop"), Entry(6 * S, "gate", (0,))])[1] == []
    assert ordered([Entry(5 * S, "shop"), Entry(5 * S - ROUNDED_NS + 1, "gate", (0,))])[1] == []
    assert len(ordered([Entry(5 * S, "shop"), Entry(5 * S - ROUNDED_NS, "gate", (0,))])[1]) == 1


def test_between_clocks_that_disagree_order_within_that_time_is_not_known() -> None:
    """A second later by another clock that is three seconds off says nothing; five seconds later does."""
    entries = [Entry(5 * S, "shop"), Entry(2 * S, "gate", (0,)), Entry(9 * S, "shop"), Entry(10 * S, "gate")]
    assert order(*entries)[-1] == (3, "unsure")
    assert order(*entries[:3], Entry(14 * S, "gate"))[-1] == (3, "clock")
    assert order(*entries[:3], Entry(10 * S, "shop"))[-1] == (3, "clock")


def test_what_has_no_time_comes_after_its_cause_and_else_last() -> None:
    """Where it is by its cause it is known."""
    entries = [Entry(S, "a"), Entry(None, "a", (0,)), Entry(2 * S, "a"), Entry(None, "a")]
    assert order(*entries) == [(0, "clock"), (1, "cause"), (2, "unsure"), (3, "unsure")]
    assert order(Entry(S, "a"), Entry(3 * S, "b", (2,)), Entry(None, "a")) == [
        (0, "clock"),
        (2, "unsure"),
        (1, "cause"),
    ]


def test_one_clock_is_believed_before_a_cause() -> None:
    """A tool that began while its model was still speaking: nothing is moved."""
    assert order(Entry(5 * S, "a"), Entry(3 * S, "a", (0,))) == [(1, "clock"), (0, "clock")]


def test_an_approval_that_should_have_come_first_is_not_moved_but_told() -> None:
    """It may be a clock, or a control that failed."""
    entries = [Entry(5 * S, "gate"), Entry(3 * S, "shop", (), (0,))]
    placed, skews = ordered(entries)
    assert placed == [Placed(1, "clock", 2 * S, 0), Placed(0, "unsure")]
    assert skews == [Skew("shop", "gate", 2 * S, 1)]
    assert ordered([Entry(5 * S, "gate"), Entry(6 * S, "shop", (), (0,))])[1] == []


def test_a_circle_of_causes_is_none() -> None:
    """A sender may claim anything: that two spans lie in each other."""
    entries = [Entry(2 * S, "a", (1,)), Entry(S, "b", (0,)), Entry(3 * S, "a", (0,)), Entry(4 * S, "a", (2,))]
    assert [at for at, _ in order(*entries)] == [1, 0, 2, 3]


ENTRIES = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 5)), st.sampled_from("abc"), st.lists(st.integers(0, 11), max_size=3)
    ),
    max_size=12,
)


@given(ENTRIES)
def test_every_entry_has_one_place_after_its_causes(told: list[tuple[int | None, str, list[int]]]) -> None:
    """Whatever is claimed: nothing is lost, and of causes without circles of other clocks none comes later."""
    entries = [
        Entry(None if time is None else time * S, clock, tuple(cause for cause in causes if cause < at))
        for at, (time, clock, causes) in enumerate(told)
    ]
    placed, skews = ordered(entries)
    places = {each.entry: place for place, each in enumerate(placed)}
    assert sorted(places) == list(range(len(entries)))
    for at, entry in enumerate(entries):
        for cause in entry.causes:
            if entries[cause].clock != entry.clock:
                assert places[cause] < places[at]
    assert all(skew.at_least_ns >= ROUNDED_NS and skew.behind != skew.ahead for skew in skews)
    circular = [
        Entry(None if time is None else time, clock, tuple(cause % len(told) for cause in causes))
        for time, clock, causes in told
    ]
    assert sorted(each.entry for each in ordered(circular)[0]) == list(range(len(told)))
