"""Frames of the analyzer as tables on a page: which columns, and in which order.

Cells are text, numbers and times; none is markup. Links lead to pages of this dashboard alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.dashboards.addresses import run_address
from aftertrace.dashboards.columns import config
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.zones import chosen as chosen_zone

MOST_ROWS: Final = 1000
"""How many rows a table sends to the browser. What is left out is said below it."""
_MOST_CHARACTERS: Final = 2000
ROW_PIXELS: Final = 30
"""Height of a row."""
_HEAD_PIXELS: Final = 32
_TALLEST_PIXELS: Final = 520


@dataclass(frozen=True, slots=True)
class Layout:
    """A table on a page."""

    columns: Sequence[str | pl.Expr]
    """What is shown, from left to right."""
    order: Sequence[str | pl.Expr]
    """What rows are sorted by."""
    descending: Sequence[bool]
    """One per entry of `order`."""


def run_link(of: str | pl.Expr = "run_id") -> pl.Expr:
    """The column `run`: addresses of the pages of runs."""
    ids = pl.col(of) if isinstance(of, str) else of
    return ids.map_elements(run_address, return_dtype=pl.String).alias("run")


def chip(column: str) -> pl.Expr:
    """A one-element list: that is what a cell with a coloured label takes."""
    return pl.when(pl.col(column).is_not_null()).then(pl.concat_list(column)).alias(column)


def seconds(column: str, name: str) -> pl.Expr:
    """Nanoseconds as seconds, under another name."""
    return (pl.col(column) / 1e9).alias(name)


def risk() -> pl.Expr:
    """The risk class of a tool, with a mark where it was guessed."""
    guessed = pl.when(pl.col("risk_basis") == "guess").then(pl.lit(" ?")).otherwise(pl.lit(""))
    return (pl.col("risk") + guessed).alias("risk")


def first_at() -> pl.Expr:
    """The earliest time of a row."""
    return pl.from_epoch(pl.col("first_ns"), time_unit="ns").dt.replace_time_zone("UTC").alias("first_at")


_RISK: Final = risk()
_FAILED: Final = pl.col("signals").list.join(", ").replace("", None).alias("failed")
_WAIT: Final = seconds("wait_ns", "wait_s")
_FIRST: Final = first_at()

FAILED_CALLS: Final = Layout(
    columns=(run_link(), _FAILED, chip("outcome"), "tool_name", _RISK, "decided_by", _FIRST, "agent_name", "arguments"),
    order=("first_ns", "call_key"),
    descending=(True, False),
)
"""Calls that a control should have held, the newest first."""

FINDINGS: Final = Layout(
    columns=(
        run_link(),
        pl.col("signal").str.replace_all("_", " ").alias("finding"),
        pl.when("is_failure").then(pl.lit("failed")).otherwise(pl.lit("odd")).alias("control"),
        "certainty",
        "object",
        pl.col("what").alias("differs"),
        pl.col("other_runs").list.first().map_elements(run_address, return_dtype=pl.String).alias("other_run"),
        "tool_name",
        "agent_name",
        _FIRST,
    ),
    order=("is_failure", "first_ns", "signal", "call_key"),
    descending=(True, True, False, False),
)
"""What calls, approvals and effects do not agree on, failures of controls first."""

FAILED_RUNS: Final = Layout(
    columns=(run_link(), _FAILED, "agent_name", "state", "started_at", "calls", "near_misses", "prompt"),
    order=("first_ns", "run_id"),
    descending=(True, False),
)
"""Runs of which records tell what cannot all be so, the newest first."""


EVENTS: Final = Layout(
    columns=(
        pl.from_epoch(pl.col("time_ns"), time_unit="ns").dt.replace_time_zone("UTC").alias("at"),
        "lane",
        "what",
        "tool_name",
        ((pl.col("end_ns") - pl.col("time_ns")) / 1e9).alias("duration_s"),
        "decided_by",
        "detail",
        "evidence",
    ),
    order=("time_ns", "evidence"),
    descending=(False, False),
)
"""The timeline of one run as a list."""


DECLARED: Final = Layout(
    columns=(
        "agent_name",
        "state",
        "service_name",
        "environment",
        "owner",
        "broken",
        "unknown",
        "runs",
        "calls",
        "near_misses",
        pl.col("tools").list.join(", ").alias("tools_used"),
        "last_at",
        run_link("last_run_id"),
    ),
    order=("broken", "unknown", "state", "agent_name", "service_name"),
    descending=(True, True, True, False, False),
)
"""Agents that are off the declared inventory, the worst first."""


def in_order(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The rows of a frame as a table orders them; as they come where it has no order of its own."""
    if not layout.order:
        return frame
    return frame.sort(*layout.order, descending=list(layout.descending), nulls_last=True)


def shown(frame: pl.DataFrame, layout: Layout, rows: int = MOST_ROWS) -> pl.DataFrame:
    """The first rows of a frame as a table shows them: ordered, chosen, every text of a sender made plain."""
    ordered = in_order(frame, layout)
    chosen = ordered.head(rows).select(*layout.columns)
    text = [name for name, kind in chosen.schema.items() if kind == pl.String and name not in ("run", "other_run")]
    return chosen.with_columns(pl.col(text).map_elements(_cell, return_dtype=pl.String)) if text else chosen


def show(
    frame: pl.DataFrame,
    layout: Layout,
    *,
    key: str,
    tallest: int = _TALLEST_PIXELS,
    rows: int = MOST_ROWS,
    **selection: Any,
) -> Any:
    """Draw a table, and say how many rows it leaves out.

    Args:
        frame: rows with the columns that the layout names.
        layout: what is shown.
        key: name of the table on its page, so that it keeps its place when new data comes.
        tallest: height in pixels from which on the table scrolls.
        rows: how many rows at most.
        selection: `on_select` and its companions, as `st.dataframe` takes them.
    """
    cells, zone = shown(frame, layout, rows), chosen_zone()
    state = st.dataframe(
        cells,
        key=key,
        hide_index=True,
        column_config={name: config(name, cells[name], zone) for name in cells.columns},
        height=height_pixels(cells.height, tallest),
        row_height=ROW_PIXELS,
        placeholder="–",
        **selection,
    )
    if frame.height > rows:
        st.caption(f"The first {rows:,} of {frame.height:,} rows; the filters narrow them.")
    return state


def height_pixels(rows: int, tallest: int = _TALLEST_PIXELS) -> int:
    """How high a table of so many rows is; from a height on it scrolls, and half a row at its end says so."""
    whole = ROW_PIXELS * rows + _HEAD_PIXELS
    return (
        whole
        if whole <= tallest
        else (tallest - _HEAD_PIXELS) // ROW_PIXELS * ROW_PIXELS - ROW_PIXELS // 2 + _HEAD_PIXELS
    )


def _cell(value: str) -> str:
    return plain(value, most=_MOST_CHARACTERS)
