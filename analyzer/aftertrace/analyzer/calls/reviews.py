"""Reviewing as a control: what is odd about an approval, and how reviewers answer, in numbers.

An approval protects only if it comes before the call, is for the arguments that ran, is given by somebody else than the
agent, and after a look. Each oddity is a named signal on the approval, made from what records state; where an emitter
does not record the answer, none is raised.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.controls import FAILURES, LET, Signal
from aftertrace.analyzer.calls.near_misses import wilson
from aftertrace.analyzer.schemas.derived import REVIEWS_SCHEMA

CHARACTERS_PER_S: Final = 100
"""Nobody reads faster. Adults read English at about 24 characters a second (Brysbaert 2019, Journal of Memory and
Language 109: 238 words a minute)."""
LONG_CHARACTERS: Final = 200
"""A shorter text can be taken in at a glance."""
HOUR_NS: Final = 3600 * 10**9
_LENGTH: Final = pl.coalesce("shown", "arguments").str.len_chars().cast(pl.Int64)


HASTY: Final = Signal(
    "hasty",
    LET
    & pl.col("decided_by").is_in(("human", "human_or_program"))
    & (_LENGTH >= LONG_CHARACTERS)
    & (pl.col("wait_ns") < _LENGTH * (1_000_000_000 // CHARACTERS_PER_S)),
    f"approved faster than the text can be read: more than {CHARACTERS_PER_S} characters a second",
)
SIGNALS: Final = (*FAILURES, HASTY)
"""What can be odd about an approval: what is wrong about its call, and what is odd about the answer itself."""


def reviews(approvals: pl.LazyFrame, by: list[str]) -> pl.LazyFrame:
    """How requests were answered for each value of the columns `by`, columns as in `schemas.REVIEWS`.

    The busiest hour goes by when each was asked, else first heard of.

    The approval rate is over answers: granted, modified and rejected. An empty `by` gives one row.
    """
    decision, wait = pl.col("decision"), pl.col("wait_ns")
    measures = [
        pl.len().alias("requests"),
        *(
            (decision == name).sum().alias(name)
            for name in ("granted", "modified", "rejected", "expired", "cancelled", "pending")
        ),
        decision.is_in(("granted", "modified", "rejected")).sum().alias("answers"),
        wait.quantile(0.5, "nearest").alias("wait_p50_ns"),
        wait.quantile(0.9, "nearest").alias("wait_p90_ns"),
        wait.max().alias("wait_max_ns"),
        _busiest_hour(),
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


def _busiest_hour() -> pl.Expr:
    """The most requests within any sixty minutes."""
    asked_ns = pl.coalesce(pl.col("asked_at").dt.epoch("ns"), "first_ns").drop_nulls().sort()
    ends = asked_ns.search_sorted(asked_ns + HOUR_NS, side="left")
    return (ends.cast(pl.Int64) - pl.int_range(asked_ns.len())).max().alias("busiest_hour")
