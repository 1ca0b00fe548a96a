"""From a commit to the runs that its trailers name: they are an index that lies outside of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.finding.finds import SCHEMA
from aftertrace.analyzer.provenance.actions import Action
from aftertrace.analyzer.provenance.named_runs import Known

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.reading.select import Filter

_SHOWN_CHARACTERS: Final = 12


def commit_finds(
    analysis: Analysis,
    commits: Sequence[Action],
    filter: Filter | None = None,  # noqa: A002  # the word users know
) -> tuple[pl.DataFrame, list[str]]:
    """One row per commit and run that it names, columns as in `finds.FINDS`; and the ids that lead to no run."""
    runs = analysis.select("runs", filter)
    told = {
        row["run_id"]: row for row in runs.select("run_id", "first_ns", "agent_name", "state").iter_rows(named=True)
    }
    known, rows, unknown = Known(runs), [], []
    for action in commits:
        for how, named, run_id in known.of(action):
            if run_id is None:
                unknown.append(named)
                continue
            rows.append(
                {
                    "first_ns": told[run_id]["first_ns"],
                    "run_id": run_id,
                    "of": "commit",
                    "field": how,
                    "snippet": f"{action.id[:_SHOWN_CHARACTERS]} names {named}",
                    "basis": "explicit" if how == "trailer" else "inferred",
                    "outcome": told[run_id]["state"],
                    "agent_name": told[run_id]["agent_name"],
                }
            )
    made = [{name: row.get(name) for name in SCHEMA} for row in rows]
    return pl.DataFrame(made, SCHEMA, orient="row").unique(maintain_order=True), unknown
