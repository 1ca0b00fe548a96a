"""Now: what needs eyes, in order of need, and what to do next."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.analyzer.reports.failure_report import ACROSS
from aftertrace.analyzer.reports.next_steps import next_steps
from aftertrace.dashboards import (
    attention,
    cards,
    data,
    drawings,
    filters,
    layouts,
    questions,
    tables,
    trend_charts,
    zones,
)
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import DAY_NS, HOUR_NS, count, duration, interval, share, signed

_LATELY_NS = 7 * DAY_NS  # What counts as new where no time is chosen.
_MOST_ITEMS = 10
_MOST_STEPS = 5
_FAILURES = "control failures"

analysis = data.analysis()
chosen = filters.chosen()
figures = questions.figures(analysis, chosen)
now, before = figures.totals, figures.before
waiting = questions.selected(analysis, "approvals", chosen, "waiting", pl.col("decision") == "pending")
floor = "≥ " if now.floor else ""


def against(of: str, otherwise: str) -> str:
    """How a count stands to that of the period before; where there is none, something else."""
    return otherwise if before is None else f"{signed(getattr(now, of) - getattr(before, of))} since the period before"


longest = attention.longest_wait_ns(waiting, analysis.now_ns)
rate_of = f"of {count(now.calls, 'call')}" if before is None else f"· {figures.rate_changed}"
headlines = (
    (
        "Consequential near misses",
        f"{floor}{now.consequential:,}",
        against("consequential", f"of {count(now.near_misses, 'near miss')}"),
    ),
    ("Near-miss rate", share(now.rate.share), f"{interval(now.rate.low, now.rate.high)} {rate_of}"),
    ("Denied destructive calls", f"{floor}{attention.destructive(figures).height:,}", "risk class destructive"),
    (
        "Control failures",
        f"{now.failures:,}",
        against("failures", "that should have held" if now.failures else "none on record"),
    ),
    ("Approvals waiting", f"{waiting.height:,}", f"longest {duration(longest)}" if waiting.height else "nobody waits"),
    ("Runs", f"{now.runs:,}", against("runs", "with calls")),
)
for column, (label, value, detail) in zip(st.columns(6, gap="small"), headlines, strict=True):
    column.metric(label, value, delta=detail, delta_color="off", delta_arrow="off", border=True, height="stretch")

eyes, over_time = st.columns([7, 5], gap="medium")
with eyes:
    st.subheader("What needs eyes", anchor=False)
    listed = st.container(border=True, gap="xsmall")
    beneath = st.container()
with over_time:
    st.subheader("Near misses over time, by severity", anchor=False)
    drawn = st.empty()
    steps = next_steps(figures)
    if steps:
        st.subheader("What to do next", anchor=False)
        with st.container(border=True, gap="xsmall"):
            for nth, step in enumerate(steps[:_MOST_STEPS], start=1):
                cards.next_step(nth, step)

since_ns = chosen.since_ns if chosen.since_ns is not None else (analysis.now_ns - _LATELY_NS) // HOUR_NS * HOUR_NS
newcomers = questions.newcomers(analysis, since_ns, chosen)
changes = questions.changes(analysis, chosen)
# Where whoever looks was away for longer, nothing of that is left out.
visited_ns = drawings.last_visit_ns()
if visited_ns is not None and chosen.since_ns is None:
    lately = changes.filter(pl.col("first_ns") >= min(since_ns, visited_ns))
else:
    lately = changes.filter(pl.col("first_ns") >= since_ns)
off: pl.DataFrame | None = None
if data.settings().inventory is not None:
    agents = questions.checked(analysis, chosen).agents
    off = agents.filter((pl.col("broken") > 0) | (pl.col("state") == "silent"))
with drawn:
    if figures.trend["near_misses"].sum():
        st.altair_chart(trend_charts.by_severity(figures.near, figures.trend, changes, zones.chosen()))
    elif now.near_misses:
        st.caption("The logs that these were read from hold no times.")
    else:
        st.caption("No near miss is on record here.")
lost: pl.DataFrame | None = None
unread = None
try:
    lost = analysis.select("losses", chosen)
except data.AftertraceError as error:
    unread = str(error)

items = (
    *attention.failures(figures),
    *attention.near_misses(figures, "critical"),
    *attention.waiting(waiting, analysis.now_ns),
    *attention.near_misses(figures, "high"),
    *attention.denied(figures),
    *attention.newcomers(newcomers),
    *(() if off is None else attention.undeclared(off)),
    *attention.changes(lately, visited_ns),
    *(() if lost is None else attention.losses(lost)),
)
with listed:
    for item in items[:_MOST_ITEMS]:
        cards.attention(item)
    if not items:
        cards.calm(count(now.calls, "call"))
with beneath:
    if unread is not None:
        st.caption(f"What was lost cannot be told: {plain(unread, most=320)}")
    is_lossless = lost is not None and lost.is_empty()
    cards.ingest(questions.last_heard_ns(analysis), analysis.now_ns, is_lossless=is_lossless)

shows = {
    "near misses": figures.kinds.height,
    _FAILURES: now.failures,
    "approvals": waiting.height,
    "new agents": 0 if newcomers is None else newcomers.height,
    "inventory": 0 if off is None else off.height,
    "losses": 0 if lost is None else lost.height,
}
show = st.segmented_control(
    "Show",
    [name for name in shows if shows[name] or name in ("near misses", st.session_state.get("show"))],
    default="near misses",
    required=True,
    key="show",
    bind="query-params",
    label_visibility="collapsed",
)
if show == _FAILURES:
    calls, effects, runs = figures.told.signalled
    across = figures.told.findings.filter(ACROSS)
    for heading, rows, layout in (
        ("Calls that ran past a control", calls, tables.FAILED_CALLS),
        ("Effects that no call explains, or that were made twice", effects, layouts.EFFECTS),
        ("Runs that records contradict each other on", runs, tables.FAILED_RUNS),
        ("What only several runs show", across, tables.FINDINGS),
        (
            "Odd, and no failure as far as is known",
            figures.told.findings.filter(~pl.col("is_failure")),
            tables.FINDINGS,
        ),
    ):
        if not rows.is_empty():
            st.subheader(f"{heading}: {rows.height:,}", anchor=False)
            tables.show(rows, layout, key=f"failed_{heading[:5]}", tallest=340)
elif show == "approvals":
    asked = pl.coalesce(pl.col("asked_at").dt.epoch("ns"), "first_ns")
    tables.show(waiting.with_columns(so_far_ns=analysis.now_ns - asked), layouts.WAITING, key="waiting")
elif show == "new agents" and newcomers is not None:
    tables.show(newcomers, layouts.NEWCOMERS, key="newcomers")
elif show == "inventory" and off is not None:
    tables.show(off, tables.DECLARED, key="off_inventory")
    st.caption("What is off each of them: aftertrace inventory check")
elif show == "losses" and lost is not None:
    tables.show(lost, layouts.LOSSES, key="losses")
elif figures.kinds.is_empty():
    st.caption(f"No near miss is on record among {count(now.calls, 'call')}.")
else:
    tables.show(figures.kinds, layouts.kinds(is_compared=before is not None), key="kinds")
drawings.visit()
