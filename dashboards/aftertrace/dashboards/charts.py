"""Charts: pure functions from a frame to an Altair chart. Colours and fonts come from the page's theme.

Texts of senders stand on axes and in tooltips, where Vega draws them as text; they are made plain first.
"""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from aftertrace.dashboards.marks import DECISION_COLOURS
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import DAY_NS, HOUR_NS, interval, share

ROW_PIXELS: Final = 24
FRAME_PIXELS: Final = 64
"""What axes and legend take of a chart's height."""
_LABEL_CHARACTERS: Final = 32
_ACCENT: Final = "#5a74d6"
_MUTED: Final = "#7f8fa6"


_MINUTE_NS: Final = HOUR_NS // 60
_SECOND_NS: Final = 10**9
_WAITS: Final = (
    (_SECOND_NS // 10, "< 0.1 s"),
    (3 * _SECOND_NS // 10, "0.1–0.3 s"),
    (_SECOND_NS, "0.3–1 s"),
    (3 * _SECOND_NS, "1–3 s"),
    (10 * _SECOND_NS, "3–10 s"),
    (30 * _SECOND_NS, "10–30 s"),
    (2 * _MINUTE_NS, "30 s–2 min"),
    (5 * _MINUTE_NS, "2–5 min"),
    (15 * _MINUTE_NS, "5–15 min"),
    (HOUR_NS, "15 min–1 h"),
    (3 * HOUR_NS, "1–3 h"),
    (12 * HOUR_NS, "3–12 h"),
    (DAY_NS, "12 h–1 d"),
    (2**63 - 1, "> 1 d"),
)
"""End of each step of waits, and its name."""


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


def waits(approvals: pl.DataFrame, height: int = 210) -> alt.Chart:
    """How many decisions took how long, by decision, in steps that grow threefold. Takes rows of `approvals`."""
    ends = [end for end, _ in _WAITS]
    known = approvals.filter(pl.col("wait_ns") >= 0, pl.col("decision") != "pending")
    bins = (
        known.select("decision", place=pl.Series(ends).search_sorted(known["wait_ns"], side="right"))
        .group_by("decision", "place")
        .agg(pl.len().alias("requests"))
        .sort("place", "decision")
    )
    first, last = (
        bins.select(pl.col("place").min(), pl.col("place").max().alias("last")).row(0) if bins.height else (0, 0)
    )
    names = [name for _, name in _WAITS][first : last + 1]
    rows = bins.with_columns(wait=pl.Series([_WAITS[place][1] for place in bins["place"]], dtype=pl.String))
    decisions = [name for name in DECISION_COLOURS if name in bins["decision"]]
    chart: alt.Chart = (
        alt.Chart(rows.drop("place"))
        .mark_bar()
        .encode(
            x=alt.X(
                "wait:N",
                title="how long it took",
                scale=alt.Scale(domain=names, paddingInner=0.08),
                axis=alt.Axis(labelAngle=0, ticks=False, labelOverlap=True),
            ),
            y=alt.Y("requests:Q", title=None, stack="zero", axis=alt.Axis(tickMinStep=1, format="d", tickCount=4)),
            color=alt.Color(
                "decision:N",
                scale=alt.Scale(domain=decisions, range=[DECISION_COLOURS[name] for name in decisions]),
                legend=alt.Legend(title=None, orient="top", padding=0),
            ),
            tooltip=["decision:N", alt.Tooltip("wait:N", title="took"), alt.Tooltip("requests:Q")],
        )
        .properties(height=height)
    )
    return chart


def label(name: str | None) -> str:
    """A sender's name on an axis."""
    if name is None:
        return "not told"
    shown = plain(name)
    return shown if len(shown) <= _LABEL_CHARACTERS else shown[: _LABEL_CHARACTERS - 1] + "…"
