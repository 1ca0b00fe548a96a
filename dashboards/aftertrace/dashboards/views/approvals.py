"""Approvals: who is waited for, who decided, how long it took, what exactly they saw, and whether they looked."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.analyzer.calls.reviews import reviews
from aftertrace.dashboards import attention, charts, data, filters, layouts, questions, tables
from aftertrace.dashboards.approval_cards import approval, course
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.choosing import chosen_row
from aftertrace.dashboards.quantities import count, duration, interval, share

_PAST = "ran past it"
_QUEUES = {
    "all": pl.lit(value=True),
    "waiting": pl.col("decision") == "pending",
    "odd": pl.col("signals").list.len() > 0,
    "edited": pl.col("decision") == "modified",
    "refused": pl.col("decision") == "rejected",
    "expired": pl.col("decision").is_in(("expired", "cancelled")),
}

data.allow("contents")
analysis = data.analysis()
chosen = filters.chosen()
approvals = questions.selected(analysis, "approvals", chosen)
past = questions.selected(analysis, "calls", chosen, "past a control", pl.col("signals").list.len() > 0)
total = reviews(approvals.lazy(), []).collect().row(0, named=True)

st.subheader(f"{count(approvals.height, 'request')}, {total['pending']:,} waiting", anchor=False)
if approvals.is_empty() and past.is_empty():
    nothing_matches()
    st.stop()
told_decisions = ("granted", "modified", "rejected", "expired", "cancelled")
st.caption(" · ".join(f"{total[name]:,} {name}" for name in told_decisions))

longest = attention.longest_wait_ns(approvals.filter(_QUEUES["waiting"]), analysis.now_ns)
headlines = (
    ("Waiting", f"{total['pending']:,}", f"longest {duration(longest)}" if total["pending"] else "nobody waits"),
    (
        "Approved",
        share(total["approval_rate"]),
        f"{interval(total['low'], total['high'])} of {total['answers']:,}",
    ),
    ("Median wait", duration(total["wait_p50_ns"]), f"nine in ten within {duration(total['wait_p90_ns'])}"),
    (
        "Never answered",
        f"{total['expired'] + total['cancelled']:,}",
        f"{total['expired']:,} expired, {total['cancelled']:,} cut short",
    ),
    ("Signals of no review", f"{total['signals']:,}", f"busiest hour {count(total['busiest_hour'] or 0, 'request')}"),
    ("Ran past a control", f"{past.height:,}", "calls, listed below" if past.height else "none on record"),
)
for column, (label, value, detail) in zip(st.columns(6, gap="small"), headlines, strict=True):
    column.metric(label, value, delta=detail, delta_color="off", delta_arrow="off", border=True, height="stretch")

queue = st.segmented_control(
    "Show",
    [*_QUEUES, _PAST],
    default="all",
    required=True,
    key="queue",
    bind="query-params",
    label_visibility="collapsed",
)
if queue == _PAST:
    if past.is_empty():
        st.success("No call ran past a control, as far as is recorded.", icon=":material/check_circle:")
    else:
        tables.show(past, tables.FAILED_CALLS, key="past")
else:
    asked = pl.coalesce(pl.col("asked_at").dt.epoch("ns"), "first_ns")
    waited_ns = pl.when(_QUEUES["waiting"]).then((analysis.now_ns - asked).clip(0)).otherwise("wait_ns")
    rows = approvals.filter(_QUEUES[queue or "all"]).with_columns(
        so_far=waited_ns.map_elements(duration, return_dtype=pl.String)
    )
    if rows.is_empty():
        st.caption(f"None of the {count(approvals.height, 'request')} is {queue}.")
    else:
        listed, beside = st.columns([3, 2], gap="medium")
        with listed:
            row = chosen_row(
                rows,
                layouts.QUEUE,
                by="call_key",
                name="approval",
                version=f"{analysis.version} {chosen!r} {queue}",
                tallest=620,
            )
        of_run, of_call = data.Filter(run_id=row["run_id"]), pl.col("call_key") == row["call_key"]
        with beside:
            told = course(
                row,
                analysis.select("calls", of_run, only=of_call),
                analysis.select("decisions", of_run, only=of_call),
            )
            approval(row, told, analysis.now_ns)

if not approvals.is_empty():
    st.subheader("Reviewers", anchor=False)
    by = ["reviewer", "reviewer_identity", "decided_by"]
    tables.show(reviews(approvals.lazy().filter(~_QUEUES["waiting"]), by).collect(), layouts.REVIEWERS, key="reviewers")
    st.caption(
        "An override edits or refuses. Whoever approves almost everything, within seconds and many in an hour, may not "
        "look: odd counts the signals of that."
    )
    st.subheader("How long answers took", anchor=False)
    if approvals["wait_ns"].count():
        st.altair_chart(charts.waits(approvals))
    else:
        st.caption("No wait is told.")
st.caption("The same as a document: `aftertrace report approvals`")
