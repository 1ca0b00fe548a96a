"""Calls that ran before their agent called its model: somebody had let them, in answer to a run before.

The AI SDK ends a run as soon as one of its calls waits for a person, and begins the next one by running what was let
through. Every other tool runs after the model call that proposed it, in version 7 below a span of its step. So the
place of its span tells of the question where no content is recorded, and nothing else does.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.followed import agents_above, beside_models

LET_ON: Final = "ran_before_model"
"""Its name among a call's rules."""
_BY_TIME, _BY_PARENT = "ai", "gen_ai"
"""Scopes of the AI SDK's spans: of version 6, which lie side by side, and of version 7."""
_DENIAL: Final = "denied_response"
_RAN: Final = ("completed", "failed", "cancelled")


def let_on(call_events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`call_key` of the AI SDK's calls that ran before the first model call of the agent that ran them.

    Args:
        call_events: the events that speak of a call, with `call_key`.
        spans: the identified spans.
    """
    ran = call_events.filter(
        pl.col("scope_name").is_in((_BY_TIME, _BY_PARENT))
        & (pl.col("event") == "tool.called")
        & pl.col("state").is_in(_RAN)
    ).drop_nulls(["trace_id", "span_id"])
    if not ran.height:
        return ran.select("call_key")
    traced = spans.join(ran, on="trace_id", how="semi")
    tools = traced.filter(pl.col("operation") == "execute_tool")
    # A tool that runs within a millisecond begins when the model call does, by the clock of version 7.
    is_first = (
        pl.when(pl.col("scope_name") == _BY_PARENT)
        .then(pl.col("parent_span_id") == pl.col("agent_span"))
        .otherwise(pl.col("time_ns") < pl.col("first_ns"))
    )
    return (
        beside_models(ran.join(tools, on=["trace_id", "span_id"], how="semi"), traced)
        .filter(is_first)
        .select("call_key")
        .unique()
    )


def denied_later(call_events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`call_key` of the calls that another run of the agent was told the denial of than the one that proposed them.

    Both may lie in one trace, that of the program around them.
    """
    denials = call_events.filter((pl.col("rule") == _DENIAL).fill_null(value=False)).drop_nulls(["trace_id", "span_id"])
    if not denials.height:
        return denials.select("call_key")
    proposals = call_events.filter((pl.col("event") == "action.proposed") & (pl.col("state") == "proposed"))
    agents = agents_above(spans.join(denials, on="trace_id", how="semi"))
    told = (
        denials.sort("time_ns").unique("call_key", keep="first").join(agents, on=["trace_id", "span_id"], how="inner")
    )
    made = proposals.join(agents, on=["trace_id", "span_id"], how="inner").select(
        "call_key", proposed_under="agent_span"
    )
    return (
        told.join(made, on="call_key", how="inner")
        .filter(pl.col("agent_span") != pl.col("proposed_under"))
        .select("call_key")
        .unique()
    )
