"""Calls of tools that the model was not offered, by the tool list of the record that proposes them.

Several records may propose one call, and the agent's own span may list tools that one model call leaves out: one list
that holds the tool is enough. Spans come when they end, so while a run is open the agent's may be still to come.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import LEVELS_ABOVE

_SCHEMA: Final = pl.Schema({"call_key": pl.String, "is_offer_awaited": pl.Boolean, "is_not_offered": pl.Boolean})
_PROPOSED: Final = (pl.col("event") == "action.proposed") & (pl.col("state") == "proposed")


def unoffered(call_events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`call_key`, `is_not_offered`, `is_offer_awaited` of the calls that no tool list on record offers.

    Args:
        call_events: the events that speak of a call, with `call_key`.
        spans: the identified spans.
    """
    columns = ("call_key", "pointer", "event", "state", "trace_id", "span_id", "tool_name", "tool_names")
    told = call_events.select(columns).filter(_PROPOSED & (pl.col("tool_names") != "[]"))
    lacking = told.filter(~_holds("tool_name").any().over("call_key"))
    if not lacking.height:
        return _SCHEMA.to_frame()
    above = _agents(lacking, spans)
    return (
        lacking.select("call_key", "tool_name", "pointer")
        .join(above, on="pointer", how="left")
        .with_columns(tool_names=pl.col("listed"))
        .filter(~_holds("tool_name").fill_null(value=False).any().over("call_key"))
        .group_by("call_key")
        .agg(is_offer_awaited=pl.col("is_awaited").fill_null(value=False).any())
        .with_columns(is_not_offered=pl.lit(value=True))
    )


def _holds(tool: str) -> pl.Expr:
    """Whether a tool list holds a tool."""
    return pl.col("tool_names").str.contains(pl.concat_str(pl.lit('"'), tool, pl.lit('"')), literal=True)


def _agents(proposals: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Per `pointer`, `listed`: the tool list of the agent's span above; `is_awaited`: one of the spans up to it is not
    there yet.
    """
    wanting = proposals.select("pointer", "trace_id", at="span_id").drop_nulls()
    traced = spans.join(wanting, on="trace_id", how="semi").drop_nulls("span_id")
    steps = traced.unique(["trace_id", "span_id"], keep="first", maintain_order=True).select(
        "trace_id",
        at="span_id",
        up="parent_span_id",
        listed="tool_names",
        is_agent=(pl.col("operation") == "invoke_agent").fill_null(value=False),
        is_there=pl.lit(value=True),
    )
    found: list[pl.DataFrame] = []
    for _ in range(LEVELS_ABOVE):
        met = wanting.join(steps, on=["trace_id", "at"], how="left")
        ends = pl.col("is_agent") | pl.col("is_there").is_null() | pl.col("up").is_null()
        found.append(
            met.filter(ends).select(
                "pointer", pl.when("is_agent").then("listed").alias("listed"), is_awaited=pl.col("is_there").is_null()
            )
        )
        wanting = met.filter(~ends).select("pointer", "trace_id", at="up")
        if not wanting.height:
            break
    return pl.concat(found).unique("pointer")
