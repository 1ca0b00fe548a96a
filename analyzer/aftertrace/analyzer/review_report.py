"""The approval report: what was asked, how it was answered and by whom, and what is odd about it, as Markdown."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from aftertrace.analyzer.analysis import Analysis
from aftertrace.analyzer.document import moment
from aftertrace.analyzer.failure_report import control_failures
from aftertrace.analyzer.markdown import plain, table
from aftertrace.analyzer.reviews import SIGNALS, reviews
from aftertrace.analyzer.select import Filter

LISTED: Final = 20
"""How many odd approvals, and how many groups, the report lists one by one."""
_NOBODY: Final = "not named"


def approvals(analysis: Analysis, filter: Filter | None = None) -> str:  # noqa: A002  # the word users know
    """The approval report over what a filter lets through, as Markdown."""
    asked = analysis.select("approvals", filter)
    parts = [
        "# Approvals",
        _headline(asked, analysis.now_ns),
        control_failures(*(analysis.select(table, filter) for table in ("calls", "effects", "runs"))),
        _odd(asked),
        _grouped(asked, "reviewer", "By reviewer", _NOBODY),
        _grouped(asked, "decided_by", "By who decided", "not stated"),
        _grouped(asked, "agent_name", "By agent", _NOBODY),
        _grouped(asked, "tool_name", "By tool", _NOBODY),
        _reading(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(asked: pl.DataFrame, now_ns: int) -> str:
    if not asked.height:
        return f"Nobody was asked anything, as far as is recorded. Made {moment(now_ns)}."
    total = reviews(asked.lazy(), []).collect().row(0, named=True)
    decisions = ", ".join(
        f"{total[column]:,} {word}"
        for column, word in (
            ("granted", "granted"),
            ("modified", "granted with an edit"),
            ("rejected", "rejected"),
            ("expired", "expired"),
            ("cancelled", "cancelled"),
            ("pending", "pending"),
        )
    )
    half, most = _seconds(total["wait_p50_ns"]), _seconds(total["wait_p90_ns"])
    lines = [
        f"Requests: {total['requests']:,} ({decisions}).",
        f"Approved: {_rate(total)}. Half of the known waits were at most {half}, nine in ten at most {most}.",
        f"**Signals that a review may not have been one: {total['signals']:,}.**",
    ]
    return f"Made {moment(now_ns)}.\n\n" + "\n".join(f"- {line}" for line in lines)


def _odd(asked: pl.DataFrame) -> str:
    odd = asked.filter(pl.col("signals").list.len() > 0).sort("first_ns", descending=True)
    if not odd.height:
        return ""
    counts = odd.explode("signals").group_by("signals").len().sort("len", "signals", descending=[True, False])
    briefs = {signal.name: signal.brief for signal in SIGNALS}
    meaning = table(
        "signal | approvals: | what it is",
        [f"`{name}` | {count:,} | {briefs[name]}" for name, count in counts.iter_rows()],
    )
    rows = [
        " | ".join(
            (
                moment(row["first_ns"]),
                ", ".join(f"`{name}`" for name in row["signals"]),
                plain(row["tool_name"]),
                plain(row["decision"]),
                plain(row["reviewer"] or row["decided_by"] or _NOBODY),
                _seconds(row["wait_ns"]),
                plain(row["shown"] or row["arguments"]),
                plain(row["run_id"]),
            )
        )
        for row in odd.head(LISTED).iter_rows(named=True)
    ]
    listed = table("asked (UTC) | signal | tool | decision | by | wait: | shown, or arguments | run", rows)
    more = f"\n\n{odd.height - LISTED:,} more: `aftertrace approvals --format json`." if odd.height > LISTED else ""
    return f"## What is odd\n\n{meaning}\n\n{listed}{more}"


def _grouped(asked: pl.DataFrame, by: str, title: str, missing: str) -> str:
    if not asked.height:
        return ""
    found = reviews(asked.lazy(), [by]).collect()
    rows = [
        f"{plain(row[by] or missing)} | {row['requests']:,} | {row['answers']:,} | {_rate(row)} "
        f"| {_seconds(row['wait_p50_ns'])} | {_seconds(row['wait_p90_ns'])} | {row['busiest_hour'] or 0:,} "
        f"| {row['signals']:,}"
        for row in found.head(LISTED).iter_rows(named=True)
    ]
    more = f"\n\n{found.height - LISTED:,} more." if found.height > LISTED else ""
    head = " | requests: | answers: | approved: | median wait: | 90 % within: | busiest hour: | signals:"
    return f"## {title}\n\n{table(head, rows)}{more}"


def _reading() -> str:
    return (
        "## How to read this\n\n"
        "The share approved is of the answers: granted, edited and rejected; the interval is Wilson's, at 95 %. The "
        "busiest hour counts requests within any sixty minutes. A wait is known where the sender states it, or both "
        "the question and the answer. A signal rests on what records "
        "state: where an emitter does not record the answer, none is raised."
    )


def _rate(row: dict[str, Any]) -> str:
    if row["approval_rate"] is None:
        return "no answers"
    return f"{row['approval_rate']:.1%} ({row['low']:.1%} to {row['high']:.1%})"


def _seconds(length_ns: int | None) -> str:
    return "unknown" if length_ns is None else f"{length_ns / 1e9:,.1f} s"
