"""Charts: pure functions from a frame to an Altair chart. Colours and fonts come from the page's theme.

Texts of senders stand on axes and in tooltips, where Vega draws them as text; they are made plain first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import altair as alt
import polars as pl

from aftertrace.dashboards.marks import DECISION_COLOURS, OUTCOME_COLOURS
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import DAY_NS, HOUR_NS, duration, interval, share

ROW_PIXELS: Final = 24
FRAME_PIXELS: Final = 64
"""What axes and legend take of a chart's height."""
_LABEL_CHARACTERS: Final = 32
_ACCENT: Final = "#5a74d6"
_MUTED: Final = "#7f8fa6"


@dataclass(frozen=True, slots=True)
class Step:
    """A length of time that a bar stands for."""

    name: str
    length_ns: int
    truncate: str
    """In Polars' words."""
    format: str
    """Of the axis, in d3's words."""


_MINUTE_NS: Final = HOUR_NS // 60
_STEPS: Final = (
    Step("minute", _MINUTE_NS, "1m", "%H:%M"),
    Step("10 minutes", 10 * _MINUTE_NS, "10m", "%H:%M"),
    Step("hour", HOUR_NS, "1h", "%d %b %H:%M"),
    Step("day", DAY_NS, "1d", "%d %b"),
    Step("week", 7 * DAY_NS, "1w", "%d %b %Y"),
)
"""From short to long."""
_MOST_STEPS: Final = 60
"""Bars beside each other; more are no longer seen apart."""
_MOST_LABELS: Final = 6


def step(near_misses: pl.DataFrame) -> Step:
    """The shortest step that shows these rows of `calls` with no more than `_MOST_STEPS` bars, else weeks."""
    first_ns, last_ns = near_misses.select(pl.col("first_ns").min(), pl.col("first_ns").max().alias("last")).row(0)
    span_ns = 0 if first_ns is None else last_ns - first_ns
    return next((step for step in _STEPS if span_ns < _MOST_STEPS * step.length_ns), _STEPS[-1])


def near_misses_over_time(near_misses: pl.DataFrame, height: int = 230) -> alt.Chart:
    """Near misses per `step` (UTC), stacked by outcome. Takes rows of `calls`."""
    near_misses = near_misses.drop_nulls("first_ns")
    by = step(near_misses)
    length_ms = by.length_ns // 1_000_000
    bins = (
        near_misses.group_by(
            pl.from_epoch(pl.col("first_ns"), time_unit="ns").dt.truncate(by.truncate).dt.epoch("ms").alias("start"),
            "outcome",
        )
        .agg(pl.len().alias("near misses"))
        .with_columns((pl.col("start") + length_ms).alias("end"))
        .sort("start", "outcome")
    )
    begin_ms, end_ms = bins.select(pl.col("start").min(), pl.col("end").max()).row(0)
    every_ms = length_ms * max(1, math.ceil((end_ms - begin_ms) / length_ms / _MOST_LABELS))
    outcomes = [name for name in OUTCOME_COLOURS if name in bins.get_column("outcome")]
    chart: alt.Chart = (
        alt.Chart(bins)
        .mark_bar(orient="vertical", x2Offset=-1)
        .encode(
            # Numbers on a linear scale: a temporal one labels seconds where there are few bars.
            x=alt.X(
                "start:Q",
                title=None,
                scale=alt.Scale(zero=False, nice=False, domain=[begin_ms, end_ms]),
                axis=alt.Axis(
                    values=list(range(begin_ms, end_ms + 1, every_ms)),
                    labelExpr=f"utcFormat(datum.value, '{by.format}')",
                    labelFlush=False,
                    grid=False,
                ),
            ),
            x2="end:Q",
            y=alt.Y("near misses:Q", title=None, stack="zero", axis=alt.Axis(tickMinStep=1, format="d", tickCount=5)),
            color=alt.Color(
                "outcome:N",
                scale=alt.Scale(domain=outcomes, range=[OUTCOME_COLOURS[name] for name in outcomes]),
                legend=alt.Legend(title=None, orient="top", padding=0),
            ),
            tooltip=[
                alt.Tooltip("start:T", title=f"{by.name} from (UTC)", format="%Y-%m-%d %H:%M"),
                "outcome:N",
                "near misses:Q",
            ],
        )
        .properties(height=height)
    )
    return chart


