"""Steps of an agent (smolagents): spans in which the model proposes calls, and which tell of those without a span.

An error about arguments names no tool: it is about the call of its step, if only one was proposed there. And the run of
a named agent is a call of another agent's where it lies in that one's step; anywhere else it is a run and no call.
"""

from __future__ import annotations

from typing import Final

import polars as pl

STEP_RULE: Final = "smolagents_step"
MANAGED_RULE: Final = "managed_agent"
"""Dialects' `rule` of what a step tells of a call, and of the run of a named agent."""
_SPAN: Final = ("trace_id", "span_id")


def of_steps(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The events, with the call of those that name none, and without runs of agents that nobody called."""
    is_run = (pl.col("rule") == MANAGED_RULE).fill_null(value=False)
    if not events.filter(is_run | (pl.col("rule") == STEP_RULE)).height:
        return events
    steps = spans.filter(pl.col("operation") == "step").select("trace_id", parent_span_id="span_id").unique()
    alone = events.filter(is_run).join(steps, on=["trace_id", "parent_span_id"], how="anti")
    wanting = events.filter(
        (pl.col("rule") == STEP_RULE) & pl.col("tool_name").is_null() & pl.col("call_id").is_null()
    ).select("row", *_SPAN)
    met = wanting.join(_only_calls(events), on=_SPAN, how="inner").select("row", "of_call", "of_tool")
    return (
        events.join(alone.select("row"), on="row", how="anti")
        .join(met, on="row", how="left", maintain_order="left")
        .with_columns(call_id=pl.coalesce("call_id", "of_call"), tool_name=pl.coalesce("tool_name", "of_tool"))
        .drop("of_call", "of_tool")
    )


def _only_calls(events: pl.DataFrame) -> pl.DataFrame:
    """Per step in whose model calls one call with an id was proposed: `of_call`, `of_tool`."""
    proposed = events.filter(
        (pl.col("event") == "action.proposed") & (pl.col("state") == "proposed") & pl.col("call_id").is_not_null()
    )
    return (
        proposed.group_by("trace_id", span_id="parent_span_id")
        .agg(
            pl.col("call_id").n_unique().alias("calls"),
            pl.col("call_id").first().alias("of_call"),
            pl.col("tool_name").first().alias("of_tool"),
        )
        .filter((pl.col("calls") == 1) & pl.col("span_id").is_not_null())
    )
