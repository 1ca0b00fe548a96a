"""When a run is over: its root closed, or nothing came for a while.

Quiet is measured by the receiver's clock, since the senders' may be wrong, and against `now_ns`, which is a value like
any other: a closed period gives the same answer at the same `now_ns`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import RESUME_WITHIN_NS, Identified

QUIET_NS: Final = 30 * 60 * 10**9
"""A run whose root is not known to have closed is over after this long without a record."""

RUN_STATES: Final = ("is_over", "is_quiet", "is_told_over")


def run_states(identified: Identified, now_ns: int) -> pl.DataFrame:
    """Per `run_id`: `is_over` (its root closed, or 30 quiet minutes), `is_quiet` (too long to be resumed),
    `is_told_over` (a record says so), `is_closed` (that, or its root closed), `is_abandoned` (over, and what it began
    with never told its end), `is_failed`.
    """
    spans, events = identified.spans, identified.events
    last = pl.concat([spans.select("run_id", "received_ns"), events.select("run_id", "received_ns")])
    quiet = last.group_by("run_id").agg(pl.col("received_ns").max())
    known = spans.select("trace_id", "span_id").drop_nulls().unique()
    roots = (
        spans.join(known, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], how="anti")
        .filter(pl.col("operation").is_not_null() | pl.col("parent_span_id").is_null())
        .group_by("run_id")
        .agg(
            (pl.col("parent_span_id").is_null() & (pl.col("end_ns") > 0)).any().alias("root_closed"),
            (pl.col("parent_span_id").is_null() & (pl.col("status") == "error")).any().alias("root_failed"),
            pl.lit(value=True).alias("has_spans"),
        )
    )
    told = events.group_by("run_id").agg(
        pl.col("event").is_in(("run.completed", "run.failed")).any().alias("told_over"),
        (pl.col("event") == "run.failed").any().alias("told_failed"),
        (pl.col("event") == "run.created").any().alias("told_created"),
    )
    joined = quiet.join(roots, on="run_id", how="left").join(told, on="run_id", how="left")
    silence = pl.lit(now_ns) - pl.col("received_ns")
    failed = pl.col("root_failed").fill_null(value=False) | pl.col("told_failed").fill_null(value=False)
    # Logs alone seldom tell when a run ends: only what was begun in so many words can be left undone.
    began = pl.col("has_spans").fill_null(value=False) | pl.col("told_created").fill_null(value=False)
    # A run that says when it starts says when it ends: its root span may close earlier (one trace of several).
    closed = pl.when(pl.col("told_created").fill_null(value=False)).then("told_over").otherwise(
        pl.col("root_closed").fill_null(value=False) | pl.col("told_over").fill_null(value=False)
    )  # fmt: skip
    return joined.select(
        "run_id",
        is_over=(closed | (silence >= QUIET_NS)).fill_null(value=False),
        is_quiet=silence >= RESUME_WITHIN_NS,
        is_told_over=pl.col("told_over").fill_null(value=False),
        is_closed=closed.fill_null(value=False),
        is_abandoned=began & ~closed.fill_null(value=False) & (silence >= QUIET_NS),
        is_failed=failed,
    ).sort("run_id")
