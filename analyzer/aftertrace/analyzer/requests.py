"""One answer for several calls: a request names every call it is about, its answer only the request.

The id of a request is unique within its conversation at best: programs count from one in each. So an answer is looked
for where it was given; only one that names no conversation may be of a request asked elsewhere, and joins its run.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity import EVENT_ORDER

CALLS_AT_MOST: Final = 64
"""An id under which more calls than this are asked about, in one conversation or run, is none of a request."""
_ANSWERS: Final = ("approval.granted", "approval.rejected", "approval.modified", "approval.expired")
_SENDER: Final = ["source", "service_name", "group"]
_REQUEST: Final = [*_SENDER, "scope"]
_PLACE: Final = ("run_id", "thread", "conversation_id", "scope")
_RECORD: Final = ["receiver", "seq", "index", "ordinal"]


def answered_each(events: pl.DataFrame) -> pl.DataFrame:
    """The events, where an answer that names its request and no call stands once for each call asked about under it.

    An answer with a position is another matter: it is about the request in the same position (`joins`).

    Args:
        events: in `identity.EVENT_ORDER`, which is kept, with the `scope` of their ids.
    """
    about = pl.col("event").is_in(_ANSWERS) & pl.col("call_id").is_null() & pl.col("position").is_null()
    answers = events.filter(about & pl.col("group").is_not_null())
    if not answers.height:
        return events
    asked = (
        events.filter((pl.col("event") == "approval.requested") & pl.col("call_id").is_not_null())
        .sort("time_ns", "call_id")
        .unique([*_REQUEST, "call_id"], keep="first", maintain_order=True)
        .filter(pl.len().over(_REQUEST) <= CALLS_AT_MOST)
        .select(*_SENDER, *(pl.col(name).alias(f"of_{name}") for name in (*_PLACE, "call_id", "tool_name")))
    )
    here = answers.join(
        asked, left_on=_REQUEST, right_on=[*_SENDER, "of_scope"], how="inner", nulls_equal=True, coalesce=False
    ).select(*answers.columns, *(name for name in asked.columns if name.startswith("of_")))
    only = asked.filter(pl.col("of_scope").n_unique().over(_SENDER) == 1)
    homeless = answers.filter(pl.col("conversation_id").is_null()).join(here, on=_RECORD, how="anti")
    elsewhere = homeless.join(only, on=_SENDER, how="inner", nulls_equal=True).select(here.columns)
    each = (
        pl.concat([here, elsewhere])
        .with_columns(
            *(pl.col(f"of_{name}").alias(name) for name in (*_PLACE, "call_id")),
            tool_name=pl.coalesce("tool_name", "of_tool_name"),
        )
        .select(events.columns)
    )
    return pl.concat([events.join(each, on=_RECORD, how="anti"), each]).sort(*EVENT_ORDER)
