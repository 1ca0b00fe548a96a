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
    lacking = analysis.scan("runs", ("run_id", "missing")).select("run_id", incomplete=pl.col("missing") > 0)
    counted, incomplete = analysis.collected(of_calls, lacking)
    counts = incomplete.join(counted, on="run_id", how="left")
    return tuple(_covered(analysis, emitter, run_ids, judged, counts) for emitter, run_ids in runs_by_emitter(analysis))


def runs_by_emitter(analysis: Analysis) -> list[tuple[Emitter, list[str]]]:
    """The runs of each emitter that has any, the newest first; emitters by title."""
    runs: dict[str, tuple[Emitter, list[str]]] = {}
    for run_id, service, scopes in analysis.columns("runs", ("run_id", "service_name", "scopes")).iter_rows():
        emitter = emitter_of(service, scopes or [])
        runs.setdefault(emitter.name, (emitter, []))[1].append(run_id)
    return sorted(runs.values(), key=lambda each: each[0].title)


def _covered(analysis: Analysis, emitter: Emitter, run_ids: list[str], judged: int, counts: pl.DataFrame) -> Coverage:
    known: Counter[str] = Counter()
    partial: Counter[str] = Counter()
    for found in analysis.answers_of(run_ids[:judged]):
        for answer in found.six:
            known[answer.question] += answer.state == "known"
            partial[answer.question] += answer.state == "partial"
    mine = counts.filter(pl.col("run_id").is_in(pl.Series(run_ids).implode()))
    calls, unresolved, undecided, incomplete = (
        int(mine[name].sum()) for name in ("calls", "unresolved", "undecided", "incomplete")
    )
    return Coverage(
        emitter=emitter,
        runs=len(run_ids),
        judged=len(run_ids[:judged]),
        told=tuple(Told(question, times, partial[question]) for question, times in known.items()),
        calls=calls,
        unresolved=unresolved,
        undecided=undecided,
        incomplete=incomplete,
    )
