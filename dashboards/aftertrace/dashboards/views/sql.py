"""Ask in SQL: one reading statement over the documented tables, its rows, and the same as files.

A statement in an address is shown and not run: whoever sent the link would decide what this machine computes. One that
was asked here before is asked anew where a reader goes back to it.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from aftertrace.analyzer.querying import bounded
from aftertrace.analyzer.querying.documented import documented
from aftertrace.dashboards import answers, data, filters, layouts, tables, zones
from aftertrace.dashboards.examples import EXAMPLES
from aftertrace.dashboards.plain import plain_lines
from aftertrace.dashboards.quantities import count

_ANSWER = "sql_answer"
_ASKED = "sql_asked"
_MOST_PARTS = 400

bounds = bounded.DEFAULT
filters.keep()


def ask() -> None:
    """Run what the box holds, anew: the store may have more by now."""
    st.session_state.setdefault(_ASKED, set()).add(st.session_state["sql"])
    st.session_state.pop(_ANSWER, None)


def begin_with(text: str) -> None:
    """Put an example into the box, and ask it."""
    st.session_state["sql"] = text
    ask()


asking, told = st.columns([7, 5], gap="large")
with asking:
    text = st.text_area(
        "One statement that reads",
        key="sql",
        bind="query-params",
        placeholder=EXAMPLES[0].text,
        height=150,
        on_change=ask,
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Ask", icon=":material/play_arrow:", type="primary", on_click=ask)
        gib = f"{bounds.memory_bytes / 2**30:.0f} GiB of memory"
        st.caption(
            f"At most {bounds.seconds:.0f} s, {gib} and {bounds.rows:,} rows. It reads the tables below, no files, and "
            "changes nothing."
        )
with told:
    st.caption("To begin with")
    for column, some in zip(st.columns(2, gap="small"), (EXAMPLES[::2], EXAMPLES[1::2]), strict=True):
        for example in some:
            column.button(example.words, key=example.words, on_click=begin_with, args=(example.text,), width="stretch")

if text and text.strip() and text not in st.session_state.get(_ASKED, ()):
    st.info("This statement was not asked yet: read it, then Ask.", icon=":material/play_arrow:")
elif text and text.strip():
    kept = st.session_state.get(_ANSWER)
    if kept is None or kept[0] != text:
        with st.spinner("Asking …"):
            try:
                kept = (text, data.answer(text), None)
            except data.AftertraceError as error:
                kept = (text, None, str(error))
        # Kept for the one who asked: the page is drawn again whenever the store has moved on.
        st.session_state[_ANSWER] = kept
    _, answer, refusal = kept
    if answer is None:
        st.warning("This cannot be answered.", icon=":material/warning:")
        st.code(plain_lines(refusal or ""), language=None, wrap_lines=True)
    else:
        rows = answer.rows
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.subheader(count(answer.height, "row"), anchor=False, width="content")
            st.caption(
                f"{count(rows.width, 'column')} · {answer.took_s:.1f} s · as of {zones.moment(answer.now_ns)}",
                width="content",
                help=zones.hint(answer.now_ns),
            )
            for name, mime, icon, write in (
                ("CSV", "text/csv", ":material/table_view:", answers.csv),
                ("Parquet", "application/vnd.apache.parquet", ":material/download:", answers.parquet),
            ):
                st.download_button(
                    name,
                    partial(write, rows),
                    file_name=f"answer.{name.lower()}",
                    mime=mime,
                    icon=icon,
                    on_click="ignore",
                    type="tertiary",
                )
        if rows.is_empty():
            st.info("No row answers to it.", icon=":material/search_off:")
        else:
            answers.show(rows)
        if answer.height > rows.height:
            st.caption(f"Files hold the first {rows.height:,} rows; a LIMIT or a condition narrows them.")
        if rows.height > tables.MOST_ROWS:
            st.caption(f"The table shows the first {tables.MOST_ROWS:,}.")

st.subheader("Tables", anchor=False)
of = {each.name: each for each in documented()}
name = st.segmented_control(
    "Table", list(of), default="calls", required=True, key="table", bind="query-params", label_visibility="collapsed"
)
table = of[name or "calls"]
st.caption(f"Each row: {table.brief}; {count(table.columns.height, 'column')}.")
tables.show(table.columns, layouts.COLUMNS, key=f"columns_{table.name}", tallest=420)
