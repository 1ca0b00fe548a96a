"""Calls that a later trace tells of once more, because a model is given the history of its conversation.

Where a conversation has an id, a call is known by it in all its traces. Where it has none, a second prompt is a trace
of its own, and its first model call repeats the answers to the calls of the first: without their proposals, and without
a record of their run. Such a call is no new one if an earlier trace of the same sender tells of it from its proposal to
its end. A call that was still open there is another matter: it is resumed (`identity`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import RESOLVED, RESUME_WITHIN_NS

_CALL: Final = ("source", "service_name", "call_id")
_CALLED: Final = pl.col("event") == "tool.called"
_PROPOSED: Final = pl.col("event") == "action.proposed"
_RUNS: Final = ("entered", "started", "completed", "failed")
_IS_HISTORY: Final = (_PROPOSED & (pl.col("state") == "echoed")) | (_CALLED & ~pl.col("state").is_in(_RUNS))


def without_replays(events: pl.DataFrame) -> pl.DataFrame:
    """The call events without those that only repeat a call of an earlier trace, or conversation.

    Args:
        events: call events with `scope`, which call ids are told apart by.
    """
    per_scope = (
        events.filter(pl.col("call_id").is_not_null())
        .group_by(*_CALL, "scope")
        .agg(
            from_ns=pl.col("time_ns").min(),
            to_ns=pl.col("time_ns").max(),
            tool=pl.col("tool_name").drop_nulls().first(),
            is_history=_IS_HISTORY.fill_null(value=False).all(),
            is_whole=(_PROPOSED & (pl.col("state") == "proposed")).any()
            & (_CALLED & pl.col("state").is_in(RESOLVED)).any(),
        )
    )
    whole = per_scope.filter("is_whole").select(*_CALL, "tool", "from_ns", of_to_ns="to_ns")
    history = per_scope.filter("is_history")
    if not (whole.height and history.height):
        return events
    named = pl.col("tool").is_not_null()
    told = pl.concat(
        [
            _after(history.filter(named), whole.filter(named), (*_CALL, "tool")),
            _after(history.filter(~named), whole, _CALL),
        ]
    )
    return events.join(told.unique(), on=[*_CALL, "scope"], how="anti", nulls_equal=True)


def _after(history: pl.DataFrame, whole: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """The calls of `history`, as `_CALL` and `scope`, that soon follow a whole one which is the same in `by`.

    Many runs of a program may count their calls from one, so that pairs of them are never made.
    """
    # A join by time takes nulls for unequal.
    same = [pl.col(name).fill_null("").alias(f"same_{name}") for name in by]
    keys = [f"same_{name}" for name in by]
    ends = (
        whole.drop_nulls("from_ns")
        .select(*same, "from_ns", "of_to_ns")
        .sort("from_ns", "of_to_ns")
        .with_columns(pl.col("of_to_ns").cum_max().over(keys))
    )
    return (
        history.drop_nulls("from_ns")
        .with_columns(same)
        .sort("from_ns")
        .join_asof(ends, on="from_ns", by=keys, strategy="backward", check_sortedness=False)
        .filter(pl.col("from_ns") - pl.col("of_to_ns") <= RESUME_WITHIN_NS)
        .select(*_CALL, "scope")
    )
