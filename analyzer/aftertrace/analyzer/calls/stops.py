"""Who let an action of OpenHands run or kept it from running, told by when its agent stopped.

OpenHands tells of no question and of no answer. In its confirmation mode a run of the agent ends with the call it has
proposed, whoever reads it rejects it between two runs, or starts the next run, which begins with the call. A hook
rejects within a run. So a call that has not begun when its run ends was asked about then; the next run lets it through.
A run that ends with an error breaks off, and asks nothing.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import EVENT_ORDER

RULE: Final = "stopped_run"
"""Their name among a call's rules."""
REJECTED: Final = "text:openhands_rejected"
"""Dialects' `rule` of a rejection, which reads the same for a person's and a hook's."""
_DIALECT: Final = "laminar"
_RUNS: Final = ("conversation.run", "conversation.arun")
_LAST: Final = "finish"
"""The tool that ends a run: it is never asked about."""
_KEY: Final = ["pointer", "ordinal"]


def with_stops(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The events, with the asks and answers that the runs of OpenHands' agents tell of, and who rejected what.

    Args:
        events: call events with `thread`, in `identity.EVENT_ORDER`, which is kept.
        spans: spans with `thread`.
    """
    runs = (
        spans.filter((pl.col("dialect") == _DIALECT) & pl.col("name").is_in(_RUNS) & (pl.col("end_ns") > 0))
        .select("thread", "start_ns", "end_ns", has_failed=(pl.col("status") == "error").fill_null(value=False))
        .drop_nulls()
        .sort("start_ns")
    )
    own = events.filter(
        (pl.col("dialect") == _DIALECT) & pl.col("call_id").is_not_null() & pl.col("thread").is_not_null()
    )
    if not runs.height or not own.height:
        return events
    told = pl.concat([events.join(_rejected(own, runs).select(_KEY), on=_KEY, how="anti"), _rejected(own, runs)])
    return pl.concat([told, *_held(own, runs)]).sort(*EVENT_ORDER)


def _rejected(own: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Rejections that lie within a run: by a hook."""
    told = own.filter((pl.col("rule") == REJECTED) & (pl.col("decided_by") == "human")).sort("time_ns")
    within = told.join_asof(
        runs, left_on="time_ns", right_on="start_ns", by="thread", strategy="backward", check_sortedness=False
    ).filter(pl.col("time_ns") < pl.col("end_ns_right"))
    return within.with_columns(decided_by=pl.lit("hook")).select(own.columns)


def _held(own: pl.DataFrame, runs: pl.DataFrame) -> list[pl.DataFrame]:
    """The asks, and the answers, as copies of the records that tell of the calls."""
    begun = (
        own.filter(pl.col("event") == "tool.called")
        .sort("time_ns", *_KEY)
        .unique(["thread", "call_id"], keep="first", maintain_order=True)
    )
    proposed = own.filter(
        (pl.col("event") == "action.proposed") & (pl.col("state") == "proposed") & (pl.col("tool_name") != _LAST)
    )
    stopped = (
        proposed.sort("time_ns")
        .join_asof(
            runs.filter(~pl.col("has_failed")).rename({"end_ns": "stop_ns"}),
            left_on="time_ns",
            right_on="start_ns",
            by="thread",
            strategy="backward",
            check_sortedness=False,
        )
        .filter(pl.col("time_ns") <= pl.col("stop_ns"))
        .join(begun.select("thread", "call_id", begun_ns="time_ns"), on=["thread", "call_id"], how="left")
        .filter(pl.col("begun_ns").is_null() | (pl.col("begun_ns") >= pl.col("stop_ns")))
    )
    resumed = (
        begun.join(stopped.select("thread", "call_id", "stop_ns"), on=["thread", "call_id"], how="inner")
        .sort("stop_ns")
        .join_asof(
            runs.select("thread", resumed_ns="start_ns"),
            left_on="stop_ns",
            right_on="resumed_ns",
            by="thread",
            strategy="forward",
            check_sortedness=False,
        )
        .with_columns(is_let=(pl.col("resumed_ns") <= pl.col("time_ns")).fill_null(value=False))
        .filter("is_let" | (pl.col("rule") == REJECTED).fill_null(value=False))
    )
    asks = _made(stopped, pl.lit("approval.requested"), pl.col("stop_ns"), pl.lit(None, dtype=pl.String))
    answers = _made(
        resumed,
        pl.when("is_let").then(pl.lit("approval.granted")).otherwise(pl.lit("approval.rejected")),
        pl.when("is_let").then("resumed_ns").otherwise("time_ns"),
        pl.lit("human"),
    )
    return [asks.select(own.columns), answers.select(own.columns)]


def _made(records: pl.DataFrame, event: pl.Expr, at_ns: pl.Expr, decided_by: pl.Expr) -> pl.DataFrame:
    return records.with_columns(
        event=event,
        state=pl.lit(None, dtype=pl.String),
        time_ns=at_ns,
        end_ns=pl.lit(None, dtype=pl.Int64),
        done_ns=at_ns,
        basis=pl.lit("inferred"),
        decided_by=decided_by,
        identity=pl.when(decided_by.is_not_null()).then(pl.lit("inferred")),
        rule=pl.lit(RULE),
        reason=pl.when(event == "approval.rejected").then("reason"),
        content=pl.lit(None, dtype=pl.String),
        content_digest=pl.lit(None, dtype=pl.String),
        attributes=pl.lit(None, dtype=pl.String),
    )
