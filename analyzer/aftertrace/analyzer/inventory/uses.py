"""What agents used: each tool with its risk and how often it was nearly too much, each system with what was changed."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.near_misses import OF_RATES, rates
from aftertrace.analyzer.schemas.derived import RAN_OUTCOMES

OF_CALLS: Final = tuple(
    dict.fromkeys(("tool_name", "risk", "risk_basis", "agent_name", "run_id", "first_ns", *OF_RATES))
)
"""Columns of `calls` that `tools` is made of."""
OF_EFFECTS: Final = (
    *("system", "operation", "state", "basis", "object_type", "object_id", "agent_name", "tool_name", "run_id"),
    "first_ns",
)
"""Columns of `effects` that `systems` is made of."""
_TOOL: Final = ["tool_name", "risk", "risk_basis"]
_SYSTEM: Final = ["system", "operation"]


def tools(calls: pl.LazyFrame) -> pl.LazyFrame:
    """One row per tool and risk class, those with most near misses first: `tool_name`, `risk`, `risk_basis`; `calls`,
    `ran` of them, `near_misses`; `counted`, of which `rate` is the share of near misses, with `low` and `high` of its
    95 % Wilson interval, and `floor`: it can only be higher; `agents` that called it, `last_ns` and `last_run_id`.
    """
    used = calls.group_by(_TOOL).agg(
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("outcome").is_in(RAN_OUTCOMES).sum().cast(pl.Int64).alias("ran"),
        _names("agent_name", "agents"),
        *_last(),
    )
    counted = rates(calls, _TOOL).select(
        *_TOOL, "near_misses", pl.col("calls").alias("counted"), "rate", "low", "high", "floor"
    )
    return (
        used.join(counted, on=_TOOL, how="left", nulls_equal=True)
        .with_columns(pl.col("near_misses", "counted").fill_null(0), pl.col("floor").fill_null(value=False))
        .sort("near_misses", "calls", *_TOOL, descending=[True, True, False, False, False], nulls_last=True)
    )


def systems(effects: pl.LazyFrame) -> pl.LazyFrame:
    """One row per system of record and operation, those with most changes first: `system`, `operation`; how often it
    was `applied` and `blocked`, `inferred` of both: told by results alone; `objects` that are told apart; `agents`,
    `tools`, `last_ns` and `last_run_id`.
    """
    told = pl.struct("object_type", "object_id").filter(pl.col("object_id").is_not_null())
    return (
        effects.group_by(_SYSTEM)
        .agg(
            *((pl.col("state") == state).sum().cast(pl.Int64).alias(state) for state in ("applied", "blocked")),
            (pl.col("basis") == "inferred").sum().cast(pl.Int64).alias("inferred"),
            told.n_unique().cast(pl.Int64).alias("objects"),
            _names("agent_name", "agents"),
            _names("tool_name", "tools"),
            *_last(),
        )
        .sort("applied", *_SYSTEM, descending=[True, False, False], nulls_last=True)
    )


def _names(column: str, alias: str) -> pl.Expr:
    return pl.col(column).drop_nulls().unique().sort().alias(alias)


def _last() -> tuple[pl.Expr, pl.Expr]:
    by_time = pl.col("run_id").sort_by("first_ns", "run_id", nulls_last=False)
    return pl.col("first_ns").max().alias("last_ns"), by_time.last().alias("last_run_id")
