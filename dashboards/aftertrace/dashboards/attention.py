"""What needs eyes, in order of need: each item with its mark, how much of it there is, and where its rows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from aftertrace.analyzer.reports.failure_report import ACROSS
from aftertrace.analyzer.reports.near_miss_figures import Figures
from aftertrace.analyzer.reports.next_steps import Rows, Step
from aftertrace.dashboards import marks
from aftertrace.dashboards.marks import Mark
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, duration

_NAMED: Final = 3
_NAME_CHARACTERS: Final = 40
WENT_WRONG: Final = {
    "ran_refused": "ran although refused, or expired",
    "ran_unapproved": "ran without the approval that was asked for",
    "ran_after_denial": "ran after the same had been refused",
    "ran_before": "ran before the approval",
    "other_arguments": "ran with other arguments than approved",
    "self_approved": "approved by whoever asked",
    "effect_missing": "claiming an effect that was blocked",
    "bypassed": "ran under a mode that lets everything through",
    "no_call": "that no call explains",
    "applied_twice": "made more than once",
    "conflicting_records": "told by records that contradict each other",
}
"""What went wrong, after `29 calls`, by signal: every signal that is a control failure."""
NOW: Final = "views/now.py"
NEAR_MISSES: Final = "views/near_misses.py"
APPROVALS: Final = "views/approvals.py"
CHANGES: Final = "views/changes.py"
AGENTS: Final = "views/agents.py"
_STEPS: Final[Mapping[Rows, tuple[str, Mapping[str, str]]]] = {
    "failures": (NOW, {"show": "control failures"}),
    "targets": (NEAR_MISSES, {"view": "targets"}),
    "kinds": (NEAR_MISSES, {}),
    "autonomy": (NEAR_MISSES, {"view": "autonomy"}),
    "coverage": (AGENTS, {"about": "six questions"}),
    "risks": (AGENTS, {"about": "tools"}),
}
"""Where the rows are that a step rests on."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to look at."""

    mark: Mark
    title: str
    """How much of what: words of ours."""
    detail: str
    """Which: names of a sender, made plain."""
    page: str
    """Where its rows are."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What to choose there, beside the filters in force."""


def way_of(step: Step) -> tuple[str, dict[str, str]]:
    """Where a step is taken: the page, and what to choose there beside the filters in force."""
    page, query = _STEPS[step.rows]
    about = {"agent": step.agent_name, "tool": step.tool_name}
    return page, {**query, **{name: value for name, value in about.items() if value is not None}}


def failures(figures: Figures) -> Iterator[Item]:
    """Controls that should have held and did not, by what went wrong."""
    told = figures.told
    across = told.findings.filter(ACROSS).select(pl.concat_list("signal").alias("signals"), "agent_name", "tool_name")
    for noun, frame in (*zip(("call", "effect", "run"), told.signalled, strict=True), ("finding", across)):
        tool = "tool_name" if "tool_name" in frame.columns else "agent_name"
        of = frame.explode("signals").drop_nulls("signals")
        for (signal,), rows in of.group_by("signals", maintain_order=True):
            yield Item(
                marks.BROKEN,
                f"{count(rows.height, noun)} {WENT_WRONG[str(signal)]}",
                _names(rows, tool, "agent_name"),
                NOW,
                {"show": "control failures"},
            )


def near_misses(figures: Figures, severity: str) -> Iterator[Item]:
    """Near misses of a severity."""
    (level,) = (place for place, mark in enumerate(marks.SEVERITIES) if mark.word == severity)
    of = figures.near.filter(pl.col("severity") == level)
    if of.height:
        yield Item(
            marks.SEVERITIES[level],
            f"{_floor(figures)}{count(of.height, 'near miss')} of severity {severity}",
            _names(of, "tool_name", "agent_name"),
            NEAR_MISSES,
            {"severity": severity},
        )


def denied(figures: Figures) -> Iterator[Item]:
    """Destructive calls that were denied."""
    of = destructive(figures)
    if of.height:
        yield Item(
            marks.DENIED,
            f"{_floor(figures)}{count(of.height, 'destructive call')} denied",
            _names(of, "tool_name", "agent_name"),
            NEAR_MISSES,
            {"outcome": "denied", "risk": "destructive"},
        )


def _floor(figures: Figures) -> str:
    return "≥ " if figures.is_floor else ""


