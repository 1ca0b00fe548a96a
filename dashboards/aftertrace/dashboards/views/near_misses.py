"""Near misses: what nearly happened, how often that is, what is different about it, and the control it asks for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import polars as pl
import streamlit as st

from aftertrace.analyzer.documents.severity import RISKS
from aftertrace.analyzer.populations.comparison import Choice
from aftertrace.analyzer.reports.near_miss_figures import KIND
from aftertrace.dashboards import (
    charts,
    data,
    filters,
    layouts,
    near_miss_cards,
    population_cards,
    populations,
    questions,
    tables,
    taking_effect,
    trend_charts,
    zones,
)
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.choosing import chosen_row
from aftertrace.dashboards.marks import SEVERITIES
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.quantities import count, interval, share

_GROUPS = {"tool": "tool_name", "agent": "agent_name", "model": "model", "decider": "decided_by", "risk": "risk"}
_BESIDE = ("unresolved", "unknown_tool", "invalid_arguments", "failed")
_VIEWS = ("kinds", "one by one", "autonomy", "targets", "what is different")
_OF_FIGURES = _VIEWS[:3]  # Those that need no contents.
_TALLEST = 560

analysis = data.analysis()
chosen = filters.chosen()
figures = questions.figures(analysis, chosen)
overall = figures.totals
beside = " · ".join(f"{figures.beside.get(name, 0):,} {name.replace('_', ' ')}" for name in _BESIDE)

st.subheader(f"{count(overall.near_misses, 'near miss')}, {overall.consequential:,} consequential", anchor=False)
floor = "; a floor, see below" if overall.floor else ""
st.caption(
    f"{share(overall.rate.share)} of {count(overall.calls, 'call')} (95 % Wilson interval "
    f"{interval(overall.rate.low, overall.rate.high)}{floor}). Beside them, never in the rate: {beside}."
)


def show_floors() -> None:
    """Why counts may be too low."""
    if figures.floors:
        with st.expander(f"What may be missing: {count(len(figures.floors), 'reason')}", icon=":material/help:"):
            for each in figures.floors:
                st.text(plain(f"{each.quantity} {each.brief}.", most=600))


if not overall.calls:
    nothing_matches()
    st.stop()
if figures.near.is_empty():
    st.success(f"No near miss is on record among {count(overall.calls, 'call')}.", icon=":material/check_circle:")
    show_floors()
    st.stop()


def keep_time() -> None:
    """What is chosen on the chart becomes the population that is looked at."""
    picked = st.session_state["over_time"].selection.get("time", {}).get("middle")
    if picked:
        taking_effect.note(
            {"between": populations.written(picked)}, {"view": "what is different", "population": populations.TIME}
        )
    else:
        taking_effect.note({"between": None})


over_time, by_group = st.columns([7, 5], gap="medium")
with over_time:
    with st.container(horizontal=True, vertical_alignment="center", height=40, border=False):
        st.subheader("Near misses per call over time", anchor=False)
    changes = questions.changes(analysis, chosen)
    if figures.trend["calls"].sum():
        st.altair_chart(
            trend_charts.rate(figures.trend, changes, zones.chosen(), height=270),
            key="over_time",
            on_select=keep_time,
            selection_mode="time",
        )
        st.caption(
            "▼ what agents are made of was changed. Whiskers are 95 % Wilson intervals. Drag over a "
            "time to see what is different about it."
        )
    else:
        st.caption("The logs that these were read from hold no times.")
with by_group:
    with st.container(horizontal=True, vertical_alignment="center", height=40, border=False):
        st.subheader("Rate by", anchor=False, width="content")
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
    rates = questions.rates(analysis, column, chosen).filter(pl.col("calls") > 0)
    st.altair_chart(charts.rates(rates, column, most=8))

with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    view = st.segmented_control(
        "Show",
        _VIEWS if data.person().may("contents") else _OF_FIGURES,
        default="kinds",
        required=True,
        key="view",
        bind="query-params",
        label_visibility="collapsed",
    )
    severities: list[str] = []
    risks: list[str] = []
    # What they narrow is listed in these two views alone.
    if view in _VIEWS[:2]:
        severities = st.pills(
            "Severity",
            [mark.word for mark in reversed(SEVERITIES)],
            selection_mode="multi",
            key="severity",
            bind="query-params",
            label_visibility="collapsed",
        )
        risks = st.pills(
            "Risk",
            [name for name in RISKS if name in figures.near["risk"]],
            selection_mode="multi",
            key="risk",
            bind="query-params",
            label_visibility="collapsed",
        )

levels = [place for place, mark in enumerate(SEVERITIES) if mark.word in severities]
wanted = pl.lit(value=True)
if severities:
    wanted &= pl.col("severity").is_in(levels)
if risks:
    wanted &= pl.col("risk").is_in(risks)
near = figures.near.filter(wanted)
# Near misses of one kind may differ in what is chosen here, and a kind is told by its worst.
kinds = figures.kinds.join(near.select(KIND), on=KIND, how="semi", nulls_equal=True, maintain_order="left")
version = f"{analysis.version} {chosen!r} {severities} {risks}"

if near.is_empty():
    st.info("No near miss is of this severity and risk.", icon=":material/filter_alt_off:")
elif view == "kinds":
    listed, detail = st.columns([3, 2], gap="medium")
    with listed:
        kind = chosen_row(
            layouts.with_kind_id(kinds),
            layouts.kinds(is_compared=figures.before is not None, leads_to_runs=False),
            by="kind_id",
            name="kind",
            version=version,
            tallest=_TALLEST,
        )
    of_kind = near.filter(*(pl.col(name).eq_missing(pl.lit(kind[name])) for name in KIND))
    with detail:
        more = (
            f"{count(of_kind.height, 'near miss')} of this kind in {count(of_kind['run_id'].n_unique(), 'run')}; "
            "this is the worst."
        )
        near_miss_cards.near_miss(analysis, of_kind.row(0, named=True), more)
elif view == "one by one":
    listed, detail = st.columns([3, 2], gap="medium")
    with listed:
        row = chosen_row(near, layouts.RANKED, by="call_key", name="call", version=version, tallest=_TALLEST)
    with detail:
        near_miss_cards.near_miss(analysis, row)
elif view == "targets":
    if figures.targets.is_empty():
        st.caption("No target of a consequential near miss is known.")
    else:
        st.caption(
            "Values in the arguments of consequential near misses, those of the most different requests first. Ran "
            "counts calls of the same tool with the same value that went through."
        )
        tables.show(figures.targets, layouts.TARGETS, key="targets")
elif view == "autonomy":
    if figures.autonomy.is_empty():
        st.caption("Nobody was asked anything, as far as is recorded.")
    else:
        st.caption(
            "Of what somebody was asked about and answered. More is earned where even the lower end of the share "
            "approved as proposed is 90 %; less is due where at least 10 % were edited or refused, by the lower end."
        )
        tables.show(figures.autonomy, layouts.AUTONOMY, key="autonomy")
else:
    outcomes = figures.near["outcome"].unique(maintain_order=True).to_list()
    found = populations.of(
        outcomes, layouts.with_kind_id(figures.kinds), st.query_params.get("kind"), st.query_params.get("between")
    )
    population = st.segmented_control(
        "What is different about calls that are",
        list(found),
        default=populations.ANY,
        required=True,
        key="population",
        bind="query-params",
    )
    chosen_calls = found[population or populations.ANY]
    choice = Choice(of="calls", chosen=chosen_calls, within=replace(chosen, outcome=None))
    try:
        with st.spinner("Comparing …"):
            compared = questions.comparison(analysis, choice)
            population_cards.differences(compared, partial(questions.rows_behind, analysis, compared))
    except data.Invalid as error:
        st.info("There is nothing to hold them against.", icon=":material/compare_arrows:")
        st.code(plain_lines(str(error)), language=None, wrap_lines=True)

show_floors()
st.caption(
    "Severity is what the tool can do times how close the call came. The same as a document: "
    "`aftertrace report near-misses`"
)
