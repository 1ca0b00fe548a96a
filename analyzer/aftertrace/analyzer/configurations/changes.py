"""Changes of an agent's configuration as events, and the runs before and after each that can be compared."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.configurations.settled import PARTS
from aftertrace.analyzer.configurations.sightings import ROLE
from aftertrace.analyzer.configurations.takeovers import Takeover, takeovers
from aftertrace.analyzer.schemas.derived import DERIVED

SCHEMA: Final = DERIVED["configuration_changes"].schema
TOGETHER_RUNS: Final = 5
"""Changes that are fewer runs apart are measured together: no test tells them from each other."""
_FOLLOWS: Final = {"tool_schemas": "tools", "model_served": "model"}
"""What always changes with another part is no change of its own at the same run."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One or more changes at about the same run, and the runs on its two sides, nearest last before and first after."""

    change_ids: tuple[str, ...]
    agent_name: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeHistory:
    """The changes of all agents, by time, columns as in `SCHEMA` without what moved, and their moments."""

    changes: pl.DataFrame
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    """A takeover of one part of one agent; positions are those of the agent's runs."""

    part: str
    takeover: Takeover
    id: str


def history(versioned: pl.DataFrame) -> ChangeHistory:
    """The changes in the settled and versioned sightings (`configurations.versioned`). A run that does not tell a part
    is passed over for that part: unknown against known is no change. So are runs without a time.
    """
    rows: list[dict[str, Any]] = []
    moments: list[Moment] = []
    for agent in versioned.filter(pl.col("first_ns").is_not_null()).partition_by(ROLE, maintain_order=True):
        found = _changes(agent)
        groups = _groups(found)
        for nth, group in enumerate(groups):
            start = groups[nth - 1][-1].takeover.at if nth else 0
            end = groups[nth + 1][0].takeover.at if nth + 1 < len(groups) else agent.height
            moments.append(_moment(group, agent, start, end))
            rows += [_row(change, group, agent) for change in group]
    changes = pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("first_ns", "agent_name", "change_id")
    return ChangeHistory(changes, tuple(moments))


def _changes(agent: pl.DataFrame) -> list[_Change]:
    """The changes of one agent, by run."""
    role = [value or "" for value in agent.select(ROLE).row(0)]
    run_ids = agent["run_id"].to_list()
    found: list[_Change] = []
    for part in PARTS:
        if agent[part].drop_nulls().n_unique() < 2:
            continue
        told = [(at, value) for at, value in enumerate(agent[part].to_list()) if value is not None]
        at = [position for position, _ in told]
        for takeover in takeovers([value for _, value in told]):
            placed = replace(
                takeover,
                at=at[takeover.at],
                last_before=at[takeover.last_before],
                until=at[takeover.until],
                last_old=at[takeover.last_old],
            )
            name = "\x1f".join([*role, part, run_ids[placed.at]])
            found.append(_Change(part, placed, hashlib.sha256(name.encode()).hexdigest()[:16]))
    at_once = {(change.part, change.takeover.at) for change in found}
    alone = [change for change in found if (_FOLLOWS.get(change.part), change.takeover.at) not in at_once]
    return sorted(alone, key=lambda change: (change.takeover.at, PARTS.index(change.part)))


def _groups(found: list[_Change]) -> list[list[_Change]]:
    groups: list[list[_Change]] = []
    for change in found:
        if groups and change.takeover.at - groups[-1][-1].takeover.at < TOGETHER_RUNS:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _moment(group: list[_Change], runs: pl.DataFrame, start: int, end: int) -> Moment:
    """The runs from the moment before to the one after, by what they have: those with all that is new, and those with
    nothing of it. Runs with a part of it, and later ones that tell nothing, are on no side.
    """
    began = group[0].takeover.at
    new: dict[str, set[str]] = {}
    for change in group:
        new.setdefault(change.part, set()).add(change.takeover.value)
    before: list[str] = []
    after: list[str] = []
    between = runs[start:end].select("run_id", *new)
    for at, (run_id, *parts) in enumerate(between.iter_rows(), start):
        told = [part in values for part, values in zip(parts, new.values(), strict=True) if part is not None]
        if at >= began and told and all(told):
            after.append(run_id)
        elif not any(told) and (at < began or told):
            before.append(run_id)
    return Moment(tuple(change.id for change in group), runs["agent_name"][0], tuple(before), tuple(after))


def _row(change: _Change, group: list[_Change], runs: pl.DataFrame) -> dict[str, Any]:
    part, takeover = change.part, change.takeover
    first, last = (runs.row(at, named=True) for at in (takeover.at, takeover.last_before))
    added, removed = _differences(part, last, first)
    return {
        **{name: first[name] for name in ROLE},
        "change_id": change.id,
        "changed_at": first["first_ns"],
        "part": part,
        "before": _shown(part, takeover.before),
        "after": _shown(part, takeover.value),
        "added": added,
        "removed": removed,
        "is_silent": part == "model_served" and first["model"] is not None and first["model"] == last["model"],
        "is_return": takeover.is_return,
        "state": takeover.state,
        "runs": takeover.runs,
        "overlap_runs": takeover.overlap,
        "overlap_until": runs["first_ns"][takeover.last_old] if takeover.overlap else None,
        "moved": [],
        "with_parts": sorted({other.part for other in group} - {part}),
        "version_before": last["version"],
        "version_after": first["version"],
        "configuration_before": last["configuration_id"],
        "configuration_after": first["configuration_id"],
        "last_run_before": last["run_id"],
        "first_run_id": first["run_id"],
        "first_ns": first["first_ns"],
    }


def _differences(part: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    if part == "tools":
        old, new = before["tool_names"] or [], after["tool_names"] or []
        return [name for name in new if name not in old], [name for name in old if name not in new]
    if part != "prompt" or before["template"] is None or after["template"] is None:
        return [], []
    lines = prompt_diff(before["template"], after["template"])
    return [line[1:] for line in lines if line[0] == "+"], [line[1:] for line in lines if line[0] == "-"]


def prompt_diff(before: str, after: str, *, context: int = 0) -> list[str]:
    """The lines that differ, each after `-` or `+`, with so many lines of context after a space; `@@` begins a part."""
    made = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=context)
    return list(made)[2:]


def _shown(part: str, value: str) -> str:
    if part == "prompt":
        return f"sha256:{value}"
    return ", ".join(json.loads(value)) if part == "tools" else value


def with_moved(changes: pl.DataFrame, measures: pl.DataFrame) -> pl.DataFrame:
    """The changes with the measures that moved after each."""
    moved = (
        measures.filter(pl.col("verdict").is_in(("up", "down")))
        .sort("q", "measure")
        .group_by("change_id", maintain_order=True)
        .agg(pl.concat_str("measure", pl.lit(" "), "verdict").alias("found"))
    )
    return (
        changes.join(moved, on="change_id", how="left", maintain_order="left")
        .with_columns(moved=pl.col("found").fill_null([]))
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    )
