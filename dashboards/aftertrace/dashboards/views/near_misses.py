"""Near misses: every call that was one control away from happening, and how often that is so."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.dashboards import charts, data, filters, tables
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.quantities import count, interval, share

_GROUPS = {"tool": "tool_name", "agent": "agent_name", "model": "model", "decider": "decided_by"}
_BESIDE = ("unresolved", "unknown_tool", "invalid_arguments", "failed")

analysis = data.analysis()
chosen = filters.chosen()
near_misses = analysis.near_misses(chosen)
overall = analysis.rates([], chosen).row(0, named=True)
outcomes = analysis.select("calls", chosen).get_column("outcome")
beside = " · ".join(f"{(outcomes == name).sum():,} {name.replace('_', ' ')}" for name in _BESIDE)

st.subheader(f"{count(near_misses.height, 'near miss')}, {overall['consequential']:,} consequential", anchor=False)
floor = "; a floor, since an emitter hides some refusals" if overall["floor"] else ""
st.caption(
    f"{share(overall['rate'])} of {count(overall['calls'], 'call')} (95 % Wilson interval "
    f"{interval(overall['low'], overall['high'])}{floor}). Beside them, never in the rate: {beside}."
)
if near_misses.is_empty():
    nothing_matches()
    st.stop()

tables.show(near_misses, tables.NEAR_MISSES, key="near_misses")

with st.container(horizontal=True, vertical_alignment="center"):
    st.subheader("Rates", anchor=False, width="content")
    group = st.segmented_control(
        "Rates by",
        list(_GROUPS),
        default="tool",
        required=True,
        key="by",
        bind="query-params",
        label_visibility="collapsed",
    )
column = _GROUPS[group or "tool"]
rates = analysis.rates([column], chosen).filter(pl.col("calls") > 0)
chart, table = st.columns([5, 6], gap="medium")
with chart:
    st.altair_chart(charts.rates(rates, column, most=12))
with table:
    tables.show(rates, tables.rates(column), key=f"rates_{column}", tallest=400)
