"""Records that name a conversation and lie in none of its turns, and the turn that each of them belongs to.

Codex sends each turn in a trace of its own, but what it streams from the model without any trace, and the settings of
a conversation in the trace of the request that opened it. Taken by their keys alone, those would be runs of their own.
"""

from __future__ import annotations

from typing import Literal

import polars as pl


def in_turns(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The events, with the `part` of the turn under way for those that lie in none.

    What is set for a conversation counts for the turn after it; anything else belongs to the turn that began last.
    Conversations without any trace are left as they are.

    Args:
        events: events with `thread`, `conversation_id` and `part`, as `identity` gives them.
        spans: spans with the same.
    """
    turns = _turns(events, spans)
    numbered = events.with_row_index("row")
    strays = (
        numbered.filter(
            pl.col("conversation_id").is_not_null() & pl.col("run_key").is_null() & pl.col("turn_id").is_null()
        )
        .join(turns, on=["thread", "part"], how="anti")
        .join(turns, on="thread", how="semi")
        .sort("time_ns")
    )
    if not strays.height:
        return events
    strays = _with_nearest(_with_nearest(strays, turns, "backward"), turns, "forward")
    into = pl.when(is_setting()).then(pl.coalesce("forward", "backward")).otherwise(pl.coalesce("backward", "forward"))
    return (
        numbered.join(strays.select("row", into=into), on="row", how="left")
        .with_columns(part=pl.coalesce("into", "part"))
        .drop("row", "into")
    )


def is_setting() -> pl.Expr:
    """Whether an event only tells what an agent is set to: no sign that it did anything."""
    told = pl.col("state").is_in(("other", "permission_mode")).fill_null(value=False)
    return (pl.col("event") == "input.resolved") & told


def _with_nearest(strays: pl.DataFrame, turns: pl.DataFrame, strategy: Literal["backward", "forward"]) -> pl.DataFrame:
    """Strays with the turn that begins nearest to each in one direction of time, in a column of that name."""
    return strays.join_asof(
        turns.select("thread", "from_ns", pl.col("part").alias(strategy)),
        left_on="time_ns",
        right_on="from_ns",
        by="thread",
        strategy=strategy,
        check_sortedness=False,
    ).drop("from_ns")


def _turns(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`thread`, `part`, `from_ns`: each trace of a conversation in which an agent did or was told something."""
    told = (pl.col("event") != "input.resolved") | (pl.col("state") == "user_prompt").fill_null(value=False)
    columns = ("thread", "part", "conversation_id")
    done = [
        spans.filter(pl.col("operation").is_not_null()).select(*columns, from_ns="start_ns"),
        events.filter(told).select(*columns, from_ns="time_ns"),
    ]
    return pl.concat(done).drop_nulls().group_by("thread", "part").agg(pl.col("from_ns").min()).sort("from_ns", "part")
