"""One run on the clock, as a chart."""

from __future__ import annotations

import math
from typing import Any, Final

import altair as alt
import polars as pl

from aftertrace.dashboards.charts import FRAME_PIXELS, ROW_PIXELS, label
from aftertrace.dashboards.marks import LANE_COLOURS
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import duration

_MOST_BARS: Final = 2000
"""Marks in one timeline; beyond it a browser slows, and the list below the chart still has them all."""
_TICK_STEPS_MS: Final = tuple(
    unit * step
    for unit, steps in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1000, (1, 2, 5, 10, 15, 30)),
        (60_000, (1, 2, 5, 10, 15, 30)),
        (3_600_000, (1, 2, 3, 6, 12, 24)),
    )
    for step in steps
)


def timeline(frame: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """One run on the clock: a row per lane and thing, bars for what lasts, ticks for points in time.

    A wait for a person is a bar in the `human` lane, so that it never hides in a tool's duration.
    """
    rows = pl.DataFrame(
        [
            _mark(row)
            for row in frame.sort("time_ns", "evidence", nulls_last=True).head(_MOST_BARS).iter_rows(named=True)
        ],
        schema={
            "row": pl.String,
            "lane": pl.String,
            "start": pl.Float64,
            "end": pl.Float64,
            "what": pl.String,
            "lasts": pl.String,
            "decided by": pl.String,
            "detail": pl.String,
            "evidence": pl.String,
            "order": pl.Int64,
        },
    )
    order = rows.sort("order", "start", maintain_order=True).get_column("row").unique(maintain_order=True).to_list()
    lanes = [lane for lane in LANE_COLOURS if lane in rows.get_column("lane")]
    encoding: dict[str, Any] = {
        "y": alt.Y(
            "row:N",
            sort=order,
            title=None,
            axis=alt.Axis(labelLimit=220, labelOverlap=False, labelFlush=False, ticks=False, grid=True),
        ),
        "color": alt.Color(
            "lane:N",
            scale=alt.Scale(domain=lanes, range=[LANE_COLOURS[lane] for lane in lanes]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        "tooltip": ["what:N", "lasts:N", "decided by:N", "detail:N", "evidence:N"],
    }
    begin_ms, end_ms = rows.select(
        pl.col("start").min(), pl.max_horizontal(pl.col("start").max(), pl.col("end").max()).alias("end")
    ).row(0)
    # Times are drawn as numbers: a temporal axis of Vega draws a single tick where a run takes under a second.
    clock = alt.X(
        "start:Q",
        title="UTC",
        scale=alt.Scale(zero=False, nice=False, domain=[begin_ms, max(end_ms, begin_ms + 1)]),
        axis=alt.Axis(
            values=_ticks(begin_ms, end_ms),
            labelExpr=f"utcFormat(datum.value, '{_clock(end_ms - begin_ms)}')",
            labelOverlap=True,
        ),
    )
    lasting = rows.filter(pl.col("end").is_not_null())
    points = rows.filter(pl.col("end").is_null())
    bars = alt.Chart(lasting).mark_bar(height=12, minBandSize=3, cornerRadius=2, opacity=0.85).encode(
        x=clock, x2="end:Q", **encoding
    )  # fmt: skip
    ticks = alt.Chart(points).mark_tick(thickness=3, height=14).encode(x=clock, **encoding)
    return alt.layer(bars, ticks).properties(height=max(2, len(order)) * ROW_PIXELS + FRAME_PIXELS + 24)


def _clock(span_ms: float) -> str:
    """How fine the clock must be to tell its ticks apart, in d3's words."""
    if span_ms < 20_000:
        return "%H:%M:%S.%L"
    return "%H:%M:%S" if span_ms < 12 * 3_600_000 else "%d %b %H:%M"


def _ticks(begin_ms: float, end_ms: float) -> list[float]:
    """Round moments between two, at most nine of them."""
    step_ms = next((step for step in _TICK_STEPS_MS if (end_ms - begin_ms) / step <= 8), 86_400_000 * 7)
    first = math.ceil(begin_ms / step_ms)
    return [tick * step_ms for tick in range(first, math.floor(end_ms / step_ms) + 1)]


def _mark(row: dict[str, Any]) -> dict[str, Any]:
    lane = row["lane"] if row["lane"] in LANE_COLOURS else "agent"
    thing = row["tool_name"] if lane in ("tool", "human", "control") else None
    start, end = row["time_ns"], row["end_ns"]
    lasts = end is not None and end > start
    return {
        "row": f"{lane} · {label(thing)}" if thing else lane,
        "lane": lane,
        "start": start / 1e6,
        "end": end / 1e6 if lasts else None,
        "what": plain(row["what"] or "", most=120),
        "lasts": duration(end - start) if lasts else "a moment",
        "decided by": row["decided_by"],
        "detail": plain(row["detail"] or "", most=240),
        "evidence": row["evidence"],
        "order": list(LANE_COLOURS).index(lane),
    }
