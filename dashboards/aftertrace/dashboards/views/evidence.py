"""Evidence: how much of what is stored is signed, whether it holds, and what never came."""

from __future__ import annotations

import time

import streamlit as st

from aftertrace.analyzer.ledger import words
from aftertrace.analyzer.ledger.standing import ledger_standing
from aftertrace.dashboards import data, evidence_cards, filters, layouts, tables, verifying, zones
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.quantities import count

_EVERY_S = 2.0
_EVERY_WHILE_VERIFYING_S = 0.5

data.allow("evidence")
settings = data.settings()
last = verifying.of(str(settings.data))
filters.keep()


def begin() -> None:
    """Verify, with the key that was given."""
    data.allow("evidence")
    last.begin(settings.data, settings.anchor, st.session_state["key"] or "")


def stop() -> None:
    """End what goes on."""
    data.allow("evidence")
    last.stop()


# A part is drawn again, and a button is heard, without what stands above: each asks who looks.
@st.fragment(run_every=_EVERY_S)
def show_standing() -> None:
    """How the ledger stands now."""
    data.allow("evidence")
    now_ns = time.time_ns()
    try:
        evidence_cards.headlines(ledger_standing(settings.data, settings.anchor), last, now_ns)
    except data.AftertraceError as error:
        st.error("How the store stands cannot be read; verifying it says what is damaged.", icon=":material/error:")
        st.code(plain_lines(str(error)), language=None, wrap_lines=True)


@st.fragment(run_every=_EVERY_WHILE_VERIFYING_S if last.is_running else None)
def show_verification(*, was_running: bool) -> None:
    """How far it is, or what it found."""
    data.allow("evidence")
    if last.is_running and last.began_ns is not None:
        evidence_cards.going_on(last.progress, last.began_ns, time.time_ns())
        st.button("Stop", icon=":material/stop_circle:", on_click=stop)
        return
    if was_running:
        # What it found is drawn without looking again every half second.
        st.rerun()
    if last.report is not None:
        st.caption(
            f"Begun {zones.moment(last.began_ns)}, ended {zones.moment(last.ended_ns)}", help=zones.hint(last.ended_ns)
        )
        evidence_cards.verdicts(last.report)
    elif last.refusal is not None:
        st.warning("It could not be verified.", icon=":material/warning:")
        st.code(plain_lines(last.refusal), language=None, wrap_lines=True)
    else:
        st.caption(
            "Reads every row, file and request against the ledger that was signed, in a process of its own. Months of "
            "records take minutes; other pages go on meanwhile."
        )


def show_losses() -> None:
    """What never came."""
    st.subheader("What was lost on the way", anchor=False)
    try:
        losses = data.analysis().losses
    except data.AftertraceError as error:
        st.text(plain(f"It cannot be told: {error}", most=600))
        return
    if losses.is_empty():
        st.success("Nothing is known to be lost on the way.", icon=":material/check_circle:")
        return
    st.caption(f"{count(losses.height, 'row')}, by kind, source and day. The same at a terminal: `aftertrace losses`")
    tables.show(losses, layouts.LOSSES, key="losses", tallest=320)


def show_redacted() -> None:
    """What was replaced before anything was stored."""
    st.subheader("What was redacted", anchor=False)
    try:
        told = words.redacted(data.redacted())
    except data.AftertraceError as error:
        st.text(plain(f"It cannot be told: {error}", most=600))
        return
    st.text(plain(told[:1].upper() + told[1:]))
    st.caption("By rule, of the newest requests. The same at a terminal: `aftertrace status`")


def show_reads() -> None:
    """Who looked at what is stored."""
    st.subheader("Who read what", anchor=False)
    try:
        read = data.reads()
    except (data.AftertraceError, OSError) as error:
        st.text(plain(f"It cannot be told: {error}", most=600))
        return
    if read.is_empty():
        st.caption("No read is recorded. `reads.record` in aftertrace.toml says which are; packets always are.")
        return
    st.caption(f"{count(read.height, 'read')}, the latest first. The same at a terminal: `aftertrace reads`")
    tables.show(read, layouts.READS, key="reads", tallest=320)


show_standing()
verify, keep = st.columns([7, 5], gap="large")
with verify:
    st.subheader("Does it hold?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "Key that you kept",
            key="key",
            placeholder="as ledger/key had it; without it authenticity stays unknown",
            icon=":material/key:",
        )
        st.button("Verify now", icon=":material/verified:", type="primary", on_click=begin, disabled=last.is_running)
    show_verification(was_running=last.is_running)
    show_losses()
    show_redacted()
    show_reads()
with keep:
    try:
        evidence_cards.keeping(ledger_standing(settings.data, settings.anchor), str(settings.data))
    except data.AftertraceError as error:
        st.text(plain(f"What is signed cannot be read: {error}", most=600))
