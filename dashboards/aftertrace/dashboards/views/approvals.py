"""Approvals: who is waited for, who decided, how long it took, and what exactly they saw."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.dashboards import charts, data, filters, tables
from aftertrace.dashboards.cards import approval, nothing_matches
from aftertrace.dashboards.quantities import count, duration

approvals = data.analysis().select("approvals", filters.chosen())
decisions = approvals.get_column("decision")
median = approvals.select(pl.col("wait_ns").median().cast(pl.Int64)).item()

st.subheader(f"{count(approvals.height, 'request')}, {(decisions == 'pending').sum():,} waiting", anchor=False)
if approvals.is_empty():
    nothing_matches()
    st.stop()
counted = " · ".join(
    f"{(decisions == name).sum():,} {name}" for name in ("granted", "rejected", "modified", "expired", "cancelled")
)
st.caption(f"{counted} · median wait {duration(median)}")

requests, detail = st.columns([3, 2], gap="medium")
with requests:
    chosen = tables.show(
        approvals,
        tables.APPROVALS,
        key="approvals",
        tallest=480,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}},
    )
    st.subheader("Reviewers", anchor=False)
    tables.show(tables.reviewers(approvals), tables.REVIEWERS, key="reviewers")
    if not approvals.filter(pl.col("wait_ns") > 0).is_empty():
        st.subheader("Waits", anchor=False)
        st.altair_chart(charts.waits(approvals))
with detail:
    layout = tables.APPROVALS
    ordered = approvals.sort(*layout.order, descending=list(layout.descending), nulls_last=True)
    rows = chosen.selection.rows or [0]
    approval(ordered.row(min(rows[0], ordered.height - 1), named=True))
