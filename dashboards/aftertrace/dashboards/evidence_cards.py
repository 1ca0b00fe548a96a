"""Pieces of the page Evidence: how the ledger stands, a verification as it goes on, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from aftertrace.analyzer.documents.document import Block, Card, Cards, Code, Mark, Paragraph, Table, Tone
from aftertrace.analyzer.ledger import words
from aftertrace.analyzer.ledger.standing import LedgerStanding
from aftertrace.analyzer.ledger.verification import Progress, Report
from aftertrace.dashboards import drawings, zones
from aftertrace.dashboards.blocks import drawn
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, duration, size
from aftertrace.dashboards.verifying import Verification

_TONES: Final[Mapping[str, Tone]] = {"holds": "good", "partial": "medium", "broken": "critical", "unknown": "low"}
_SEVERITIES: Final[Mapping[str, Tone]] = {"error": "critical", "warning": "high", "info": "low"}


def headlines(now: LedgerStanding, last: Verification, now_ns: int) -> None:
    """How it stands, in a row of numbers."""
    behind = f"{count(now.unsealed, 'entry')} not signed yet"
    signed = "never" if now.signed_at_ns is None else duration(max(0, now_ns - now.signed_at_ns))
    signed_at = "run aftertrace seal" if now.signed_at_ns is None else zones.moment(now.signed_at_ns)
    aside = now.store.quarantined
    told = (
        ("Signed entries", f"{now.signed:,}", behind if now.unsealed else "all that there are", None),
        ("Since it was signed", signed, signed_at, zones.hint(now.signed_at_ns)),
        ("Kept elsewhere", *_kept(now)),
        ("Requests waiting", *_waiting(now.store.waiting), None),
        ("Put aside", f"{aside:,}", "findings; aftertrace fsck tells them" if aside else "nothing", None),
        ("Last verified", *_verified(last, now_ns), zones.hint(last.ended_ns)),
    )
    for column, (label, value, detail, hint) in zip(st.columns(6, gap="small"), told, strict=True):
        column.metric(
            label,
            value,
            delta=detail,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=hint,
        )


def _waiting(requests: int | None) -> tuple[str, str]:
    if requests is None:
        return "not told", "this account may not read the log"
    return f"{requests:,}", "in the log, not in the tables yet" if requests else "all in the tables"


def _kept(now: LedgerStanding) -> tuple[str, str, str | None]:
    if now.anchor is None:
        return "nowhere", "ledger.anchor is not set", None
    if not now.anchor.is_there:
        return "not there", "the folder of ledger.anchor", None
    if not now.anchor.kept:
        return "none yet", "in the folder of ledger.anchor", None
    at_ns = now.anchor.at_ns
    return f"{now.anchor.entries:,}", f"entries, {zones.moment(at_ns)}", zones.hint(at_ns)


def _verified(last: Verification, now_ns: int) -> tuple[str, str]:
    if last.is_running:
        return "now", "it goes on, below"
    if last.ended_ns is None:
        return "not yet", "since this dashboard began"
    ago = f"{duration(max(0, now_ns - last.ended_ns))} ago"
    if last.report is None:
        return "not done", ago
    verdicts = list(last.report.verdicts.values())
    if "broken" in verdicts:
        return "broken", ago
    return f"{verdicts.count('holds')} of {len(verdicts)} hold", ago


def going_on(progress: Progress, began_ns: int, now_ns: int) -> None:
    """How far a verification is."""
    so_long = duration(now_ns - began_ns)
    if not progress.total_bytes:
        st.progress(0.0, f"Reading the ledger, for {so_long}")
        return
    done = min(1.0, progress.done_bytes / progress.total_bytes)
    told = f"{size(progress.done_bytes)} of {size(progress.total_bytes)} of files read, in {so_long}"
    st.progress(done, told)


def verdicts(report: Report) -> None:
    """The three answers, and what speaks against them."""
    told = words.said(report)
    cards = tuple(
        Card(
            f"{question.capitalize()}: {words.ASKED[question].lower()}",
            (Mark(verdict, _TONES[verdict]),),
            (Paragraph(told[question]),),
            "good" if verdict == "holds" else "critical" if verdict == "broken" else "plain",
        )
        for question, verdict in report.verdicts.items()
    )
    blocks: list[Block] = [Cards(cards)]
    if not report.has_outside:
        blocks.append(Paragraph(words.NOTHING_OUTSIDE.capitalize() + "."))
    if report.findings:
        rows = tuple(
            ((Mark(found.severity, _SEVERITIES[found.severity]),), (Code(found.code),), found.where, found.message)
            for found in report.findings
        )
        blocks.append(Table(("", "finding", "where", "what was found, and what was expected"), rows))
    drawings.document(drawn(blocks), key="verdicts")


def keeping(now: LedgerStanding, data: str) -> None:
    """What to keep elsewhere, and what it is good for."""
    st.subheader("Keep elsewhere", anchor=False)
    if now.key is None or now.checkpoint is None:
        st.text("Nothing was signed yet. `aftertrace serve` signs by itself; `aftertrace seal` does it once.")
        return
    st.caption("The key, once: without it nobody can tell that this store's own key signed")
    st.code(plain(now.key.strip()), language=None, wrap_lines=True)
    st.caption("What is signed so far, from time to time: a store that was put back to before then is found")
    st.code("\n".join(plain(line) for line in now.checkpoint.rstrip("\n").split("\n")), language=None, wrap_lines=True)
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Key", now.key, file_name="ledger-key", mime="text/plain", icon=":material/key:", on_click="ignore"
        )
        st.download_button(
            "Checkpoint",
            now.checkpoint,
            file_name=f"checkpoint-{now.signed:020d}",
            mime="text/plain",
            icon=":material/download:",
            on_click="ignore",
        )
    st.caption("To verify where nobody trusts this page, on a copy of the data folder or here")
    st.code(
        f"aftertrace verify --data {plain(data)} --key ledger-key --checkpoint checkpoint-{now.signed:020d}",
        language=None,
        wrap_lines=True,
    )
