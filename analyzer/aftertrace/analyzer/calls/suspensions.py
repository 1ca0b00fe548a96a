"""Runs of a tool that asks by itself: what it ran to ask, and what it ran to hear that the answer is no.

Mastra's tools suspend from within. The span of the run that asked ends like one that returned nothing; its agent says
at its end which call it waits for. The answer is given to the tool's body, which runs once more either way. So a run
that ends in a question, and one that begins with a no, carry nothing out.
"""

from __future__ import annotations

from typing import Final

import polars as pl

ASKS_ITSELF: Final = "asks_itself"
"""Dialects' `rule` of an ask that comes from the tool's own body."""
_ANSWERS: Final = ("approval.granted", "approval.rejected", "approval.modified")


def without_suspensions(events: pl.DataFrame) -> pl.DataFrame:
    """The call events, those runs as mere entries.

    Args:
        events: the events that speak of a call, with `call_key`.
    """
    asks = events.filter((pl.col("rule") == ASKS_ITSELF).fill_null(value=False))
    if not asks.height:
        return events
    told = events.with_row_index("at").join(asks, on="call_key", how="semi")
    marks = (
        told.filter(pl.col("event").is_in(("approval.requested", *_ANSWERS)))
        .select("call_key", "time_ns", mark="event")
        .sort("time_ns")
    )
    runs = told.filter((pl.col("event") == "tool.called") & (pl.col("state") == "completed")).select(
        "at", "call_key", "time_ns", done_ns=pl.coalesce("end_ns", "time_ns")
    )
    before = runs.sort("time_ns").join_asof(
        marks, on="time_ns", by="call_key", strategy="backward", check_sortedness=False
    )
    after = runs.sort("done_ns").join_asof(
        marks.rename({"time_ns": "done_ns"}), on="done_ns", by="call_key", strategy="forward", check_sortedness=False
    )
    in_vain = pl.concat(
        [
            before.filter(pl.col("mark") == "approval.rejected").select("at"),
            after.filter(pl.col("mark") == "approval.requested").select("at"),
        ]
    )["at"]
    return events.with_columns(
        state=pl.when(pl.int_range(pl.len()).is_in(in_vain.implode())).then(pl.lit("entered")).otherwise("state")
    )
