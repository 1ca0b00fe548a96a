"""One answer for several calls: a request names every call it is about, its answer only the request."""

from __future__ import annotations

from typing import Final

import polars as pl

_ANSWERS: Final = ("approval.granted", "approval.rejected", "approval.modified", "approval.expired")
_OWNER: Final = ["source", "service_name", "group"]
_RECORD: Final = ["receiver", "seq", "index", "ordinal"]


def answered_each(events: pl.DataFrame) -> pl.DataFrame:
    """The events, where an answer that names its request and no call stands once for each call asked about under it.

    An answer with a position is another matter: it is about the request in the same position (`joins`).
    """
    about = pl.col("event").is_in(_ANSWERS) & pl.col("call_id").is_null() & pl.col("position").is_null()
    answers = events.filter(about & pl.col("group").is_not_null())
    if not answers.height:
        return events
    asked = (
        events.filter((pl.col("event") == "approval.requested") & pl.col("call_id").is_not_null())
        .sort("time_ns", "call_id")
        .unique([*_OWNER, "call_id"], keep="first", maintain_order=True)
        .select(*_OWNER, of_call="call_id", of_tool="tool_name")
    )
    each = (
        answers.join(asked, on=_OWNER, how="inner", nulls_equal=True)
        .with_columns(call_id="of_call", tool_name=pl.coalesce("tool_name", "of_tool"))
        .select(events.columns)
    )
    return pl.concat([events.join(each, on=_RECORD, how="anti"), each]).sort(*_RECORD, "call_id")
