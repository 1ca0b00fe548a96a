"""Calls whose agent went on: what tells one that returned nothing from one that waits for an approval.

The OpenAI Agents SDK ends a run as soon as one of its calls waits. Where the same agent's span holds a later call of
its model, nothing waited: a call without an output ran and returned None, or its output was not sent.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import LEVELS_ABOVE

SILENT: Final = ("null_output", "no_content")
"""Rules of dialects by which a tool's span has no output, with its arguments and without them."""


def followed(call_events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`call_key` of the calls without an output after which their agent called its model again.

    Args:
        call_events: the events that speak of a call, with `call_key`.
        spans: the identified spans.
    """
    silent = call_events.filter(pl.col("rule").is_in(SILENT).fill_null(value=False)).drop_nulls(["trace_id", "span_id"])
    if not silent.height:
        return silent.select("call_key")
    return (
        beside_models(silent, spans.join(silent, on="trace_id", how="semi"))
        .filter(pl.col("last_ns") >= pl.coalesce("end_ns", "time_ns"))
        .select("call_key")
        .unique()
    )


def beside_models(called: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Events with `agent_span`, and `first_ns` and `last_ns`, when that agent's first and last model calls began.

    Those of no agent, or of one that called no model, are left out.

    Args:
        called: events with `trace_id` and `span_id`.
        spans: their whole traces.
    """
    agents = agents_above(spans)
    models = (
        spans.filter(pl.col("operation") == "chat")
        .join(agents, on=["trace_id", "span_id"], how="inner")
        .group_by("trace_id", "agent_span")
        .agg(first_ns=pl.col("start_ns").min(), last_ns=pl.col("start_ns").max())
    )
    return called.join(agents, on=["trace_id", "span_id"], how="inner").join(
        models, on=["trace_id", "agent_span"], how="inner"
    )


def agents_above(spans: pl.DataFrame) -> pl.DataFrame:
    """`trace_id`, `span_id`, `agent_span`: the nearest agent's span above each span that has one.

    Args:
        spans: whole traces.
    """
    told = spans.drop_nulls(["trace_id", "span_id"]).unique(["trace_id", "span_id"], keep="first")
    above = told.select(
        "trace_id", at="span_id", above="parent_span_id", is_agent=pl.col("operation") == "invoke_agent"
    )
    wanting = told.select("trace_id", "span_id", at="parent_span_id")
    found: list[pl.DataFrame] = []
    for _ in range(LEVELS_ABOVE):
        met = wanting.join(above, on=["trace_id", "at"], how="inner")
        is_agent = pl.col("is_agent").fill_null(value=False)
        found.append(met.filter(is_agent).select("trace_id", "span_id", agent_span="at"))
        wanting = met.filter(~is_agent).select("trace_id", "span_id", at="above")
        if not wanting.height:
            break
    return pl.concat(found)
