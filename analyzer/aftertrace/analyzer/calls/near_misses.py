"""Near misses, and how often they happen.

A near miss is a call that was one control away from happening. Counts come with their denominators: the calls whose
outcome says something about a control. Pending and unresolved calls, tools that do not exist and arguments that failed
validation stand beside them and never in a rate.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.schemas.derived import RATES_SCHEMA

COUNTED: Final = ("executed", "failed", "denied", "modified", "expired", "cancelled", "rejected_by_model")
"""Outcomes that count in a rate's denominator."""

HIDING: Final = ("dialect", "trace_id", "proposed_at", "content_left_out")
"""Columns of `calls` by which `hides_refusals` tells."""

OF_RATES: Final = ("outcome", "near_miss", "consequential", *HIDING)
"""Columns of `calls` that rates are made of, beside those that they are told by."""

Z_95: Final = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def near_misses(calls: pl.LazyFrame) -> pl.LazyFrame:
    """The near misses among `calls`: consequential ones first, then the latest."""
    return calls.filter(pl.col("near_miss")).sort(
        pl.col("consequential"),
        pl.col("first_ns"),
        "run_id",
        "ordinal",
        descending=[True, True, False, False],
        nulls_last=True,
    )


def rates(calls: pl.LazyFrame, by: list[str], floor: pl.Expr | None = None) -> pl.LazyFrame:
    """Near misses per call for each value of the columns `by`, with a 95 % Wilson interval.

    An empty `by` gives one row. `floor` is true where a group holds calls from where some refusals or edits are not
    told, so that the true number can only be higher (`hides_refusals`), or calls for which the expression of that name
    is true.
    """
    counted = calls.filter(pl.col("outcome").is_in(COUNTED))
    measures = [
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("near_miss").sum().cast(pl.Int64).alias("near_misses"),
        pl.col("consequential").sum().cast(pl.Int64).alias("consequential"),
        (hides_refusals() if floor is None else floor).any().alias("floor"),
    ]
    grouped = counted.group_by(by).agg(measures) if by else counted.select(measures)
    low, high = wilson(pl.col("near_misses"), pl.col("calls"))
    return (
        grouped.with_columns(
            rate=pl.when(pl.col("calls") > 0).then(pl.col("near_misses") / pl.col("calls")),
            low=low,
            high=high,
        )
        .select(*by, *(pl.col(name).cast(kind) for name, kind in RATES_SCHEMA.items()))
        .sort(["near_misses", "calls", *by], descending=[True, True, *([False] * len(by))], nulls_last=True)
    )


def wilson(successes: pl.Expr, trials: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper end of the 95 % Wilson score interval of a share (Wilson 1927); null without trials."""
    share = successes / trials
    spread = Z_95**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = (Z_95 / (1 + spread)) * (share * (1 - share) / trials + spread / (4 * trials)).sqrt()
    some = trials > 0
    return pl.when(some).then((centre - half).clip(0.0, 1.0)), pl.when(some).then((centre + half).clip(0.0, 1.0))


def hides_refusals() -> pl.Expr:
    """Whether a call comes from where some refusals or edits are not told: by its emitter, or by our own configuration.

    Where that left content out, arguments that were changed may not be told, nor a refusal that no dialect knew when it
    came.
    """
    return is_hidden_by_emitter() | pl.col("content_left_out").fill_null(value=False)


def is_hidden_by_emitter() -> pl.Expr:
    """Whether a call comes from a configuration of its emitter in which some refusals leave no record at all.

    Claude Code without its traces beta tells nothing of an ask that nobody could answer; model calls without content
    tell nothing of proposals. See `emitters`.
    """
    without_traces = (pl.col("dialect") == "claude_code") & pl.col("trace_id").is_null()
    without_content = pl.col("dialect").is_in(("genai", "copilot", "ai_sdk")) & pl.col("proposed_at").is_null()
    return (without_traces | without_content).fill_null(value=False)
