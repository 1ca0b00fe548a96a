"""Charts of a period in steps: near misses by severity, and their rate, with what was changed meanwhile marked."""

from __future__ import annotations

import math
from typing import Any, Final

import altair as alt
import polars as pl

from aftertrace.dashboards.charts import label
from aftertrace.dashboards.marks import SEVERITIES, SEVERITY_COLOURS
from aftertrace.dashboards.quantities import DAY_NS, interval, share
from aftertrace.dashboards.zones import IN_UTC, Zone

_ACCENT: Final = "#5a74d6"
_MUTED: Final = "#7f8fa6"
_MARKER: Final = "#8c6bd1"
_MOST_LABELS: Final = 7
_MOST_MARKERS: Final = 50
"""So many marks side by side are seen apart: changes that are nearer share one."""
_MOST_NAMED: Final = 3
"""Of the changes that share a mark, so many agents, parts and measures are named."""
_MOST_BARS: Final = 100
"""So many of the narrowest bars would fill the chart."""
_MS: Final = 1_000_000
_TIMES: Final = {"start": "from", "end": "to", "at": "changed"}
"""What a column of times is called in a tooltip."""


def by_severity(
    near: pl.DataFrame, trend: pl.DataFrame, changes: pl.DataFrame, zone: Zone, height: int = 210
) -> alt.LayerChart | alt.FacetChart:
    """Near misses per step, stacked by severity, the worst at the bottom.

    Args:
        near: near misses, with `first_ns` and `severity`.
        trend: the steps, columns as in `Figures.trend`.
        changes: what was changed, columns as in `schemas.CONFIGURATION_CHANGES`.
        zone: what times are told in; days are those of UTC, and say so.
        height: in pixels.
    """
    order = list(SEVERITY_COLOURS)
    begin_ms, end_ms = _ends(trend)
    # The last step ends now: where it has just begun, its bar would be too narrow to be seen.
    narrowest_ms = (end_ms - begin_ms) // _MOST_BARS
    bins = (
        near.drop_nulls("first_ns")
        .select("first_ns", severity=pl.col("severity").replace_strict(dict(enumerate(_WORDS)), return_dtype=pl.String))
        .sort("first_ns")
        .join_asof(
            trend.select("begin_ns", "end_ns", "calls"), left_on="first_ns", right_on="begin_ns", strategy="backward"
        )
        .drop_nulls("begin_ns")
        .group_by("begin_ns", "end_ns", "calls", "severity")
        .agg(pl.len().alias("near misses"))
        .select(
            pl.col("begin_ns").floordiv(_MS).alias("start"),
            pl.max_horizontal(pl.col("end_ns").floordiv(_MS), pl.col("begin_ns").floordiv(_MS) + narrowest_ms).alias(
                "end"
            ),
            "calls",
            "severity",
            "near misses",
            pl.col("severity").replace_strict({name: place for place, name in enumerate(order)}).alias("rank"),
        )
        .sort("start", "rank")
    )
    began, tooltip = _in_zones(bins["start"], zone)
    shown = [name for name in order if name in bins["severity"]]
    bars = (
        alt.Chart(bins.hstack(began))
        .mark_bar(orient="vertical", x2Offset=-1)
        .encode(
            x=_time(trend, zone),
            x2="end:Q",
            y=alt.Y("near misses:Q", title=None, stack="zero", axis=alt.Axis(tickMinStep=1, format="d", tickCount=5)),
            order=alt.Order("rank:Q"),
            color=alt.Color(
                "severity:N",
                scale=alt.Scale(domain=shown, range=[SEVERITY_COLOURS[name] for name in shown]),
                legend=alt.Legend(title=None, orient="top", padding=0),
            ),
            tooltip=[
                *tooltip,
                alt.Tooltip("severity:N"),
                alt.Tooltip("near misses:Q"),
                alt.Tooltip("calls:Q", title="of calls"),
            ],
        )
    )
    return alt.layer(*_marked(changes, trend, zone), bars).properties(height=height)


