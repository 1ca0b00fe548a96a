"""Approvals: who was asked what, was shown what, answered what and when."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.controls import named
from aftertrace.analyzer.edits import difference
from aftertrace.analyzer.reviews import HASTY
from aftertrace.analyzer.schemas import DERIVED

SCHEMA: Final = DERIVED["approvals"].schema
_DECISIONS: Final = ("granted", "rejected", "modified", "expired")


def approvals(calls: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per call that somebody was asked about, columns as in `SCHEMA`: open ones first, then the latest.

    Args:
        calls: the calls (`calls.calls`).
        events: the call events with their `call_key` (`joins.call_events`).
    """
    asked = (
        events.sort("time_ns")
        .filter(pl.col("event") == "approval.requested")
        .group_by("call_key")
        .agg(
            pl.col("time_ns").min().alias("asked_ns"),
            pl.col("content").drop_nulls().first().alias("shown"),
            pl.col("content_digest").drop_nulls().first().alias("shown_digest"),
        )
    )
    edited = (
        events.sort("time_ns")
        .filter(pl.col("event") == "approval.modified")
        .group_by("call_key")
        .agg(pl.col("arguments").drop_nulls().last().alias("approved_arguments"))
    )
    recorded = pl.col("approval").is_in(_DECISIONS)
    followed = (
        pl.when(pl.col("outcome").is_in(("executed", "failed")))
        .then(pl.lit("granted"))
        .when(pl.col("outcome") == "modified")
        .then(pl.lit("modified"))
        .when(pl.col("outcome").is_in(("denied", "cancelled")))
        .then(pl.lit("rejected"))
        .when(pl.col("outcome") == "expired")
        .then(pl.lit("expired"))
        .otherwise(pl.lit("pending"))
    )
    return (
        calls.filter(pl.col("approval_asked"))
        .join(asked, on="call_key", how="left")
        .join(edited, on="call_key", how="left")
        .with_columns(
            asked_at=pl.col("asked_ns").cast(pl.Datetime("ns", "UTC")),
            decision=pl.when(recorded).then("approval").otherwise(followed),
            basis=pl.when(recorded).then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
        )
        .with_columns(
            asked_at=pl.coalesce("asked_at", pl.col("decided_at") - pl.duration(nanoseconds="wait_ns", time_unit="ns")),
            approved_arguments=pl.coalesce(
                "approved_arguments",
                pl.when(pl.col("decision") == "modified").then("executed_arguments"),
            ),
            signals=pl.concat_list("signals", named((HASTY,))),
        )
        .with_columns(
            edits=pl.struct("arguments", "approved_arguments").map_elements(
                lambda row: difference(row["arguments"], row["approved_arguments"]), return_dtype=pl.String
            )
        )
        .sort(pl.col("decision") == "pending", "first_ns", "call_key", descending=[True, True, False])
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    )