def destructive(figures: Figures) -> pl.DataFrame:
    """Destructive calls that were denied, columns as in `Figures.near`."""
    return figures.near.filter((pl.col("outcome") == "denied") & (pl.col("risk") == "destructive"))


def waiting(approvals: pl.DataFrame, now_ns: int) -> Iterator[Item]:
    """Who is waited for, and for how long.

    Args:
        approvals: those that wait, columns as in `schemas.APPROVALS`.
        now_ns: the time now.
    """
    if approvals.height:
        longest = longest_wait_ns(approvals, now_ns)
        so_long = "" if longest is None else f", the longest for {duration(longest)}"
        yield Item(
            marks.WAITING,
            f"{count(approvals.height, 'approval')} waiting{so_long}",
            _names(approvals, "tool_name", "agent_name"),
            APPROVALS,
            {"queue": "waiting"},
        )


def longest_wait_ns(approvals: pl.DataFrame, now_ns: int) -> int | None:
    """How long the one that was asked first has waited; None where no time is told."""
    asked = approvals.select(pl.coalesce(pl.col("asked_at").dt.epoch("ns"), "first_ns").min()).item()
    return None if asked is None else max(0, now_ns - asked)


def newcomers(agents: pl.DataFrame | None) -> Iterator[Item]:
    """Agents that were never seen before (`analyzer.first_seen`)."""
    if agents is not None and agents.height:
        yield Item(
            marks.NEW,
            f"{count(agents.height, 'agent')} never seen before",
            _names(agents, "agent_name", "service_name"),
            NOW,
            {"show": "new agents"},
        )


def changes(changed: pl.DataFrame, visited_ns: int | None) -> Iterator[Item]:
    """What was changed in agents, and whether anything moved after it.

    Args:
        changed: columns as in `schemas.CONFIGURATION_CHANGES`.
        visited_ns: when whoever looks was here before; None: that is not known.
    """
    if changed.height:
        moved = changed.filter(pl.col("moved").list.len() > 0)
        after = f"; after {moved.height:,} something moved" if moved.height else ""
        if visited_ns is not None:
            after = f", {changed.filter(pl.col('first_ns') >= visited_ns).height:,} since your last visit{after}"
        yield Item(
            marks.CHANGED,
            f"{count(changed.height, 'change')} in agents{after}",
            _names(moved if moved.height else changed, "agent_name", "part"),
            CHANGES,
            {},
        )


def losses(lost: pl.DataFrame) -> Iterator[Item]:
    """Telemetry that is known to be lost on the way, columns as in `loss_kinds.LOSSES`."""
    # What the configuration leaves out is so by intent.
    lost = lost.filter(pl.col("kind") != "left_out")
    if lost.height:
        kinds = lost["kind"].unique(maintain_order=True)
        yield Item(
            marks.LOST,
            f"Telemetry was lost on the way, in {count(len(kinds), 'way')}",
            ", ".join(kind.replace("_", " ") for kind in kinds),
            NOW,
            {"show": "losses"},
        )


def undeclared(off: pl.DataFrame) -> Iterator[Item]:
    """Agents that are off the declared inventory, columns as in `inventory_checks.AGENTS`."""
    if off.height:
        yield Item(
            marks.NEW,
            f"{count(off.height, 'agent')} off the inventory",
            _names(off, "agent_name", "state"),
            NOW,
            {"show": "inventory"},
        )


def _names(rows: pl.DataFrame, column: str, beside: str) -> str:
    """What most rows are about: ``pay of clerk (14), delete_db of dbbot (7) and 2 more``."""
    word = {"service_name": "in", "part": "·", "state": "·"}.get(beside, "of")
    pairs = [column] if column == beside else [column, beside]
    most = rows.group_by(pairs, maintain_order=True).len().sort("len", descending=True, maintain_order=True)
    told = [_named(list(row[:-1]), word, row[-1]) for row in most.head(_NAMED).iter_rows()]
    left = most.height - len(told)
    return ", ".join(told) + (f" and {left:,} more" if left else "")


def _named(names: list[str | None], word: str, times: int) -> str:
    shown = [plain(name.replace("_", " ") if word == "·" and place else name, most=_NAME_CHARACTERS)
             for place, name in enumerate(names) if name is not None]  # fmt: skip
    text = f" {word} ".join(shown) or "not told"
    return text if times == 1 else f"{text} ({times:,})"
