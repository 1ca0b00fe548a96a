"""The near-miss report: what nearly happened, as Markdown, readable by someone who has never seen the product.

Consequential near misses come first, rates carry their denominators and intervals, and each count says whether it is a
floor. Telemetry is hostile input: every value from it is escaped, so that it is never markup.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from aftertrace.analyzer.analysis import Analysis
from aftertrace.analyzer.document import moment
from aftertrace.analyzer.failure_report import control_failures, headline
from aftertrace.analyzer.markdown import plain
from aftertrace.analyzer.select import Filter

LISTED: Final = 20
"""How many near misses the report lists one by one."""

_BESIDE: Final = {
    "unresolved": "proposed, then nothing, in a run that ended",
    "pending": "still open, or waiting for an answer",
    "unknown_tool": "the tool does not exist",
    "invalid_arguments": "the arguments failed validation",
    "failed": "ran and returned an error",
}


def near_misses(analysis: Analysis, filter: Filter | None = None) -> str:  # noqa: A002  # the word users know
    """The near-miss report over what a filter lets through, as Markdown."""
    wanted = filter or Filter()
    calls = analysis.select("calls", wanted)
    effects = analysis.select("effects", wanted)
    runs = analysis.select("runs", wanted)
    missed = analysis.near_misses(wanted)
    total = analysis.rates([], wanted).row(0, named=True)
    parts = [
        "# Near misses",
        _period(calls, analysis.now_ns),
        _headline(total, missed, headline(calls, effects, runs)),
        control_failures(calls, effects, runs),
        _list(missed),
        _rates(analysis, wanted, "tool_name", "By tool"),
        _rates(analysis, wanted, "agent_name", "By agent"),
        _rates(analysis, wanted, "decided_by", "By who decided"),
        _beside(calls),
        _reading(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _period(calls: pl.DataFrame, now_ns: int) -> str:
    if not calls.height:
        return f"No calls are recorded. Made {moment(now_ns)}."
    first, last = calls["first_ns"].min(), calls["first_ns"].max()
    runs = calls["run_id"].n_unique()
    return (
        f"{calls.height:,} calls in {runs:,} runs, from {moment(_whole(first))} to {moment(_whole(last))}. "
        f"Made {moment(now_ns)}."
    )


def _headline(total: dict[str, Any], missed: pl.DataFrame, failures: str) -> str:
    if not total["calls"]:
        return ""
    floor = " at least (an emitter hides some refusals, so these counts are floors)" if total["floor"] else ""
    lines = [
        (
            f"**{total['consequential']:,} consequential near misses**{floor}: "
            "calls one control away from changing something."
        ),
        f"{total['near_misses']:,} near misses in {total['calls']:,} calls: {_share(total)}.",
    ]
    who = missed.group_by("decided_by").len().sort("len", "decided_by", descending=[True, False])
    if who.height:
        stopped = ", ".join(f"{plain(by or 'not stated')} {count:,}" for by, count in who.iter_rows())
        lines.append(f"What held: {stopped}.")
    return "\n".join(f"- {line}" for line in (*lines, failures) if line)


def _list(missed: pl.DataFrame) -> str:
    if not missed.height:
        return "No near misses."
    columns = ("when (UTC)", "tool", "risk", "outcome", "decided by", "basis", "agent", "arguments", "reason", "run")
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    rows = [
        "| "
        + " | ".join(
            (
                moment(row["first_ns"]),
                plain(row["tool_name"]),
                plain(row["risk"]) + (" (guess)" if row["risk_basis"] == "guess" else ""),
                plain(row["outcome"]),
                plain(row["decided_by"] or "not stated") + (f" ({plain(row['reviewer'])})" if row["reviewer"] else ""),
                plain(row["basis"]),
                plain(row["agent_name"] or row["service_name"]),
                plain(row["arguments"]),
                plain(row["reason"]),
                plain(row["run_id"]),
            )
        )
        + " |"
        for row in missed.head(LISTED).iter_rows(named=True)
    ]
    more = f"\n\n{missed.height - LISTED:,} more: `aftertrace near-misses`." if missed.height > LISTED else ""
    return "## What nearly happened\n\nConsequential ones first, then the latest.\n\n" + "\n".join([head, *rows]) + more


def _rates(analysis: Analysis, wanted: Filter, by: str, title: str) -> str:
    frame = analysis.rates([by], wanted)
    if not frame.height:
        return ""
    head = "| | calls | near misses | consequential | rate | 95 % interval | count is |\n|---|--:|--:|--:|--:|---|---|"
    rows = [
        f"| {plain(row[by] or 'not stated')} | {row['calls']:,} | {row['near_misses']:,} | {row['consequential']:,} "
        f"| {row['rate']:.1%} | {row['low']:.1%} to {row['high']:.1%} | {'a floor' if row['floor'] else 'complete'} |"
        for row in frame.head(LISTED).iter_rows(named=True)
    ]
    return f"## {title}\n\n" + "\n".join([head, *rows])


def _beside(calls: pl.DataFrame) -> str:
    counts = dict(calls.group_by("outcome").len().iter_rows())
    rows = [f"| {name} | {counts[name]:,} | {brief} |" for name, brief in _BESIDE.items() if counts.get(name)]
    if not rows:
        return ""
    return "## Beside them, and in no rate\n\n| outcome | calls | what it is |\n|---|--:|---|\n" + "\n".join(rows)


def _reading() -> str:
    return (
        "## How to read this\n\n"
        "A near miss is a call that was refused, edited, left to expire, cancelled by a person, or considered and "
        "dropped. "
        "It is consequential if its tool can do more than read. The rate is near misses per call whose outcome says "
        "something about a control; the interval is Wilson's, at 95 %. `explicit` means that a record says so, "
        "`inferred` that it follows from a text or from what is missing."
    )


def _share(row: dict[str, Any]) -> str:
    return f"{row['rate']:.1%} (95 % interval {row['low']:.1%} to {row['high']:.1%})"


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
