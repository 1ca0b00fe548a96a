"""Who was never seen before a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.inventory.first_seen import first_seen

from . import frames
from .weeks import MONDAY, NOW_NS, Ran, days, telemetry

TUESDAY_NS = int((MONDAY + timedelta(days=1)).timestamp()) * 10**9


def two_days() -> Analysis:
    """A clerk on both days, and a sweeper on the second, twice."""
    clerk = [Ran(at=at) for at in days(2, runs=2)]
    sweeper = [replace(ran, agent="sweeper", at=ran.at + timedelta(hours=1), is_denied=True) for ran in clerk[2:]]
    return frames.of_requests(telemetry([*clerk, *sweeper])).analysis(NOW_NS)


def test_who_began_after_a_time_is_new_and_whoever_was_there_is_not() -> None:
    """With what it did since, and its first run."""
    analysis = two_days()
    found = first_seen(analysis, TUESDAY_NS)
    assert found is not None
    assert found.select("agent_name", "service_name", "runs", "calls", "near_misses", "first_ns").rows() == [
        ("sweeper", "shop", 2, 4, 2, TUESDAY_NS + 3600 * 10**9)
    ]
    first = analysis.runs.filter(agent_name="sweeper").sort("first_ns")["run_id"][0]
    assert found["run_id"].to_list() == [first]


def test_the_times_of_a_filter_hide_nobody_who_was_there_before() -> None:
    """Its other fields hold."""
    analysis = two_days()
    today = Filter(since_ns=TUESDAY_NS)
    asked = (today, replace(today, environment="production"), Filter(agent="sweeper"))
    told = [first_seen(analysis, TUESDAY_NS, each) for each in asked]
    assert [each["agent_name"].to_list() for each in told if each is not None] == [
        ["sweeper"],
        ["sweeper"],
        ["sweeper"],
    ]


def test_without_a_before_nobody_can_say_who_is_new() -> None:
    """On the first day everybody would be."""
    assert first_seen(two_days(), TUESDAY_NS - 24 * 3600 * 10**9) is None
