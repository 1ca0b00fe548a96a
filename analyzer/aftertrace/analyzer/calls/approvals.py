"""Approvals: who was asked what, was shown what, answered what and when."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.controls import named
from aftertrace.analyzer.calls.edits import difference
from aftertrace.analyzer.calls.evidence import is_partial
from aftertrace.analyzer.calls.reviews import HASTY
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP
from aftertrace.analyzer.schemas.untimed import timed

SCHEMA: Final = DERIVED["approvals"].schema
_OWN_RUN: Final = pl.when(pl.col("conversation_id").is_null()).then("run_id")
"""What the ids of requests are scoped by, where there is no conversation."""
_REQUEST: Final = ("source", "service_name", "conversation_id", _OWN_RUN, "approval_id")
_DECISIONS: Final = ("granted", "rejected", "modified", "expired")


def approvals(calls: pl.DataFrame, events: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per call that somebody was asked about, columns as in `SCHEMA`: open ones first, then the latest.

    Args:
        calls: the calls (`calls.calls`).
        events: the call events with their `call_key` (`joins.call_events`).
        decisions: the decisions on the calls (`decisions.decisions`).
    """
    of_calls = calls.filter("approval_asked")
    if not of_calls.height:
        return SCHEMA.to_frame()
    events = events.join(of_calls, on="call_key", how="semi", maintain_order="left")
    asked = (
        events.sort("time_ns", maintain_order=True)
        .filter(pl.col("event") == "approval.requested")
        .group_by("call_key")
        .agg(
            pl.col("time_ns").min().alias("asked_ns"),
            pl.col("content").drop_nulls().first().alias("shown"),
            pl.col("content_digest").drop_nulls().first().alias("shown_digest"),
            pl.col("group").drop_nulls().first().alias("asked_id"),
        )
    )
    given = decisions.group_by("call_key").agg(
        pl.len().cast(pl.Int64).alias("decisions"),
        pl.col("approval_id").drop_nulls().last().alias("answered_id"),
        pl.col("reason").filter("is_final").first().alias("answer_reason"),
    )
    edited = (
        events.sort("time_ns", maintain_order=True)
        .filter(pl.col("event") == "approval.modified")
        .group_by("call_key")
        .agg(pl.col("arguments").drop_nulls().last().alias("approved_arguments"))
    )
    cut = events.filter(is_partial()).group_by("call_key").agg(pl.col("arguments").unique().alias("cut"))
    recorded = pl.col("approval").is_in(_DECISIONS)
    followed = (
        pl.when(pl.col("outcome").is_in(("executed", "failed")))
        .then(pl.lit("granted"))
        .when(pl.col("outcome") == "modified")
        .then(pl.lit("modified"))
        .when(pl.col("outcome") == "denied")
        .then(pl.lit("rejected"))
        .when(pl.col("outcome").is_in(("expired", "cancelled")))
        .then("outcome")
        .otherwise(pl.lit("pending"))
    )
    return (
        of_calls.join(asked, on="call_key", how="left")
        .join(edited, on="call_key", how="left")
        .join(given, on="call_key", how="left")
        .join(cut, on="call_key", how="left")
        .with_columns(
            asked_at=timed("asked_ns").cast(TIMESTAMP),
            # Claude Code words a grant with an edit as a grant: the arguments of its two records differ.
            decision=pl.when((pl.col("approval") == "granted") & (pl.col("outcome") == "modified"))
            .then(pl.lit("modified"))
            .when(recorded)
            .then("approval")
            .otherwise(followed),
            basis=pl.when(recorded)
            .then(pl.lit("explicit"))
            .when(pl.col("outcome") == "cancelled")
            .then("basis")
            .otherwise(pl.lit("inferred")),
            decisions=pl.col("decisions").fill_null(0),
            approval_id=pl.coalesce("asked_id", "answered_id"),
            # The call's reason may be its error: that is no reviewer's.
            reason=pl.coalesce(
                "answer_reason", pl.when(~pl.col("outcome").is_in(("executed", "failed"))).then("reason")
            ),
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
            # Under an id that is used again, what is asked after an answer is another request.
            request=(pl.col("asked_at") > pl.col("decided_at").shift().cum_max())
            .fill_null(value=False)
            .cum_sum()
            .over(_REQUEST, order_by=["asked_at", "decided_at"]),
        )
        .with_columns(
            calls=pl.when(pl.col("approval_id").is_null()).then(1).otherwise(pl.len().over(*_REQUEST, "request")),
        )
        .with_columns(let_arguments=pl.coalesce("approved_arguments", "arguments"))
        .with_columns(
            edits=_difference("arguments", "approved_arguments"),
            deviations=pl.when(pl.col("decision").is_in(("granted", "modified"))).then(
                _difference("let_arguments", "executed_arguments")
            ),
        )
        .sort("ordinal", "call_key")
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "approvals")
    )


def _difference(before: str, after: str) -> pl.Expr:
    """What changed from one column of arguments to another, as `edits.difference` tells it; null if one is cut."""
    return pl.struct(_whole(before), _whole(after)).map_elements(
        lambda row: difference(row[before], row[after]), return_dtype=pl.String
    )


def _whole(name: str) -> pl.Expr:
    """A column of arguments, where a record does not show them in part alone."""
    return pl.when(~pl.col("cut").list.contains(pl.col(name)).fill_null(value=False)).then(name).alias(name)
