"""Which call a gateway's verdict is about, among the calls of its own run.

1. A verdict with a call's id, its own or that of the span it lies in, is about the call of that id.
2. One without is about a call of its tool in its trace, that was open then: the one with the same arguments; else the
   only one; else the only one whose own records agree, which did not complete where it was refused; else, of as many
   equal verdicts as there are such calls, each is about one. The last two are deduced, so they are inferred.
3. What may be about several calls is about none: it stays with its run. So does a call's id that was counted, where
   nobody else tells of it.

A verdict that no call of its tool stands beside is a call of its own, where the gateway tells of its request.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.gateways import IS_GATEWAY, PLACE, is_drawn
from aftertrace.analyzer.identity.identity import RESOLVED

CLOCKS_NS: Final = 10**9
"""The gateway and the agent may stamp their records by two clocks."""

_OF_CALL: Final = (*PLACE, "scope", "source", "service_name", "tenant", "environment", "agent_name", "agent_id")
"""What a verdict takes over from the call that it is about."""
_TAIL: Final = pl.col("tool_name").str.split("__").list.last()
_CALLED: Final = pl.col("event") == "tool.called"
_REFUSES: Final = pl.col("state").is_in(("deny", "refused")).fill_null(value=False)
_IS_TOLD_AGAIN: Final = pl.col("state").is_in(("echoed", "answered")).fill_null(value=False)
_SITE: Final = ("run_id", "trace_id", "tail")
_POOL: Final = (*_SITE, "pool")
_EVERY: Final = "every"
_UNKNOWN: Final = "unknown"


def parted(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The call events with gateways' verdicts of step 1 where they belong, and those of step 2, to be `put` later.

    Args:
        events: call events with `row` and `scope`.
    """
    told = events.filter(IS_GATEWAY)
    if not told.height:
        return events, told
    others = events.filter(~IS_GATEWAY)
    told = told.with_columns(tail=_TAIL)
    homes = _homes(others, told)
    named = told.filter(pl.col("call_id").is_not_null()).join(homes, on=["run_id", "call_id"], how="left")
    tells_request = pl.col("pointer").is_in(told.filter(_CALLED)["pointer"].implode())
    is_alone = pl.col("homes").is_null() & (tells_request | is_drawn(pl.col("call_id")))
    named = named.filter((pl.col("homes") == 1) | is_alone).with_columns(
        pl.coalesce(f"of_{name}", name).alias(name) for name in (*_OF_CALL, "tool_name")
    )
    sites = others.filter(~_IS_TOLD_AGAIN).select(*_SITE[:2], tail=_TAIL).unique()
    nameless = told.filter(pl.col("call_id").is_null())
    apart = nameless.join(sites, on=_SITE, how="semi")
    rest = nameless.join(apart, on="row", how="anti")
    columns = events.columns
    return pl.concat([others, named.select(columns), rest.select(columns)]).sort("row"), apart.select(columns)


