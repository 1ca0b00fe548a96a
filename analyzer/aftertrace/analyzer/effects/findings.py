"""Where a call, its approval, its execution and its effect do not agree, with how sure that is and what shows it.

What one run shows of itself is a signal of its calls and effects, and is told here with its evidence. What several runs
show together is no signal, such as two that wrote the same object, or a tool that gave no receipt where it gives one
every other time: it rests on all runs, more of it may come when more is stored, and the record of each run tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.calls import denials
from aftertrace.analyzer.effects import mismatches, races
from aftertrace.analyzer.reading.select import ALL
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import BY_RUN

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.derived.derivation import Derivation
    from aftertrace.analyzer.derived.parted import Parted

SCHEMA: Final = DERIVED["effect_findings"].schema


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which they do not agree."""

    name: str
    is_failure: bool
    """Whether a control failed, by the list of control failures."""
    brief: str
    """What it means, for the docs and the pages."""


KINDS: Final = (
    Kind("ran_refused", True, "a call ran although it was refused, or its approval expired"),
    Kind("ran_after_denial", True, "a call ran after the same tool with the same arguments had been refused"),
    Kind("other_arguments", True, "a call ran with other arguments than those that were approved"),
    Kind("other_object", False, "a receipt names another object than its call asked for"),
    Kind("effect_missing", True, "a call says that it succeeded, and a record says that its effect was blocked"),
    Kind("receipt_missing", False, "a call ran without a receipt, and its tool gives one otherwise"),
    Kind("changed_by_reading", False, "a receipt tells of a change by a tool that is declared to read"),
    Kind("no_call", True, "something changed, and no call of the run is on record that did it"),
    Kind("applied_twice", True, "the same change was made more than once, by one run or by several"),
    Kind("raced", False, "two runs were under way at once and wrote the same object"),
)
"""How effects and calls may fail to agree."""


