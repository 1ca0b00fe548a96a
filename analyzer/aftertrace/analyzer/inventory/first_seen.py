"""Agents that were never seen before a time: who is new, where there is a before to tell it by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.reading.select import Filter

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

FIRST_SEEN: Final = pl.Schema(
    [
        *((name, pl.String()) for name in ROLE),
        ("runs", pl.Int64()),
        ("calls", pl.Int64()),
        ("near_misses", pl.Int64()),
        ("first_ns", pl.Int64()),
        ("run_id", pl.String()),
    ]
)
"""One row per agent, with what it did since; `run_id` is its first run."""


def first_seen(analysis: Analysis, since_ns: int, wanted: Filter | None = None) -> pl.DataFrame | None:
    """The agents that a filter lets through of whom nothing is recorded before a time, columns as in `FIRST_SEEN`: the
    latest first. None where nothing at all is recorded before it, of any agent: then nobody can say who is new.

    The times of the filter do not count: who is new is told by all that is recorded.
    """
    of_all_times = replace(wanted or Filter(), since_ns=None, until_ns=None)
    if analysis.select("agents", Filter(until_ns=since_ns)).is_empty():
        return None
    agents = analysis.select("agents", of_all_times).drop_nulls(["agent_name", "first_ns"])
    return (
        agents.sort("first_ns", "run_id")
        .group_by(ROLE)
        .agg(
            pl.col("run_id").n_unique().alias("runs"),
            pl.col("calls", "near_misses").sum(),
            pl.col("first_ns").first(),
            pl.col("run_id").first(),
        )
        .filter(pl.col("first_ns") >= since_ns)
        .select(pl.col(name).cast(kind) for name, kind in FIRST_SEEN.items())
        .sort("first_ns", "agent_name", descending=[True, False])
    )
