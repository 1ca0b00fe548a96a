"""Which calls an ask is about, and which ask an answer answers, where they do not say so by the call's id.

An interrupt of LangGraph has an id and lists what it asks about; its answers come in the same order, by that id or for
the latest interrupt before them. One that lists nothing is a plain question: it is about the calls of the model's last
turn that are still open, and so is its answer.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import polars as pl

from aftertrace.analyzer.identity.identity import RESOLVED

QUESTION: Final = "graph_question"
"""Dialects' `rule` of an ask that names no call."""
_ANSWERS: Final = ("approval.granted", "approval.rejected", "approval.modified")
_ENDED: Final = (*RESOLVED, "started")
_INTERRUPT: Final = ["scope", "group", "position"]
_Direction: TypeAlias = Literal["backward", "forward"]
_EVER_NS: Final = (1 << 63) - 1
_OF: Final = ("of_tool", "of_arguments", "of_call")


def with_asks(events: pl.DataFrame) -> pl.DataFrame:
    """The events with tool, call and `asked_digest` of what is asked and answered by position alone.

    An ask, or an answer, that is about several calls becomes one event for each; the others keep their `row`. An ask's
    `request` says how many answers its interrupt had had before, in its position; an answer's `ask_row` is the `row` of
    the ask that it answers.
    """
    is_ask = (pl.col("event") == "approval.requested") & pl.col("position").is_not_null()
    asks = events.filter(is_ask & pl.col("group").is_not_null()).sort("time_ns", "row")
    answers = events.filter(
        pl.col("event").is_in(_ANSWERS) & pl.col("position").is_not_null() & pl.col("call_id").is_null()
    )
    if not (asks.height or answers.height):
        nothing = (pl.lit(None, kind).alias(name) for name, kind in (("ask_row", pl.UInt32), ("request", pl.Int64)))
        return events.with_columns(*nothing, asked_digest="arguments_digest")
    about = _about(asks, events)
    answered = _answered(answers, asks)
    of_asks = answered.join(about, on="of_row").rename({"of_row": "ask_row"})
    met = pl.concat([about.rename({"of_row": "row"}), of_asks], how="diagonal")
    met = met.with_columns(copy=pl.int_range(pl.len()).over("row", order_by="of_call"))
    met = met.join(_requests(asks, answers, answered), on="row", how="full", coalesce=True)
    found = events.join(met, on="row", how="left", maintain_order="left")
    copies = pl.col("copy").fill_null(0) > 0
    highest = pl.lit(events["row"].max() or 0, dtype=pl.UInt32)
    return found.with_columns(
        row=pl.when(copies).then(highest + copies.cum_sum()).otherwise("row").cast(pl.UInt32),
        tool_name=pl.coalesce("of_tool", "tool_name"),
        call_id=pl.coalesce("call_id", "of_call"),
        asked_digest=pl.coalesce("of_arguments", "arguments_digest"),
    ).drop(*_OF, "copy")


def _answered(answers: pl.DataFrame, asks: pl.DataFrame) -> pl.DataFrame:
    """`row` of each answer, `of_row` of its ask: the one of that position in its interrupt, else in the latest one.

    An interrupt's id may be used again, by a node that asks twice: then the last ask before the answer is meant.
    """
    of = asks.select("scope", "group", "position", "time_ns", of_row="row")
    by_group = _nearest(answers, of, _INTERRUPT, ("backward", "forward"))
    rest = answers.join(by_group, on="row", how="anti")
    return pl.concat([by_group, _nearest(rest, of.drop("group"), ["scope", "position"], ("backward",))])


