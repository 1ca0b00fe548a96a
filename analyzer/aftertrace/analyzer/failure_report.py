"""Where a control failed, as a part of a report: what failed, how often, and the latest calls, as Markdown."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.controls import FAILURES
from aftertrace.analyzer.markdown import moment, plain, table

LISTED: Final = 20
"""How many calls are listed one by one."""


def headline(calls: pl.DataFrame) -> str:
    """One line for the head of a report; empty where no control failed."""
    failed = calls.filter(pl.col("signals").list.len() > 0).height
    if not failed:
        return ""
    noun = "call" if failed == 1 else "calls"
    return f"**Control failures: {failed:,} {noun}** that a control should have held, and did not."


def control_failures(calls: pl.DataFrame) -> str:
    """The part of a report; empty where no control failed.

    Args:
        calls: columns as in `schemas.CALLS`.
    """
    failed = calls.filter(pl.col("signals").list.len() > 0).sort("first_ns", "call_key", descending=[True, False])
    if not failed.height:
        return ""
    counts = dict(failed.explode("signals").group_by("signals").len().iter_rows())
    meaning = table(
        "signal | calls: | what it is",
        [f"`{each.name}` | {counts[each.name]:,} | {each.brief}" for each in FAILURES if each.name in counts],
    )
    rows = [
        " | ".join(
            (
                moment(row["first_ns"]),
                ", ".join(f"`{name}`" for name in row["signals"]),
                plain(row["tool_name"]),
                plain(row["risk"]) + (" (guess)" if row["risk_basis"] == "guess" else ""),
                plain(row["allowed_by"] or "not stated"),
                plain(row["permission_mode"] or "not told"),
                plain(row["agent_name"] or row["service_name"]),
                plain(row["arguments"]),
                plain(row["run_id"]),
            )
        )
        for row in failed.head(LISTED).iter_rows(named=True)
    ]
    head = "when (UTC) | signal | tool | risk | let through by | permission mode | agent | arguments | run"
    more = f"\n\n{failed.height - LISTED:,} more: `aftertrace calls --format json`." if failed.height > LISTED else ""
    return f"## Where a control failed\n\n{meaning}\n\n{table(head, rows)}{more}"
