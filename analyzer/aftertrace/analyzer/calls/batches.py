"""Which call of a batch a log record speaks of, where the record has no call id.

Gemini CLI logs one record per call inside the span that scheduled it with others: the span and its children name the
calls, the record only the tool and its arguments. And every event of such a record speaks of one call: its decision
goes where its result goes.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import RESOLVED

_CALLED: Final = pl.col("event") == "tool.called"
_RAN: Final = ("completed", "failed")
_RECORD: Final = ("pointer", "tool_name")
_NONE_LED: Final = pl.DataFrame(schema={"row": pl.get_index_type(), "lead": pl.get_index_type()})
_NONE_NAMED: Final = pl.DataFrame(schema={"row": pl.get_index_type(), "of_call": pl.String})


def results() -> pl.Expr:
    """Events without call id that tell what came of a call, and are not answers told by their position."""
    return (
        _CALLED
        & pl.col("state").is_in(RESOLVED).fill_null(value=False)
        & pl.col("call_id").is_null()
        & pl.col("tool_name").is_not_null()
        & pl.col("position").is_null()
    )


def companions(events: pl.DataFrame) -> pl.DataFrame:
    """Events without call id in the same record as the one result of the same tool: `row`, `lead` (its row)."""
    lead = (
        events.filter(results())
        .group_by(_RECORD)
        .agg(pl.col("row").first().alias("lead"), pl.len().alias("results"))
        .filter(pl.col("results") == 1)
    )
    if not lead.height:
        return _NONE_LED
    other = (
        pl.col("call_id").is_null() & pl.col("position").is_null() & ~results() & (pl.col("event") != "action.proposed")
    )
    return events.filter(other).join(lead, on=_RECORD, how="inner").select("row", "lead")


def entries(events: pl.DataFrame) -> pl.DataFrame:
    """Entries of a tool without call id whose span lies right above the one of its result: `row`, `lead` (its row).

    LangGraph's node of tools names the call and its arguments, the tool's own span below it what came of it.
    """
    place = ["trace_id", "at", "tool_name"]
    entered = (
        events.filter(_CALLED & (pl.col("state") == "entered") & pl.col("call_id").is_null())
        .select("row", "trace_id", "tool_name", at="span_id")
        .drop_nulls()
        .unique(place, keep="none")
    )
    if not entered.height:
        return _NONE_LED
    below = (
        events.filter(results())
        .select("trace_id", "tool_name", at="parent_span_id", lead="row")
        .drop_nulls()
        .unique(place, keep="none")
    )
    return entered.join(below, on=place, how="inner").select("row", "lead")


def of_batches(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`row`, `of_call`: the call of each log record's result that lies in a span whose calls are named.

    A batch's calls are named by the span itself or by its children. The k-th record of a tool with the same arguments
    meets the k-th such call; then, without arguments, the k-th of the tool that likewise ran or did not.
    """
    is_log = ~pl.col("pointer").is_in(spans["pointer"].implode())
    wanting = events.filter(results() & is_log & pl.col("span_id").is_not_null()).select(
        "row",
        "trace_id",
        "tool_name",
        "time_ns",
        batch="span_id",
        digest="arguments_digest",
        ran=pl.col("state").is_in(_RAN),
    )
    if not wanting.height:
        return _NONE_NAMED
    named = _named(events, wanting)
    found: list[pl.DataFrame] = []
    for by in (["trace_id", "batch", "tool_name", "digest"], ["trace_id", "batch", "tool_name", "ran"]):
        met = _in_order(wanting, named, by)
        found.append(met)
        wanting = wanting.join(met, on="row", how="anti")
        named = named.join(
            met, left_on=["trace_id", "batch", "call_id"], right_on=["trace_id", "batch", "of_call"], how="anti"
        )
    return pl.concat(found).select("row", "of_call")


def _named(events: pl.DataFrame, wanting: pl.DataFrame) -> pl.DataFrame:
    """The calls that a batch's span or its children name, in the order in which they ended."""
    called = events.filter(_CALLED & pl.col("call_id").is_not_null())
    beside = pl.concat(
        [called.with_columns(batch="span_id"), called.with_columns(batch="parent_span_id")], how="vertical"
    ).join(wanting.select("trace_id", "batch").unique(), on=["trace_id", "batch"], how="semi")
    return beside.group_by("trace_id", "batch", "call_id").agg(
        pl.col("tool_name").drop_nulls().first(),
        pl.col("arguments_digest").drop_nulls().first().alias("digest"),
        pl.col("state").is_in(_RAN).fill_null(value=False).any().alias("ran"),
        pl.coalesce("end_ns", "time_ns").max().alias("time_ns"),
        pl.col("row").min(),
    )


def _in_order(wanting: pl.DataFrame, named: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    def ranked(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.drop_nulls(by).with_columns(rank=pl.int_range(pl.len()).over(by, order_by=["time_ns", "row"]))

    met = ranked(wanting).join(ranked(named).select(*by, "rank", of_call="call_id"), on=[*by, "rank"], how="inner")
    return met.select("row", "trace_id", "batch", "of_call")
