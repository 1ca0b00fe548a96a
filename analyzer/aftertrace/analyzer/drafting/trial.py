"""Drafted rules, tried: over history, and on the telemetry that is kept as their test data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer import analysis as analysing
from aftertrace.analyzer.drafting.draft import Drafted
from aftertrace.analyzer.drafting.smallest import smallest
from aftertrace.analyzer.expectations.checks import FINDINGS, check
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.store.run_names import pointer

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

HITS: Final = pl.Schema([*FINDINGS.items(), ("hit", pl.String()), ("let_by", pl.String())])
"""Columns as in `expectation_checks.FINDINGS`, `hit` as in `KINDS_OF_HITS`, and who let a call through."""
KINDS_OF_HITS: Final = {
    "this": "what it was drafted from",
    "odd": "a control failed there, too",
    "fine": "nothing odd is on record of them; were they fine, the rule would have hit them wrongly",
    "unknown": "it cannot be told",
}
"""What a rule hits over history."""
_LOOKS: Final = 80
"""How often telemetry is judged anew to find the smallest part of it."""


def tried(drafted: Drafted, calls: pl.DataFrame, runs: pl.DataFrame, run_id: str) -> tuple[int, pl.DataFrame]:
    """How many of some calls or runs a rule is about, and which it hits, columns as in `HITS`, by time."""
    (checked,) = check((drafted.rule,), calls, runs)
    if drafted.call is None:
        of = runs.select("run_id", "signals", let_by=pl.lit(None, dtype=pl.String))
        is_this = pl.col("run_id") == run_id
        hits = checked.findings.join(of, on="run_id", how="left", maintain_order="left")
    else:
        by = pl.coalesce("allowed_by", "decided_by")
        of = calls.select("call_key", "signals", let_by=by)
        is_this = pl.col("call_key") == drafted.call["call_key"]
        hits = checked.findings.join(of, on="call_key", how="left", maintain_order="left")
    hit = (
        pl.when(is_this)
        .then(pl.lit("this"))
        .when(pl.col("verdict") == "unknown")
        .then(pl.lit("unknown"))
        .when(pl.col("signals").list.len() > 0)
        .then(pl.lit("odd"))
        .otherwise(pl.lit("fine"))
    )
    shaped = hits.with_columns(hit=hit).select(pl.col(name).cast(kind) for name, kind in HITS.items())
    return checked.calls or checked.runs, shaped


def shown(drafts: Sequence[Drafted], analysis: Analysis) -> bool:
    """Whether an analysis shows what rules were drafted from: they say of it what they say of the incident."""
    return all(_is_shown(drafted, analysis) for drafted in drafts)


def breaks(drafts: Sequence[Drafted], analysis: Analysis) -> bool:
    """Whether an analysis breaks one of the rules, so that `check` fails on it."""
    return any(check((each.rule,), analysis.calls, analysis.runs)[0].broken for each in drafts)


def records(drafts: Sequence[Drafted], analysis: Analysis, run_id: str) -> tuple[list[str], int]:
    """The fewest records that show what rules were drafted from, as `receiver/seq/index`, and how many the run has,
    with those of its calls elsewhere.

    Records of the calls alone are tried before those of the whole run.
    """
    identified = analysis.of(run_id).identified
    of_run = pl.concat(
        [frame.filter(pl.col("run_id") == run_id).select("pointer") for frame in (identified.spans, identified.events)]
    )
    told = {place for drafted in drafts if drafted.call is not None for place in drafted.call["evidence"] or ()}
    # A call that was resumed, or went on elsewhere, rests on records of other runs, too.
    whole = sorted(told.union(of_run["pointer"]), key=_place)
    # By numbers first: files say which they hold.
    requests = sorted({int(place.rsplit("/", 2)[1]) for place in whole})
    frames = [
        frame.filter(pl.col("seq").is_in(requests), pointer().is_in(whole)).collect().with_columns(at=pointer())
        for frame in (analysis.tables.spans, analysis.tables.events)
    ]

    def shows(places: Sequence[str]) -> bool:
        spans, events = (frame.filter(pl.col("at").is_in(list(places))).drop("at").lazy() for frame in frames)
        alone = analysing.analyse(Tables(spans, events), now_ns=analysis.now_ns)
        return shown(drafts, alone)

    of_calls = [place for place in whole if place in told]
    if of_calls and shows(of_calls):
        return smallest(of_calls, shows, most=_LOOKS), len(whole)
    # What they do not show alone may take another run: then all of this one is kept, and the replay says so.
    return (smallest(whole, shows, most=_LOOKS) if shows(whole) else whole), len(whole)


def _place(pointer: str) -> tuple[str, int, int]:
    receiver, seq, index = pointer.rsplit("/", 2)
    return receiver, int(seq), int(index)


def _is_shown(drafted: Drafted, analysis: Analysis) -> bool:
    (checked,) = check((drafted.rule,), analysis.calls, analysis.runs)
    found, call = checked.findings, drafted.call
    if call is None:
        return bool((found["verdict"] == drafted.verdict).any())
    mine = found.filter(_same(call))
    if drafted.verdict != "holds":
        return drafted.verdict in mine["verdict"]
    alike = [pl.col(name).eq_missing(pl.lit(call[name])) for name in ("outcome", "decided_by", "agent_name")]
    return mine.is_empty() and not analysis.calls.filter(_same(call), *alike).is_empty()


def _same(call: Mapping[str, Any]) -> pl.Expr:
    """Whether a row is of a call: its keys are of its store, its id is its sender's."""
    told = [pl.col(name) == call[name] for name in ("tool_name", "tool_call_id") if call[name] is not None]
    return pl.all_horizontal(told)
