"""One answer for several calls: a request names every call it is about, its answer only the request.

The id of a request is unique within its conversation at best: programs count from one in each. So an answer is looked
for where it was given; only one that names no conversation may be of a request asked elsewhere, and joins its run.

Nor is an id always new: what is asked under one after it was answered is another request, and an answer is about the
calls of the last request before it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import EVENT_ORDER

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
        .select(*_SENDER, "time_ns", *(pl.col(name).alias(f"of_{name}") for name in (*_PLACE, "call_id", "tool_name")))
    )
    here = _about(answers, asked, _REQUEST)
    only = asked.filter(pl.col("of_scope").n_unique().over(_SENDER) == 1)
    homeless = answers.filter(pl.col("conversation_id").is_null()).join(here, on=_RECORD, how="anti")
    elsewhere = _about(homeless, only, _SENDER)
    each = (
        pl.concat([here, elsewhere])
        .with_columns(
            *(pl.col(f"of_{name}").alias(name) for name in (*_PLACE, "call_id")),
            tool_name=pl.coalesce("tool_name", "of_tool_name"),
        )
        .select(events.columns)
    )
    return pl.concat([events.join(each, on=_RECORD, how="anti"), each]).sort(*EVENT_ORDER)


def _about(answers: pl.DataFrame, asked: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Each answer with each call of the last request of its key before it, or of the first one after it."""
    given = answers.with_columns(key=_key(by)).sort("time_ns")
    asked = asked.with_columns(key=_key([f"of_{name}" if name == "scope" else name for name in by])).sort("time_ns")
    count = given.select("key", answered_ns="time_ns", request=pl.int_range(1, pl.len() + 1).over("key"))
    # What was asked after the n-th answer is the n-th request.
    asked = asked.join_asof(
        count, left_on="time_ns", right_on="answered_ns", by="key", allow_exact_matches=False, check_sortedness=False
    ).with_columns(pl.col("request").fill_null(0))
    requests = asked.select("key", "time_ns", "request")
    for strategy in ("backward", "forward"):
        given = given.join_asof(
            requests.rename({"request": strategy}), on="time_ns", by="key", strategy=strategy, check_sortedness=False
        )
    given = given.with_columns(request=pl.coalesce("backward", "forward"))
    columns = [name for name in asked.columns if name.startswith("of_")]
    return given.join(asked.select("key", "request", *columns), on=["key", "request"], how="inner").select(
        *answers.columns, *columns
    )


def _key(names: list[str]) -> pl.Expr:
    return pl.concat_str([pl.col(name).fill_null("") for name in names], separator="\x1f")
