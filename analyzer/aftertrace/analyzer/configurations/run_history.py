"""What the agents of a run were made of, and what had been changed in them before: from what all their runs tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.configurations.changes import history
from aftertrace.analyzer.configurations.in_force import changes_before, of_run
from aftertrace.analyzer.configurations.settled import settled
from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.configurations.table import configurations, versioned

if TYPE_CHECKING:
    from aftertrace.analyzer.derived.derivation import Derivation
    from aftertrace.analyzer.derived.parted import Parted

NEAREST_RUNS: Final = 20_000
"""As many runs of an agent are looked at, up to those that began soon after: a second's work."""
_AFTER_RUNS: Final = 2_000
"""Of them after the run: what comes and goes is told from what was changed by what came later."""


@dataclass(frozen=True, slots=True)
class RunHistory:
    """The configurations of a run, and what had been changed before."""

    in_force: pl.DataFrame
    """Columns as in `in_force.IN_FORCE`, and `runs_before`: runs of that agent that began before it; `is_whole`: all
    runs of that agent were looked at, so that versions are counted from its first."""
    changes: pl.DataFrame
    """The latest changes before the run, the nearest first, columns as in `in_force.BEFORE`; `moved` is not told."""


def run_history(told: Derivation | Parted, run_id: str) -> RunHistory:
    """The history of the agents of a run, from what is told of their runs."""
    own = told.some("sightings", pl.col("run_id") == run_id)
    roles = own.select(ROLE).unique()
    is_named = pl.col("agent_name").is_in(roles["agent_name"].drop_nulls().implode()).fill_null(value=False)
    if roles["agent_name"].null_count():
        is_named |= pl.col("agent_name").is_null()
    theirs = told.some("sightings", is_named).join(roles, on=list(ROLE), how="semi", nulls_equal=True)
    placed = theirs.sort("first_ns", "run_id", "agent_name", nulls_last=True).with_columns(
        nth=pl.int_range(pl.len()).over(ROLE), all_runs=pl.len().over(ROLE)
    )
    at = placed.filter(pl.col("run_id") == run_id).select(*ROLE, at="nth")
    near = placed.join(at, on=list(ROLE), how="inner", nulls_equal=True, maintain_order="left").filter(
        (pl.col("nth") > pl.col("at") - (NEAREST_RUNS - _AFTER_RUNS)) & (pl.col("nth") <= pl.col("at") + _AFTER_RUNS)
    )
    counted = near.filter(pl.col("run_id") == run_id).select(*ROLE, runs_before="at")
    whole = near.group_by(ROLE).agg(is_whole=pl.len() == pl.col("all_runs").first())
    seen = versioned(settled(near.select(theirs.columns)))
    found = of_run(seen, configurations(seen), run_id)
    return RunHistory(
        found.join(counted, on=list(ROLE), how="left", nulls_equal=True, maintain_order="left").join(
            whole, on=list(ROLE), how="left", nulls_equal=True, maintain_order="left"
        ),
        changes_before(seen, history(seen).changes, found),
    )
