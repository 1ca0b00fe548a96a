"""Where a control failed, as a part of a report: what failed, how often, and the latest calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.controls import FAILURES
from aftertrace.analyzer.document import Block, Code, Line, Part, Table, moment
from aftertrace.analyzer.effects import SIGNALS
from aftertrace.analyzer.runs import SIGNALS as RUN_SIGNALS
from aftertrace.analyzer.visible import visible
from aftertrace.analyzer.words import name_of

LISTED: Final = 20
"""How many calls, effects and runs are listed one by one."""


def control_failures(calls: pl.DataFrame, effects: pl.DataFrame, runs: pl.DataFrame) -> Part | None:
    """The part of a report; None where no control failed.

    Args:
        calls: columns as in `schemas.CALLS`.
        effects: columns as in `schemas.EFFECTS`.
        runs: columns as in `schemas.RUNS`.
    """
    failed = [_failed(frame) for frame in (calls, effects, runs)]
    tables = (_meaning(*failed), _calls(failed[0]), _effects(failed[1]), _runs(failed[2]))
    blocks: tuple[Block, ...] = tuple(table for table in tables if table is not None)
    return Part("Where a control failed", blocks) if blocks else None


def failures(calls: pl.DataFrame, effects: pl.DataFrame, runs: pl.DataFrame) -> int:
    """How many calls, effects and runs there are of which a control failed."""
    return sum(_failed(frame).height for frame in (calls, effects, runs))


def _failed(frame: pl.DataFrame) -> pl.DataFrame:
    key = "call_key" if "call_key" in frame.columns else "run_id"
    return frame.filter(pl.col("signals").list.len() > 0).sort("first_ns", key, descending=[True, False])


def _meaning(*failed: pl.DataFrame) -> Table | None:
    named = pl.concat([frame.select("signals") for frame in failed]).explode("signals")
    counts = dict(named.group_by("signals").len().iter_rows())
    known = [each for each in (*FAILURES, *SIGNALS, *RUN_SIGNALS) if each.name in counts]
    rows = tuple(((Code(each.name),), f"{counts[each.name]:,}", each.brief) for each in known)
    return Table(("signal", "times:", "what it is"), rows) if rows else None


def _calls(failed: pl.DataFrame) -> Table | None:
    return _listed(
        failed,
        "calls",
        ("tool", "risk", "let through by", "permission mode", "agent", "arguments", "run"),
        lambda row: (
            name_of(row["tool_name"], "not told"),
            f"{row['risk']}{' (guess)' if row['risk_basis'] == 'guess' else ''}",
            row["allowed_by"] or "not stated",
            visible(row["permission_mode"] or "not told"),
            name_of(row["agent_name"] or row["service_name"], "not told"),
            visible(row["arguments"]),
            (Code(row["run_id"]),),
        ),
    )


def _effects(failed: pl.DataFrame) -> Table | None:
    return _listed(
        failed,
        "effects",
        ("effect", "tool", "run"),
        lambda row: (
            visible(" ".join(filter(None, (row["operation"], row["system"], row["object_type"], row["object_id"])))),
            name_of(row["tool_name"], "not told"),
            (Code(row["run_id"] or "none"),),
        ),
    )


def _runs(failed: pl.DataFrame) -> Table | None:
    return _listed(
        failed,
        "runs",
        ("agent", "run"),
        lambda row: (name_of(row["agent_name"] or row["service_name"], "not told"), (Code(row["run_id"]),)),
    )


def _listed(
    failed: pl.DataFrame, command: str, columns: tuple[str, ...], cells: Callable[[dict[str, Any]], tuple[Line, ...]]
) -> Table | None:
    """The latest of what failed, each with its time and signals before its own cells; None where nothing did."""
    if not failed.height:
        return None
    rows = tuple(
        (moment(row["first_ns"]), (Code(", ".join(row["signals"])),), *cells(row))
        for row in failed.head(LISTED).iter_rows(named=True)
    )
    left = failed.height - LISTED
    more: Line = (f"{left:,} more: ", Code(f"aftertrace {command} --format json")) if left > 0 else ""
    return Table(("when (UTC)", "signal", *columns), rows, more)