def rate(trend: pl.DataFrame, changes: pl.DataFrame, zone: Zone, height: int = 210) -> alt.LayerChart | alt.FacetChart:
    """Near misses per call in each step, each with its 95 % Wilson interval and what it counts. A time can be chosen on
    it: the selection `time`, of `middle`.

    Args:
        trend: the steps, columns as in `Figures.trend`.
        changes: what was changed, columns as in `schemas.CONFIGURATION_CHANGES`.
        zone: what times are told in; days are those of UTC, and say so.
        height: in pixels.
    """
    rows = pl.DataFrame(
        [
            {
                "start": row["begin_ns"] // _MS,
                "end": row["end_ns"] // _MS,
                "middle": (row["begin_ns"] + row["end_ns"]) // 2 // _MS,
                "rate": row["rate"],
                "low": row["low"],
                "high": row["high"],
                "counted": f"{'≥ ' if row['floor'] else ''}{row['near_misses']:,} of {row['calls']:,}",
                "told": f"{share(row['rate'])} ({interval(row['low'], row['high'])})",
            }
            for row in trend.filter(pl.col("calls") > 0).iter_rows(named=True)
        ],
        schema={
            **dict.fromkeys(("start", "end", "middle"), pl.Int64),
            **dict.fromkeys(("rate", "low", "high"), pl.Float64),
            **dict.fromkeys(("counted", "told"), pl.String),
        },
    )
    begin, begin_told = _in_zones(rows["start"], zone)
    end, end_told = _in_zones(rows["end"], zone)
    tooltip = [
        *begin_told,
        *end_told,
        alt.Tooltip("told:N", title="rate (95 % Wilson)"),
        alt.Tooltip("counted:N", title="near misses of calls"),
    ]
    base = alt.Chart(rows.hstack(begin).hstack(end)).encode(x=_time(trend, zone, "middle"), tooltip=tooltip)
    axis = alt.Axis(format="%", tickCount=5)
    # To the next tenth above all of it: a scale that finds its own end cuts the upper ends off.
    top = min(1.0, math.ceil(10 * (rows["high"].max() or 0.1) + 0.01) / 10)  # type: ignore[operator]
    whisker = base.mark_rule(strokeWidth=2, color=_MUTED, opacity=0.6).encode(
        y=alt.Y("low:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, top])), y2="high:Q"
    )
    line = base.mark_line(color=_ACCENT, strokeWidth=1.5, opacity=0.5).encode(y="rate:Q")
    time = alt.selection_interval(name="time", encodings=["x"])
    point = base.mark_circle(size=46, color=_ACCENT, opacity=1).encode(y="rate:Q").add_params(time)
    return alt.layer(*_marked(changes, trend, zone), whisker, line, point).properties(height=height)


def _time(trend: pl.DataFrame, zone: Zone, column: str = "start") -> alt.X:
    """An axis of numbers, labelled as times: a temporal scale labels seconds where there are few steps."""
    begin_ms, end_ms = _ends(trend)
    length_ms = max(1, (trend["end_ns"][0] - trend["begin_ns"][0]) // _MS) if trend.height else 1
    every_ms = length_ms * max(1, math.ceil((end_ms - begin_ms) / length_ms / _MOST_LABELS))
    is_of_days = length_ms * _MS >= DAY_NS
    told_in = IN_UTC if is_of_days else zone
    return alt.X(
        f"{column}:Q",
        title=f"days ({told_in.place})" if is_of_days else f"time ({told_in.place})",
        scale=alt.Scale(zero=False, nice=False, domain=[begin_ms, end_ms]),
        axis=alt.Axis(
            values=list(range(begin_ms, end_ms + 1, every_ms)),
            labelExpr=time_label("%d %b" if is_of_days else "%d %b %H:%M", told_in),
            labelFlush=False,
            titlePadding=4,
            grid=False,
        ),
    )


def time_label(format_: str, zone: Zone) -> str:
    """What labels a tick of an axis of numbers: the browser knows the rules of its own zone."""
    return f"{'utcFormat' if zone.is_utc else 'timeFormat'}(datum.value, '{format_}')"


def _in_zones(at_ms: pl.Series, zone: Zone) -> tuple[pl.DataFrame, list[alt.Tooltip]]:
    """A column of text for each zone in which a tooltip tells times, and what draws it: UTC stands beside any other."""
    told_in = (zone,) if zone.is_utc else (zone, IN_UTC)
    names = [f"{at_ms.name}{nth}" for nth in range(len(told_in))]
    told = {name: [each.minute(at) for at in at_ms] for name, each in zip(names, told_in, strict=True)}
    tooltips = [
        alt.Tooltip(field=name, type="nominal", title=f"{_TIMES[at_ms.name]} ({each.place})")
        for name, each in zip(names, told_in, strict=True)
    ]
    return pl.DataFrame(told, schema=dict.fromkeys(names, pl.String)), tooltips


def _marked(changes: pl.DataFrame, trend: pl.DataFrame, zone: Zone) -> list[alt.Chart]:
    """A rule where something was changed, with a mark at its top; what is too near to be seen apart shares one."""
    begin_ms, end_ms = _ends(trend)
    at_ms = pl.col("first_ns") // _MS
    near = (at_ms - begin_ms) * _MOST_MARKERS // max(1, end_ms - begin_ms)
    timed = changes.filter(at_ms.is_between(begin_ms, end_ms)).sort("first_ns")
    rows: list[dict[str, Any]] = [
        {
            "at": some["first_ns"][0] // _MS,
            "changes": some.height,
            "agent": _some([label(name) for name in some["agent_name"]]),
            "part": _some([part.replace("_", " ") for part in some["part"]]),
            "moved": _some([name.replace("_", " ") for moved in some["moved"] for name in moved]) or "nothing known",
        }
        for _, some in timed.group_by(near.alias("near"), maintain_order=True)
    ]
    if not rows:
        return []
    texts = dict.fromkeys(("agent", "part", "moved"), pl.String)
    frame = pl.DataFrame(rows, schema={"at": pl.Int64, "changes": pl.Int64, **texts})
    times, told = _in_zones(frame["at"], zone)
    tooltip = [
        *told,
        alt.Tooltip("changes:Q", title="changes here"),
        alt.Tooltip("agent:N"),
        alt.Tooltip("part:N", title="what was changed"),
        alt.Tooltip("moved:N", title="moved after it"),
    ]
    base = alt.Chart(frame.hstack(times)).encode(x=alt.X("at:Q"), tooltip=tooltip)
    rule = base.mark_rule(color=_MARKER, strokeDash=[3, 3], opacity=0.75)
    point = base.mark_point(shape="triangle-down", filled=True, size=60, color=_MARKER, opacity=1).encode(
        y=alt.value(0)
    )
    return [rule, point]


def _some(names: list[str]) -> str:
    """The first of some names, each once."""
    each = list(dict.fromkeys(names))
    left = len(each) - _MOST_NAMED
    return ", ".join(each[:_MOST_NAMED]) + (f" and {left:,} more" if left > 0 else "")


def _ends(trend: pl.DataFrame) -> tuple[int, int]:
    if not trend.height:
        return 0, 1
    return trend["begin_ns"][0] // _MS, trend["end_ns"][-1] // _MS


_WORDS: Final = tuple(mark.word for mark in SEVERITIES)
