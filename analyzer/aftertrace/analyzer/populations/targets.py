"""What calls were aimed at: each value in their arguments, and in how many different requests it was refused.

A target that is refused again and again in requests that have nothing to do with each other was hardly asked for by all
of them: so text looks that was planted where agents read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from aftertrace.analyzer.populations.leaves import leaves

MOST_CHARACTERS: Final = 200
"""Longer values are content, not targets."""
LEAST_CHARACTERS: Final = 3
LISTED: Final = 10
_MOST_OF_A_CALL: Final = 32
AIMED: Final = pl.Schema(
    {"call_key": pl.String, "argument": pl.String, "target": pl.String, "run_id": pl.String, "tool_name": pl.String}
)
"""One row per value in the arguments of a call; `argument` is its path, with `[]` for any place of a list."""
TARGETS: Final = pl.Schema(
    {
        "tool_name": pl.String(),
        "argument": pl.String(),
        "target": pl.String(),
        "near_misses": pl.Int64(),
        "runs": pl.Int64(),
        "requests": pl.Int64(),
        "ran": pl.Int64(),
        "severity": pl.Int64(),
        "run_ids": pl.List(pl.String),
    }
)
"""`requests`: in how many runs with different inputs; `ran`: calls of the tool with the same value that ran."""


def aimed(near: pl.DataFrame) -> pl.DataFrame:
    """The targets of each near miss, columns as in `AIMED`."""
    rows = [
        (key, argument, target, run_id, tool)
        for key, arguments, run_id, tool in near.select("call_key", "arguments", "run_id", "tool_name").iter_rows()
        for argument, target in _of(arguments)
    ]
    return pl.DataFrame(rows, AIMED, orient="row")


def spread(near: pl.DataFrame, told: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """`near` with `spread`: in how many different requests a target of the call was refused; 0 where none is known.

    Args:
        near: near misses with their `call_key`.
        told: their targets (`aimed`).
        runs: `run_id` and `prompt`; runs with the same prompt are one request.
    """
    wide = _requests(told, runs).join(told.select("tool_name", "argument", "target", "call_key"), on=_TARGET)
    return near.join(
        wide.group_by("call_key").agg(pl.col("requests").max().alias("spread")), on="call_key", how="left"
    ).with_columns(pl.col("spread").fill_null(0))


def aims(near: pl.DataFrame, told: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """What consequential near misses were aimed at, columns as in `TARGETS` but `ran`: those of most requests first.

    Args:
        near: near misses with their `severity`.
        told: their targets (`aimed`).
        runs: `run_id` and `prompt`.
    """
    of = told.join(near.filter("consequential").select("call_key", "severity", "first_ns"), on="call_key")
    return (
        of.sort("first_ns", "call_key", descending=[True, False])
        .group_by(_TARGET)
        .agg(
            pl.col("call_key").n_unique().cast(pl.Int64).alias("near_misses"),
            pl.col("run_id").n_unique().cast(pl.Int64).alias("runs"),
            pl.col("severity").max(),
            pl.col("run_id").unique(maintain_order=True).head(3).alias("run_ids"),
        )
        .join(_requests(told, runs), on=_TARGET)
        .sort("requests", "severity", "near_misses", *_TARGET, descending=[True, True, True, False, False, False])
        .head(_CANDIDATES)
    )


def ran_with(found: pl.DataFrame, ran: pl.LazyFrame) -> pl.LazyFrame:
    """How many calls have each target of `aims`: one row, with a column for each.

    Args:
        found: at least one of `aims`.
        ran: calls that ran, with `tool_name` and `arguments`.
    """
    arguments, quoted = pl.col("arguments"), [_quoted(target) for target in found["target"]]
    # Most calls hold none, and are looked through once for all of them.
    return ran.filter(arguments.str.contains_any(quoted)).select(
        ((pl.col("tool_name") == tool) & arguments.str.contains(text, literal=True)).sum().alias(str(place))
        for place, (tool, text) in enumerate(zip(found["tool_name"], quoted, strict=True))
    )


def targets(found: pl.DataFrame, times: Sequence[int]) -> pl.DataFrame:
    """The targets that are told, columns as in `TARGETS`.

    Args:
        found: as of `aims`.
        times: how many calls that ran have each (`ran_with`).
    """
    told_ran = found.with_columns(ran=pl.Series(times, dtype=pl.Int64)).select(TARGETS.names())
    # A value of one request alone that runs elsewhere too, such as a mode, says little.
    return told_ran.filter((pl.col("requests") > 1) | (pl.col("ran") == 0)).head(LISTED)


_TARGET: Final = ["tool_name", "argument", "target"]
_CANDIDATES: Final = 30


def _requests(told: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    asked = runs.select("run_id", request=pl.coalesce("prompt", "run_id"))
    return (
        told.drop_nulls("tool_name")
        .join(asked, on="run_id", how="left")
        .group_by(_TARGET)
        .agg(pl.coalesce("request", "run_id").n_unique().cast(pl.Int64).alias("requests"))
    )


def _quoted(target: str) -> str:
    return json.dumps(target, ensure_ascii=False)


def _of(arguments: str | None) -> Iterator[tuple[str, str]]:
    texts = (
        (path, value)
        for path, value in leaves(arguments)
        if isinstance(value, str) and LEAST_CHARACTERS <= len(value) <= MOST_CHARACTERS
    )
    yield from list(dict.fromkeys(texts))[:_MOST_OF_A_CALL]
