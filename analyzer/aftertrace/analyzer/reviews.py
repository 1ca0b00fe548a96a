"""Reviewing as a control: what is odd about an approval, and how reviewers answer, in numbers.

An approval protects only if it comes before the call, is for the arguments that ran, is given by somebody else than the
agent, and after a look. Each oddity is a named signal on the approval, made from what records state; where an emitter
does not record the answer, none is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.near_misses import wilson
from aftertrace.analyzer.schemas import REVIEWS_SCHEMA

CHARACTERS_PER_S: Final = 100
"""Nobody reads faster. Adults read English at about 24 characters a second (Brysbaert 2019, Journal of Memory and
Language 109: 238 words a minute)."""
LONG_CHARACTERS: Final = 200
"""A shorter text can be taken in at a glance."""
CLOCK_TOLERANCE: Final = pl.duration(seconds=1)
"""The answer and the start of the call may be stamped by two clocks."""

_RAN: Final = pl.col("outcome").is_in(("executed", "failed", "modified"))
_LET: Final = pl.col("approval").is_in(("granted", "modified"))
_LENGTH: Final = pl.coalesce("shown", "arguments").str.len_chars().cast(pl.Int64)


@dataclass(frozen=True, slots=True)
class Signal:
    """Something odd about an approval."""

    name: str
    when: pl.Expr
    """Over the columns of `calls` and `shown`."""
    brief: str
    """What it means, for the docs and the report."""


SIGNALS: Final = (
    Signal(
        "ran_refused",
        _RAN & pl.col("approval").is_in(("rejected", "expired")),
        "it ran although the approval was refused or expired",
    ),
    Signal(
        "ran_before",
        _RAN & _LET & (pl.col("started_at") + CLOCK_TOLERANCE < pl.col("decided_at")),
        "it began to run more than a second before it was approved",
    ),
    Signal(
        "other_arguments",
        _RAN & (pl.col("approval") == "granted") & (pl.col("executed_arguments") != pl.col("arguments")),
        "it ran with other arguments than those that were approved",
    ),
    Signal(
        "self_approved",
        _LET & (pl.col("reviewer") == pl.col("agent_name")),
        "the agent that asked is named as the one who approved",
    ),
    Signal(
        "hasty",
        _LET
        & pl.col("decided_by").is_in(("human", "human_or_program"))
        & ~pl.col("standing")
        & (_LENGTH >= LONG_CHARACTERS)
        & (pl.col("wait_ns") < _LENGTH * (1_000_000_000 // CHARACTERS_PER_S)),
        f"approved faster than the text can be read: more than {CHARACTERS_PER_S} characters a second",
    ),
)
"""What can be odd about an approval."""


def signals() -> pl.Expr:
    """The names of the signals that apply, in the order of `SIGNALS`."""
    named = [pl.when(signal.when.fill_null(value=False)).then(pl.lit(signal.name)) for signal in SIGNALS]
    return pl.concat_list(named).list.drop_nulls()


def reviews(approvals: pl.LazyFrame, by: list[str]) -> pl.LazyFrame:
    """How requests were answered for each value of the columns `by`, columns as in `schemas.REVIEWS`.

    The approval rate is over answers: granted, modified and rejected. An empty `by` gives one row.
    """
    decision, wait = pl.col("decision"), pl.col("wait_ns")
    measures = [
        pl.len().alias("requests"),
        *((decision == name).sum().alias(name) for name in ("granted", "modified", "rejected", "expired", "pending")),
        decision.is_in(("granted", "modified", "rejected")).sum().alias("answers"),
        wait.quantile(0.5, "nearest").alias("wait_p50_ns"),
        wait.quantile(0.9, "nearest").alias("wait_p90_ns"),
        wait.max().alias("wait_max_ns"),
        pl.col("signals").list.len().sum().alias("signals"),
    ]
    grouped = approvals.group_by(by).agg(measures) if by else approvals.select(measures)
    approved = pl.col("granted") + pl.col("modified")
    low, high = wilson(approved, pl.col("answers"))
    return (
        grouped.with_columns(
            approval_rate=pl.when(pl.col("answers") > 0).then(approved / pl.col("answers")), low=low, high=high
        )
        .select(*by, *(pl.col(name).cast(kind) for name, kind in REVIEWS_SCHEMA.items()))
        .sort(["requests", *by], descending=[True, *([False] * len(by))], nulls_last=True)
    )