@dataclass(frozen=True, slots=True)
class _Among:
    """The rows among which findings are looked for: none are read but those that may be one, and what is counted."""

    analysis: Analysis
    only: Mapping[str, pl.Expr] = field(default_factory=dict)
    """By table, which rows; all of those that are not named."""

    def scan(self, table: str, columns: Sequence[str], only: pl.Expr = ALL) -> pl.LazyFrame:
        return self.analysis.scan(table, columns, only=self.only.get(table, ALL) & only)

    def collected(self, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
        return self.analysis.collected(*frames)


def effect_findings(analysis: Analysis) -> pl.DataFrame:
    """One row per finding of all runs, columns as in `SCHEMA`, the latest first."""
    return _found(_Among(analysis))


def _found(among: _Among) -> pl.DataFrame:
    return _told(*_of_calls(among), *_of_effects(among))


def _of_calls(among: _Among) -> Iterator[pl.DataFrame]:
    """What does not agree on calls alone."""
    signalled, refused = among.collected(
        among.scan("calls", mismatches.SIGNALLED, mismatches.IS_SIGNALLED),
        among.scan("calls", mismatches.AFTER_DENIAL, denials.IS_REFUSED),
    )
    is_signalled = pl.col("call_key").is_in(signalled["call_key"].implode())
    (approvals,) = among.collected(among.scan("approvals", ("call_key", "deviations"), is_signalled))
    yield mismatches.of_calls(signalled, approvals)
    if refused.height:
        (ran,) = among.collected(denials.alike(among.scan("calls", mismatches.AFTER_DENIAL), refused))
        yield mismatches.after_denial(pl.concat([refused, ran]))


def _of_effects(among: _Among) -> Iterator[pl.DataFrame]:
    """What effects show."""
    effects = among.scan("effects", races.OF_EFFECTS)
    if not among.collected(effects.select(pl.len()))[0].item():
        return
    twice, keyed, made, written, of_none, counts = among.collected(
        effects.filter(races.IS_TWICE),
        *(alike.candidates(effects) for alike in (races.KEYED, races.MADE, races.WRITTEN)),
        effects.filter(mismatches.HAS_NO_CALL),
        effects.select(receipts=mismatches.IS_RECEIPT.any(), names=mismatches.NAMES_AN_OBJECT.any()),
    )
    of_runs = pl.concat([each["run_id"] for each in (made, written, of_none)]).drop_nulls().unique()
    is_again = pl.col("call_key").is_in(twice["call_key"].drop_nulls().implode()) & (pl.col("outcome") == "failed")
    runs, failed = among.collected(
        among.scan("runs", races.OF_RUNS, pl.col("run_id").is_in(of_runs.implode())),
        among.scan("calls", ("call_key",), is_again),
    )
    yield races.within_a_run(twice, failed)
    yield races.by_key(keyed)
    yield races.by_arguments(made, runs)
    yield races.raced(written, runs)
    yield mismatches.without_call(of_none, runs)
    if counts["names"].item():
        calls = among.scan("calls", mismatches.OF_ARGUMENTS)
        yield from among.collected(mismatches.other_objects(effects, calls))
    if counts["receipts"].item():
        yield from _of_receipts(among, effects)


def _of_receipts(among: _Among, effects: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """What receipts show of calls, and what is shown by their absence."""
    calls = among.scan("calls", mismatches.OF_RECEIPTS)
    read, known = among.collected(
        mismatches.changed_by_reading(effects, among.scan("calls", ("call_key", "risk", "risk_basis"))),
        mismatches.giving(effects, calls),
    )
    yield read
    if known.height:
        runs = among.scan("runs", ("run_id", "state", "missing"))
        yield from among.collected(mismatches.missing_receipts(known, effects, calls, runs))


def _told(*found: pl.DataFrame) -> pl.DataFrame:
    """Findings in their order, columns as in `SCHEMA`, with whether a control failed."""
    failures = {kind.name: kind.is_failure for kind in KINDS}
    told = pl.concat([each.select(pl.col(name).cast(kind) for name, kind in races.FOUND.items()) for each in found])
    # What only several runs of the store show counts as a failure where it is more than possible.
    is_sure = pl.col("certainty") != "possible"
    return (
        told.with_columns(is_failure=pl.col("signal").replace_strict(failures, return_dtype=pl.Boolean) & is_sure)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort("first_ns", "signal", "run_id", "call_key", descending=[True, False, False, False], nulls_last=True)
    )


def of_run(analysis: Analysis, run_id: str) -> pl.DataFrame:
    """What one run shows of itself, in the order in which it happened; the same however many others are stored."""
    mine = pl.col("run_id") == run_id
    conversation = ("source", "conversation_id")
    (own,) = analysis.collected(analysis.scan("calls", conversation, only=mine))
    beside = [
        (pl.col("source") == source) & (pl.col("conversation_id") == name)
        for source, name in own.drop_nulls().unique().iter_rows()
    ]
    among = _Among(analysis, dict.fromkeys(BY_RUN, mine) | {"calls": pl.any_horizontal(mine, *beside)})
    return _found(among).filter(mine).reverse()


def across(told: Derivation | Parted, run_id: str) -> pl.DataFrame:
    """What a run and others show together, seen from that run, in the order in which it happened; columns as in
    `SCHEMA`. What a later run shows is told of the call of this one that it rests on, with the other in `other_runs`.

    Only effects on what it changed are read of other runs, and calls of a tool only where that is known for receipts.
    """
    own = told.some("effects", pl.col("run_id") == run_id)
    found = _told(_of_several(told, own), _without_receipts(told, own, run_id))
    mine = found.filter(pl.col("run_id") == run_id)
    return pl.concat([mine, _by_others(found, own, run_id)]).sort("first_ns", "signal", "call_key", nulls_last=True)


def between(told: Derivation | Parted, run_ids: Sequence[str]) -> pl.DataFrame:
    """What some runs and others show together, where the later one is one of these; columns as in `SCHEMA`.

    Only effects on what they changed are read of other runs.
    """
    mine = pl.col("run_id").is_in(list(run_ids))
    return _told(_of_several(told, told.some("effects", mine))).filter(mine)


def _by_others(found: pl.DataFrame, own: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """Findings of other runs that rest on an effect of this one, as findings of this one."""
    whose = ("call_key", "tool_call_id", "tool_name", "agent_name", "conversation_id")
    by = pl.concat_str(pl.lit("by run "), "run_id", pl.concat_str(pl.lit(" of "), "by"), ignore_nulls=True)
    theirs = found.filter(pl.col("run_id") != run_id, pl.col("other_runs").list.contains(run_id))
    if not theirs.height:
        return theirs
    effects = own.select(*whose, place="evidence").unique("place", keep="first", maintain_order=True)
    return (
        theirs.rename({"agent_name": "by"})
        .drop(name for name in whose if name != "agent_name")
        .with_columns(place=pl.col("evidence").list.first())
        .join(effects, on="place", how="inner", maintain_order="left")
        .with_columns(
            what=pl.when(pl.col("signal") == "raced")
            .then(pl.concat_str(pl.lit("written after it "), by, pl.lit(", which was under way then")))
            .otherwise(pl.concat_str(pl.lit("made again "), by)),
            other_runs=pl.concat_list("run_id"),
            run_id=pl.lit(run_id),
        )
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    )


def _of_several(told: Derivation | Parted, own: pl.DataFrame) -> pl.DataFrame:
    """Changes that repeat or cross each other, of the objects, keys and arguments of some effects, and of others."""
    if not own.height:
        return races.FOUND.to_frame()
    same = {
        "object_id": own["object_id"],
        "object_url": own["object_url"],
        "idempotency_key": own["idempotency_key"],
        "arguments_digest": own["arguments_digest"],
    }
    alike = pl.any_horizontal(
        pl.col(name).is_in(values.drop_nulls().unique().implode()).fill_null(value=False)
        for name, values in same.items()
    )
    effects = told.some("effects", alike)
    runs = told.some("runs", pl.col("run_id").is_in(effects["run_id"].drop_nulls().unique().implode()))
    return races.of_several_runs(effects, runs)


def _without_receipts(told: Derivation | Parted, own: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """Calls of a run without the receipt that other calls of their tool have."""
    mine = pl.col("run_id") == run_id
    have = own.filter(mismatches.IS_RECEIPT)["call_key"].drop_nulls()
    ran = told.some("calls", mine & pl.col("outcome").is_in(mismatches.RAN), ("call_key", "tool_name"))
    tools = ran.filter(~pl.col("call_key").is_in(have.implode()))["tool_name"].drop_nulls().unique()
    if not tools.len():
        return races.FOUND.to_frame()
    is_of_them = pl.col("tool_name").is_in(tools.implode())
    receipts, calls = told.scan("effects").filter(is_of_them), told.scan("calls").filter(is_of_them)
    (known,) = told.collected(mismatches.giving(receipts, calls))
    if not known.height:
        return races.FOUND.to_frame()
    runs = told.scan("runs").filter(mine)
    return told.collected(mismatches.missing_receipts(known, receipts, calls, runs))[0]
