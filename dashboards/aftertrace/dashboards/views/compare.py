"""Compare: two runs side by side, or what is different about some calls or runs."""

from __future__ import annotations

from functools import partial

import polars as pl
import streamlit as st

from aftertrace.analyzer.populations.comparison import Choice
from aftertrace.analyzer.reading.select import either
from aftertrace.dashboards import (
    clauses,
    comparison_blocks,
    data,
    filters,
    population_cards,
    questions,
    tables,
    taking_effect,
)
from aftertrace.dashboards.cards import nothing_matches
from aftertrace.dashboards.layouts import TO_COMPARE
from aftertrace.dashboards.plain import plain, plain_lines

_RUNS, _POPULATIONS = "two runs", "populations"

data.allow("contents")
analysis = data.analysis()
chosen = filters.chosen()


def exchange() -> None:
    """A becomes B, and B becomes A."""
    st.session_state["a"], st.session_state["b"] = st.session_state["b"], st.session_state["a"]


def take() -> None:
    """The run that was chosen in the list becomes the one that is missing."""
    rows = st.session_state["to_compare"].selection.rows
    missing = next((side for side in ("a", "b") if not st.session_state[side]), None)
    if rows and missing is not None:
        taking_effect.note({}, {missing: listed["run_id"][rows[0]]})


def opened(text: str | None) -> tuple[data.Analysis, str] | None:
    """A run that was asked for, with as much as is read for it; says so where there is none."""
    if not text:
        return None
    try:
        return data.run(text)
    except data.Invalid as error:
        st.warning("There is no such run.", icon=":material/search_off:")
        st.code(plain(str(error)), language=None, wrap_lines=True)
        return None


def list_runs(sides: list[tuple[data.Analysis, str] | None]) -> pl.DataFrame:
    """Draw runs to choose the missing one from, those of the same agent where one is chosen; gives them."""
    other = sides[0] or sides[1]
    st.subheader(f"Which run is {'A' if sides[0] is None else 'B'}?", anchor=False)
    same = pl.lit(value=True)
    if other is None:
        told = "Choose one of the list, which the filters above narrow, or type an id."
    else:
        record = questions.record(*other)
        same = pl.col("run_id") != other[1]
        told = "Choose one of the list, or type an id."
        if chosen.agent is None and record.agent_name is not None:
            same &= pl.col("agent_name") == record.agent_name
            told = "Choose another of the same agent, or type an id; a filter above lists others."
    st.caption(f"{told} First comes where the two part, then what made them, then their calls step by step.")
    rows = tables.in_order(analysis.select("runs", chosen, only=same), TO_COMPARE)
    if rows.is_empty():
        nothing_matches()
    else:
        tables.show(rows, TO_COMPARE, key="to_compare", on_select=take, selection_mode="single-row")
    return rows


two = st.segmented_control(
    "Compare",
    [_RUNS, _POPULATIONS],
    default=_RUNS,
    required=True,
    key="two",
    bind="query-params",
    label_visibility="collapsed",
)
if two == _RUNS:
    first, swap, second = st.columns([8, 1, 8], gap="small", vertical_alignment="bottom")
    for column, side in ((first, "a"), (second, "b")):
        column.text_input(
            f"Run {side.upper()}",
            key=side,
            bind="query-params",
            placeholder="run id, trace id, or last",
            icon=":material/search:",
        )
    swap.button(
        "Swap",
        icon=":material/swap_horiz:",
        on_click=exchange,
        type="tertiary",
        help="Make A of B, and B of A",
        disabled=not (st.session_state["a"] or st.session_state["b"]),
    )
    sides = [opened(st.session_state[side]) for side in ("a", "b")]
    if sides[0] is not None and sides[1] is not None:
        comparison_blocks.draw(questions.run_comparison(sides[0], sides[1]))
    else:
        listed = list_runs(sides)
else:
    choices = clauses.choices(analysis)
    of, where, against, untold = st.columns([3, 7, 7, 3], gap="small", vertical_alignment="bottom")
    kind = of.segmented_control(
        "Of", ["calls", "runs"], default="calls", required=True, key="of", bind="query-params", width="stretch"
    )
    told = [
        column.multiselect(
            label,
            list(choices),
            key=key,
            format_func=clauses.shown,
            placeholder=placeholder,
            bind="query-params",
        )
        for column, label, key, placeholder in (
            (where, "What is different about those with", "where", "such as outcome=denied"),
            (against, "Held against those with", "against", "all others"),
        )
    ]
    count_untold = untold.toggle("Count untold", key="untold", bind="query-params", help="What is not told is a value")
    if not told[0]:
        clauses.suggestions(choices)
    else:
        pairs = [[choices[each] for each in side] for side in told]
        choice = Choice("runs" if kind == "runs" else "calls", either(pairs[0]), either(pairs[1]), chosen, count_untold)
        try:
            with st.spinner("Comparing …"):
                found = questions.comparison(analysis, choice)
        except data.Invalid as error:
            st.info("There is nothing to hold them against.", icon=":material/compare_arrows:")
            st.code(plain_lines(str(error)), language=None, wrap_lines=True)
        else:
            population_cards.differences(found, partial(questions.rows_behind, analysis, found))
