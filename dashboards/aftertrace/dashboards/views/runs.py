"""Runs: which ones, what each did step by step, and what it nearly did."""

from __future__ import annotations

import streamlit as st

from aftertrace.analyzer.records.version_words import PARTS
from aftertrace.dashboards import data, drawings, filters, fingerprints, questions, run_list, zones
from aftertrace.dashboards.addresses import run_query
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.marks import UNSTATED
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count

_NAME_CHARACTERS = 60

analysis = data.analysis()
wanted = filters.chosen()


def forget_change() -> None:
    """Narrow the list to no change any more."""
    st.query_params.pop(run_list.AFTER, None)


search, order, shape = st.columns([6, 2, 3], vertical_alignment="center", gap="small")
search.text_input(
    "Search",
    key="q",
    bind="query-params",
    placeholder="search arguments, results, inputs, reasons, receipts, ids",
    icon=":material/search:",
    label_visibility="collapsed",
    disabled=not data.person().may("contents"),
)
order.selectbox("Order", list(run_list.ORDERS), key="order", bind="query-params", label_visibility="collapsed")
shape.segmented_control(
    "Shown as",
    run_list.SHAPES,
    default="List",
    required=True,
    key="shape",
    bind="query-params",
    label_visibility="collapsed",
    width="stretch",
)
st.pills(
    "Saved views",
    list(run_list.VIEWS),
    key="saved",
    bind="query-params",
    label_visibility="collapsed",
    help="Runs that somebody looks for again and again",
)
kept = run_list.kept({**st.session_state.to_dict(), run_list.AFTER: st.query_params.get(run_list.AFTER)})
try:
    listed = questions.listed(analysis, kept, wanted)
except data.Invalid as error:
    st.warning("This cannot be looked for.", icon=":material/search_off:")
    st.code(plain(str(error)), language=None, wrap_lines=True)
    st.stop()

after = kept.get(run_list.AFTER)
change = None if after is None else questions.change(analysis, after)
if change is not None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        whose = plain(change["agent_name"] or UNSTATED.word, most=_NAME_CHARACTERS)
        beside = len(changed.change_ids) - 1 if (changed := run_list.moment(analysis, after)) is not None else 0
        more = f", and {count(beside, 'change')} at about the same run" if beside else ""
        st.text(
            f"After a change of {whose}: {PARTS[change['part']]}, {zones.moment(change['first_ns'])}{more}",
            width="content",
        )
        st.page_link(
            "views/changes.py", label="The change", icon=":material/difference:", query_params={"change": str(after)}
        )
        st.button("All runs", icon=":material/close:", type="tertiary", on_click=forget_change)

if not listed.run_ids:
    nothing_matches()
    st.stop()
told = [f"{number:,} {state}" for state, number in listed.states.items()]
told += [count(listed.sums["calls"], "call"), count(listed.sums["near_misses"], "near miss")]
view = run_list.VIEWS.get(kept.get("saved", ""))
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    st.subheader(count(len(listed.run_ids), "run"), anchor=False, width="content")
    st.caption(" · ".join(told) + (f" · in each of them {view.brief}" if view is not None else ""), width="content")

shown_as = st.session_state["shape"] or "List"
at_once = run_list.RUNS_AT_ONCE
pages = -(-len(listed.run_ids) // at_once)
begin = 0
ways = st.container()
if pages > 1:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        number = st.pagination(pages, key="page", bind="query-params")
        begin = (min(number, pages) - 1) * at_once
        end = min(begin + at_once, len(listed.run_ids))
        st.caption(f"{begin + 1:,} to {end:,} of {count(len(listed.run_ids), 'run')}")
run_ids = listed.run_ids[begin : begin + at_once]
rows, calls, failures = questions.of_runs(analysis, run_ids)
with ways:
    opened = drawings.runs(
        fingerprints.drawn(rows, calls, failures, listed.snippets, kept, are_large=shown_as == "Fingerprints"),
        key="runs",
    )
if opened is not None:
    st.switch_page("views/run.py", query_params=run_query(opened, kept))
