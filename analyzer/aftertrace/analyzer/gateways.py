"""Which call a gateway's verdict is about: gateways are other services, and know little of the agent.

1. A record outside of the agent's trace takes the place of the MCP request of the same session and number.
2. A verdict without a call's id, in a trace of the agent's, is about the last call of its tool before it.
3. A verdict with a call's id goes where that call is told of, whatever service and conversation it names itself.
"""

from __future__ import annotations

from typing import Final

import polars as pl

GATEWAY: Final = "gateway"
"""The dialect of gateways, proxies and policy engines."""

_IS_GATEWAY: Final = (pl.col("dialect") == GATEWAY).fill_null(value=False)
_REQUEST: Final = pl.col("attributes").str.json_path_match("$.request")
_TAIL: Final = pl.col("tool_name").str.split("__").list.last()


def placed(events: pl.DataFrame) -> pl.DataFrame:
    """Step 1: gateways' events, with the trace and span of the MCP request that they name, where it is told once."""
    told = events.filter(_IS_GATEWAY)
    if not told.height:
        return events
    requests = (
        events.filter(~_IS_GATEWAY)
        .select("source", "trace_id", "span_id", request=_REQUEST)
        .drop_nulls()
        .unique()
        .filter(pl.len().over("source", "request") == 1)
        .rename({"trace_id": "of_trace", "span_id": "of_span"})
    )
    found = told.with_columns(request=_REQUEST).join(requests, on=["source", "request"], how="left")
    found = found.with_columns(
        trace_id=pl.coalesce("of_trace", "trace_id"), span_id=pl.coalesce("of_span", "span_id")
    ).drop("of_trace", "of_span", "request")
    return pl.concat([events.filter(~_IS_GATEWAY), found]).sort("row")


def adopted(events: pl.DataFrame) -> pl.DataFrame:
    """Steps 2 and 3: gateways' events with id, tool and scope of the call that others tell of."""
    told = events.filter(_IS_GATEWAY)
    if not told.height:
        return events
    others = events.filter(~_IS_GATEWAY).with_columns(tail=_TAIL)
    calls = others.drop_nulls(["trace_id", "tail"]).sort("time_ns", "row")
    near = told.filter(pl.col("call_id").is_null()).with_columns(tail=_TAIL).sort("time_ns", "row")
    met = near.join_asof(
        calls.select("trace_id", "tail", "time_ns", of_call="call_id", of_tool="tool_name", of_scope="scope"),
        on="time_ns",
        by=["trace_id", "tail"],
        check_sortedness=False,
    ).with_columns(
        call_id=pl.coalesce("call_id", "of_call"),
        tool_name=pl.coalesce("of_tool", "tool_name"),
        scope=pl.coalesce("of_scope", "scope"),
    )
    named = told.filter(pl.col("call_id").is_not_null())
    homes = (
        others.drop_nulls("call_id")
        .group_by("source", "call_id")
        .agg(pl.col("scope").unique(), of_tool=pl.col("tool_name").drop_nulls().first())
        .filter(pl.col("scope").list.len() == 1)
        .select("source", "call_id", "of_tool", of_scope=pl.col("scope").list.first())
    )
    named = named.join(homes, on=["source", "call_id"], how="left").with_columns(
        tool_name=pl.coalesce("of_tool", "tool_name"), scope=pl.coalesce("of_scope", "scope")
    )
    columns = events.columns
    return pl.concat([events.filter(~_IS_GATEWAY), met.select(columns), named.select(columns)]).sort("row")
