"""Changes: what was changed in agents, when, and what moved after it."""

from __future__ import annotations

import polars as pl
import streamlit as st

from aftertrace.dashboards import data, filters, layouts, questions, run_list, tables, zones
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.change_cards import change, measures
from aftertrace.dashboards.choosing import chosen_row
from aftertrace.dashboards.quantities import count
from aftertrace.dashboards.version_charts import versions

_ALL, _MOVED = "all", "something moved after it"

data.allow("contents")
analysis = data.analysis()
chosen = filters.chosen()
changes = questions.changes(analysis, chosen)
configurations = questions.selected(analysis, "configurations", chosen)
looks = analysis.change_measures
tested = looks["q"].count()
moved = changes.filter(pl.col("moved").list.len() > 0)

st.subheader(f"{count(changes.height, 'change')}, {moved.height:,} after which something moved", anchor=False)
st.caption(
    f"{count(configurations.height, 'configuration')} of agents. "
    + (
        f"What moved: with 95 % intervals; q is corrected for all {count(tested, 'look')} at what moved in this store."
        if tested
        else "Nothing could be tested: that takes five runs that tell it on both sides of a change."
    )
)
if configurations.is_empty():
    nothing_matches()
    st.stop()

if changes.is_empty():
    st.success("Nothing is known to have been changed in these agents.", icon=":material/check_circle:")
else:
    which = st.segmented_control(
        "Show",
        [_ALL, _MOVED],
        default=_ALL,
        required=True,
        key="which",
        bind="query-params",
        label_visibility="collapsed",
        disabled=moved.is_empty(),
    )
    if which == _MOVED and not moved.is_empty():
        changes = moved
    listed, detail = st.columns([3, 2], gap="medium")
    with listed:
        row = chosen_row(
            changes,
            layouts.CHANGES,
            by="change_id",
            name="change",
            version=f"{analysis.version} {chosen!r} {which}",
            tallest=560,
        )
    sides = analysis.configurations.filter(
        pl.col("configuration_id").is_in([row["configuration_before"], row["configuration_after"]])
    )
    with detail:
        templates = dict(sides.select("configuration_id", "template").iter_rows())
        change(row, templates, run_list.moment(analysis, row["change_id"]))
    after = looks.filter(pl.col("change_id") == row["change_id"])
    st.subheader("What moved after it", anchor=False)
    if (after["verdict"] == "not_told").all():
        st.caption("Nothing can be held against it: that takes runs that tell a measure on both sides of the change.")
    else:
        tables.show(measures(after), layouts.MEASURES, key="measures")

st.subheader("Configurations over time", anchor=False)
if configurations["first_ns"].count():
    st.altair_chart(versions(configurations, zones.chosen()))
with st.expander(f"All {count(configurations.height, 'configuration')}", icon=":material/list:"):
    tables.show(configurations, layouts.CONFIGURATIONS, key="configurations")
st.caption("The same at a terminal: `aftertrace changes`")
