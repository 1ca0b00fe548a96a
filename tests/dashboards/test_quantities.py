"""Numbers carry their units, and nothing is hidden by rounding to nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.dashboards.quantities import count, duration, interval, moment, money, share

SECOND_NS = 10**9


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(1204, "call"), "1,204 calls"),
        (count(1, "near miss"), "1 near miss"),
        (count(2, "near miss"), "2 near misses"),
        (count(None), "not told"),
        (share(0.125), "12.5 %"),
        (share(None), "not told"),
        (interval(0.081, 0.189), "8.1–18.9 %"),
        (interval(None, None), "not told"),
        (duration(320_000_000), "320 ms"),
        (duration(4_744_000_000), "4.7 s"),
        (duration(125 * SECOND_NS), "2 min 05 s"),
        (duration(3 * 3600 * SECOND_NS + 61 * SECOND_NS), "3 h 01 min"),
        (duration(27 * 3600 * SECOND_NS), "1 d 03 h"),
        (duration(-SECOND_NS), "-1.0 s"),
        (duration(None), "not told"),
        (moment(datetime(2026, 11, 21, 10, 2, 3, tzinfo=UTC)), "2026-11-21 10:02:03 UTC"),
        (moment(1_800_000_000 * SECOND_NS), "2027-01-15 08:00:00 UTC"),
        (moment(None), "not told"),
        (money(0.0042), "$ 0.0042"),
        (money(12.5), "$ 12.50"),
        (money(0.0), "$ 0.00"),
        (money(None), "not told"),
    ],
)
def test_quantities_read_well(shown: str, expected: str) -> None:
    """By example."""
    assert shown == expected


@given(st.integers(min_value=0, max_value=10**18))
def test_a_length_of_time_always_has_a_unit(nanoseconds: int) -> None:
    """And at most two of them."""
    assert duration(nanoseconds).split(" ")[1] in ("ms", "s", "min", "h", "d")
