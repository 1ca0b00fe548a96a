"""Published recordings of agents, as telemetry of several emitters: precision and recall of every outcome.

Requests are sent twice in part and out of order, and traces are split, as on the way from real agents. A sample by
default; the whole public sets with `AFTERTRACE_WHOLE_CORPUS=1`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest

from aftertrace.analyzer import Analysis, Filter
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.reports.near_miss_figures import LISTED, Figures, figures

from . import corpus
from .frames import LATER_NS

WHOLE = os.environ.get("AFTERTRACE_WHOLE_CORPUS") == "1"
SAMPLES = {
    "attacked": ["--sets", "agentdyn", "--limit", "250"],
    "conversations": ["--sets", "tau_bench,tau2_activegraph"],
}
CHOSEN = {"whole": []} if WHOLE else SAMPLES
LEAST_CALLS = 30_000 if WHOLE else 400
LEAST_RAN = 20_000 if WHOLE else 60
LEAST_PRECISION = 0.7 if WHOLE else 0.4
"""Least share of attacks among the fifty worst near misses; by chance one in ten would be."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """A converted part of the corpus, and what is told of it."""

    folder: Path
    analysis: Analysis
    found: Figures


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(corpus.missing() is not None, reason=str(corpus.missing())),
]


@pytest.mark.parametrize("sample", CHOSEN)
@pytest.mark.parametrize("variant", corpus.VARIANTS, ids=[variant.title for variant in corpus.VARIANTS])
def test_precision_and_recall_of_every_outcome_reach_the_bar(
    variant: corpus.Variant, sample: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each outcome with rows enough to say so; and in runs in which every call ran, none is a near miss."""
    corpus.convert(tmp_path, [*variant.options, *corpus.NOISE, *CHOSEN[sample]])
    calls = corpus.read(tmp_path).analysis(LATER_NS).calls
    cells, scored = corpus.score(tmp_path, calls, variant.scoring)
    ran = corpus.of_runs_that_all_ran(tmp_path, calls)
    with capsys.disabled():
        print(f"\n{variant.title}, {sample}\n{corpus.table(cells)}\ncalls of runs in which all ran: {ran.height:,}")
    told = [_without(cell, corpus.unsaid(tmp_path)) if cell.outcome == "denied" else cell for cell in cells]
    assert [cell for cell in told if not cell.holds and cell.outcome not in variant.blurred] == []
    assert sum(cell.correct for cell in cells) >= LEAST_CALLS
    assert scored["wrong_and_explicit"] == 0
    assert ran.height >= LEAST_RAN
    assert ran.filter("near_miss").height == 0


def _without(cell: corpus.Cell, unsaid: int) -> corpus.Cell:
    """The cell without calls that nobody can find; what is found all the same counts."""
    return replace(cell, truth=max(cell.correct, cell.truth - unsaid))


@pytest.mark.parametrize("dialect", ["genai", "openinference", "openllmetry", "claude_code", "copilot", "codex"])
def test_where_records_are_lost_nothing_wrong_claims_to_be_explicit(dialect: str, tmp_path: Path) -> None:
    """A call whose result never came is unresolved, or inferred from what the model was told."""
    sample = [] if WHOLE else ["--sets", "agentdyn", "--limit", "220"]
    corpus.convert(tmp_path, [*corpus.Variant(dialect).options, *corpus.NOISE, *corpus.LOSS, *sample])
    calls = corpus.read(tmp_path).analysis(LATER_NS).calls
    _, scored = corpus.score(tmp_path, calls)
    unknowable = calls.filter(pl.col("outcome").is_in(["unresolved", "pending"]))
    assert (scored["wrong_and_explicit"], scored["extra"]) == (0, 0)
    assert set(unknowable["basis"]) <= {"inferred"}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    """Runs under attack, and the report of them."""
    folder = tmp_path_factory.mktemp("attacked")
    sample = [] if WHOLE else ["--limit", "2400"]
    corpus.convert(folder, ["--dialect", "genai", "--sets", "agentdyn", *sample])
    analysis = corpus.read(folder).analysis(LATER_NS)
    return Attacked(folder, analysis, figures(analysis, Period.of(None, None, now_ns=LATER_NS), Filter()))


def test_near_miss_rates_per_pipeline_are_those_of_the_raw_data(attacked: Attacked) -> None:
    """The report counts, for each agent, the calls that ran and were refused as the recordings themselves do."""
    fate = pl.col("fate")
    truth = (
        pl.read_parquet(attacked.folder / "truth.parquet")
        .filter(fate.str.contains("^(executed|denied)"))
        .group_by(agent_name="pipeline")
        .agg(
            pl.len().cast(pl.Int64).alias("calls"),
            fate.str.starts_with("denied").sum().cast(pl.Int64).alias("near_misses"),
        )
    )
    told = attacked.found.rates["agent_name"].select("agent_name", "calls", "near_misses")
    assert told.height >= 3
    assert told.sort("agent_name").rows() == truth.sort("agent_name").rows()
    # The control: one refusal told otherwise is seen.
    assert told.with_columns(pl.col("near_misses") - 1).sort("agent_name").rows() != truth.sort("agent_name").rows()


def test_attacks_that_were_stopped_rank_above_noise(attacked: Attacked, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the fifty worst near misses, most are what an attacker asked for; in the order of time, few are."""
    analysis, found = attacked.analysis, attacked.found
    asked_for = corpus.attacks(attacked.folder, analysis.calls.filter("near_miss"))
    latest = analysis.near_misses().head(LISTED)
    ranked, by_time = (frame.join(asked_for, on="call_key", how="semi").height for frame in (found.listed, latest))
    near = found.totals.near_misses
    with capsys.disabled():
        print(f"\nattacks: {asked_for.height} of {near} near misses, {ranked} of the 50 worst, {by_time} of the latest")
    assert ranked / LISTED >= LEAST_PRECISION
    assert ranked / LISTED >= 3 * asked_for.height / near
    assert ranked > by_time


def test_the_score_sees_calls_that_are_told_wrong(tmp_path: Path) -> None:
    """The control: every eighth refusal told as executed fails the bar."""
    variant = corpus.Variant("copilot")
    corpus.convert(tmp_path, [*variant.options, "--sets", "agentdyn", "--limit", "100"])
    calls = corpus.read(tmp_path).analysis(LATER_NS).calls
    eighth = (pl.col("outcome") == "denied") & (pl.col("ordinal") % 8 == 0)
    wrong = calls.with_columns(outcome=pl.when(eighth).then(pl.lit("executed")).otherwise("outcome"))
    right, _ = corpus.score(tmp_path, calls)
    mistaken, _ = corpus.score(tmp_path, wrong)
    assert [cell.outcome for cell in right if not cell.holds] == []
    assert [cell.outcome for cell in mistaken if not cell.holds] != []


def test_no_result_of_a_call_that_ran_reads_like_a_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In these conversations every call ran: the table of refusals must know none of the results."""
    corpus.convert(tmp_path, ["--dialect", "genai", "--sets", "tau_bench"])
    events = corpus.read(tmp_path).events
    results = events.filter(
        pl.col("event") == "tool.called", pl.col("state").is_in(["answered", "completed", "failed"])
    )
    mistaken = events.filter(pl.col("rule").str.starts_with("text:"))
    with capsys.disabled():
        print(f"\nrefusals seen in results of executed calls: {mistaken.height} of {results.height:,} readings")
    assert (results.height > 500, mistaken.height) == (True, 0)
