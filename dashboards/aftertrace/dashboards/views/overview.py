"""Overview: what nearly happened, how often, and who is waited for."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.dashboards import cards, charts, data, filters, tables
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, interval, share

_LATEST = 12

analysis = data.analysis()
chosen = filters.chosen()
near_misses = analysis.near_misses(chosen)
overall = analysis.rates([], chosen).row(0, named=True)
approvals = analysis.select("approvals", chosen)
runs = analysis.select("runs", chosen)
destructive = near_misses.filter((pl.col("outcome") == "denied") & (pl.col("risk") == "destructive"))
waiting = approvals.filter(pl.col("decision") == "pending")
has_signals = pl.col("signals").list.len() > 0
odd_calls, odd_runs = analysis.select("calls", chosen).filter(has_signals), runs.filter(has_signals)
of_calls = odd_calls.select("call_key", pl.col("signals").alias("signal")).explode("signal")
# What a call tells of itself stands among the calls.
findings = analysis.select("effect_findings", chosen).join(of_calls, on=["call_key", "signal"], how="anti")
failures = (
    ("Calls that ran past a control", odd_calls, tables.FAILED_CALLS),
    ("What calls, approvals and effects do not agree on", findings, tables.FINDINGS),
    ("Runs that records contradict each other on", odd_runs, tables.FAILED_RUNS),
)
failed = [name for table in (odd_calls, odd_runs) for signals in table["signals"] for name in signals]
failed += findings.filter("is_failure")["signal"].to_list()
still_open = runs.filter(pl.col("state") == "open")
floor = "at least · " if overall["floor"] else ""
counted = f"{overall['near_misses']:,} of {count(overall['calls'], 'call')}"

headlines = (
    ("Consequential near misses", count(overall["consequential"]), f"{floor}risk above read"),
    ("Near-miss rate", share(overall["rate"]), f"{interval(overall['low'], overall['high'])} · {counted}"),
    ("Denied destructive calls", count(destructive.height), f"of {count(near_misses.height, 'near miss')}"),
    ("Control failures", count(len(failed)), f"of {count(len(set(failed)), 'kind')}" if failed else "none on record"),
    ("Approvals waiting", count(waiting.height), f"of {count(approvals.height, 'request')}"),
    ("Runs", count(runs.height), f"{count(still_open.height)} open"),
)
for column, (label, value, detail) in zip(st.columns(6, gap="small"), headlines, strict=True):
    column.metric(label, value, delta=detail, delta_color="off", delta_arrow="off", border=True, height="stretch")

try:
    cards.lost(analysis.select("losses", chosen))
except data.AftertraceError as error:
    st.caption(f"What was lost cannot be told: {plain(str(error))}")

for nth, (heading, rows, layout) in enumerate(failures):
    if not rows.is_empty():
        st.subheader(heading, anchor=False)
        tables.show(rows, layout, key=f"failed_{nth}")

declared = data.agents(analysis, chosen)
if declared is not None:
    off = declared.agents.filter((pl.col("broken") > 0) | (pl.col("state") == "silent"))
    if not off.is_empty():
        st.subheader("Agents that are off the inventory", anchor=False)
        tables.show(off, tables.DECLARED, key="off_inventory")
        st.caption("What is off each of them: aftertrace inventory check")

if near_misses.is_empty():
    cards.nothing_matches()
    st.stop()

days, by_tool, by_agent = st.columns([5, 4, 4], gap="medium")
with days:
    st.subheader(f"Near misses per {charts.step(near_misses).name}", anchor=False)
    if near_misses["first_ns"].count():
        st.altair_chart(charts.near_misses_over_time(near_misses))
    else:
        st.caption("The logs that these were read from hold no times.")
with by_tool:
    st.subheader("Rate by tool", anchor=False)
    st.altair_chart(charts.rates(analysis.rates(["tool_name"], chosen), "tool_name", most=7))
with by_agent:
    st.subheader("Rate by agent", anchor=False)
    st.altair_chart(charts.rates(analysis.rates(["agent_name"], chosen), "agent_name", most=7))

st.subheader("Latest near misses", anchor=False)
tables.show(
    near_misses.sort("first_ns", "call_key", descending=[True, False]).head(_LATEST), tables.LATEST, key="latest"
)
