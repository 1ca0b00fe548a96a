"""Where a call, its approval, its execution and its effect do not agree, with how sure that is and what shows it.

What one run shows of itself is a signal of its calls and effects, and is told here with its evidence. What several runs
show together is told here alone, such as two that wrote the same object, or a tool that gave no receipt where it gives
one every other time: it rests on all runs of the analysis, and more of it may come when more is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer import mismatches, races
from aftertrace.analyzer.schemas import DERIVED

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

SCHEMA: Final = DERIVED["effect_findings"].schema


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which they do not agree."""

    name: str
    is_failure: bool
    """Whether a control failed, by the list of control failures."""
    brief: str
    """What it means, for the docs and the pages."""


KINDS: Final = (
    Kind("ran_refused", True, "a call ran although it was refused, or its approval expired"),
    Kind("ran_after_denial", True, "a call ran after the same tool with the same arguments had been refused"),
    Kind("other_arguments", True, "a call ran with other arguments than those that were approved"),
    Kind("other_object", False, "a receipt names another object than its call asked for"),
    Kind("effect_missing", True, "a call says that it succeeded, and a record says that its effect was blocked"),
    Kind("receipt_missing", False, "a call ran without a receipt, and its tool gives one otherwise"),
    Kind("changed_by_reading", False, "a receipt tells of a change by a tool that is declared to read"),
    Kind("no_call", True, "something changed, and no call of the run is on record that did it"),
    Kind("applied_twice", True, "the same change was made more than once, by one run or by several"),
    Kind("raced", False, "two runs were under way at once and wrote the same object"),
)
"""How effects and calls may fail to agree."""


def effect_findings(
    effects: pl.DataFrame, calls: pl.DataFrame, runs: pl.DataFrame, approvals: pl.DataFrame
) -> pl.DataFrame:
    """One row per finding, columns as in `SCHEMA`, the latest first. All rows of the runs are given, of each table.

    Args:
        effects: columns as in `schemas.EFFECTS`.
        calls: columns as in `schemas.CALLS`.
        runs: columns as in `schemas.RUNS`.
        approvals: columns as in `schemas.APPROVALS`.
    """
    found = (
        mismatches.of_calls(calls, approvals),
        mismatches.after_denial(calls),
        mismatches.other_objects(effects, calls),
        mismatches.missing_receipts(effects, calls, runs),
        mismatches.changed_by_reading(effects, calls),
        mismatches.without_call(effects, runs),
        races.repeated(effects, calls, runs),
        races.raced(effects, runs),
    )
    failures = {kind.name: kind.is_failure for kind in KINDS}
    told = pl.concat([each.select(pl.col(name).cast(kind) for name, kind in races.FOUND.items()) for each in found])
    # What only several runs of the store show counts as a failure where it is more than possible.
    is_sure = pl.col("certainty") != "possible"
    return (
        told.with_columns(is_failure=pl.col("signal").replace_strict(failures, return_dtype=pl.Boolean) & is_sure)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("first_ns", "signal", "run_id", "call_key", descending=[True, False, False, False], nulls_last=True)
    )


def of_run(analysis: Analysis, run_id: str) -> pl.DataFrame:
    """What one run shows of itself, in the order in which it happened; the same however many others are stored."""
    mine = pl.col("run_id") == run_id
    calls, runs = analysis.calls, analysis.runs.filter(mine)
    conversations = calls.filter(mine).select("source", "conversation_id").drop_nulls().unique()
    beside = calls.filter(~mine).join(conversations, on=["source", "conversation_id"], how="semi")
    found = effect_findings(
        analysis.effects.filter(mine),
        pl.concat([calls.filter(mine), beside]),
        runs,
        analysis.approvals.filter(mine),
    )
    return found.filter(mine).reverse()
