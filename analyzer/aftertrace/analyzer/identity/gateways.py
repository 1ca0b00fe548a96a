"""Which run a gateway's verdict belongs to: gateways are other services, and know little of the agent.

A gateway that hands the agent's trace on is in the agent's run by it, whatever its source, as everything of a trace
is. A record outside of every agent's run is at home in the run of the call or request that it names, where its own
source tells of that in one run alone:

1. the conversation that it names, in a trace of several, and the call's id in a conversation that it names;
2. the MCP request of the same session and number;
3. a call's id that was drawn by lot. One that was counted (`call_1`) names nothing outside of its conversation.

So whatever a verdict meets is of its own run (`verdicts`): the calls of other runs change nothing.
"""

from __future__ import annotations

from typing import Final

import polars as pl

GATEWAY: Final = "gateway"
"""The dialect of gateways, proxies and policy engines."""
IS_GATEWAY: Final = (pl.col("dialect") == GATEWAY).fill_null(value=False)
PLACE: Final = ("run_id", "thread", "conversation_id")

_REQUEST: Final = pl.col("attributes").str.json_path_match("$.request")
_SIDE: Final = pl.col("attributes").str.json_path_match("$.side")
AT_FIRST_HAND: Final = (pl.col("event") != "action.proposed") & (pl.col("event") != "tool.called") | pl.col(
    "state"
).is_in(("proposed", "entered", "started", "completed", "failed")).fill_null(value=False)
"""Not in what a later model call is told once more of earlier calls."""
_KEYS: Final = (
    ("trace_id", "conversation_id"),
    ("source", "conversation_id", "call_id"),
    ("source", "request"),
    ("source", "drawn"),
)


def is_drawn(call_id: pl.Expr) -> pl.Expr:
    """Whether an id was drawn by lot: a UUID or a time is part of it, or twenty characters of every kind."""
    number = call_id.str.contains("[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}|[0-9]{12}")
    every_kind = pl.all_horizontal(call_id.str.contains(kind) for kind in ("[0-9]", "[a-z]", "[A-Z]"))
    counted = call_id.str.contains("[.:]")
    return (number | ((call_id.str.len_chars() >= 20) & every_kind & ~counted)).fill_null(value=False)


def at_home(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The events, those of gateways outside of every agent's run in the place of what they name.

    Args:
        events: with the columns of `PLACE`.
        spans: the same.
    """
    told = events.filter(IS_GATEWAY)
    if not told.height:
        return events
    others = events.filter(~IS_GATEWAY & AT_FIRST_HAND)
    known = pl.concat([frame.filter(~IS_GATEWAY).select("run_id") for frame in (events, spans)]).unique()
    found = _named(told.join(known, on="run_id", how="anti"))
    others = _named(others)
    for number, keys in enumerate(_KEYS):
        homes = (
            others.drop_nulls(keys)
            .join(found, on=keys, how="semi")
            .group_by(keys)
            .agg(pl.col("run_id").n_unique().alias("runs"), *(pl.col(name).min().alias(f"of_{name}") for name in PLACE))
            .filter(pl.col("runs") == 1)
            .select(*keys, *(pl.col(f"of_{name}").alias(f"{name}_{number}") for name in PLACE))
        )
        found = found.join(homes, on=keys, how="left")
    is_met = pl.any_horizontal(pl.col(f"run_id_{number}").is_not_null() for number in range(len(_KEYS)))
    found = found.filter(is_met).with_columns(
        pl.coalesce(f"{name}_{number}" for number in range(len(_KEYS))).alias(name) for name in PLACE
    )
    record = ["pointer", "ordinal"]
    return pl.concat([events.join(found, on=record, how="anti"), found.select(events.columns)])


def _named(events: pl.DataFrame) -> pl.DataFrame:
    drawn = pl.when(is_drawn(pl.col("call_id"))).then("call_id")
    return events.with_columns(request=_REQUEST, drawn=drawn)


def placed(events: pl.DataFrame) -> pl.DataFrame:
    """Gateways' events, with trace and span of the MCP request that they name, where their run tells of one alone.

    Both ends of the connection may tell of it: then the client's is meant, which lies in the agent's trace.
    """
    told = events.filter(IS_GATEWAY)
    if not told.height:
        return events
    request = ["run_id", "request"]
    requests = (
        events.filter(~IS_GATEWAY)
        .select("run_id", "trace_id", "span_id", request=_REQUEST, is_served=_SIDE == "server")
        .drop_nulls()
        .unique()
        .filter(pl.col("is_served") == pl.col("is_served").min().over(request))
        .filter(pl.len().over(request) == 1)
        .select(*request, of_trace="trace_id", of_span="span_id")
    )
    found = told.with_columns(request=_REQUEST).join(requests, on=request, how="left")
    found = found.with_columns(
        trace_id=pl.coalesce("of_trace", "trace_id"), span_id=pl.coalesce("of_span", "span_id")
    ).select(events.columns)
    return pl.concat([events.filter(~IS_GATEWAY), found]).sort("row")
