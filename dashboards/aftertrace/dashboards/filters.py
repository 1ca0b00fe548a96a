"""The row of filters over the pages, kept in the address so that a view can be sent to somebody."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.dashboards.data import Analysis, Filter, once
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
    Facet("state", "State of the run", "runs", "state"),
    Facet("model", "Model", "runs", "model"),
    Facet("reviewer", "Reviewer", "approvals", "reviewer"),
    Facet("tenant", "Tenant", "runs", "tenant"),
    Facet("environment", "Environment", "runs", "environment"),
)
_IN_SIGHT: Final = 5
"""So many stand in the row; the others are one click away."""

PERIODS: Final = {
    "last hour": HOUR_NS,
    "last 24 hours": DAY_NS,
    "last 7 days": 7 * DAY_NS,
    "last 30 days": 30 * DAY_NS,
}
"""Length of each period that can be chosen, by what it is called."""
KEYS: Final = (*(facet.key for facet in FACETS), "period")
"""What of an address is a filter."""


def choices(analysis: Analysis) -> dict[str, list[str]]:
    """The values that each facet can take in this store, in order, by its key."""
    rows = analysis.collected(*(analysis.scan(each.table, (each.column,)).unique() for each in FACETS))
    values = {each.key: frame[each.column].drop_nulls() for each, frame in zip(FACETS, rows, strict=True)}
    # A run that asked several models names them with a comma between.
    values["model"] = pl.concat([values["model"], values["model"].str.split(", ").explode()]).drop_nulls().unique()
    return {key: told.sort().to_list() for key, told in values.items()}


def bar(analysis: Analysis) -> None:
    """Draw the filters. A choice is stored under the facet's key, in the session and in the address."""
    values = once(analysis, "facets", lambda: choices(analysis))
    *columns, period, more = st.columns([*([4] * (_IN_SIGHT + 1)), 3], gap="xsmall", vertical_alignment="bottom")
    for column, facet in zip(columns, FACETS[:_IN_SIGHT], strict=True):
        with column:
            _choice(facet, values[facet.key])
    period.selectbox("Time", list(PERIODS), index=None, placeholder="all", key="period", bind="query-params")
    hidden = FACETS[_IN_SIGHT:]
    set_here = sum(st.session_state.get(facet.key) is not None for facet in hidden)
    with more.popover(f"More ({set_here})" if set_here else "More", icon=":material/tune:", width="stretch"):
        for facet in hidden:
            _choice(facet, values[facet.key])
        st.button("Clear all filters", icon=":material/filter_alt_off:", on_click=clear, width="stretch")


def _choice(facet: Facet, values: list[str]) -> None:
    st.selectbox(
        facet.label,
        values,
        index=None,
        format_func=_option,
        placeholder="all",
        key=facet.key,
        bind="query-params",
    )


def keep() -> None:
    """Keep what is chosen for the next page, on one that filters nothing."""
    for key in KEYS:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def is_any_set() -> bool:
    """Whether a filter narrows the page."""
    return any(st.session_state.get(key) is not None for key in KEYS)


def clear() -> None:
    """Let everything through again."""
    for key in KEYS:
        st.session_state[key] = None


def chosen() -> Filter:
    """The filter as it is set now. A period counts back from this minute."""
    return of(st.session_state)


def of(values: Mapping[Any, Any], now_ns: int | None = None) -> Filter:
    """The filter that some values say, by their keys in the address. A period counts back from `now_ns`."""
    period = PERIODS.get(values.get("period") or "")
    now = now_ns if now_ns is not None else time.time_ns() // _MINUTE_NS * _MINUTE_NS
    told = {facet.key: values.get(facet.key) for facet in FACETS}
    return Filter(**told, since_ns=None if period is None else now - period)


def _option(value: str) -> str:
    return plain(value, most=120)
