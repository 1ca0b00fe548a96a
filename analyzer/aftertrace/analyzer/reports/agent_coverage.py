"""Which agents can answer what: how often the answers about their runs are known, and which switch would tell more."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.calls.near_misses import wilson
from aftertrace.analyzer.reports.coverage import JUDGED_RUNS, runs_by_emitter

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.emitters.emitter import Emitter
    from aftertrace.analyzer.reading.select import Filter
    from aftertrace.analyzer.records.answers import Answer, Answers

ANSWERED: Final = pl.Schema(
    {
        "agent_name": pl.String(),
        "emitter": pl.String(),
        "runs": pl.Int64(),
        "judged": pl.Int64(),
        "question": pl.String(),
        "known": pl.Int64(),
        "partial": pl.Int64(),
        "unknown": pl.Int64(),
        "share": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "switch_on": pl.String(),
        "run_ids": pl.List(pl.String()),
    }
)
"""One row per agent, emitter and question. `judged` is how many of the newest runs were asked; `share` of them does not
know the answer, or knows it in part, with both ends of its 95 % Wilson interval; `switch_on` is what would tell it,
null where it is always known; `run_ids` are the newest runs, at most three, that do not know it."""
AGENTS_AT_MOST: Final = 200
"""How many agents are judged: senders choose what they call themselves, and as often as they like."""
JUDGED_IN_ALL: Final = 2_000
"""How many runs are asked in all, if that leaves `_LEAST_JUDGED` to each agent: each takes milliseconds."""
_LEAST_JUDGED: Final = 5
_EXAMPLES: Final = 3
_OF_ANY: Final = {
    "trigger": "user.id on the agent's spans, or a run that aftertrace.semconv.instrument begins",
    "checks": "record them with aftertrace.semconv.instrument",
    "effects": "record receipts with aftertrace.semconv.instrument",
}
"""What tells an answer of any emitter."""


@dataclass(frozen=True, slots=True)
class AgentCoverage:
    """What the runs of agents tell."""

    answered: pl.DataFrame
    """Columns as in `ANSWERED`: those agents first that leave the most unknown, questions in their order."""
    emitters: tuple[Emitter, ...]
    """The emitters that tell of these agents, by title."""
    agents_left_out: int
    """How many agents more there are: those with the fewest runs."""
    runs_left_out: int
    """How many runs these have."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The runs of an agent that an emitter tells of."""

    emitter: Emitter
    agent: str | None
    runs: int
    run_ids: list[str]
    """The newest, the last one first."""


def agent_coverage(
    analysis: Analysis, wanted: Filter, *, judged: int = JUDGED_RUNS, agents: int = AGENTS_AT_MOST
) -> AgentCoverage:
    """How often the answers are known about the newest runs of each agent that a filter lets through.

    Args:
        analysis: what is looked at.
        wanted: the filter.
        judged: how many runs of an agent are asked at most; fewer where there are many agents (`JUDGED_IN_ALL`).
        agents: how many agents are judged at most, those with the most runs.
    """
    told = _told(analysis, wanted, judged)
    most = sorted(told, key=lambda each: (-each.runs, each.agent or "", each.emitter.name))
    chosen, others = most[:agents], most[agents:]
    judged = min(judged, max(_LEAST_JUDGED, JUDGED_IN_ALL // max(1, len(chosen))))
    asked = [run_id for each in chosen for run_id in each.run_ids[:judged]]
    answered = {found.run_id: found for found in analysis.answers_of(asked)}
    rows = [row for each in chosen for row in _rows(each, [answered[run_id] for run_id in each.run_ids[:judged]])]
    emitters = {each.emitter.title: each.emitter for each in chosen}
    return AgentCoverage(
        _measured(rows),
        tuple(emitters[title] for title in sorted(emitters)),
        agents_left_out=len(others),
        runs_left_out=sum(each.runs for each in others),
    )


def _told(analysis: Analysis, wanted: Filter, judged: int) -> list[_Told]:
    newest = pl.col("run_id").head(judged).alias("run_ids")
    return [
        _Told(emitter, agent, runs, run_ids)
        for emitter, of_emitter in runs_by_emitter(analysis, "agent_name", wanted=wanted)
        for agent, runs, run_ids in of_emitter.group_by("agent_name", maintain_order=True)
        .agg(pl.len().alias("runs"), newest)
        .iter_rows()
    ]


def _rows(each: _Told, judged: list[Answers]) -> list[tuple[object, ...]]:
    told: dict[str, list[tuple[str, Answer]]] = {}
    for found in judged:
        for answer in (*found.six, *found.more):
            told.setdefault(answer.question, []).append((found.run_id, answer))
    rows: list[tuple[object, ...]] = []
    for question, answers in told.items():
        states = Counter(answer.state for _, answer in answers)
        lacking = [run_id for run_id, answer in answers if answer.state != "known"]
        switches = [answer.switch_on for _, answer in answers if answer.state != "known" and answer.switch_on]
        switch = (switches[0] if switches else _switch(each.emitter, question)) if lacking else None
        rows.append(
            (
                each.agent,
                each.emitter.name,
                each.runs,
                len(answers),
                question,
                states["known"],
                states["partial"],
                states["unknown"],
                switch,
                lacking[:_EXAMPLES],
            )
        )
    return rows


def _switch(emitter: Emitter, question: str) -> str:
    """What would tell an answer that the emitter's own switches say nothing about."""
    if question == "checks" and emitter.gives.get("decisions"):
        return emitter.gives["decisions"]
    return _OF_ANY.get(question, f"no switch of {emitter.title} is known for it")


def _measured(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    columns = {name: kind for name, kind in ANSWERED.items() if name not in ("share", "low", "high")}
    frame = pl.DataFrame(rows, columns, orient="row")
    lacking = pl.col("partial") + pl.col("unknown")
    low, high = wilson(lacking, pl.col("judged"))
    group = ["agent_name", "emitter"]
    measured = frame.with_row_index("at").with_columns(share=lacking / pl.col("judged"), low=low, high=high)
    worst = measured.group_by(group).agg(pl.col("share").sum().round(9).alias("lacking"))
    return (
        measured.join(worst, on=group, how="left", nulls_equal=True)
        .sort("lacking", *group, "at", descending=[True, False, False, False], nulls_last=True)
        .select(pl.col(name).cast(kind) for name, kind in ANSWERED.items())
    )
