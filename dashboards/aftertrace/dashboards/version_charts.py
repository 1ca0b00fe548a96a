"""A chart of the configurations of agents over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import polars as pl

from aftertrace.dashboards.charts import FRAME_PIXELS, label
from aftertrace.dashboards.marks import UNSTATED
from aftertrace.dashboards.quantities import instant
from aftertrace.dashboards.trend_charts import time_label
from aftertrace.dashboards.zones import Zone

_TONES: Final = ("#3f63c8", "#8c6bd1")
"""Of versions after each other."""
_ROW_PIXELS: Final = 28
_MOST_AGENTS: Final = 14
_MS: Final = 1_000_000
_MOST_NAMES: Final = 32
"""So many names of versions fit beside each other."""
_MOST_TICKS: Final = 8
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 1440 * _MINUTE_MS
_STEPS_MS: Final = tuple(
    minutes * _MINUTE_MS
    for minutes in (1, 5, 15, 30, 60, 180, 360, 720, *(1440 * days for days in (1, 2, 7, 14, 28, 91, 364)))
)


def versions(configurations: pl.DataFrame, zone: Zone, most: int = _MOST_AGENTS) -> alt.LayerChart | alt.FacetChart:
    """From the first to the last run of each version of each agent, those with most runs first.

    Args:
        configurations: columns as in `schemas.CONFIGURATIONS`.
        zone: what times are told in.
        most: how many agents are drawn.
    """
    timed = configurations.drop_nulls("first_ns")
    top = (
        timed.group_by("agent_name", "service_name")
        .agg(pl.col("runs").sum())
        .sort("runs", "agent_name", descending=[True, False], nulls_last=True)
        .head(most)
        .with_row_index("place")
        .with_columns(is_alone=pl.len().over("agent_name") == 1)
    )
    joined = timed.join(
        top.select("agent_name", "service_name", "place", "is_alone"),
        on=["agent_name", "service_name"],
        nulls_equal=True,
    )
    rows = [_row(row, zone) for row in joined.sort("place", "first_ns").iter_rows(named=True)]
    begin_ms, end_ms = min((row["start"] for row in rows), default=0), max((row["end"] for row in rows), default=1)
    _leave_out_near(rows, (end_ms - begin_ms) / _MOST_NAMES)
    texts = ("agent", "tone", "version", "name", "model", "first", "last", "utc")
    numbers = ("place", "start", "end", "runs")
    frame = pl.DataFrame(rows, schema={**dict.fromkeys(numbers, pl.Int64), **dict.fromkeys(texts, pl.String)})
    told = ("agent", "version", "model", "first", "last")
    tooltip = [alt.Tooltip(f"{name}:N") for name in told]
    if not zone.is_utc:
        tooltip.append(alt.Tooltip("utc:N", title="in UTC"))
    base = alt.Chart(frame).encode(
        y=alt.Y(
            "agent:N",
            sort=alt.EncodingSortField("place", op="min"),
            title=None,
            axis=alt.Axis(labelLimit=170, ticks=False, domain=False),
        ),
        tooltip=[*tooltip, alt.Tooltip("runs:Q", title="runs")],
    )
    time = alt.X(
        "start:Q",
        title=f"time ({zone.place})",
        scale=alt.Scale(zero=False, nice=False, padding=8),
        axis=alt.Axis(
            values=(ticks := _ticks(begin_ms, end_ms)),
            labelExpr=time_label("%d %b" if zone.is_utc and _of_days(ticks) else "%d %b %H:%M", zone),
            labelOverlap=True,
        ),
    )
    bar = base.mark_bar(height=14, cornerRadius=2, minBandSize=3, stroke=None).encode(
        x=time,
        x2="end:Q",
        color=alt.Color("tone:N", scale=alt.Scale(domain=["0", "1"], range=list(_TONES)), legend=None),
    )
    begin = base.mark_tick(thickness=2, height=18).encode(
        x=time, color=alt.Color("tone:N", scale=alt.Scale(domain=["0", "1"], range=list(_TONES)), legend=None)
    )
    name = base.mark_text(align="left", dx=4, dy=-12, fontSize=10, color="#7f8fa6").encode(x=time, text="name:N")
    return alt.layer(bar, begin, name).properties(height=max(1, top.height) * _ROW_PIXELS * 1.3 + FRAME_PIXELS)


def _leave_out_near(rows: list[dict[str, Any]], apart_ms: float) -> None:
    """Name a version beside its beginning, where the one before it in its row is far enough away."""
    named: dict[int, float] = {}
    for row in rows:
        is_apart = row["start"] - named.get(row["place"], -math.inf) >= apart_ms
        row["name"] = row["version"] if is_apart else ""
        if is_apart:
            named[row["place"]] = row["start"]


def _ticks(begin_ms: int, end_ms: int) -> list[int]:
    """Round times between two, in UTC: so few that each has room for its label."""
    step = next((each for each in _STEPS_MS if (end_ms - begin_ms) / each <= _MOST_TICKS), _STEPS_MS[-1])
    return list(range(-(-begin_ms // step) * step, end_ms + 1, step))


def _of_days(ticks: list[int]) -> bool:
    return all(each % _DAY_MS == 0 for each in ticks)


def _row(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    first, last = instant(row["first_ns"]), instant(row["last_at"])
    return {
        "place": row["place"],
        # Agents of one name are told apart by their services.
        "agent": label(
            row["agent_name"] if row["is_alone"] else f"{row['agent_name'] or UNSTATED.word} in {row['service_name']}"
        ),
        "start": row["first_ns"] // _MS,
        "end": (row["first_ns"] if row["last_at"] is None else int(row["last_at"].timestamp() * 10**9)) // _MS,
        "tone": str(row["version"] % 2),
        "version": f"v{row['version']}",
        "runs": row["runs"],
        "model": label(row["model"]),
        "first": zone.told(first),
        "last": zone.told(last),
        "utc": " – ".join(filter(None, (zone.hint(first), zone.hint(last)))),
    }
