"""Calls that the other end of a connection tells of once more: MCP clients and servers.

An agent's tool span, its MCP client's and the server's tell of one call, and only the first has the call's id. A span
of the protocol is left out where an agent tells of the run of that tool in the same trace, or of one that encloses it
in time, since not every client passes its trace on; a client's too where its server's stands, which alone knows that a
tool failed, and one that lies within another client's (FastMCP's around the SDK's). What is left is a call that nobody
else tells of: it is kept, or joined to the proposal it answers.

A server's span that names no tool says that the request came and reached none. Where its sender tells of an error, the
server refused the request.

Agents name a tool of an MCP server `server__tool` or `mcp__server__tool`, the protocol only `tool`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.gateways import GATEWAY

PROTOCOL: Final = ("mcp", GATEWAY)
"""The dialects of the protocol's own spans, and of those of gateways between its ends."""
ENCLOSED_WITHIN_NS: Final = 24 * 3600 * 10**9
"""What a run of a tool encloses in time, without a trace in common, began within this after it."""

_CALLED: Final = pl.col("event") == "tool.called"
_COPY: Final = pl.col("dialect").is_in(PROTOCOL).fill_null(value=False) & _CALLED
_IS_BETWEEN: Final = pl.col("dialect") == GATEWAY
_RAN: Final = _CALLED & pl.col("state").is_in(("started", "completed", "failed"))
_REFUSED: Final = _CALLED & (pl.col("state") == "refused")
UNREACHED: Final = "mcp_unreached"
"""Dialects' `rule` of a request that its server answered without its tool."""
_IS_UNREACHED: Final = (pl.col("rule") == UNREACHED).fill_null(value=False)
_KNOWS_WHY: Final = (pl.col("side") == "client") & pl.col("state").is_in(("unknown_tool", "invalid_arguments"))
"""A client that looked into the answer: to the server that gave it, it was an error like any other."""
_TAIL: Final = pl.col("tool_name").str.split("__").list.last()


def without_copies(events: pl.DataFrame) -> pl.DataFrame:
    """The call events without those that tell of another's once more; a copy that stays goes by the agent's name.

    Args:
        events: call events with `row`, `scope` and `done_ns`.
    """
    events = _with_refusals(events)
    told = events.filter(_COPY)
    if not told.height:
        return events
    told = told.with_columns(tail=_TAIL, side=pl.col("attributes").str.json_path_match("$.side"))
    others = events.filter(~_COPY & pl.col("tool_name").is_not_null()).with_columns(tail=_TAIL)
    ran = others.filter(_RAN)
    copies = pl.concat(
        [
            told.join(ran, on=["trace_id", "tail"], how="semi").select("row"),
            # That an agent's call was refused says nothing of another one that ran.
            told.filter(_REFUSED).join(others.filter(_REFUSED), on=["trace_id", "tail"], how="semi").select("row"),
            # A gateway lies between the two ends.
            told.filter(_IS_BETWEEN).join(told.filter(~_IS_BETWEEN), on=["trace_id", "tail"], how="semi").select("row"),
            _served(told),
            _within(told, pl.col("side") == "client", pl.col("side") == "client"),
            _within(told, (pl.col("side") == "server") & (pl.col("state") != "completed"), _KNOWS_WHY),
            _enclosed(told, ran),
        ]
    )
    return _renamed(events.join(copies, on="row", how="anti"), others)


def _served(told: pl.DataFrame) -> pl.DataFrame:
    """Rows of clients whose request a server of the same trace tells of; one that failed may not have come that far."""
    servers = told.filter(pl.col("side") == "server").drop_nulls("trace_id").sort("time_ns")
    clients = told.filter(pl.col("side") == "client")
    done = clients.filter(pl.col("state") == "completed").join(servers, on=["trace_id", "tail"], how="semi")
    # A trace may hold thousands of requests of one tool: each client meets the first server after its start alone.
    met = clients.sort("time_ns").join_asof(
        servers.select("trace_id", "tail", served_ns="time_ns"),
        left_on="time_ns",
        right_on="served_ns",
        by=["trace_id", "tail"],
        strategy="forward",
        check_sortedness=False,
    )
    within = met.filter((pl.col("served_ns") <= pl.col("done_ns")) & ~_KNOWS_WHY)
    return pl.concat([done.select("row"), within.select("row")]).unique()


