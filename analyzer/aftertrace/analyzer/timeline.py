"""The timeline of a run: every event and every model call and agent span, in order, in lanes."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer import modes
from aftertrace.analyzer.identity import Identified
from aftertrace.analyzer.schemas import TIMELINE_SCHEMA

DETAIL_CHARACTERS: Final = 500

_LANES: Final = {
    "tool.called": "tool",
    "action.proposed": "model",
    "model.called": "model",
    "tool.considered": "model",
    "approval.requested": "human",
    "approval.granted": "human",
    "approval.rejected": "human",
    "approval.modified": "human",
    "approval.expired": "human",
    "policy.evaluated": "control",
    "validation.passed": "control",
    "validation.failed": "control",
}
_OPERATIONS: Final = {"invoke_agent": "agent", "chat": "model", "guardrail": "control", "approval": "human"}


def timeline(identified: Identified, call_events: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """Rows of one run, columns as in `schemas.TIMELINE`, by time. Repetitions of the message history are left out.

    Args:
        identified: events and spans with their runs.
        call_events: the events that speak of a call (`joins.call_events`), with tool and id of their span.
        run_id: the run.
    """
    resolved = call_events.lazy().select("pointer", "ordinal", of_tool="tool_name", of_call="call_id")
    events = (
        _of_run(identified.events, run_id)
        .filter((pl.col("state") != "echoed").fill_null(value=True))
        .join(resolved, on=["pointer", "ordinal"], how="left")
        .with_columns(
            tool_name=pl.coalesce("tool_name", "of_tool"),
            tool_call_id=pl.coalesce("call_id", "of_call"),
            lane=pl.when(modes.IS_MODE)
            .then(pl.lit("control"))
            .otherwise(pl.col("event").replace_strict(_LANES, default="agent")),
            what=pl.concat_str("event", "state", separator=" ", ignore_nulls=True),
            detail=pl.coalesce(modes.change(), "reason", "content", "arguments"),
            evidence="pointer",
            # A decision tells how long it took: the wait is drawn from the ask to the answer.
            begin=pl.when(pl.col("wait_ns") > 0).then(pl.coalesce("end_ns", "time_ns") - pl.col("wait_ns")),
        )
        .with_columns(
            end_ns=pl.when(pl.col("begin").is_not_null()).then(pl.coalesce("end_ns", "time_ns")).otherwise("end_ns"),
            time_ns=pl.coalesce("begin", "time_ns"),
        )
        # Every model call repeats the answers before it: with a call id, the first time counts.
        .with_columns(told=pl.when(pl.col("tool_call_id").is_null()).then("time_ns"))
        .sort("time_ns", "evidence")
        .unique(["what", "tool_call_id", "tool_name", "detail", "told"], keep="first", maintain_order=True)
    )
    spans = (
        identified.spans.lazy()
        .filter((pl.col("run_id") == run_id) & pl.col("operation").is_in(list(_OPERATIONS)))
        .with_columns(
            time_ns="start_ns",
            lane=pl.col("operation").replace_strict(_OPERATIONS, default="agent"),
            what=pl.concat_str(pl.lit("span "), "operation"),
            detail="name",
            decided_by=pl.lit(None, dtype=pl.String),
            tool_call_id="call_id",
            evidence="pointer",
        )
    )
    columns = [pl.col(name).cast(kind) for name, kind in TIMELINE_SCHEMA.items()]
    return (
        pl.concat([events.select(*columns, "ordinal"), spans.select(*columns, ordinal=pl.lit(-1, pl.Int32))])
        .with_columns(pl.col("detail").str.slice(0, DETAIL_CHARACTERS))
        .sort("time_ns", "end_ns", "evidence", "ordinal", "what", nulls_last=True)
        .drop("ordinal")
        .collect()
    )


def _of_run(events: pl.DataFrame, run_id: str) -> pl.LazyFrame:
    """The events of a run, and the modes that its conversation entered meanwhile, whichever record told of them."""
    mine = events.filter(pl.col("run_id") == run_id)
    meanwhile = pl.col("time_ns").is_between(mine["time_ns"].min(), mine["time_ns"].max())
    also = modes.IS_MODE & pl.col("thread").is_in(mine["thread"].unique().implode()) & meanwhile
    return modes.without_repeats(events.filter((pl.col("run_id") == run_id) | also)).lazy()
