"""How much of their runs emitters tell: which answers are known, and how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.records.answers import emitter_of

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.emitters.emitter import Emitter
    from aftertrace.analyzer.reading.select import Filter

JUDGED_RUNS: Final = 50
"""How many runs of an emitter are asked at most, the newest: what it sent long ago is no measure of its switches."""


@dataclass(frozen=True, slots=True)
class Told:
    """How often one of the six questions is answered."""

    question: str
    known: int
    partial: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the runs of one emitter tell."""

    emitter: Emitter
    runs: int
    judged: int
    """How many of them the answers are counted over."""
    told: tuple[Told, ...]
    calls: int
    unresolved: int
    """Calls of which nobody says what became of them."""
    undecided: int
    """Calls of which nobody says who let them through or refused them."""
    incomplete: int
    """Runs that are known to lack records."""


def coverage(analysis: Analysis, *, judged: int = JUDGED_RUNS) -> tuple[Coverage, ...]:
    """What is known of the runs of each emitter that has any."""
    of_calls = (
        analysis.scan("calls", ("run_id", "outcome", "decided_by"))
        .group_by("run_id")
        .agg(
            calls=pl.len(),
            unresolved=(pl.col("outcome") == "unresolved").sum(),
            undecided=pl.col("decided_by").is_null().sum(),
        )
    )
    (counted,) = analysis.collected(of_calls)
    return tuple(
        _covered(analysis, emitter, runs.join(counted, on="run_id", how="left", maintain_order="left"), judged)
        for emitter, runs in runs_by_emitter(analysis, "missing")
    )


def runs_by_emitter(
    analysis: Analysis, *columns: str, wanted: Filter | None = None
) -> list[tuple[Emitter, pl.DataFrame]]:
    """The runs of each emitter that has any: `run_id` and other columns, the newest first; emitters by title."""
    runs = analysis.columns("runs", ("run_id", "service_name", "scopes", *columns), wanted)
    # Senders are few, and runs are many.
    senders = runs.select("service_name", "scopes").unique()
    emitters = [emitter_of(service, scopes or []) for service, scopes in senders.iter_rows()]
    names = pl.Series("emitter", [emitter.name for emitter in emitters], pl.String)
    told = runs.join(
        senders.with_columns(names), on=senders.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    parts = told.select("emitter", "run_id", *columns).partition_by("emitter", as_dict=True, include_key=False)
    by_name = {emitter.name: emitter for emitter in emitters}
    return sorted(((by_name[name], part) for (name,), part in parts.items()), key=lambda each: each[0].title)


def _covered(analysis: Analysis, emitter: Emitter, runs: pl.DataFrame, judged: int) -> Coverage:
    known: Counter[str] = Counter()
    partial: Counter[str] = Counter()
    asked = runs["run_id"].head(judged).to_list()
    for found in analysis.answers_of(asked):
        for answer in found.six:
            known[answer.question] += answer.state == "known"
            partial[answer.question] += answer.state == "partial"
    return Coverage(
        emitter=emitter,
        runs=runs.height,
        judged=len(asked),
        told=tuple(Told(question, times, partial[question]) for question, times in known.items()),
        calls=int(runs["calls"].sum()),
        unresolved=int(runs["unresolved"].sum()),
        undecided=int(runs["undecided"].sum()),
        incomplete=int((runs["missing"] > 0).sum()),
    )
