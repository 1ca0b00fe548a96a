"""What was running when something happened, and what had been changed just before."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.schemas.derived import DERIVED

LATEST: Final = 5
"""As many changes before a run are told of each agent."""
IN_FORCE: Final = pl.Schema(
    [*DERIVED["configurations"].schema.items(), ("run_id", pl.String()), ("run_ns", pl.Int64())]
)
"""A configuration, the run that is asked about, and when that began."""
BEFORE: Final = pl.Schema(
    [
        *DERIVED["configuration_changes"].schema.items(),
        ("run_id", pl.String()),
        ("ago_ns", pl.Int64()),
        ("runs_between", pl.Int64()),
    ]
)
"""A change, the run that is asked about, how long before it, and how many runs of the agent lie between: 0 where the
run is the first with it."""
_ON: Final = list(ROLE)


def of_run(versioned: pl.DataFrame, configurations: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """The configurations that a run saw, one per agent of it, columns as in `IN_FORCE`."""
    return _told(versioned.filter(pl.col("run_id") == run_id), configurations)


def at_time(versioned: pl.DataFrame, configurations: pl.DataFrame, time_ns: int, agent: str | None) -> pl.DataFrame:
    """The same of the latest run of each agent, or of those of a name, that began by a time."""
    began = versioned.filter(pl.col("first_ns") <= time_ns)
    if agent is not None:
        began = began.filter(pl.col("agent_name") == agent)
    return _told(began.sort("first_ns", "run_id").group_by(ROLE, maintain_order=True).last(), configurations)


def changes_before(
    versioned: pl.DataFrame, changes: pl.DataFrame, in_force: pl.DataFrame, most: int = LATEST
) -> pl.DataFrame:
    """The latest changes before the runs of `in_force`, or with them, columns as in `BEFORE`: the nearest first.

    Args:
        versioned: the sightings with versions (`configurations.versioned`).
        changes: the changes (`Analysis.configuration_changes`).
        in_force: what was in force (`of_run`, `at_time`).
        most: how many of each agent.
    """
    order = versioned.filter(pl.col("first_ns").is_not_null()).select(
        "run_id", *ROLE, nth=pl.int_range(pl.len()).over(ROLE)
    )
    asked = (
        in_force.select("run_id", "run_ns", *ROLE)
        .join(order, on=["run_id", *_ON], nulls_equal=True)
        .rename({"nth": "own_nth"})
    )
    first = order.rename({"run_id": "first_run_id", "nth": "change_nth"})
    return (
        changes.join(asked, on=_ON, nulls_equal=True)
        .join(first, on=["first_run_id", *_ON], nulls_equal=True)
        .filter(pl.col("change_nth") <= pl.col("own_nth"))
        .with_columns(
            ago_ns=pl.col("run_ns") - pl.col("first_ns"),
            runs_between=(pl.col("own_nth") - pl.col("change_nth")).cast(pl.Int64),
        )
        .sort("runs_between", "agent_name", "change_id")
        .group_by(_ON, maintain_order=True)
        .head(most)
        .select(pl.col(name).cast(kind) for name, kind in BEFORE.items())
        .sort("ago_ns", "agent_name", "change_id")
    )


def _told(asked: pl.DataFrame, configurations: pl.DataFrame) -> pl.DataFrame:
    return (
        asked.select("configuration_id", "run_id", run_ns="first_ns")
        .join(configurations, on="configuration_id", how="inner", maintain_order="left")
        .select(pl.col(name).cast(kind) for name, kind in IN_FORCE.items())
        .sort("agent_name", "configuration_id")
    )
