"""Decisions: every verdict that was given on a call, in order, and the one that counted.

A call may pass several control points: a hook, a rule, a person, and some emitters tell of one verdict in two records.
None is overwritten. Which one counted is said by the same order of weight and time as in `evidence`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.evidence import VERDICTS
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP
from aftertrace.analyzer.schemas.untimed import timed

SCHEMA: Final = DERIVED["decisions"].schema
_TOLD_AFTER: Final = {"refused": "deny", "cancelled": "cancelled"}
"""States of `tool.called` that tell of a decision after the fact."""
_SETTLED: Final = ("human", "program")
_ORDER: Final = ("time_ns", "receiver", "seq", "index", "ordinal", "event", "rule")
"""One record may tell of two decisions (`stops`)."""


def decisions(calls: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """One row per decision, columns as in `SCHEMA`, by call and time.

    Args:
        calls: the calls (`calls.calls`).
        events: the call events with their `call_key` (`joins.call_events`).
    """
    state = pl.col("state")
    verdict = (
        pl.when(pl.col("event") == "policy.evaluated")
        .then("state")
        .when(pl.col("event") == "tool.called")
        .then(state.replace_strict(_TOLD_AFTER, default=None))
        .otherwise(pl.col("event").replace_strict(VERDICTS, default=None))
    )
    told = (
        events.with_columns(decision=verdict)
        .filter(pl.col("decision").is_not_null())
        .sort("call_key", *_ORDER)
        .with_columns(ordinal=pl.int_range(pl.len(), dtype=pl.Int64).over("call_key"))
    )
    if not told.height:
        return SCHEMA.to_frame()
    # What only tells of a decision counts where no record of the decision itself is there.
    rank = pl.struct("is_deciding", "weight", "time_ns", "ordinal").rank("ordinal").over("call_key")
    of_call = calls.select("run_id", "call_key", "tool_call_id", "conversation_id", settled="decided_by")
    is_settled = (pl.col("decided_by") == "human_or_program") & pl.col("settled").is_in(_SETTLED)
    return (
        told.with_columns(rank=rank)
        .with_columns(is_final=pl.col("rank") == pl.col("rank").max().over("call_key"))
        .drop("run_id", "conversation_id")
        .join(of_call, on="call_key", how="inner")
        .with_columns(
            decided_at=pl.coalesce(timed("end_ns"), timed("time_ns")).cast(TIMESTAMP),
            decided_by=pl.when(is_settled).then("settled").otherwise("decided_by"),
            reviewer="decider",
            reviewer_identity=identity(pl.col("decider"), pl.col("identity")),
            approval_id=pl.when(pl.col("event").str.starts_with("approval.")).then("group"),
            evidence="pointer",
            first_ns=timed("time_ns"),
        )
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "decisions")
    )


def identity(name: pl.Expr, stated: pl.Expr) -> pl.Expr:
    """How sure a name is: as stated; `asserted` where a sender only gives the name."""
    return pl.when(name.is_not_null()).then(pl.coalesce(stated, pl.lit("asserted"))).otherwise(stated)
