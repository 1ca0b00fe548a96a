"""Where a control failed, as a part of a report: what failed, how often, and the latest calls, as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.controls import FAILURES
from aftertrace.analyzer.document import moment
from aftertrace.analyzer.effects import SIGNALS
from aftertrace.analyzer.markdown import plain, table
from aftertrace.analyzer.runs import SIGNALS as RUN_SIGNALS

LISTED: Final = 20
"""How many calls, and effects, are listed one by one."""


def headline(calls: pl.DataFrame, effects: pl.DataFrame, runs: pl.DataFrame) -> str:
    """One line for the head of a report; empty where no control failed."""
    failed = sum(_failed(frame).height for frame in (calls, effects, runs))
    if not failed:
        return ""
    return f"**Control failures: {failed:,}.** A control that should have held did not: see below."


def control_failures(calls: pl.DataFrame, effects: pl.DataFrame, runs: pl.DataFrame) -> str:
    """The part of a report; empty where no control failed.

    Args:
        calls: columns as in `schemas.CALLS`.
        effects: columns as in `schemas.EFFECTS`.
        runs: columns as in `schemas.RUNS`.
    """
    failed = [_failed(frame) for frame in (calls, effects, runs)]
    parts = [_meaning(*failed), _calls(failed[0]), _effects(failed[1]), _runs(failed[2])]
    return "\n\n".join(["## Where a control failed", *filter(None, parts)]) if any(parts) else ""


def _failed(frame: pl.DataFrame) -> pl.DataFrame:
    key = "call_key" if "call_key" in frame.columns else "run_id"
    return frame.filter(pl.col("signals").list.len() > 0).sort("first_ns", key, descending=[True, False])


def _meaning(*failed: pl.DataFrame) -> str:
    named = pl.concat([frame.select("signals") for frame in failed]).explode("signals")
    counts = dict(named.group_by("signals").len().iter_rows())
    known = [each for each in (*FAILURES, *SIGNALS, *RUN_SIGNALS) if each.name in counts]
    if not known:
        return ""
    return table(
        "signal | times: | what it is", [f"`{each.name}` | {counts[each.name]:,} | {each.brief}" for each in known]
    )


def _calls(failed: pl.DataFrame) -> str:
    head = "tool | risk | let through by | permission mode | agent | arguments | run"
    return _listed(
        failed,
        "calls",
        head,
        lambda row: (
            plain(row["tool_name"]),
            plain(row["risk"]) + (" (guess)" if row["risk_basis"] == "guess" else ""),
            plain(row["allowed_by"] or "not stated"),
            plain(row["permission_mode"] or "not told"),
            plain(row["agent_name"] or row["service_name"]),
            plain(row["arguments"]),
            plain(row["run_id"]),
        ),
    )


def _effects(failed: pl.DataFrame) -> str:
    return _listed(
        failed,
        "effects",
        "effect | tool | run",
        lambda row: (
            plain(" ".join(filter(None, (row["operation"], row["system"], row["object_type"], row["object_id"])))),
            plain(row["tool_name"] or "not told"),
            plain(row["run_id"]),
        ),
    )


def _runs(failed: pl.DataFrame) -> str:
    return _listed(
        failed,
        "runs",
        "agent | run",
        lambda row: (plain(row["agent_name"] or row["service_name"]), plain(row["run_id"])),
    )


def _listed(failed: pl.DataFrame, command: str, head: str, cells: Callable[[dict[str, Any]], tuple[str, ...]]) -> str:
    """The latest of what failed, each with its time and signals before its own cells; empty where nothing did."""
    if not failed.height:
        return ""
    rows = [
        " | ".join((moment(row["first_ns"]), ", ".join(f"`{name}`" for name in row["signals"]), *cells(row)))
        for row in failed.head(LISTED).iter_rows(named=True)
    ]
    return table(f"when (UTC) | signal | {head}", rows) + _more(failed, command)


def _more(failed: pl.DataFrame, command: str) -> str:
    more = failed.height - LISTED
    return f"\n\n{more:,} more: `aftertrace {command} --format json`." if more > 0 else ""
