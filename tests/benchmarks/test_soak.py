"""What a soak calls flat, bounded and as predicted; and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.soak import MOST_SMALL_FILES, Minute, faults
from benchmarks.trend import Trend, trend

WOBBLE = (0.0, 3.0, -2.0, 1.0, -3.0, 2.0)


def minutes(count: int = 30) -> list[Minute]:
    """Half an hour in which nothing grows but the store."""
    return [
        Minute(
            receiver_mb=100 + WOBBLE[number % 6],
            drain_mb=500 + 10 * WOBBLE[number % 6],
            others_mb=300 + 5 * WOBBLE[number % 6],
            p50_ms=8 + WOBBLE[number % 6] / 2,
            p99_ms=30 + WOBBLE[number % 6],
            queryable_p99_s=1.5,
            most_small_files=40 + number % 20,
            live_mb=10.0 * (number + 1),
            disk_mb=30.0 * (number + 1),
            spans=10_000 * (number + 1),
        )
        for number in range(count)
    ]


def test_the_line_through_a_straight_series_is_the_series() -> None:
    """No error where every measurement is on it."""
    assert trend([2.0, 4.0, 6.0, 8.0]) == Trend(mean=5.0, growth=6.0, error=0.0)


def test_two_measurements_are_no_trend() -> None:
    """A line goes through any two, so that no error could be told."""
    with pytest.raises(ValueError, match="2 measurements, expected at least 3"):
        trend([1.0, 2.0])


def test_noise_is_no_growth_and_a_small_growth_is_allowed() -> None:
    """It must be surely there, and matter."""
    assert not trend([100.0, 140.0, 90.0, 120.0, 150.0, 110.0]).grows(0.1)
    assert not trend([100.0 + number / 10 for number in range(30)]).grows(0.1)


def test_the_control_a_series_that_grows_is_told_through_noise() -> None:
    """Negative control: 2 MB more each minute."""
    assert trend([100 + 2 * number + WOBBLE[number % 6] for number in range(30)]).grows(0.1)


def test_half_an_hour_in_which_nothing_grows_has_no_faults() -> None:
    """Wobbling is no fault, nor is a first quarter in which caches fill."""
    warming = [
        replace(minute, drain_mb=minute.drain_mb - 300 + 40 * number) for number, minute in enumerate(minutes()[:7])
    ]
    assert faults(minutes()) == []
    assert faults([*warming, *minutes()[7:]]) == []


def test_the_control_each_kind_of_growth_is_told() -> None:
    """Negative controls: a leak in either process, latency that creeps up, files nobody folds, a disk that fills."""
    leaks = [replace(minute, receiver_mb=minute.receiver_mb + 2 * number) for number, minute in enumerate(minutes())]
    drains = [replace(minute, drain_mb=minute.drain_mb + 20 * number) for number, minute in enumerate(minutes())]
    slows = [replace(minute, p50_ms=minute.p50_ms + number) for number, minute in enumerate(minutes())]
    assert [[fault.split()[0] for fault in faults(seen)] for seen in (leaks, drains, slows)] == [
        ["receiver_mb"],
        ["drain_mb"],
        ["p50_ms"],
    ]
    unfolded = [replace(minute, most_small_files=10 * number) for number, minute in enumerate(minutes())]
    assert faults(unfolded) == [f"290 small files in a partition, expected at most {MOST_SMALL_FILES}"]
    fills = [replace(minute, live_mb=minute.live_mb * (1 + number / 30)) for number, minute in enumerate(minutes())]
    assert faults(fills) == ["590 MB on disk, 440 MB predicted from the first half"]
