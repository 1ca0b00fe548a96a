"""What to do next, from the figures of the near-miss report: few, each with its reason, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import polars as pl

from aftertrace.analyzer.documents.document import Code, Line, Strong
from aftertrace.analyzer.documents.severity import NOTHING, PERSON, UNTOLD
from aftertrace.analyzer.documents.words import count, name_of, names
from aftertrace.analyzer.reports.near_miss_figures import Figures

MOST: Final = 8
"""How many steps are told."""
PLANTED_FROM: Final = 3
"""A target that was refused in so many different requests is worth a look, if its calls are severe."""
PLANTED_MILD_FROM: Final = 5
"""Likewise, if they are not."""
_GRAVE: Final = 2
"""Severity `high`."""


Rows: TypeAlias = Literal["failures", "targets", "kinds", "autonomy", "coverage", "risks"]
"""What a step rests on: control failures, targets of near misses or kinds of them, how answers fell, what agents can
tell, or the risk classes of tools.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do."""

    line: Line
    """What, and why."""
    rows: Rows
    """What it rests on."""
    agent_name: str | None = None
    """The agent that it is about, where it is about one."""
    tool_name: str | None = None
    """Likewise of its tool."""


def next_steps(figures: Figures) -> tuple[Step, ...]:
    """What to do next."""
    steps = (
        *_failures(figures),
        *_planted(figures),
        *_held(figures),
        *_less(figures),
        *_more(figures),
        *_unsure(figures),
    )
    return steps[:MOST]


def _failures(figures: Figures) -> Iterator[Step]:
    if figures.totals.failures:
        yield Step(
            (
                Strong("See why controls failed. "),
                f"{count(figures.totals.failures, 'control failure')}: what should have held did not. See below.",
            ),
            "failures",
        )


def _planted(figures: Figures) -> Iterator[Step]:
    """Targets that many requests have in common."""
    wide = pl.when(pl.col("severity") >= _GRAVE).then(PLANTED_FROM).otherwise(PLANTED_MILD_FROM)
    found = figures.targets.filter((pl.col("requests") >= wide) & (pl.col("severity") > 0))
    for row in found.unique("tool_name", keep="first", maintain_order=True).head(2).iter_rows(named=True):
        also = f" Calls with it also ran {count(row['ran'], 'time')}: look at those first." if row["ran"] else ""
        yield Step(
            (
                Strong("Find out where "),
                Code(row["target"]),
                Strong(" comes from. "),
                f"It was refused as {row['argument'] or 'argument'} of ",
                Code(row["tool_name"]),
                f" in {row['requests']:,} requests that differ. Text planted where agents read it looks so.{also}",
            ),
            "targets",
            tool_name=row["tool_name"],
        )


def _held(figures: Figures) -> Iterator[Step]:
    """Kinds that no rule stopped."""
    grave = figures.kinds.filter(pl.col("severity") >= _GRAVE)
    for holding, advice in (
        (NOTHING, "no control of yours judged it: it ran out of time, or its target refused it. Put a rule before it"),
        (UNTOLD, "the telemetry does not say what stopped it. Find out, or put a rule before it"),
        (PERSON, "one person's answer was all that stopped it. Write the rule that would stop the next"),
    ):
        held = grave.filter(pl.col("held_by") == holding.name)
        for row in (
            held.unique(["agent_name", "tool_name"], keep="first", maintain_order=True).head(2).iter_rows(named=True)
        ):
            times = "" if row["near_misses"] == 1 else f" ({row['near_misses']:,} times)"
            yield Step(
                (
                    Strong("Do not rely on chance for " if holding is NOTHING else "Put a rule before "),
                    *name_of(row["tool_name"], "a tool without a name"),
                    " of ",
                    *name_of(row["agent_name"], "an agent without a name"),
                    f"{times}: {advice}.",
                ),
                "kinds",
                row["agent_name"],
                row["tool_name"],
            )


def _less(figures: Figures) -> Iterator[Step]:
    for row in figures.autonomy.filter(pl.col("earned") == "less").head(2).iter_rows(named=True):
        corrected = row["edited"] + row["refused"]
        yield Step(
            (
                Strong("Give less room to "),
                *name_of(row["agent_name"], "an agent without a name"),
                " with ",
                *name_of(row["tool_name"], "a tool without a name"),
                f": {corrected:,} of {count(row['answers'], 'answer')} edited or refused what it proposed.",
            ),
            "autonomy",
            row["agent_name"],
            row["tool_name"],
        )


def _more(figures: Figures) -> Iterator[Step]:
    for row in figures.autonomy.filter(pl.col("earned") == "more").head(2).iter_rows(named=True):
        yield Step(
            (
                Strong("Consider not asking any more "),
                "when ",
                *name_of(row["agent_name"], "an agent without a name"),
                " calls ",
                *name_of(row["tool_name"], "a tool without a name"),
                f": {row['as_proposed']:,} of {count(row['answers'], 'answer')} approved it as proposed.",
            ),
            "autonomy",
            row["agent_name"],
            row["tool_name"],
        )


def _unsure(figures: Figures) -> Iterator[Step]:
    if any(floor.name in ("hidden_refusals", "incomplete_runs") for floor in figures.floors):
        yield Step(
            (
                Strong("Let the agents tell more. "),
                "Some of these counts are floors: ",
                Code("aftertrace report coverage"),
                " names the switches.",
            ),
            "coverage",
        )
    guessed = figures.kinds.filter((pl.col("risk_basis") == "guess") & (pl.col("consequential") > 0))
    if guessed.height:
        tools = guessed["tool_name"].drop_nulls().unique(maintain_order=True)
        yield Step(
            (
                Strong("Declare what tools can do. "),
                f"The risk of {count(len(tools), 'tool')} is guessed from the name: ",
                *names(tools.to_list()),
                ". Say it with gen_ai.tool.risk attributes, the annotations of MCP, or in the inventory that ",
                Code("aftertrace inventory init"),
                " drafts.",
            ),
            "risks",
        )
