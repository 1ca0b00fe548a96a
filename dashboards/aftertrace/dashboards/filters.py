"""The row of filters over the pages, kept in the address so that a view can be sent to somebody."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import polars as pl
import streamlit as st

from aftertrace.dashboards.data import Analysis, Filter
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import DAY_NS, HOUR_NS

_MINUTE_NS: Final = HOUR_NS // 60


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter by one column: its key in the address, its label, and where its values come from."""

    key: str
    label: str
    table: str
    column: str


FACETS: Final = (
    Facet("agent", "Agent", "runs", "agent_name"),
    Facet("tool", "Tool", "calls", "tool_name"),
    Facet("outcome", "Outcome", "calls", "outcome"),
    Facet("decided_by", "Decided by", "calls", "decided_by"),
    Facet("reviewer", "Reviewer", "approvals", "reviewer"),
    Facet("tenant", "Tenant", "runs", "tenant"),
    Facet("environment", "Environment", "runs", "environment"),
)

PERIODS: Final = {
    "last hour": HOUR_NS,
    "last 24 hours": DAY_NS,
    "last 7 days": 7 * DAY_NS,
    "last 30 days": 30 * DAY_NS,
}
"""Length of each period that can be chosen, by what it is called."""


def choices(analysis: Analysis, facet: Facet) -> list[str]:
    """The values a facet can take in this store, in order."""
    frame: pl.DataFrame = getattr(analysis, facet.table)
    return frame.get_column(facet.column).drop_nulls().unique().sort().to_list()


def bar(analysis: Analysis) -> None:
    """Draw the filters. A choice is stored under the facet's key, in the session and in the address."""
    *columns, last = st.columns(len(FACETS) + 1, gap="xsmall")
    for column, facet in zip(columns, FACETS, strict=True):
        column.selectbox(
            facet.label,
            choices(analysis, facet),
            index=None,
            format_func=_option,
            placeholder="all",
            key=facet.key,
            bind="query-params",
        )
    last.selectbox("Time", list(PERIODS), index=None, placeholder="all", key="period", bind="query-params")


def chosen(now_ns: int | None = None) -> Filter:
    """The filter as it is set now. A period counts back from `now_ns`, or from this minute."""
    values = {facet.key: st.session_state.get(facet.key) for facet in FACETS}
    period = PERIODS.get(st.session_state.get("period") or "")
    now = now_ns if now_ns is not None else time.time_ns() // _MINUTE_NS * _MINUTE_NS
    return Filter(**values, since_ns=None if period is None else now - period)


def _option(value: str) -> str:
    return plain(value, most=120)