def rates(frame: pl.DataFrame, by: str, most: int = 10) -> alt.LayerChart | alt.FacetChart:
    """Near-miss rates of the groups with most near misses, each with its 95 % Wilson interval and what it counts."""
    top = frame.sort("near_misses", "calls", by, descending=[True, True, False], nulls_last=True).head(most)
    rows = pl.DataFrame(
        [
            {
                "group": label(row[by]),
                "rate": row["rate"],
                "low": row["low"],
                "high": row["high"],
                "counted": f"{'≥ ' if row['floor'] else ''}{row['near_misses']:,} of {row['calls']:,}",
                "told": f"{share(row['rate'])} ({interval(row['low'], row['high'])})",
            }
            for row in top.iter_rows(named=True)
        ],
        schema={
            "group": pl.String,
            "rate": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
            "counted": pl.String,
            "told": pl.String,
        },
    )
    tooltip = [
        alt.Tooltip("group:N", title=by.replace("_", " ")),
        alt.Tooltip("told:N", title="rate (95 % Wilson)"),
        alt.Tooltip("counted:N", title="near misses of calls"),
    ]
    axis = alt.Y(
        "group:N",
        sort=None,
        title=None,
        axis=alt.Axis(labelLimit=170, labelOverlap=False, labelFlush=False, ticks=False, domain=False),
    )
    base = alt.Chart(rows).encode(y=axis, tooltip=tooltip)
    scale = alt.Scale(domain=[0, 1])
    whisker = base.mark_rule(strokeWidth=2, color=_MUTED, opacity=0.7).encode(
        x=alt.X(
            "low:Q",
            title="near misses per call, 95 % interval",
            scale=scale,
            axis=alt.Axis(format="%", tickCount=5, labelFlush=False),
        ),
        x2="high:Q",
    )
    point = base.mark_circle(size=64, color=_ACCENT, opacity=1).encode(x=alt.X("rate:Q", scale=scale))
    text = base.mark_text(align="left", dx=6, color=_MUTED, fontSize=11).encode(
        x=alt.X("high:Q", scale=scale), text="counted:N"
    )
    return alt.layer(whisker, point, text).properties(height=max(1, rows.height) * ROW_PIXELS + FRAME_PIXELS)


def waits(approvals: pl.DataFrame, height: int = 200) -> alt.Chart:
    """How long decisions took, on a logarithmic scale, one dot per request. Takes rows of `approvals`."""
    known = approvals.filter(pl.col("wait_ns") > 0)
    rows = pl.DataFrame(
        [
            {
                "seconds": row["wait_ns"] / 1e9,
                "decision": row["decision"],
                "tool": label(row["tool_name"]),
                "wait": duration(row["wait_ns"]),
            }
            for row in known.iter_rows(named=True)
        ],
        schema={"seconds": pl.Float64, "decision": pl.String, "tool": pl.String, "wait": pl.String},
    )
    decisions = [name for name in DECISION_COLOURS if name in rows.get_column("decision")]
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_circle(size=70, opacity=0.75)
        .encode(
            x=alt.X(
                "seconds:Q",
                title="wait (s, logarithmic)",
                scale=alt.Scale(type="log", nice=True),
                axis=alt.Axis(grid=False, tickCount=6),
            ),
            y=alt.Y("decision:N", sort=decisions, title=None, axis=alt.Axis(ticks=False, domain=False)),
            yOffset=alt.YOffset("jitter:Q"),
            color=alt.Color(
                "decision:N",
                scale=alt.Scale(domain=decisions, range=[DECISION_COLOURS[name] for name in decisions]),
                legend=None,
            ),
            tooltip=["decision:N", alt.Tooltip("tool:N", title="tool"), alt.Tooltip("wait:N", title="wait")],
        )
        # Spread by position in the list, not by chance: the same data draws the same picture.
        .transform_window(place="row_number()")
        .transform_calculate(jitter="(datum.place * 7) % 11")
        .properties(height=height)
    )
    return chart


def label(name: str | None) -> str:
    """A sender's name on an axis."""
    if name is None:
        return "not stated"
    shown = plain(name)
    return shown if len(shown) <= _LABEL_CHARACTERS else shown[: _LABEL_CHARACTERS - 1] + "…"