def _within(told: pl.DataFrame, is_inner: pl.Expr, is_outer: pl.Expr) -> pl.DataFrame:
    """Rows of requests that lie within another one of the same tool in their trace."""
    outer = told.filter(is_outer).select("trace_id", "tail", from_ns="time_ns", until_ns="done_ns").sort("from_ns")
    met = (
        told.filter(is_inner)
        .sort("time_ns")
        .join_asof(
            outer,
            left_on="time_ns",
            right_on="from_ns",
            by=["trace_id", "tail"],
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    )
    return met.filter(pl.col("done_ns") <= pl.col("until_ns")).select("row")


def _with_refusals(events: pl.DataFrame) -> pl.DataFrame:
    """The events without those of requests that reached no tool; an error that encloses one in its trace is refused."""
    unreached = events.filter(_IS_UNREACHED & _COPY).drop_nulls("trace_id").sort("time_ns")
    if not unreached.height:
        return events
    failed = events.filter(_CALLED & (pl.col("state") == "failed")).drop_nulls("trace_id")
    refused = (
        failed.sort("time_ns")
        .join_asof(
            unreached.select("trace_id", at_ns="time_ns", until_ns="done_ns"),
            left_on="time_ns",
            right_on="at_ns",
            by="trace_id",
            strategy="forward",
            check_sortedness=False,
        )
        .filter(pl.col("until_ns") <= pl.col("done_ns"))["row"]
    )
    is_refused = pl.col("row").is_in(refused.implode())
    return events.join(unreached.select("row"), on="row", how="anti").with_columns(
        state=pl.when(is_refused).then(pl.lit("refused")).otherwise("state"),
        decided_by=pl.when(is_refused).then(pl.lit("target")).otherwise("decided_by"),
        basis=pl.when(is_refused).then(pl.lit("inferred")).otherwise("basis"),
        rule=pl.when(is_refused).then(pl.lit(UNREACHED)).otherwise("rule"),
    )


def _enclosed(told: pl.DataFrame, ran: pl.DataFrame) -> pl.DataFrame:
    """Rows that lie in time within the last run of their tool that began before them, of the same sender or another."""
    spans = ran.filter(pl.col("done_ns") > pl.col("time_ns")).select("source", "tail", "time_ns", until_ns="done_ns")
    return (
        told.sort("time_ns")
        .join_asof(
            spans.sort("time_ns"),
            on="time_ns",
            by=["source", "tail"],
            tolerance=ENCLOSED_WITHIN_NS,
            check_sortedness=False,
        )
        .filter(pl.col("done_ns") <= pl.col("until_ns"))
        .select("row")
    )


def _renamed(events: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """A copy takes name and scope of a proposal of its tool in its trace, so that it is matched to it."""
    proposed = (
        others.filter(pl.col("event") == "action.proposed")
        .drop_nulls("trace_id")
        .sort("row")
        .unique(["trace_id", "tail"], keep="first", maintain_order=True)
        .select("trace_id", "tail", of_tool="tool_name", of_scope="scope")
    )
    return (
        events.with_columns(tail=pl.when(_COPY).then(_TAIL))
        .join(proposed, on=["trace_id", "tail"], how="left", maintain_order="left")
        .with_columns(
            tool_name=pl.coalesce("of_tool", "tool_name"),
            scope=pl.coalesce("of_scope", "scope"),
        )
        .drop("tail", "of_tool", "of_scope")
    )
