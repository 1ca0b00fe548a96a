"""Pieces of the page Near misses: one in full, and the control that it asks for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.analyzer.documents.severity import HOLDINGS
from aftertrace.analyzer.drafting.trial import KINDS_OF_HITS
from aftertrace.analyzer.drafting.widths import Tried, described
from aftertrace.analyzer.expectations.rule_texts import written
from aftertrace.dashboards import data, questions, tables
from aftertrace.dashboards.addresses import call_query
from aftertrace.dashboards.cards import badge, facts
from aftertrace.dashboards.data import Analysis, Invalid
from aftertrace.dashboards.layouts import WIDTHS
from aftertrace.dashboards.marks import SEVERITIES, UNSTATED
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.quantities import count, duration, instant

_HELD: Final = {each.name: each.brief for each in HOLDINGS}
_MOST_CHARACTERS: Final = 4000


def near_miss(analysis: Analysis, row: Mapping[str, Any], more: str | None = None) -> None:
    """A near miss in full, and the ways on from it.

    Args:
        analysis: of the store.
        row: columns as in `Figures.near`.
        more: what else is known of its kind, in words of ours.
    """
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(SEVERITIES[row["severity"]])
            st.text(plain(f"{row['tool_name'] or UNSTATED.word} of {row['agent_name'] or UNSTATED.word}", most=120))
        st.caption(f"Held by {row['held_by']}: {_HELD[row['held_by']]}.")
        if more is not None:
            st.caption(more)
        became = f"{row['outcome'].replace('_', ' ')} by {row['decided_by'] or 'somebody not told'}"
        guessed = ", guessed" if row["risk_basis"] == "guess" else ""
        facts(
            [
                ("What became of it", became if row["basis"] == "explicit" else f"{became}, inferred"),
                ("Risk of the tool", f"{row['risk']}{guessed}"),
            ]
        )
        facts([("When", instant(row["first_ns"])), ("Reviewer", row["reviewer"] or UNSTATED.word)])
        if row["wait_ns"] is not None:
            facts([("Wait for the decision", duration(row["wait_ns"]))])
        if not data.person().may("contents"):
            return
        if row["reason"]:
            st.caption("Reason given")
            st.code(_text(row["reason"]), language=None, wrap_lines=True)
        st.caption("Arguments as proposed")
        st.code(_text(row["arguments"]) if row["arguments"] else UNSTATED.word, language=None, wrap_lines=True)
        if row["outcome"] == "modified" and row["executed_arguments"]:
            st.caption("Arguments it ran with")
            st.code(_text(row["executed_arguments"]), language=None, wrap_lines=True)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if row["tool_name"] is not None and st.button("Draft a control", icon=":material/gavel:"):
                control(analysis, row["call_key"])
            st.page_link(
                "views/run.py",
                label="Open the run",
                icon=":material/arrow_forward:",
                query_params=call_query(row),
            )


@st.dialog("Draft a control", width="large", icon=":material/gavel:")
def control(analysis: Analysis, call_key: str) -> None:
    """The rule that would have caught a call, what it would have hit over history, and how to keep it."""
    try:
        with st.spinner("Trying it over history …"):
            tried = questions.draft(analysis, call_key)
    except Invalid as error:
        st.warning("No rule can be drafted from it.", icon=":material/warning:")
        st.code(plain_lines(str(error)), language=None, wrap_lines=True)
        return
    st.text(plain(f"{tried.drafted.why}.".capitalize(), most=400))
    st.caption("The rule, for the file of `aftertrace check`")
    st.code(plain_lines(written(tried.drafted.rule)).rstrip(), language=None, wrap_lines=True)
    _history(tried)
    call = tried.drafted.call or {}
    st.caption("To write it to a folder, with the telemetry that shows it as its test data")
    st.code(f"aftertrace control from {typed(_name(analysis, call))} --to control", language=None, wrap_lines=True)
    st.page_link(
        "views/run.py",
        label="Open the run it is from",
        icon=":material/arrow_forward:",
        query_params={"run": str(call.get("run_id", "last"))},
    )


def typed(text: str) -> str:
    r"""A text as one word of a command line, whatever characters it has: ``'a b'``, ``$'a\x1fb'`` (bash, zsh)."""
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    escaped = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in "\\'" else f"\\x{byte:02x}"
        for byte in text.encode(errors="surrogatepass")
    )
    return f"$'{escaped}'"


def _name(analysis: Analysis, call: Mapping[str, Any]) -> str:
    """What names a call at a terminal: its sender's id where no other call has it, else its key in the store."""
    told = call["tool_call_id"]
    if told and not told.startswith("-") and analysis.calls.filter(pl.col("tool_call_id") == told).height == 1:
        return str(told)
    return str(call["call_key"])


def _history(tried: Tried) -> None:
    chosen = tried.chosen
    st.caption(f"Over history it is about {count(chosen.about, 'call')} that ran, and hits {chosen.count():,} of them.")
    for kind, brief in KINDS_OF_HITS.items():
        if chosen.count(kind):
            st.text(f"{chosen.count(kind):,}: {brief}")
    if len(tried.widths) > 1:
        st.caption("How wide: the same rule with other arguments; the one above is marked")
        rows = [
            {
                "chosen": "the one above" if width is chosen else None,
                "width": ", ".join(map(described, width.rule.arguments)) or "any arguments",
                "about": width.about,
                **{kind: width.count(kind) for kind in KINDS_OF_HITS},
            }
            for width in tried.widths
        ]
        tables.show(pl.DataFrame(rows, schema=_WIDTHS), WIDTHS, key="widths")


_WIDTHS: Final = {
    "chosen": pl.String,
    "width": pl.String,
    "about": pl.Int64,
    **dict.fromkeys(KINDS_OF_HITS, pl.Int64),
}


def _text(text: str) -> str:
    cut = len(text) - _MOST_CHARACTERS
    return plain_lines(text[:_MOST_CHARACTERS]) + (f" … (+{cut:,} characters)" if cut > 0 else "")
