"""Runs: one row per execution of an agent, with what it nearly did."""

from __future__ import annotations

import streamlit as st

from aftertrace.dashboards import data, filters, tables
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.quantities import count

runs = data.analysis().select("runs", filters.chosen())
states = runs.get_column("state").value_counts(sort=True)
calls, near_misses = (int(runs.get_column(name).sum()) for name in ("calls", "near_misses"))

st.subheader(count(runs.height, "run"), anchor=False)
if runs.is_empty():
    nothing_matches()
    st.stop()
st.caption(
    " · ".join(f"{number:,} {state}" for state, number in states.iter_rows())
    + f" · {count(calls, 'call')} · {count(near_misses, 'near miss')}"
)
tables.show(runs, tables.RUNS, key="runs", tallest=760)
