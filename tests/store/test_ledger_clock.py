"""When the clock is believed that makes terms over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from aftertrace.store.ledger.clock import doubt

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(100)]
LAST = DAYS[-1]


def at(day: date) -> int:
    """Noon of a day, in nanoseconds."""
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("days", "acted", "now", "said"),
    [
        (DAYS, FIRST, LAST, None),
        (DAYS, FIRST, LAST + timedelta(days=31), None),
        (DAYS, FIRST, LAST + timedelta(days=32), f"the newest record was received on {LAST}"),
        (DAYS, FIRST, LAST + timedelta(days=4000), f"the newest record was received on {LAST}"),
        (DAYS, FIRST, LAST - timedelta(days=1), f"records were received on {LAST}"),
        (DAYS, LAST, LAST - timedelta(days=1), "an act was entered at"),
        ([*DAYS, LAST + timedelta(days=4000)], FIRST, LAST + timedelta(days=4000), "nothing was received"),
        ([*DAYS, LAST + timedelta(days=4000)], FIRST, LAST + timedelta(days=4006), "nothing was received"),
        ([*DAYS, LAST + timedelta(days=60)], FIRST, LAST + timedelta(days=67), None),
        ([], FIRST, LAST, None),
    ],
)
def test_a_clock_that_no_record_vouches_for_is_not_believed(
    days: list[date], acted: date, now: date, said: str | None
) -> None:
    """Ahead of the newest record, also where records came by that clock since; behind it, or behind an act. The
    controls: days without records that are few, or long ago.
    """
    found = doubt(days, at(acted), at(now))
    assert found is None if said is None else said in (found or "")
