"""What moved after a change, how sure that is, and what was looked at in vain.

Everything that is looked at is corrected for at once: one change of twenty moves something by chance alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aftertrace.analyzer.calls.near_misses import COUNTED, OF_RATES, hides_refusals
from aftertrace.analyzer.configurations.changes import Moment
from aftertrace.analyzer.schemas.derived import DERIVED, RAN_OUTCOMES
from aftertrace.analyzer.statistics.significance import Difference, amounts_differ, benjamini_hochberg, shares_differ

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

SCHEMA: Final = DERIVED["change_measures"].schema
NEAREST_RUNS: Final = 500
"""As many runs on each side are compared: what lies further off has other causes."""
FEWEST_RUNS: Final = 5
"""With fewer on a side nothing is tested."""
MOVED_AT_MOST: Final = 0.05
"""The rate of false discoveries among what is said to have moved."""
SHARES: Final = {
    "near_misses": ("near_misses", "counted"),
    "denials": ("denied", "counted"),
    "errors": ("failed", "ran"),
}
"""Measures that are shares of calls: the columns of `facts` that are counted."""
AMOUNTS: Final = ("approval_wait", "tokens", "cost_usd")
"""Measures of which each run tells one amount."""
_AGENT: Final = ("run_id", "agent_name")


@dataclass(frozen=True, slots=True)
class _Side:
    """What one side of a moment tells of a measure."""

    runs: int
    count: int
    value: float | None


@dataclass(frozen=True, slots=True)
class _Look:
    """One measure at one moment; no difference where nothing could be tested."""

    moment: Moment
    measure: str
    before: _Side
    after: _Side
    difference: Difference | None
    floor: bool


def change_measures(analysis: Analysis) -> pl.DataFrame:
    """What moved after the changes of an analysis, columns as in `SCHEMA`; of runs that are compared, and no others, it
    is read what they did.
    """
    history = analysis.history
    if not history.moments:
        return SCHEMA.to_frame()
    sides = (run_id for moment in history.moments for side in _sides(moment) for run_id in side)
    is_compared = pl.col("run_id").is_in(pl.Series(list(dict.fromkeys(sides)), dtype=pl.String).implode())
    told = analysis.versioned.filter(is_compared)
    counted = []
    for share in analysis.shares():
        tables = share.collected(*(share.scan(name, columns, only=is_compared) for name, columns in _READ.items()))
        calls, approvals, agents, runs = tables
        own = told.join(runs, on="run_id", how="semi", maintain_order="left")
        counted.append(facts(own, calls, approvals, agents, runs))
    return measures(history.moments, pl.concat(counted), history.changes)


def _sides(moment: Moment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return moment.before[-NEAREST_RUNS:], moment.after[:NEAREST_RUNS]


_READ: Final = {
    "calls": ("run_id", "agent_name", *OF_RATES),
    "approvals": ("run_id", "agent_name", "wait_ns"),
    "agents": ("run_id", "agent_name", "input_tokens", "output_tokens", "cost_usd"),
    "runs": ("run_id", "state", "input_tokens", "output_tokens", "cost_usd"),
}
"""By table, the columns that `facts` is made of."""


def facts(
    versioned: pl.DataFrame, calls: pl.DataFrame, approvals: pl.DataFrame, agents: pl.DataFrame, runs: pl.DataFrame
) -> pl.DataFrame:
    """What is counted of each run and agent: calls by outcome, the median wait; tokens and cost of what is over."""
    sole = agents.group_by("run_id").agg(
        pl.col("agent_name").first().alias("sole"), pl.col("agent_name").n_unique().alias("names")
    )
    mine = sole.filter(pl.col("names") == 1).drop("names")

    def owned(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(mine, on="run_id", how="left").with_columns(agent_name=pl.coalesce("agent_name", "sole"))

    outcome, counts = pl.col("outcome"), pl.col("outcome").is_in(COUNTED)
    counted = (
        owned(calls)
        .group_by(_AGENT)
        .agg(
            counts.sum().alias("counted"),
            (counts & pl.col("near_miss")).sum().alias("near_misses"),
            (outcome == "denied").sum().alias("denied"),
            outcome.is_in(RAN_OUTCOMES).sum().alias("ran"),
            (outcome == "failed").sum().alias("failed"),
            (counts & hides_refusals()).any().alias("floor"),
        )
    )
    waits = owned(approvals).group_by(_AGENT).agg((pl.col("wait_ns").median() / 1e9).alias("approval_wait"))
    amounts = pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0)
    tokens = pl.when(pl.any_horizontal(pl.col("input_tokens", "output_tokens").is_not_null())).then(amounts)
    unnamed = runs.join(agents, on="run_id", how="anti").with_columns(agent_name=pl.lit(None, dtype=pl.String))
    spent = (
        pl.concat([frame.select(*_AGENT, "cost_usd", tokens=tokens) for frame in (agents, unnamed)])
        .group_by(_AGENT)
        .agg(
            *(
                pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).cast(pl.Float64).alias(name)
                for name in ("tokens", "cost_usd")
            )
        )
        .join(runs.filter(pl.col("state").is_in(("completed", "failed"))), on="run_id", how="semi")
    )
    told = versioned.select(_AGENT)
    for part in (counted, waits, spent):
        told = told.join(part, on=list(_AGENT), how="left", nulls_equal=True)
    return told


def measures(moments: Iterable[Moment], facts: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """One row per change and measure, columns as in `SCHEMA`: by change, in the order of the measures.

    Args:
        moments: the moments of `configuration_changes.history`.
        facts: what is counted of each run and agent (`facts`), of those that are `compared`.
        changes: the changes of the same history.
    """
    told = {(row["run_id"], row["agent_name"]): row for row in facts.iter_rows(named=True)}
    looks = [look for moment in moments for look in _looks(moment, told)]
    tested = [look.difference.p for look in looks if look.difference is not None]
    corrected = iter(benjamini_hochberg(tested))
    rows = []
    for look in looks:
        q = None if look.difference is None else next(corrected)
        rows += [{"change_id": change_id, **_row(look, q)} for change_id in look.moment.change_ids]
    order = pl.DataFrame({"measure": [*SHARES, *AMOUNTS]}).with_row_index("nth")
    whose = changes.select("change_id", "changed_at", "agent_name", "part", "tenant", "environment", "service_name",
                           "source", "first_ns")  # fmt: skip
    found = pl.DataFrame(rows, schema={name: SCHEMA[name] for name in ("change_id", *_ROW)}, orient="row")
    return (
        whose.join(found, on="change_id", how="inner", maintain_order="left")
        .join(order, on="measure", how="left")
        .sort("first_ns", "agent_name", "change_id", "nth")
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    )


_ROW: Final = (
    "measure", "runs_before", "runs_after", "count_before", "count_after", "before", "after", "difference", "low",
    "high", "p", "q", "verdict", "floor",
)  # fmt: skip


def _looks(moment: Moment, told: dict[tuple[str, str | None], dict[str, Any]]) -> Iterable[_Look]:
    before, after = ([told[run_id, moment.agent_name] for run_id in side] for side in _sides(moment))
    floor = any(row["floor"] for row in (*before, *after))
    for measure, (of, total) in SHARES.items():
        shares = tuple([(row[of], row[total]) for row in side if row[total]] for side in (before, after))
        yield _look(moment, measure, shares, _share, shares_differ, floor=floor)
    for measure in AMOUNTS:
        amounts = tuple([row[measure] for row in side if row[measure] is not None] for side in (before, after))
        yield _look(moment, measure, amounts, _amount, amounts_differ, floor=False)


def _look(
    moment: Moment,
    measure: str,
    sides: tuple[list[Any], ...],
    told: Callable[[list[Any]], _Side],
    compare: Callable[[list[Any], list[Any]], Difference],
    *,
    floor: bool,
) -> _Look:
    enough = all(len(side) >= FEWEST_RUNS for side in sides)
    return _Look(moment, measure, told(sides[0]), told(sides[1]), compare(*sides) if enough else None, floor)


def _share(side: list[tuple[int, int]]) -> _Side:
    total = sum(calls for _, calls in side)
    return _Side(len(side), total, sum(of for of, _ in side) / total if total else None)


def _amount(side: list[float]) -> _Side:
    return _Side(len(side), len(side), median(side) if side else None)


def _row(look: _Look, q: float | None) -> dict[str, Any]:
    found = look.difference
    return {
        "measure": look.measure,
        "runs_before": look.before.runs,
        "runs_after": look.after.runs,
        "count_before": look.before.count,
        "count_after": look.after.count,
        "before": look.before.value,
        "after": look.after.value,
        "difference": found and found.value,
        "low": found and found.low,
        "high": found and found.high,
        "p": found and found.p,
        "q": q,
        "verdict": _verdict(look, q),
        "floor": look.floor,
    }


def _verdict(look: _Look, q: float | None) -> str:
    if look.difference is None or q is None:
        return "too_few" if look.before.runs and look.after.runs else "not_told"
    if q > MOVED_AT_MOST:
        return "not_shown"
    return "up" if look.difference.value > 0 else "down"
