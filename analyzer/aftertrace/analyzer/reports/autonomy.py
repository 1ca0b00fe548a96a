"""What agents have earned: how people and programs that were asked answered, per agent and tool."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.near_misses import wilson
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

AS_PROPOSED_AT_LEAST: Final = 0.9
"""More autonomy is earned where even the lower end of the share approved as proposed is at least this: 35 of 35."""
CORRECTED_AT_LEAST: Final = 0.1
"""Less is due where even the lower end of the share edited or refused is at least this."""
ANSWERS_AT_LEAST: Final = 5
"""Of fewer answers nothing is judged: one refusal alone has a lower end of 21 %."""
AUTONOMY: Final = {
    "agent_name": (pl.String, "agent"),
    "tool_name": (pl.String, "tool"),
    "risk": (pl.String, "the tool's risk class in the first of its calls"),
    "answers": (pl.Int64, "requests that somebody answered"),
    "as_proposed": (pl.Int64, "approved as proposed"),
    "edited": (pl.Int64, "approved with an edit"),
    "refused": (pl.Int64, "refused"),
    "unanswered": (pl.Int64, "expired, cancelled or still pending"),
    "hasty": (pl.Int64, "approved faster than the text can be read"),
    "as_proposed_share": (pl.Float64, "of the answers"),
    "as_proposed_low": (pl.Float64, "lower end of its 95 % Wilson interval"),
    "as_proposed_high": (pl.Float64, "upper end"),
    "edited_share": (pl.Float64, "of the answers"),
    "edited_low": (pl.Float64, "lower end of its interval"),
    "edited_high": (pl.Float64, "upper end"),
    "refused_share": (pl.Float64, "of the answers"),
    "refused_low": (pl.Float64, "lower end of its interval"),
    "refused_high": (pl.Float64, "upper end"),
    "ran_unasked": (pl.Int64, "calls that ran, and nobody was asked"),
    "refused_unasked": (pl.Int64, "near misses that nobody was asked about"),
    "earned": (pl.String, "`more`, `less`, `as it is`, or `not judged`: fewer than 5 answers, or hasty approvals"),
}
"""Columns and what they mean."""
SCHEMA: Final = pl.Schema({name: kind for name, (kind, _) in AUTONOMY.items()})
_BY: Final = ["agent_name", "tool_name"]


def autonomy(calls: pl.LazyFrame, approvals: pl.LazyFrame) -> pl.LazyFrame:
    """How answers fell, columns as in `AUTONOMY`: tools that somebody was asked about, most answers first.

    Args:
        calls: columns of `schemas.CALLS`.
        approvals: columns of `schemas.APPROVALS`.
    """
    decision = pl.col("decision")
    asked = approvals.group_by(_BY).agg(
        as_proposed=(decision == "granted").sum(),
        edited=(decision == "modified").sum(),
        refused=(decision == "rejected").sum(),
        unanswered=decision.is_in(("expired", "cancelled", "pending")).sum(),
        hasty=pl.col("signals").list.contains("hasty").sum(),
    )
    of_risks = calls.group_by(*_BY, "risk").agg(
        pl.col("first_ns").min(),
        ran_unasked=(pl.col("outcome").is_in(RAN_OUTCOMES) & ~pl.col("approval_asked")).sum(),
        refused_unasked=(pl.col("near_miss") & ~pl.col("approval_asked")).sum(),
    )
    beside = (
        of_risks.sort("first_ns", "risk", nulls_last=True)
        .group_by(_BY, maintain_order=True)
        .agg(pl.col("risk").first(), pl.col("ran_unasked", "refused_unasked").sum())
    )
    answers = pl.col("answers")
    told = asked.join(beside, on=_BY, how="left", nulls_equal=True).with_columns(
        answers=pl.col("as_proposed") + pl.col("edited") + pl.col("refused")
    )
    for name in ("as_proposed", "edited", "refused"):
        low, high = wilson(pl.col(name), answers)
        share = pl.when(answers > 0).then(pl.col(name) / answers)
        told = told.with_columns(share.alias(f"{name}_share"), low.alias(f"{name}_low"), high.alias(f"{name}_high"))
    corrected, _ = wilson(pl.col("edited") + pl.col("refused"), answers)
    earned = (
        pl.when(answers < ANSWERS_AT_LEAST)
        .then(pl.lit("not judged"))
        .when(corrected >= CORRECTED_AT_LEAST)
        .then(pl.lit("less"))
        .when(pl.col("hasty") > 0)
        .then(pl.lit("not judged"))
        .when(pl.col("as_proposed_low") >= AS_PROPOSED_AT_LEAST)
        .then(pl.lit("more"))
        .otherwise(pl.lit("as it is"))
    )
    return (
        told.with_columns(earned=earned)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("answers", *_BY, descending=[True, False, False], nulls_last=True)
    )
