"""Periods: what is in them, when they close, and how they are named and divided."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer import Filter, Invalid
from aftertrace.analyzer.documents.periods import SETTLED_AFTER_NS, Period, instant, named
from aftertrace.analyzer.documents.row_links import Links

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def at(text: str) -> int:
    """Nanoseconds since the Unix epoch of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("text", "begin", "end", "before"),
    [
        ("2026", "2026-01-01", "2027-01-01", "2025-01-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01", "2026-07-01"),
        ("2026-03", "2026-03-01", "2026-04-01", "2026-02-01"),
        ("2026-01", "2026-01-01", "2026-02-01", "2025-12-01"),
        ("2026-W01", "2025-12-29", "2026-01-05", "2025-12-22"),
        ("2026-11-22", "2026-11-22", "2026-11-23", "2026-11-21"),
    ],
)
def test_a_period_of_the_calendar_follows_the_one_before(text: str, begin: str, end: str, before: str) -> None:
    """Months are as long as they are."""
    assert named(text) == (at(begin), at(end), at(before))


@pytest.mark.parametrize("text", ["2026-13", "2026-Q5", "2026-W54", "26", "2026-11-31", "now", "", "1500", "2300-W01"])
def test_what_is_no_period_is_refused(text: str) -> None:
    """Rather than taken for another."""
    with pytest.raises(ValueError, match=r"."):
        named(text)


def test_a_period_closes_a_day_after_its_end() -> None:
    """Until then calls of it may be resumed, and what comes counts."""
    since, until, _ = named("2026-10")
    early = Period.of(since, until, now_ns=until + DAY - 1)
    closed = Period.of(since, until, now_ns=until + DAY)
    later = Period.of(since, until, now_ns=until + 900 * DAY)
    assert (early.is_closed, closed.is_closed, later == closed) == (False, True, True)
    assert (early.as_of_ns, closed.as_of_ns) == (until + DAY - SECOND, until + SETTLED_AFTER_NS)
    again = Period.of(since, until, now_ns=until + 2 * DAY, as_of_ns=until + HOUR)
    assert (again.is_closed, again.as_of_ns) == (False, until + HOUR)


def test_the_period_before_begins_no_earlier_than_a_record_can() -> None:
    """However long this one is."""
    found = Period.of(at("1800-01-01"), at("2026-11-22"), now_ns=at("2026-11-23"))
    assert found.before_ns == 1 - 2**63


def test_without_an_end_it_ends_at_the_next_whole_second() -> None:
    """A time that can be given again."""
    period = Period.of(None, None, now_ns=at("2026-11-22T03:00:00") + 1)
    assert (period.text, period.is_closed) == ("the first record to 2026-11-22T03:00:01 (UTC)", False)
    assert period.before(Filter()) is None


def test_the_period_before_is_as_long_and_ends_where_it_begins() -> None:
    """The filter's other fields stay."""
    period = Period.of(at("2026-11-10"), at("2026-11-20"), now_ns=at("2026-12-01"))
    wanted = Filter(tool="pay", since_ns=1, until_ns=2)
    assert period.within(wanted) == Filter(tool="pay", since_ns=at("2026-11-10"), until_ns=at("2026-11-20"))
    assert period.before(wanted) == Filter(tool="pay", since_ns=at("2026-10-31"), until_ns=at("2026-11-10"))


def test_a_period_up_to_now_lets_through_what_a_list_without_an_end_does() -> None:
    """Also what claims to begin later; the one before ends."""
    period = Period.up_to(at("2026-12-01"), at("2026-11-20"))
    assert period.within(Filter(tool="pay")) == Filter(tool="pay", since_ns=at("2026-11-20"))
    assert period.before(Filter()) == Filter(since_ns=at("2026-11-09"), until_ns=at("2026-11-20"))
    told = Links(period, Filter(tool="pay"))
    commands = [each.command for each in (told.rows("calls"), told.before().rows("calls")) if each is not None]
    assert commands == [
        "aftertrace calls --tool pay --since 2026-11-20",
        "aftertrace calls --tool pay --since 2026-11-09 --until 2026-11-20 --as-of 2026-12-01",
    ]


def test_no_period_is_told_as_of_a_time_to_come() -> None:
    """It would look closed, and change."""
    with pytest.raises(Invalid, match="as of 2026-12-03: that is still to come"):
        Period.of(None, at("2026-12-01"), now_ns=at("2026-12-02"), as_of_ns=at("2026-12-03"))


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    """And both ends are said."""
    with pytest.raises(Invalid, match="period from 2026-11-20 to 2026-11-10: expected it to end after it begins"):
        Period.of(at("2026-11-20"), at("2026-11-10"), now_ns=at("2026-12-01"))


@given(st.integers(0, 2 * 10**9), st.integers(1, 230 * 365 * 24 * 3600), st.booleans())
def test_the_steps_of_a_trend_are_few_and_cover_the_period(begin_s: int, length_s: int, has_begin: bool) -> None:
    """Without a gap and without an overlap."""
    since, until = begin_s * SECOND, (begin_s + length_s) * SECOND
    period = Period.of(since if has_begin else None, until, now_ns=until)
    steps = list(period.steps(since))
    assert 1 <= len(steps) <= 31
    assert steps[0][0] == since if has_begin else steps[0][0] <= since
    assert steps[-1][1] == until
    assert [step[1] for step in steps[:-1]] == [step[0] for step in steps[1:]]
    assert len({name for _, _, name in steps}) == len(steps)


def test_one_call_of_1970_does_not_make_a_trend_long() -> None:
    """Two years a step are few enough, where one year is not."""
    steps = list(Period.of(None, at("2026-11-22"), now_ns=at("2026-11-23")).steps(1))
    assert (len(steps), steps[0][0], steps[-1][1]) == (29, 0, at("2026-11-22"))
    assert {end - begin for begin, end, _ in steps[:-1]} == {2 * 364 * DAY}


@given(st.integers(0, 4 * 10**15).map(lambda micros: micros * 1000))
def test_an_instant_reads_as_the_same_time(time_ns: int) -> None:
    """So the commands of a report list what it counted."""
    from aftertrace.cli.filters import instant_ns

    assert instant_ns(instant(time_ns), now_ns=0) == time_ns
