"""The versions of the agents of a run, and what had been changed in them before, as its run record tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aftertrace.analyzer.configurations.run_history import run_history
from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.records.rfc3339 import rfc3339
from aftertrace.analyzer.records.run_record import AgentVersion, PriorChange

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

LINES_AT_MOST: Final = 20
"""Of lines that were added, and of those that were removed, as many are told."""
LINE_CHARACTERS: Final = 500
"""Of each line as many characters."""


def recorded_versions(analysis: Analysis, run_id: str) -> tuple[AgentVersion, ...] | None:
    """One for each agent of a run that tells anything of its configuration; None where other runs are not told."""
    if analysis.of_all is None:
        return None
    found = run_history(analysis.of_all, run_id)
    changes = found.changes.rows(named=True)
    return tuple(
        AgentVersion(
            agent=row["agent_name"],
            configuration_id=row["configuration_id"],
            version=row["version"] if row["is_whole"] else None,
            runs_before=row["runs_before"],
            changes=tuple(
                _change(each, is_counted=row["is_whole"])
                for each in changes
                if all(each[name] == row[name] for name in ROLE)
            ),
        )
        for row in found.in_force.iter_rows(named=True)
    )


def _change(row: dict[str, Any], *, is_counted: bool) -> PriorChange:
    sides = [tuple(text[:LINE_CHARACTERS] for text in row[name][:LINES_AT_MOST]) for name in ("added", "removed")]
    return PriorChange(
        id=row["change_id"],
        at=rfc3339(row["first_ns"]),
        ago_s=None if row["ago_ns"] is None else row["ago_ns"] / 1e9,
        added=sides[0],
        removed=sides[1],
        more=len(row["added"]) + len(row["removed"]) - sum(map(len, sides)),
        version_before=row["version_before"] if is_counted else None,
        version_after=row["version_after"] if is_counted else None,
        first_run=row["first_run_id"],
        **{name: row[name] for name in ("runs_between", "part", "before", "after", "is_silent", "is_return")},
    )