def _homes(others: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Per run and call id: `homes`, the number of scopes that tell of it, and what the first of its records says."""
    wanted = told.select("run_id", "call_id").drop_nulls().unique()
    return (
        others.join(wanted, on=["run_id", "call_id"], how="semi")
        .sort("row")
        .group_by("run_id", "call_id")
        .agg(
            pl.col("scope").n_unique().alias("homes"),
            *(pl.col(name).drop_nulls().first().alias(f"of_{name}") for name in (*_OF_CALL, "tool_name")),
        )
    )


def put(apart: pl.DataFrame, keyed: pl.DataFrame) -> pl.DataFrame:
    """Gateways' verdicts with the `call_key`, id, tool and place of the call that they are about, as of step 2.

    Args:
        apart: what `parted` has put aside.
        keyed: the events of all other calls, with `call_key` and `done_ns`.
    """
    if not apart.height:
        return keyed.clear()
    apart = apart.with_columns(tail=_TAIL)
    calls = _calls(keyed, apart)
    records = (
        apart.sort("row")
        .group_by("pointer", *_SITE, maintain_order=True)
        .agg(
            pl.col("time_ns").min(),
            pl.col("row").min(),
            pl.col("arguments_digest").drop_nulls().first().alias("digest"),
            pl.col("rule").drop_nulls().first(),
            refuses=_REFUSES.any(),
        )
    )
    about = _about(records, calls)
    of_call = (
        keyed.join(about, on="call_key", how="semi")
        .sort("row")
        .group_by("call_key")
        .agg(pl.col(name).drop_nulls().first().alias(f"of_{name}") for name in (*_OF_CALL, "tool_name", "call_id"))
    )
    return (
        apart.join(about, on=["pointer", *_SITE], how="inner")
        .join(of_call, on="call_key", how="left")
        .with_columns(
            *(pl.coalesce(f"of_{name}", name).alias(name) for name in (*_OF_CALL, "tool_name", "call_id")),
            basis=pl.when("is_deduced").then(pl.lit("inferred")).otherwise("basis"),
        )
        .select(keyed.columns)
    )


def _calls(keyed: pl.DataFrame, apart: pl.DataFrame) -> pl.DataFrame:
    """The calls of the sites of some verdicts: between when they were open, with which arguments, how they ended."""
    sites = apart.select(_SITE).unique()
    some = keyed.with_columns(tail=_TAIL)
    there = some.filter(~_IS_TOLD_AGAIN).join(sites, on=_SITE, how="semi").select(*_SITE, "call_key").unique()
    began = (
        (pl.col("event") == "action.proposed")
        | pl.col("state").is_in(("entered", "started"))
        | (pl.col("done_ns") > pl.col("time_ns"))
    ).fill_null(value=False)
    ended = (_CALLED & pl.col("state").is_in(RESOLVED)).fill_null(value=False)
    per_call = (
        some.join(there, on="call_key", how="semi")
        .group_by("call_key")
        .agg(
            began_ns=pl.col("time_ns").filter(began).min(),
            ended_ns=pl.col("done_ns").filter(ended).max(),
            first_ns=pl.col("time_ns").min(),
            digests=pl.col("arguments_digest").drop_nulls().unique(),
            is_done=(_CALLED & (pl.col("state") == "completed")).fill_null(value=False).any(),
            has_run=(_CALLED & pl.col("state").is_in(("completed", "failed"))).fill_null(value=False).any(),
        )
    )
    return there.join(per_call, on="call_key", how="inner").sort("first_ns", "call_key").with_row_index("number")


def _about(records: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """`pointer`, site, `call_key` and `is_deduced` of the records that are about one call."""
    pools = pl.concat(
        [
            calls.with_columns(pool=pl.lit(_EVERY)),
            calls.filter(pl.col("digests").list.len() == 0).with_columns(pool=pl.lit(_UNKNOWN)),
            calls.with_columns(pool="digests").explode("pool", empty_as_null=True, keep_nulls=True).drop_nulls("pool"),
        ]
    )
    same = _open(records.with_columns(pool="digest"), pools)
    every = _open(same.filter(pl.col("calls") == 0).with_columns(pool=pl.lit(_EVERY)), pools)
    certain = pl.concat([same, every]).filter(pl.col("calls") == 1)
    several = pl.concat([same, every]).filter(pl.col("calls") > 1)
    is_other = (pl.col("pool") == _EVERY) & pl.col("digest").is_not_null()
    several = several.with_columns(pool=pl.when(is_other).then(pl.lit(_UNKNOWN)).otherwise("pool"))
    deduced: list[pl.DataFrame] = []
    for refuses, agrees in ((True, ~pl.col("is_done")), (False, pl.col("has_run"))):
        agreeing = pools.filter(agrees)
        met = _open(several.filter(pl.col("refuses") == refuses), agreeing)
        deduced += [met.filter(pl.col("calls") == 1), _each(met.filter(pl.col("calls") > 1), agreeing)]
    columns = ("pointer", *_SITE, "number")
    of_number = calls.select("number", "call_key").unique()
    return pl.concat(
        [
            certain.select(*columns, is_deduced=pl.lit(value=False)),
            pl.concat(deduced).select(*columns, is_deduced=pl.lit(value=True)),
        ]
    ).join(of_number, on="number", how="inner")


def _open(records: pl.DataFrame, pools: pl.DataFrame) -> pl.DataFrame:
    """Records with `calls`, how many of their pool were open then, and `number`, which one where it is one.

    A trace may hold thousands of calls of one tool: they are counted, and never met pair by pair. What begins adds its
    number to a sum, what ends takes it away; while one is open, the sum is its number.
    """
    began = pl.coalesce("began_ns", pl.lit(0))
    begun = pools.select(*_POOL, "number", at_ns=pl.min_horizontal(began, "ended_ns") - CLOCKS_NS)
    ended = pools.drop_nulls("ended_ns").select(*_POOL, "number", at_ns=pl.col("ended_ns") + CLOCKS_NS)
    found = records.drop("calls", "number", strict=False).sort("time_ns", "row")
    for frame, side in ((begun, "begun"), (ended, "ended")):
        counted = frame.sort("at_ns", "number").with_columns(
            pl.int_range(1, pl.len() + 1).over(_POOL).alias(side),
            pl.col("number").cast(pl.Int64).cum_sum().over(_POOL).alias(f"{side}_sum"),
        )
        found = found.join_asof(
            counted.drop("number").unique([*_POOL, "at_ns"], keep="last", maintain_order=True),
            left_on="time_ns",
            right_on="at_ns",
            by=_POOL,
            check_sortedness=False,
            allow_exact_matches=side == "begun",
        ).drop("at_ns", strict=False)
    sums = pl.col("begun_sum").fill_null(0) - pl.col("ended_sum").fill_null(0)
    return found.with_columns(
        calls=pl.col("begun").fill_null(0) - pl.col("ended").fill_null(0), number=sums.cast(pl.UInt32)
    ).drop("begun", "ended", "begun_sum", "ended_sum")


def _each(records: pl.DataFrame, pools: pl.DataFrame) -> pl.DataFrame:
    """Of as many equal verdicts as there are calls in their pool, all open, each with one of them."""
    rank = pl.int_range(pl.len()).over(_POOL, order_by=["time_ns", "row"])
    size = pools.group_by(_POOL).agg(size=pl.len())
    equal = (
        records.join(size, on=_POOL, how="inner")
        .filter(
            (pl.col("calls") == pl.col("size")).all().over(_POOL)
            & (pl.len().over(_POOL) == pl.col("size"))
            & (pl.col("rule").n_unique().over(_POOL) == 1)
        )
        .drop("number", "size")
        .with_columns(rank=rank)
    )
    numbered = pools.select(*_POOL, "number", rank=pl.int_range(pl.len()).over(_POOL, order_by="number"))
    return equal.join(numbered, on=[*_POOL, "rank"], how="inner").select(records.columns)


def told_back(call_events: pl.DataFrame) -> pl.DataFrame:
    """`call_key`, `is_told_back` of the calls whose result is the refusal of a gateway, by the reason that it gives.

    A reason of one word, such as the name of a rule, proves nothing within a longer text.

    Args:
        call_events: the call events with `call_key`.
    """
    told = call_events.select("call_key", "event", "state", "dialect", "reason", "content")
    refused = told.filter(IS_GATEWAY & _REFUSES & (pl.col("reason").str.len_chars() > 0))
    if not refused.height:
        return pl.DataFrame(schema={"call_key": pl.String, "is_told_back": pl.Boolean})
    is_phrase = pl.col("refusal").str.contains(r"\S\s+\S")
    contains = pl.col("content").str.contains(pl.col("refusal"), literal=True)
    return (
        told.filter(~IS_GATEWAY & _CALLED & (pl.col("state") == "completed"))
        .join(refused.select("call_key", refusal="reason").unique(), on="call_key", how="inner")
        .filter((is_phrase & contains) | (pl.col("content").str.strip_chars('"') == pl.col("refusal")))
        .select("call_key", is_told_back=pl.lit(value=True))
        .unique()
    )
