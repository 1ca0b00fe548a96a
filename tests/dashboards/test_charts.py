"""Charts draw what the frames say, and take a sender's text for nothing but text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dashboards import stores

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.schemas.derived import DERIVED, RATES_SCHEMA
from aftertrace.dashboards import charts, marks, trend_charts
from aftertrace.dashboards.zones import IN_UTC

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


def steps(*near: int) -> pl.DataFrame:
    """A trend of days, each of ten calls, so many of them near misses."""
    rows = [
        {"begin_ns": day * DAY_NS, "end_ns": (day + 1) * DAY_NS, "calls": 10, "near_misses": many, "rate": many / 10,
         "low": 0.0, "high": 0.5, "floor": day == 0}
        for day, many in enumerate(near)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={"begin_ns": pl.Int64, "end_ns": pl.Int64, **RATES_SCHEMA})


def changes(*at_ns: int) -> pl.DataFrame:
    """A prompt that was changed at these times."""
    rows = [{"first_ns": each, "agent_name": "clerk", "part": "prompt", "moved": ["denials up"]} for each in at_ns]
    return pl.DataFrame(rows, schema=DERIVED["configuration_changes"].schema)


def test_near_misses_are_counted_by_step_and_severity() -> None:
    """Each once, the worst at the bottom; one without a time is in no step."""
    near = pl.DataFrame({"first_ns": [0, 1, HOUR_NS, DAY_NS, None], "severity": [3, 3, 0, 2, 3]})
    chart = trend_charts.by_severity(near, steps(3, 1), changes(), IN_UTC)
    assert [(row["start"], row["severity"], row["near misses"], row["calls"]) for row in rows_of(chart)] == [
        (0, "critical", 2, 10),
        (0, "low", 1, 10),
        (86_400_000, "high", 1, 10),
    ]


def test_a_step_that_has_just_begun_is_wide_enough_to_be_seen() -> None:
    """A hundredth of the whole; the others end where they end."""
    last = steps(1).with_columns(begin_ns=pl.lit(2 * DAY_NS), end_ns=pl.lit(2 * DAY_NS + HOUR_NS // 60))
    near = pl.DataFrame({"first_ns": [0, 2 * DAY_NS + 1], "severity": [3, 3]})
    trend = pl.concat([steps(1, 1), last])
    whole_ms = (2 * DAY_NS + HOUR_NS // 60) // 1_000_000
    assert [
        (row["start"], row["end"]) for row in rows_of(trend_charts.by_severity(near, trend, changes(), IN_UTC))
    ] == [
        (0, 86_400_000),
        (172_800_000, 172_800_000 + whole_ms // 100),
    ]


def test_a_rate_over_time_has_its_interval_and_the_changes_meanwhile() -> None:
    """A step of which no call counts has none; a change outside of it is not drawn."""
    none = steps(0).with_columns(calls=pl.lit(0, pl.Int64), begin_ns=pl.lit(2 * DAY_NS), end_ns=pl.lit(3 * DAY_NS))
    drawn = rows_of(trend_charts.rate(pl.concat([steps(1, 4), none]), changes(DAY_NS + HOUR_NS, 9 * DAY_NS), IN_UTC))
    told = [(row["middle"], row["rate"], row["counted"], row["told"]) for row in drawn if "rate" in row]
    assert told == [
        (43_200_000, 0.1, "≥ 1 of 10", "10.0 % (0.0–50.0 %)"),
        (129_600_000, 0.4, "4 of 10", "40.0 % (0.0–50.0 %)"),
    ]
    assert [row for row in drawn if "part" in row] == [
        {
            "at": 90_000_000,
            "at0": "1970-01-02 01:00",
            "changes": 1,
            "agent": "clerk",
            "part": "prompt",
            "moved": "denials up",
        }
    ]


def test_changes_that_are_too_near_to_be_seen_apart_share_a_mark() -> None:
    """As many as there are, with some of their names; and an interval is drawn to its upper end."""
    of_many = changes(0, HOUR_NS, HOUR_NS + 1, DAY_NS).with_columns(agent_name=pl.Series(["a", "b", "b", "c"]))
    chart = trend_charts.rate(steps(1, 4), of_many, IN_UTC)
    assert [(row["at"], row["changes"], row["agent"]) for row in rows_of(chart) if "part" in row] == [
        (0, 1, "a"),
        (3_600_000, 2, "b"),
        (86_400_000, 1, "c"),
    ]
    scales = [layer["encoding"]["y"].get("scale", {}) for layer in chart.to_dict()["layer"] if "y" in layer["encoding"]]
    assert {"domain": [0, 0.6]} in scales


def test_waits_are_counted_in_steps_that_grow() -> None:
    """Every answer once, those that still wait not at all."""
    waits = pl.DataFrame(
        [
            {"decision": "granted", "wait_ns": 50_000_000},
            {"decision": "granted", "wait_ns": 2 * 10**9},
            {"decision": "rejected", "wait_ns": 3 * 10**9},
            {"decision": "granted", "wait_ns": 2**62},
            {"decision": "pending", "wait_ns": 1},
            {"decision": "expired", "wait_ns": None},
        ],
        schema=DERIVED["approvals"].schema,
    )
    assert [(row["wait"], row["decision"], row["requests"]) for row in rows_of(charts.waits(waits))] == [
        ("< 0.1 s", "granted", 1),
        ("1–3 s", "granted", 1),
        ("3–10 s", "rejected", 1),
        ("> 1 d", "granted", 1),
    ]


@pytest.mark.parametrize("colours", [marks.OUTCOME_COLOURS, marks.DECISION_COLOURS, marks.SEVERITY_COLOURS])
def test_colours_are_read_on_light_and_dark(colours: dict[str, str]) -> None:
    """White text on them by 4.5:1, and they on both backgrounds by 3:1, as WCAG 2.2 AA asks."""
    least = {
        name: round(min(contrast(each, "#ffffff") / 1.5, contrast(each, "#0f1319")), 2)
        for name, each in colours.items()
    }
    assert {name: ratio for name, ratio in least.items() if ratio < 3} == {}
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, as WCAG defines it."""
    light, dark = sorted((_luminance(each) for each in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


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
            "group": "not told",
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
    first, last = (analysis.runs["first_ns"].min(), analysis.runs["last_ns"].max())
    assert isinstance(first, int)
    assert isinstance(last, int)
    trend = steps(1).with_columns(begin_ns=pl.lit(first), end_ns=pl.lit(last))
    near_misses = analysis.near_misses().with_columns(severity=pl.lit(3, pl.Int64))
    drawn: list[Any] = [
        trend_charts.by_severity(near_misses, trend, analysis.configuration_changes, IN_UTC),
        trend_charts.rate(trend, analysis.configuration_changes, IN_UTC),
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
