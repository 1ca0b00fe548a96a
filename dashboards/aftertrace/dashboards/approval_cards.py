"""Pieces of the page Approvals: one request in full, and its course from the proposal to the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.analyzer.calls.reviews import SIGNALS
from aftertrace.dashboards import tables
from aftertrace.dashboards.addresses import call_query
from aftertrace.dashboards.cards import badge, facts
from aftertrace.dashboards.layouts import COURSE
from aftertrace.dashboards.marks import DECISIONS, UNSTATED
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.quantities import count, duration

_MOST_CHARACTERS: Final = 20_000
_MOST_CHANGES: Final = 200
_NO_CHANGE: Final = "[]"
_SIDES: Final = (("before", "-"), ("after", "+"))


def approval(row: Mapping[str, Any], course_of_it: pl.DataFrame, now_ns: int) -> None:
    """One request to a person or program in full: exactly what was shown, and what came of it.

    Args:
        row: columns as in `schemas.APPROVALS`.
        course_of_it: what `course` made of it.
        now_ns: the time now.
    """
    is_pending = row["decision"] == "pending"
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(DECISIONS.get(row["decision"], UNSTATED))
            st.text(plain(f"{row['tool_name'] or UNSTATED.word} of {row['agent_name'] or UNSTATED.word}", most=120))
        for signal in SIGNALS:
            if signal.name in row["signals"]:
                st.warning(signal.brief.capitalize() + ".", icon=":material/warning:")
        by = " · ".join(filter(None, (row["decided_by"], row["reviewer"]))) or UNSTATED.word
        facts([("Decided by", by), ("Reviewer's identity", row["reviewer_identity"] or UNSTATED.word)])
        facts([("Wait", _wait(row, now_ns)), ("Answer reaches", row["grant_scope"] or UNSTATED.word)])
        if row["calls"] > 1:
            st.text(f"One request for {count(row['calls'], 'call')}.")
        if not course_of_it.is_empty():
            st.caption("Its course")
            tables.show(course_of_it, COURSE, key="course")
        if row["reason"]:
            st.caption("Reason given")
            st.code(_text(row["reason"]), language=None, wrap_lines=True)
        st.caption("Exactly what was shown")
        if row["shown"]:
            st.code(_text(row["shown"]), language=None, wrap_lines=True)
            if row["shown_digest"]:
                facts([("Digest of the whole text", row["shown_digest"])])
        else:
            st.text("The telemetry does not say what the reviewer saw.")
        if row["arguments"]:
            st.caption("Arguments as proposed")
            st.code(_text(row["arguments"]), language=None, wrap_lines=True)
        for title, column in (
            ("What the reviewer changed", "edits"),
            ("What ran otherwise than approved", "deviations"),
        ):
            if row[column] not in (None, _NO_CHANGE):
                st.caption(title)
                st.code("\n".join(changed(row[column])), language=None, wrap_lines=True)
        if row["edits"] and row["approved_arguments"]:
            st.caption("Arguments as approved")
            st.code(_text(row["approved_arguments"]), language=None, wrap_lines=True)
        if is_pending:
            st.caption("It is answered where it was asked; this page only reads.")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(
                "views/run.py", label="Open the run", icon=":material/arrow_forward:", query_params=call_query(row)
            )
            if row["reviewer"] is not None and st.session_state.get("reviewer") != row["reviewer"]:
                # The page is this one: a link to it would be drawn as the page that is open.
                st.button(
                    "All this reviewer answered",
                    icon=":material/how_to_reg:",
                    type="tertiary",
                    on_click=st.session_state.update,
                    args=({"reviewer": row["reviewer"], "queue": "all"},),
                )


def course(row: Mapping[str, Any], call: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """What became of a request, in order: proposed, asked, every decision on its call, begun, ended.

    Args:
        row: columns as in `schemas.APPROVALS`.
        call: its call, columns as in `schemas.CALLS`; empty where it is not known.
        decisions: decisions on its call, columns as in `schemas.DECISIONS`.

    Returns:
        `at`, `after_s` (seconds after the first of them) and `what`.
    """
    called = call.row(0, named=True) if call.height else None
    told: list[tuple[Any, str]] = [] if called is None else [(called["proposed_at"], "proposed")]
    told.append((row["asked_at"], "asked, shown the text below" if row["shown"] else "asked"))
    for each in decisions.iter_rows(named=True):
        by = " ".join(filter(None, (each["decided_by"], each["reviewer"])))
        told.append((each["decided_at"], f"{each['decision']}{' by ' + plain(by, most=80) if by else ''}"))
    if not any(word.startswith(row["decision"]) for _, word in told):
        told.append((row["decided_at"], row["decision"]))
    if called is not None:
        told.append((called["started_at"], "began to run"))
        told.append((called["ended_at"], f"over: {called['outcome'].replace('_', ' ')}"))
    rows = sorted(
        ((at, place, what) for place, (at, what) in enumerate(told) if at is not None), key=lambda each: each[:2]
    )
    return pl.DataFrame(
        [{"at": at, "after_s": (at - rows[0][0]).total_seconds(), "what": what} for at, _, what in rows],
        schema={"at": pl.Datetime("us", "UTC"), "after_s": pl.Float64, "what": pl.String},
    )


def changed(changes: str) -> list[str]:
    """A JSON list of changes (`analyzer.edits`) as lines of a diff: where, what went after -, what came after +."""
    lines = []
    found = json.loads(changes)
    for change in found[:_MOST_CHANGES]:
        lines.append(plain(f"@@ {change['path'] or 'all'}", most=_MOST_CHARACTERS))
        for side, sign in _SIDES:
            if side in change:
                told = json.dumps(change[side], ensure_ascii=False)
                lines.append(plain(f"{sign} {told}", most=_MOST_CHARACTERS))
    left = len(found) - _MOST_CHANGES
    return [*lines, f"@@ {left:,} more changes"] if left > 0 else lines


def _wait(row: Mapping[str, Any], now_ns: int) -> str:
    if row["decision"] != "pending":
        return duration(row["wait_ns"])
    asked = row["first_ns"] if row["asked_at"] is None else int(row["asked_at"].timestamp() * 10**9)
    return "not over" if asked is None else f"not over: {duration(max(0, now_ns - asked))} so far"


def _text(text: str) -> str:
    cut = len(text) - _MOST_CHARACTERS
    return plain_lines(text[:_MOST_CHARACTERS]) + (f" … (+{cut:,} characters)" if cut > 0 else "")
