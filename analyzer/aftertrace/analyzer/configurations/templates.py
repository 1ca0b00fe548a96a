"""Prompts as templates: what differs from run to run is set apart, what was changed stays.

A text is split into words and *values*: dates, times, addresses, paths, ids and numbers. A value that is the same in
every run is part of the wording. One that follows the clock, or that differs from run to run, is set apart. One that
stayed and then was another, such as a limit that was raised, is a change of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from statistics import median
from typing import Final

from aftertrace.semconv.wording import CLOCK, WHOLE, kind_of

_MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
                  "november", "december")  # fmt: skip
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LOOSE: Final = frozenset(("path", "id"))
"""Kinds of which two are no change yet: one of them has to have stayed first."""
FEW_RUNS: Final = 3
STAYED_RUNS: Final = 5
STAYED_S: Final = 36 * 3600
"""What is another one every day is no setting, however many runs a day has."""
_MOST_OTHERS: Final = {WHOLE: 5}
"""So many different values are told as changes, whatever their pace; of what is told word by word, two."""
_CLOCK_DAYS: Final = 2
_CLOCK_LATE_MINUTES: Final = 2
_LOOKED_AT: Final = 1000
_NS: Final = 10**9


def is_setting(values: Sequence[str], times_ns: Sequence[int]) -> bool:
    """Whether a value that runs had one after the other was set by somebody, and does not just differ from run to run.

    Args:
        values: of each run, in the order of time.
        times_ns: when each run began.
    """
    different = len(set(values))
    if different <= 1:
        return True
    kind = kind_of(values[0])
    if kind in ("date", "time", "number") and _follows_clock(kind, values, times_ns):
        return False
    blocks = [len(list(block)) for _, block in groupby(values)]
    if kind in LOOSE and (len(blocks) > different or blocks[0] < STAYED_RUNS):
        return False
    if different <= _MOST_OTHERS.get(kind, 2):
        return True
    starts = [0]
    for length in blocks[:-1]:
        starts.append(starts[-1] + length)
    lasted = [times_ns[after] - times_ns[start] for start, after in pairwise(starts)]
    return median(blocks[:-1]) >= FEW_RUNS and median(lasted) >= STAYED_S * _NS


def _follows_clock(kind: str, values: Sequence[str], times_ns: Sequence[int]) -> bool:
    """Whether nine in ten of them, of a thousand at most, name the time at which their runs began."""
    near = {"date": _is_near_date, "time": _is_near_time, "number": _is_near_epoch}[kind]
    every = len(values) // _LOOKED_AT + 1
    told = {(value, time_ns // (60 * _NS)) for value, time_ns in zip(values[::every], times_ns[::every], strict=True)}
    return sum(near(value, minute) for value, minute in told) >= 0.9 * len(told)


def _is_near_date(value: str, minute: int) -> bool:
    """Within two days: time zones, and runs that go on. A date without its year counts, and so does a day's name."""
    value = re.sub(CLOCK, "", value).lower()
    numbers = [int(number) for number in re.findall(r"\d+", value)]
    words = [word for word in re.findall(r"[a-z]+", value) if word not in ("t", "st", "nd", "rd", "th", "at")]
    today = datetime.fromtimestamp(minute * 60, UTC).date()
    days = (today + timedelta(days=by) for by in range(-_CLOCK_DAYS, _CLOCK_DAYS + 1))
    return any(_names(day, numbers, words) for day in days)


def _names(day: date, numbers: list[int], words: list[str]) -> bool:
    parts = [day.year, day.year % 100, day.month, day.day]
    names = (_MONTHS[day.month - 1], _DAYS[day.weekday()])
    return all(number in parts for number in numbers) and all(
        any(name.startswith(word) for name in names) for word in words
    )


def _is_near_time(value: str, minute: int) -> bool:
    """The minutes of a clock agree in every time zone, but for quarters of an hour."""
    told = int(value.partition(":")[2][:2])
    late = (minute - told) % 15
    return late <= _CLOCK_LATE_MINUTES or late >= 15 - _CLOCK_LATE_MINUTES


def _is_near_epoch(value: str, minute: int) -> bool:
    """Seconds or milliseconds since 1970."""
    if not value.isdigit() or len(value) not in (10, 13):
        return False
    seconds = int(value) // (1 if len(value) == 10 else 1000)
    return abs(seconds - minute * 60) <= _CLOCK_DAYS * 24 * 3600
