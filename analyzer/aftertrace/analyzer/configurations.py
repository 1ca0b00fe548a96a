"""Configurations: agent version, model, system prompt and tools, as runs saw them."""

from __future__ import annotations

import hashlib
from typing import Final

import polars as pl

from aftertrace.analyzer.schemas import DERIVED

SCHEMA: Final = DERIVED["configurations"].schema
_PARTS: Final = (
    "source",
    "tenant",
    "environment",
    "agent_name",
    "agent_version",
    "model",
    "model_served",
    "system_prompt_digest",
    "tools_digest",
)


def configurations(runs: pl.LazyFrame) -> pl.LazyFrame:
    """One row per distinct configuration of an agent, columns as in `SCHEMA`, by agent and first run.

    Unknown stays unknown: a run that does not tell its prompt is another configuration than one that does, and never
    counts as a change of prompt.
    """
    grouped = (
        runs.filter(pl.col("agent_name").is_not_null())
        .sort("first_ns", "run_id")
        .group_by(_PARTS)
        .agg(
            pl.col("tools_available").drop_nulls().first().alias("tool_names"),
            pl.len().cast(pl.Int64).alias("runs"),
            pl.col("run_id").first().alias("first_run_id"),
            pl.col("run_id").last().alias("last_run_id"),
            pl.col("started_at").min().alias("first_at"),
            pl.col("started_at").max().alias("last_at"),
        )
    )
    parts = pl.concat_str([pl.col(name).fill_null("\x00") for name in _PARTS], separator="\x1f")
    return (
        grouped.with_columns(configuration_id=parts.map_elements(_digest, return_dtype=pl.String))
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("agent_name", "first_at", "configuration_id")
    )


def _digest(parts: str) -> str:
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
