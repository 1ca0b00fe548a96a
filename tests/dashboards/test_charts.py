"""Charts draw what the frames say, and take a sender's text for nothing but text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dashboards import stores

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.schemas import DERIVED, RATES_SCHEMA
from aftertrace.dashboards import charts

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """Every row a chart is drawn from."""
    return [row for data in chart.to_dict()["datasets"].values() for row in data]


def texts(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of a specification, with where it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from texts(value, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from texts(value, path)
    elif isinstance(node, str):
        yield path, node


def near_misses(*first_ns: int) -> pl.DataFrame:
    """Denied calls at these times."""
    rows = [{"first_ns": each, "outcome": "denied", "call_key": str(each)} for each in first_ns]
    return pl.DataFrame(rows, schema=DERIVED["near_misses"].schema)


@pytest.mark.parametrize(
    ("span_ns", "name"),
    [
        (0, "minute"),
        (HOUR_NS, "10 minutes"),
        (10 * HOUR_NS, "hour"),
        (3 * DAY_NS, "day"),
        (59 * DAY_NS, "day"),
        (90 * DAY_NS, "week"),
        (4000 * DAY_NS, "week"),
    ],
)
def test_bars_stand_for_as_little_time_as_can_be_seen(span_ns: int, name: str) -> None:
    """A minute of telemetry and a year of it both have a shape."""
    assert charts.step(near_misses(0, span_ns)).name == name


def test_near_misses_are_counted_by_the_hour_and_outcome() -> None:
    """Each call once."""
    chart = charts.near_misses_over_time(near_misses(0, 1, HOUR_NS, 20 * HOUR_NS))
    assert [(row["start"], row["outcome"], row["near misses"]) for row in rows_of(chart)] == [
        (0, "denied", 2),
        (3_600_000, "denied", 1),
        (72_000_000, "denied", 1),
    ]


def test_a_rate_is_drawn_with_its_interval_and_what_it_counts() -> None:
    """A floor says so beside its mark, and a group without a name says that."""
    rates = pl.DataFrame(
        [
            {"tool_name": "rm", "calls": 4, "near_misses": 3, "rate": 0.75, "low": 0.3, "high": 0.95, "floor": True},
            {"tool_name": None, "calls": 9, "near_misses": 0, "rate": 0.0, "low": 0.0, "high": 0.3, "floor": False},
        ],
        schema={"tool_name": pl.String, **RATES_SCHEMA},
    )
    assert rows_of(charts.rates(rates, "tool_name")) == [
        {"group": "rm", "rate": 0.75, "low": 0.3, "high": 0.95, "counted": "≥ 3 of 4", "told": "75.0 % (30.0–95.0 %)"},
        {
            "group": "not stated",
            "rate": 0.0,
            "low": 0.0,
            "high": 0.3,
            "counted": "0 of 9",
            "told": "0.0 % (0.0–30.0 %)",
        },
    ]


def test_a_senders_text_stands_in_a_chart_only_as_data(hostile: Path) -> None:
    """In the rows alone: never in a title, an expression, a link or an image."""
    analysis = open_analysis(hostile)
    drawn: list[Any] = [
        charts.near_misses_over_time(analysis.near_misses()),
        charts.rates(analysis.rates(["tool_name"]), "tool_name", most=50),
        charts.waits(analysis.approvals),
    ]
    places = set()
    for chart in drawn:
        specification = chart.to_dict()
        rows = specification.pop("datasets")
        places |= {path[-1] for path, text in texts(specification) if any(each[:9] in text for each in stores.HOSTILE)}
        assert not [text for _, text in texts(rows) if any(mark in text for mark in "\u202e\u200b\x1b\n")]
        assert {key for data in rows.values() for row in data for key in row} & {"href", "url", "image"} == set()
    assert places == set()
