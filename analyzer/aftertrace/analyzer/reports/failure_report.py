"""Where a control failed, as a part of a report: what failed, how often, and the latest calls; and what else effects
and calls do not agree on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.calls.controls import FAILURES
from aftertrace.analyzer.documents.document import Block, Code, Line, Part, Table, moment
from aftertrace.analyzer.documents.visible import visible
from aftertrace.analyzer.documents.words import name_of
from aftertrace.analyzer.effects.findings import KINDS, between
from aftertrace.analyzer.effects.table import SIGNALS
from aftertrace.analyzer.runs.table import SIGNALS as RUN_SIGNALS

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.select import Filter

LISTED: Final = 20
"""How many calls, effects and runs are listed one by one."""
ACROSS: Final = pl.col("is_failure") & (pl.col("other_runs").list.len() > 0)
"""Failures that only several runs show: no signal of one call, effect or run tells of them."""


OF_CALLS: Final = (
    "first_ns", "call_key", "run_id", "signals", "agent_name", "service_name", "tool_name", "outcome", "decided_by",
    "risk", "risk_basis", "allowed_by", "permission_mode", "arguments",
)  # fmt: skip
"""Columns of `calls` that are told of each that a control failed of."""
OF_EFFECTS: Final = (
    "first_ns", "call_key", "evidence", "run_id", "signals", "agent_name", "tool_name", "operation", "system",
    "object_type", "object_id",
)  # fmt: skip
"""Columns of `effects`, likewise."""
OF_RUNS: Final = (
    "first_ns", "run_id", "signals", "agent_name", "service_name", "state", "started_at", "calls", "near_misses",
    "prompt",
)  # fmt: skip
"""Columns of `runs`, likewise."""


@dataclass(frozen=True, slots=True)
class Told:
    """What tells of failures, all of one period and choice, the latest first."""

    calls: pl.DataFrame
    """Those with a signal: columns as in `OF_CALLS`."""
    effects: pl.DataFrame
    """Those with a signal: columns as in `OF_EFFECTS`."""
    runs: pl.DataFrame
    """Those with a signal: columns as in `OF_RUNS`."""
    findings: pl.DataFrame
    """Columns as in `schemas.EFFECT_FINDINGS`."""

    @property
    def signalled(self) -> tuple[pl.DataFrame, ...]:
        """Calls, effects and runs with a signal."""
        return self.calls, self.effects, self.runs

    @property
    def failures(self) -> int:
        """How many calls, effects and runs there are of which a control failed."""
        return sum(frame.height for frame in self.signalled) + self.findings.filter(ACROSS).height


def told_of(analysis: Analysis, filter: Filter | None) -> Told:  # noqa: A002  # the word users know
    """What tells of failures in what a filter lets through."""
    calls, effects, runs = analysis.collected(
        *(
            # An inventory changes which calls have some.
            analysis.scan(table, columns, filter).filter(pl.col("signals").list.len() > 0)
            for table, columns in (("calls", OF_CALLS), ("effects", OF_EFFECTS), ("runs", OF_RUNS))
        )
    )
    return Told(
        calls.sort("first_ns", "call_key", descending=[True, False]),
        effects.sort("first_ns", "call_key", "evidence", "object_id", descending=[True, False, False, False]),
        runs.sort("first_ns", "run_id", descending=[True, False]),
        analysis.select("effect_findings", filter),
    )


def by_run(analysis: Analysis, run_ids: Sequence[str]) -> dict[str, int]:
    """In how many calls, effects and runs a control failed, for each of some runs: `Told.failures`, run by run."""
    only = pl.col("run_id").is_in(list(run_ids))
    found = analysis.collected(
        *(
            analysis.scan(table, ("run_id", "signals"), only=only).filter(pl.col("signals").list.len() > 0)
            for table in ("calls", "effects", "runs")
        )
    )
    if analysis.of_all is not None:
        found.append(between(analysis.of_all, run_ids).filter(ACROSS))
    counted = pl.concat([frame.select("run_id") for frame in found]).group_by("run_id").len()
    return dict(counted.iter_rows())


def control_failures(told: Told) -> Part | None:
    """The part of a report; None where no control failed."""
    failed, across = told.signalled, told.findings.filter(ACROSS)
    tables = (
        _meaning([*failed, across.select(pl.concat_list("signal").alias("signals"))]),
        _calls(failed[0]),
        _effects(failed[1]),
        _runs(failed[2]),
        _found(across),
    )
    blocks: tuple[Block, ...] = tuple(table for table in tables if table is not None)
    return Part("Where a control failed", blocks) if blocks else None


def disagreements(told: Told) -> Part | None:
    """What effects and calls do not agree on without a control having failed, as far as is known; None: nothing."""
    table = _found(told.findings.filter(~pl.col("is_failure")))
    return Part("What effects and calls do not agree on", (table,)) if table is not None else None


def _meaning(failed: Sequence[pl.DataFrame]) -> Table | None:
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


def _found(findings: pl.DataFrame) -> Table | None:
    rows = tuple(
        (
            moment(row["first_ns"]),
            (Code(row["signal"]),),
            row["certainty"],
            visible(": ".join(filter(None, (_BRIEFS[row["signal"]], row["what"])))),
            visible(row["object"] or "not told"),
            name_of(row["tool_name"], "not told"),
            (Code(row["run_id"] or "none"),),
        )
        for row in findings.head(LISTED).iter_rows(named=True)
    )
    if not rows:
        return None
    left = findings.height - LISTED
    more: Line = (f"{left:,} more: ", Code("aftertrace effects --findings")) if left > 0 else ""
    return Table(("when (UTC)", "finding", "how sure", "what it is", "object", "tool", "run"), rows, more)


_BRIEFS: Final = {kind.name: kind.brief for kind in KINDS}


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
