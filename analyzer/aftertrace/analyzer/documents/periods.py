"""Periods that reports are about, and which records count in them.

A call is in a period if it began in it. What is told of it comes later: a report of a period counts what had been
received a day after the period's end, and judges as of then. By then no call of it can be resumed any more, so the
period is closed: the same report over a store that has grown since is the same, byte for byte. What comes later still
is in no report of the period, unless one is asked for as of a later time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count
from typing import Final

from aftertrace.analyzer.identity.identity import RESUME_WITHIN_NS
from aftertrace.analyzer.reading.select import Filter
from aftertrace.store.errors import Invalid

SETTLED_AFTER_NS: Final = RESUME_WITHIN_NS
"""How long after its end a period closes."""
SECOND_NS: Final = 10**9
_DAY_NS: Final = 86_400 * SECOND_NS
_FURTHEST_NS: Final = 2**63 - 1
"""No record can have a time further from 1970: columns hold none."""
_STEPS: Final = (3_600 * SECOND_NS, 6 * 3_600 * SECOND_NS, _DAY_NS, 7 * _DAY_NS, 28 * _DAY_NS, 364 * _DAY_NS)
"""Lengths of the steps of a trend; of longer ones the multiples of the last: a call may claim to be of 1970."""
_MOST_STEPS: Final = 31
_WEEK: Final = re.compile(r"(\d{4})-W(\d{2})")
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_QUARTER: Final = re.compile(r"(\d{4})-Q([1-4])")
_YEAR: Final = re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class Period:
    """From one time to another, and until when what is told of it counts."""

    since_ns: int | None
    """Begin, inclusive; None is the first record."""
    until_ns: int
    """End, exclusive."""
    as_of_ns: int
    """Only what had been received before then counts, and it is judged at that time."""
    before_ns: int | None = None
    """Begin of the period before, which ends where this one begins; None: there is none."""
    goes_on: bool = False
    """Whether what claims to begin later, or at no known time, is in it too: as in a list that is asked for without an
    end."""

    @classmethod
    def up_to(cls, now_ns: int, since_ns: int | None) -> Period:
        """What a list shows now of what began at a time or later; None is the first record."""
        return replace(cls.of(since_ns, None, now_ns=now_ns), goes_on=True)

    @classmethod
    def of(
        cls,
        since_ns: int | None,
        until_ns: int | None,
        *,
        now_ns: int,
        as_of_ns: int | None = None,
        before_ns: int | None = None,
    ) -> Period:
        """A period as it is asked for, closed where it can be.

        Args:
            since_ns: its begin; None is the first record.
            until_ns: its end; None is now.
            now_ns: the time now.
            as_of_ns: until when records count; None is a day after its end, or now if that is earlier.
            before_ns: begin of the period before; None is as long before as this one is long.

        Raises:
            Invalid: it ends before it begins, or is asked for as of a time that is still to come.
        """
        # Up to a whole second: times that people can read and give again.
        next_ns = -(-now_ns // SECOND_NS) * SECOND_NS
        until = next_ns if until_ns is None else until_ns
        if since_ns is not None and since_ns >= until:
            raise Invalid(f"period from {instant(since_ns)} to {instant(until)}: expected it to end after it begins")
        settled = until + SETTLED_AFTER_NS
        if as_of_ns is not None and as_of_ns > next_ns:
            raise Invalid(f"as of {instant(as_of_ns)}: that is still to come, expected a time up to now")
        # Not closed a moment too early by the rounding: what comes until then still counts.
        as_of = settled if now_ns >= settled else min(next_ns, settled - SECOND_NS)
        as_of = as_of if as_of_ns is None else as_of_ns
        if before_ns is None and since_ns is not None:
            before_ns = max(since_ns - (until - since_ns), -_FURTHEST_NS)
        return cls(since_ns, until, as_of, before_ns)

    @property
    def is_closed(self) -> bool:
        """Whether everything that counts has been received: what comes later changes nothing."""
        return self.as_of_ns >= self.until_ns + SETTLED_AFTER_NS

    @property
    def text(self) -> str:
        """Such as `2026-10-01 to 2026-11-01 (UTC)`."""
        since = "the first record" if self.since_ns is None else instant(self.since_ns)
        return f"{since} to {instant(self.until_ns)} (UTC)"

    def within(self, wanted: Filter) -> Filter:
        """The filter for what began in this period."""
        return _between(wanted, self.since_ns, None if self.goes_on else self.until_ns)

    def before(self, wanted: Filter) -> Filter | None:
        """The filter for what began in the period before; None where there is none."""
        return None if self.before_ns is None else _between(wanted, self.before_ns, self.since_ns)

    def steps(self, first_ns: int | None) -> Iterator[tuple[int, int, str]]:
        """Begin, end and name of the steps of a trend: at most 31, from hours to years, all but the last as long.

        Args:
            first_ns: where they begin if the period has no begin.
        """
        begin = first_ns if self.since_ns is None else self.since_ns
        if begin is None:
            return
        begin, length = self._first_step(begin)
        while begin < self.until_ns:
            end = min(begin + length, self.until_ns)
            shown = _datetime(begin)
            yield begin, end, shown.strftime("%m-%d %H:%M" if length < _DAY_NS or begin % _DAY_NS else "%Y-%m-%d")
            begin = end

    def _first_step(self, begin: int) -> tuple[int, int]:
        """Where the steps begin, and the least length of which few enough reach the end."""
        for length in chain(_STEPS, count(2 * _STEPS[-1], _STEPS[-1])):
            first = begin - begin % min(length, _DAY_NS) if self.since_ns is None else begin
            if self.until_ns - first <= length * _MOST_STEPS:
                break
        return first, length


def named(text: str) -> tuple[int, int, int]:
    """Begin and end of a period of the calendar in UTC, and the begin of the one before: `2026`, `2026-Q4`, `2026-11`,
    `2026-W47` (ISO 8601) or `2026-11-22`.

    Raises:
        ValueError: it is none of these.
    """
    if _YEAR.fullmatch(text):
        year = int(text)
        return _ns(date(year, 1, 1)), _ns(date(year + 1, 1, 1)), _ns(date(year - 1, 1, 1))
    if found := _QUARTER.fullmatch(text):
        return _months(int(found[1]), 3 * int(found[2]) - 2, 3)
    if found := _MONTH.fullmatch(text):
        return _months(int(found[1]), int(found[2]), 1)
    length = timedelta(days=1)
    if found := _WEEK.fullmatch(text):
        begin, length = date.fromisocalendar(int(found[1]), int(found[2]), 1), timedelta(days=7)
    else:
        begin = date.fromisoformat(text)
    return _ns(begin), _ns(begin + length), _ns(begin - length)


def instant(time_ns: int) -> str:
    """A time in UTC, as short as it can be told and given again: `2026-11-22`, `2026-11-22T09:30:00`."""
    at = _datetime(time_ns)
    if time_ns % SECOND_NS:
        return f"{at:%Y-%m-%dT%H:%M:%S}.{time_ns % SECOND_NS // 1000:06d}"
    return f"{at:%Y-%m-%dT%H:%M:%S}" if time_ns % _DAY_NS else f"{at:%Y-%m-%d}"


def _between(wanted: Filter, since_ns: int | None, until_ns: int | None) -> Filter:
    return replace(wanted, since_ns=since_ns, until_ns=until_ns)


def _months(year: int, month: int, length: int) -> tuple[int, int, int]:
    first = year * 12 + month - 1
    if not 1 <= month <= 12:
        raise ValueError(f"month {month}")
    begin, end, before = (_ns(date(at // 12, at % 12 + 1, 1)) for at in (first, first + length, first - length))
    return begin, end, before


def _ns(day: date) -> int:
    time_ns = (day - date(1970, 1, 1)).days * _DAY_NS
    if abs(time_ns) > _FURTHEST_NS:
        raise ValueError(f"{day}: no record can have that time")
    return time_ns


def _datetime(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
