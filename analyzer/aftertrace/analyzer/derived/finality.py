"""From when on what is told of a run is final, unless more records of it come.

Time alone changes what is told: a run without an end is over after 30 quiet minutes, and what waits can be resumed for
a day. Runs that one another's records lead to are final together.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.derived.derivation import Derivation
from aftertrace.analyzer.identity.copies import PROTOCOL
from aftertrace.analyzer.identity.gateways import is_drawn
from aftertrace.analyzer.identity.identity import RESUME_WITHIN_NS, components
from aftertrace.analyzer.identity.run_states import QUIET_NS
from aftertrace.store.wire_keys import wire_keys

COMES_BACK_FOR_NS: Final = 5 * 60 * 10**9
"""A run of which more came after it had told its end, as of a chat with each of its turns, is not over for so long: it
would be kept and taken back with each of them, and what is kept beside it written anew.
"""
FINALITY: Final = pl.Schema(
    {
        "run_id": pl.String(),
        "from_ns": pl.Int64(),
        "final_ns": pl.Int64(),
        "due_ns": pl.Int64(),
        "records": pl.Int64(),
        "has_come_back": pl.Boolean(),
        "tenants": pl.List(pl.String),
    }
)
NO_TENANT: Final = ""
"""The tenant of what a source sent that has none."""
_JOINED: Final = ("call", "request", "mcp")


def finality(
    told: Derivation, meant: pl.Series, leads: pl.DataFrame, now_ns: int, come_back: pl.Series
) -> pl.DataFrame:
    """When what is told of some runs became final (null: it is not), or else may next, and on how many records, and on
    whose, it rests; columns as in `FINALITY`.

    Args:
        told: what is told of them.
        meant: `run_id` of the runs.
        leads: their keys (`touched.LEADS`).
        now_ns: the time it was judged at.
        come_back: `run_id` of those of which more came after they had told their end.
    """
    received = pl.concat(
        [frame.select("run_id", "received_ns", "tenant") for frame in (told.identified.spans, told.identified.events)]
    )
    waiting = told.calls.filter(pl.col("outcome") == "pending").select("run_id", is_pending=pl.lit(value=True)).unique()
    sure, wide = _joined_by(told, leads)
    runs = (
        received.filter(pl.col("run_id").is_in(meant.implode()))
        .group_by("run_id")
        .agg(
            from_ns=pl.col("received_ns").min(),
            last_ns=pl.col("received_ns").max(),
            records=pl.len(),
            tenants=pl.col("tenant").fill_null(NO_TENANT).unique(),
        )
        .join(told.run_states.select("run_id", "is_closed"), on="run_id", how="left")
        .join(waiting, on="run_id", how="left")
        .join(_together(sure, "together"), on="run_id", how="left")
        .join(_together(wide, "beside"), on="run_id", how="left")
    )
    tenants = runs.group_by("together").agg(
        pl.col("tenants").explode(empty_as_null=False, keep_nulls=False).unique().sort()
    )
    runs = runs.drop("tenants").join(tenants, on="together", how="left", nulls_equal=True)
    runs = runs.with_columns(has_come_back=pl.col("run_id").is_in(come_back.implode()).any().over("together"))
    whole = pl.col("together")
    last_ns = pl.col("last_ns").fill_null(0).max().over(whole)
    # Others may have been told otherwise before these came, though nothing of theirs waits for them.
    beside_ns = pl.col("last_ns").fill_null(0).max().over("beside") + 1
    is_pending = pl.col("is_pending").fill_null(value=False).any().over(whole)
    is_closed = pl.col("is_closed").fill_null(value=False).all().over(whole)
    grace_ns = pl.when("has_come_back").then(COMES_BACK_FOR_NS).otherwise(0)
    quiet_ns = last_ns + pl.when(is_closed).then(grace_ns).otherwise(QUIET_NS)
    lapsed_ns = last_ns + RESUME_WITHIN_NS
    # What was pending before it lapsed cannot be told any more.
    final_ns = pl.when(now_ns >= lapsed_ns).then(lapsed_ns).when(~is_pending & (now_ns >= quiet_ns)).then(quiet_ns)
    due_ns = pl.when(now_ns < quiet_ns).then(quiet_ns).otherwise(lapsed_ns)
    return (
        runs.with_columns(final_ns=pl.when(final_ns.is_not_null()).then(pl.max_horizontal(final_ns, beside_ns)))
        .with_columns(due_ns=pl.when(pl.col("final_ns").is_null()).then(due_ns))
        .select(pl.col(name).cast(kind) for name, kind in FINALITY.items())
        .sort("run_id")
    )


def _joined_by(told: Derivation, leads: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`run_id`, `key` of what runs have in common that are told together: keys, requests, ids of calls that nobody else
    can have; and, with these, of what may change how they are told: any id of a call, and tools of which an end of a
    connection tells too (`copies`).
    """
    ids = []
    for frame in (told.identified.spans, told.identified.events):
        runs = frame.with_row_index("row").select("row", "run_id")
        ids.append(wire_keys(frame, _JOINED).join(runs, on="row", how="inner").select("run_id", "kind", "key"))
    named = pl.concat([leads.select("run_id", "kind", "key"), *ids]).unique()
    is_sure = (pl.col("kind") != "call") | is_drawn(pl.col("key"))
    key = pl.concat_str("kind", "key", separator=" ")
    called = told.identified.events.filter((pl.col("event") == "tool.called") & pl.col("tool_name").is_not_null())
    called = called.select(
        "run_id",
        key=pl.concat_str(pl.lit("tool"), "source", pl.col("tool_name").str.split("__").list.last(), separator=" "),
        is_end=pl.col("dialect").is_in(PROTOCOL),
    )
    tools = called.join(called.filter("is_end"), on="key", how="semi").select("run_id", "key").unique()
    return named.filter(is_sure).select("run_id", key=key), pl.concat([named.select("run_id", key=key), tools])


def _together(joined: pl.DataFrame, name: str) -> pl.DataFrame:
    """`run_id`, and `name`: equal for runs that have a key in common, or are joined by others that have."""
    # Nearly all calls have an id that no other run has.
    shared = joined.drop_nulls().unique().filter(pl.col("key").is_duplicated())
    nodes = pl.concat([joined.select(node="run_id"), shared.select(node="key")]).drop_nulls().unique().sort("node")
    told = components(nodes, shared.select(first="run_id", second="key"))
    return told.select(pl.col("node").alias("run_id"), pl.col("run_id").alias(name))