def _requests(asks: pl.DataFrame, answers: pl.DataFrame, answered: pl.DataFrame) -> pl.DataFrame:
    """`row` of each ask that follows an answer to the same interrupt in the same position, `request`."""
    given = (
        answers.select("row", answered_ns="time_ns")
        .join(answered, on="row", how="inner")
        .join(asks.select(*_INTERRUPT, of_row="row"), on="of_row", how="inner")
        .sort("answered_ns")
        .select(*_INTERRUPT, "answered_ns", request=pl.int_range(1, pl.len() + 1).over(_INTERRUPT))
    )
    return (
        asks.select("row", "time_ns", *_INTERRUPT)
        .join_asof(
            given,
            left_on="time_ns",
            right_on="answered_ns",
            by=_INTERRUPT,
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .drop_nulls("request")
        .select("row", "request")
    )


def _nearest(
    answers: pl.DataFrame, of: pl.DataFrame, by: list[str], strategies: tuple[_Direction, ...]
) -> pl.DataFrame:
    """`row`, `of_row`: the ask of the same key that is next in time in the first direction in which there is one."""
    wanting = answers.select("row", "time_ns", *by).drop_nulls().sort("time_ns", "row")
    found = [wanting.select("row", of_row="row").clear()]
    for strategy in strategies:
        met = wanting.join_asof(of, on="time_ns", by=by, strategy=strategy, check_sortedness=False)
        found.append(met.drop_nulls("of_row").select("row", "of_row"))
        wanting = wanting.join(found[-1], on="row", how="anti", maintain_order="left")
    return pl.concat(found)


def _about(asks: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """`of_row` of each ask, and what it is about: one row for each of its calls."""
    named = asks.filter(pl.col("tool_name").is_not_null() | pl.col("call_id").is_not_null())
    plain = asks.filter(pl.col("rule") == QUESTION).join(named, on="row", how="anti")
    # What encloses the one who asks tells of the interrupt once more.
    plain = plain.join(named, on=["scope", "group"], how="anti")
    called = events.filter(pl.col("call_id").is_not_null())
    proposed = (pl.col("event") == "action.proposed") & (pl.col("state") == "proposed")
    ended = (pl.col("event") == "tool.called") & pl.col("state").is_in(_ENDED)
    calls = (
        called.join(plain, on="scope", how="semi")
        .group_by("scope", "call_id")
        .agg(
            pl.col("tool_name").drop_nulls().first(),
            proposed_ns=pl.col("time_ns").filter(proposed).min(),
            ended_ns=pl.col("time_ns").filter(ended).min(),
        )
        .drop_nulls("proposed_ns")
    )
    is_open = pl.col("ended_ns").is_null() | (pl.col("ended_ns") > pl.col("time_ns"))
    open_calls = _open_turns(plain, calls).join(calls, on=["scope", "proposed_ns"], how="inner").filter(is_open)
    return pl.concat(
        [
            named.select(of_row="row", of_tool="tool_name", of_arguments="arguments_digest", of_call="call_id"),
            open_calls.select(
                of_row="row",
                of_tool="tool_name",
                of_arguments=pl.lit(None, dtype=pl.String),
                of_call="call_id",
            ),
        ]
    )


def _open_turns(plain: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """`row`, `scope` and `time_ns` of each question; `proposed_ns` of the last turn before it with a call then open.

    A conversation may hold thousands of both, so they are met in the order of time, and what has ended is left behind.
    """
    until_ns = pl.col("ended_ns").fill_null(_EVER_NS).max()
    turns = calls.group_by("scope", time_ns="proposed_ns").agg(until_ns, row=pl.lit(None, dtype=pl.UInt32))
    told = pl.concat([turns, plain.select("scope", "time_ns", "row")], how="diagonal_relaxed")
    still_open: dict[str, list[tuple[int, int]]] = {}
    found: list[tuple[int, str, int, int]] = []
    for scope, time_ns, ends_ns, row in told.sort("time_ns", "row").iter_rows():
        stack = still_open.setdefault(scope, [])
        if row is None:
            stack.append((time_ns, ends_ns))
            continue
        while stack and stack[-1][1] <= time_ns:
            stack.pop()
        if stack:
            found.append((row, scope, time_ns, stack[-1][0]))
    schema = {"row": pl.UInt32, "scope": pl.String, "time_ns": pl.Int64, "proposed_ns": pl.Int64}
    return pl.DataFrame(found, schema=schema, orient="row")
