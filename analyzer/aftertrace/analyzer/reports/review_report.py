"""The approval report: what was asked, how it was answered and by whom, and what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.calls.reviews import SIGNALS, reviews
from aftertrace.analyzer.documents.document import (
    Block,
    Code,
    Document,
    Interval,
    Line,
    Paragraph,
    Part,
    Points,
    Strong,
    Table,
    moment,
)
from aftertrace.analyzer.documents.visible import visible
from aftertrace.analyzer.documents.words import name_of
from aftertrace.analyzer.reports.failure_report import control_failures, told_of

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.select import Filter

LISTED: Final = 20
"""How many odd approvals, and how many groups, the report lists one by one."""
_NOBODY: Final = "not named"
_DECISIONS: Final = (
    ("granted", "granted"),
    ("modified", "granted with an edit"),
    ("rejected", "rejected"),
    ("expired", "expired"),
    ("cancelled", "cancelled"),
    ("pending", "pending"),
)


def approvals(analysis: Analysis, filter: Filter | None = None) -> Document:  # noqa: A002  # the word users know
    """The approval report over what a filter lets through."""
    asked = analysis.select("approvals", filter)
    parts = (
        Part("", _headline(asked)),
        control_failures(told_of(analysis, filter)),
        _odd(asked),
        _grouped(asked, "reviewer", "By reviewer", _NOBODY),
        _grouped(asked, "decided_by", "By who decided", "not stated"),
        _grouped(asked, "agent_name", "By agent", _NOBODY),
        _grouped(asked, "tool_name", "By tool", _NOBODY),
        Part("How to read this", (Paragraph(_READING),)),
    )
    return Document(
        "Approvals", tuple(part for part in parts if part is not None), f"Made {moment(analysis.now_ns)} UTC."
    )


def _headline(asked: pl.DataFrame) -> tuple[Block, ...]:
    if not asked.height:
        return (Paragraph("Nobody was asked anything, as far as is recorded."),)
    total = reviews(asked.lazy(), []).collect().row(0, named=True)
    decisions = ", ".join(f"{total[column]:,} {word}" for column, word in _DECISIONS)
    half, most = _seconds(total["wait_p50_ns"]), _seconds(total["wait_p90_ns"])
    lines: tuple[Line, ...] = (
        f"Requests: {total['requests']:,} ({decisions}).",
        ("Approved: ", *_rate(total), f". Half of the known waits were at most {half}, nine in ten at most {most}."),
        (Strong(f"Signals that a review may not have been one: {total['signals']:,}."),),
    )
    return (Points(lines),)


def _odd(asked: pl.DataFrame) -> Part | None:
    odd = asked.filter(pl.col("signals").list.len() > 0).sort("first_ns", descending=True)
    if not odd.height:
        return None
    counts = odd.explode("signals").group_by("signals").len().sort("len", "signals", descending=[True, False])
    briefs = {signal.name: signal.brief for signal in SIGNALS}
    meaning = Table(
        ("signal", "approvals:", "what it is"),
        tuple(((Code(name),), f"{count:,}", briefs[name]) for name, count in counts.iter_rows()),
    )
    rows = tuple(
        (
            moment(row["first_ns"]),
            (Code(", ".join(row["signals"])),),
            name_of(row["tool_name"], "not told"),
            row["decision"],
            visible(row["reviewer"] or row["decided_by"] or _NOBODY),
            _seconds(row["wait_ns"]),
            visible(row["shown"] or row["arguments"]),
            (Code(row["run_id"]),),
        )
        for row in odd.head(LISTED).iter_rows(named=True)
    )
    left = odd.height - LISTED
    more: Line = (f"{left:,} more: ", Code("aftertrace approvals --format json")) if left > 0 else ""
    columns = ("asked (UTC)", "signal", "tool", "decision", "by", "wait:", "shown, or arguments", "run")
    return Part("What is odd", (meaning, Table(columns, rows, more)))


def _grouped(asked: pl.DataFrame, by: str, title: str, missing: str) -> Part | None:
    if not asked.height:
        return None
    found = reviews(asked.lazy(), [by]).collect()
    rows = tuple(
        (
            name_of(row[by], missing),
            f"{row['requests']:,}",
            f"{row['answers']:,}",
            _rate(row),
            _seconds(row["wait_p50_ns"]),
            _seconds(row["wait_p90_ns"]),
            f"{row['busiest_hour'] or 0:,}",
            f"{row['signals']:,}",
        )
        for row in found.head(LISTED).iter_rows(named=True)
    )
    columns = ("", "requests:", "answers:", "approved", "median wait:", "90 % within:", "busiest hour:", "signals:")
    left = found.height - LISTED
    return Part(title, (Table(columns, rows, f"{left:,} more." if left > 0 else ""),))


_READING: Final = (
    "The share approved is of the answers: granted, edited and rejected; the interval is Wilson's, at 95 %. The "
    "busiest hour counts requests within any sixty minutes. A wait is known where the sender states it, or both the "
    "question and the answer. A signal rests on what records state: where an emitter does not record the "
    "answer, none is raised."
)


def _rate(row: dict[str, Any]) -> tuple[Interval | str]:
    if row["approval_rate"] is None:
        return ("no answers",)
    return (Interval(row["approval_rate"], row["low"], row["high"]),)


def _seconds(length_ns: int | None) -> str:
    return "unknown" if length_ns is None else f"{length_ns / 1e9:,.1f} s"
