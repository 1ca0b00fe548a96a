"""Which agents can answer what: how often the answers about their runs are known, and which switch would tell more."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.coverage import JUDGED_RUNS, runs_by_emitter
from aftertrace.analyzer.near_misses import wilson

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.answers import Answer
    from aftertrace.analyzer.emitter import Emitter
    from aftertrace.analyzer.select import Filter

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


def agent_coverage(analysis: Analysis, wanted: Filter, *, judged: int = JUDGED_RUNS) -> AgentCoverage:
    """How often the answers are known about the newest runs of each agent that a filter lets through."""
    runs = analysis.select("runs", wanted)
    names = dict(runs.select("run_id", "agent_name").iter_rows())
    rows: list[tuple[object, ...]] = []
    emitters = []
    for emitter, run_ids in runs_by_emitter(analysis):
        of_agents: dict[str | None, list[str]] = {}
        for run_id in run_ids:
            if run_id in names:
                of_agents.setdefault(names[run_id], []).append(run_id)
        if of_agents:
            emitters.append(emitter)
        for agent, of_agent in of_agents.items():
            rows += _asked(analysis, emitter, agent, of_agent, judged)
    return AgentCoverage(_measured(rows), tuple(emitters))


def _asked(
    analysis: Analysis, emitter: Emitter, agent: str | None, run_ids: list[str], judged: int
) -> list[tuple[object, ...]]:
    told: dict[str, list[tuple[str, Answer]]] = {}
    for run_id in run_ids[:judged]:
        found = analysis.answers(run_id)
        for answer in (*found.six, *found.more):
            told.setdefault(answer.question, []).append((run_id, answer))
    rows: list[tuple[object, ...]] = []
    for question, answers in told.items():
        states = Counter(answer.state for _, answer in answers)
        lacking = [run_id for run_id, answer in answers if answer.state != "known"]
        switches = [answer.switch_on for _, answer in answers if answer.state != "known" and answer.switch_on]
        switch = (switches[0] if switches else _switch(emitter, question)) if lacking else None
        rows.append(
            (
                agent,
                emitter.name,
                len(run_ids),
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
