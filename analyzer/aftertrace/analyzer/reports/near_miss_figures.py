"""The figures of the near-miss report: every number in it, made once, for all its formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import polars as pl

from aftertrace.analyzer.calls import near_misses
from aftertrace.analyzer.documents.document import Interval
from aftertrace.analyzer.documents.row_links import Links
from aftertrace.analyzer.documents.severity import DECISIONS, weighed
from aftertrace.analyzer.populations.targets import aimed, aims, ran_with, spread, targets
from aftertrace.analyzer.reports.autonomy import autonomy
from aftertrace.analyzer.reports.failure_report import Told, told_of
from aftertrace.analyzer.reports.floors import IS_UNSURE, UNSURE, Floor, floors, lost_on_the_way
from aftertrace.analyzer.statistics.significance import Clusters, clusters, shares_apart

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.documents.periods import Period
    from aftertrace.analyzer.reading.select import Filter

Change: TypeAlias = Literal["higher", "lower", "no clear change", "not known"]
LISTED: Final = 50
"""How many near misses are listed one by one."""
KIND: Final = ["agent_name", "tool_name", "outcome", "decided_by"]
"""Near misses that agree in these are of one kind."""
KINDS: Final[dict[str, tuple[pl.DataType, str]]] = {
    "agent_name": (pl.String(), "agent"),
    "tool_name": (pl.String(), "tool"),
    "outcome": (pl.String(), "what became of the calls"),
    "decided_by": (pl.String(), "who decided"),
    "severity": (pl.Int64(), "of the worst: `low`, `medium`, `high`, `critical`; 0 to 3 in frames"),
    "held_by": (pl.String(), "the control that stopped the worst"),
    "risk": (pl.String(), "risk class of the tool"),
    "risk_basis": (pl.String(), "`inventory`, `declared`, or `guess` from the tool's name"),
    "near_misses": (pl.Int64(), "near misses"),
    "consequential": (pl.Int64(), "consequential ones among them"),
    "runs": (pl.Int64(), "runs they came in"),
    "spread": (pl.Int64(), "most different requests in which one target of them was refused"),
    "is_new": (pl.Boolean(), "none of this kind was in the period before; null: there is no such period"),
    "floor": (pl.Boolean(), "the counts are floors"),
    "first_ns": (pl.Int64(), "begin of the first"),
    "last_ns": (pl.Int64(), "begin of the latest"),
    "run_ids": (pl.List(pl.String), "runs of the latest, at most three"),
}
"""Columns of kinds and what they mean: the worst first."""
BY: Final = (("tool_name", "tool"), ("agent_name", "agent"), ("decided_by", "decided_by"))
"""What rates are told by: the column, and the field of the filter that it answers to."""
SUMMED: Final = (
    *near_misses.OF_RATES, "run_id", "agent_name", "tool_name", "decided_by", "risk", "approval_asked", "first_ns",
)  # fmt: skip
"""Columns of `calls` that are summed up over all calls of a period; no other is read of them."""
NEAR: Final = (
    "run_id", "call_key", "tool_call_id", "agent_name", "service_name", "model", "tool_name", "outcome", "decided_by",
    "basis", "reviewer", "wait_ns", "consequential", "risk", "risk_basis", "reason", "arguments", "executed_arguments",
    "evidence", "first_ns",
)  # fmt: skip
"""Columns of `calls` that are told of each near miss."""


@dataclass(frozen=True, slots=True)
class Totals:
    """One period in numbers."""

    runs: int
    calls: int
    """Those that count in a rate."""
    near_misses: int
    consequential: int
    rate: Interval
    failures: int
    """Calls, effects and runs of which a control failed."""
    kinds: int
    floor: bool
    """Whether near misses may be missing from these counts."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All numbers of a report."""

    links: Links
    totals: Totals
    before: Totals | None
    """None where there is no period before, or nothing is recorded of it."""
    rate_changed: Change
    """Whether the rate is another than that of the period before."""
    floors: tuple[Floor, ...]
    kinds: pl.DataFrame
    """Columns as in `KINDS`."""
    near: pl.DataFrame
    """The near misses, the worst first: columns as in `NEAR`, and `floor`, `severity`, `held_by` and `spread`."""
    targets: pl.DataFrame
    """Columns as in `targets.TARGETS`."""
    trend: pl.DataFrame
    """`begin_ns`, `end_ns`, `name`, and columns as in `schemas.RATES`."""
    rates: dict[str, pl.DataFrame]
    """By each column of `BY`: columns as in `schemas.RATES`."""
    autonomy: pl.DataFrame
    """Columns as in `autonomy.AUTONOMY`."""
    beside: dict[str, int]
    """Calls by outcome that are in no rate, or failed."""
    guessed: int
    """Near misses whose tool's risk is a guess."""
    told: Told
    """Where a control failed, and what else does not agree."""

    @property
    def listed(self) -> pl.DataFrame:
        """The worst near misses, as many as a report lists one by one: columns as in `near`."""
        return self.near.head(LISTED)

    @property
    def period(self) -> Period:
        """What it is about."""
        return self.links.period

    @property
    def is_floor(self) -> bool:
        """Whether near misses may be missing from the totals."""
        return self.totals.floor


def figures(analysis: Analysis, period: Period, wanted: Filter) -> Figures:
    """The figures of a period. The analysis is as of the period's `as_of_ns`.

    Calls are summed up as they are read; only near misses, and where a control failed, are held.
    """
    within, earlier = period.within(wanted), period.before(wanted)
    links = Links(period, replace(wanted, since_ns=None, until_ns=None))
    now = _summed(analysis, links, within)
    calls, steps = now.calls, _steps(analysis, now.calls, period)
    by = [near_misses.rates(calls, [column], pl.col("floor")) for column, _ in BY]
    answers = analysis.scan("approvals", APPROVALS, within)
    near, trend, earned, *rates = analysis.collected(
        analysis.scan("calls", (*NEAR, *near_misses.HIDING), within, only=pl.col("near_miss")).with_columns(now.floor),
        near_misses.rates(calls.with_columns(step=_step(steps)).drop_nulls("step"), ["step"], pl.col("floor")),
        autonomy(calls, answers),
        *by,
    )
    near, aims = _ranked(analysis, near.select(*NEAR, "floor"), calls)
    before = None if earlier is None else _summed(analysis, links.before(), earlier)
    known = None if before is None or not before.runs else before
    told = told_of(analysis, within)
    return Figures(
        links=links,
        totals=now.totals(told.failures, near.select(KIND).n_unique()),
        before=None if known is None or earlier is None else _before(analysis, known, earlier),
        rate_changed="not known" if known is None else _changed(known.clusters, now.clusters),
        floors=now.floors,
        kinds=_kinds(near, None if known is None else known.kinds),
        near=near,
        targets=targets(aims, _times(analysis, aims, within)),
        trend=_trend(steps, trend),
        rates={column: rate for (column, _), rate in zip(BY, rates, strict=True)},
        autonomy=earned,
        beside={name: times for name, times in now.outcomes.items() if name not in _IN_RATES},
        guessed=near.filter(pl.col("risk_basis") == "guess").height,
        told=told,
    )


_IN_RATES: Final = tuple(name for name in near_misses.COUNTED if name != "failed")
APPROVALS: Final = ("agent_name", "tool_name", "decision", "signals")
"""Columns of `approvals` that are summed up."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What all calls of a period come to."""

    calls: pl.LazyFrame
    """`SUMMED`, and `floor`."""
    floor: pl.Expr
    """Whether something may hide near misses like a call."""
    floors: tuple[Floor, ...]
    rate: dict[str, Any]
    """Columns as in `schemas.RATES`."""
    runs: int
    clusters: Clusters
    """Near misses among calls that count in a rate, by run."""
    outcomes: dict[str, int]
    """Calls by outcome."""
    kinds: pl.DataFrame
    """Which kinds of near misses there are."""

    def totals(self, failures: int, kinds: int) -> Totals:
        """The period in numbers."""
        rate = self.rate
        return Totals(
            runs=self.runs,
            calls=rate["calls"],
            near_misses=rate["near_misses"],
            consequential=rate["consequential"],
            rate=Interval(rate["rate"], rate["low"], rate["high"]),
            failures=failures,
            kinds=kinds,
            floor=any(floor.hides for floor in self.floors),
        )


def _summed(analysis: Analysis, links: Links, wanted: Filter) -> _Sums:
    lost = lost_on_the_way(analysis, links)
    (unsure,) = analysis.collected(analysis.scan("runs", UNSURE, only=IS_UNSURE))
    floor = _floor(unsure, is_everywhere=any(each.is_everywhere for each in lost)).alias("floor")
    calls = analysis.scan("calls", SUMMED, wanted).with_columns(floor)
    is_counted = pl.col("outcome").is_in(near_misses.COUNTED)
    of_runs = calls.group_by("run_id").agg(
        of=(pl.col("near_miss") & is_counted).sum().cast(pl.Int64), total=is_counted.sum().cast(pl.Int64)
    )
    rate, runs, outcomes, kinds, (hidden, left_out), of_calls, begun = analysis.collected(
        near_misses.rates(calls, []),
        of_runs.select(pl.len().alias("all_runs"), *clusters()),
        calls.group_by("outcome").len().sort("outcome"),
        calls.filter("near_miss").select(KIND).unique(),
        calls.select(hidden=near_misses.is_hidden_by_emitter().sum(), left_out=pl.col("content_left_out").sum()),
        calls.filter(pl.col("run_id").is_in(unsure["run_id"].implode())).select("run_id").unique(),
        analysis.scan("runs", ("run_id",), wanted, only=IS_UNSURE),
    )
    told = runs.row(0, named=True)
    by_outcome = dict(outcomes.iter_rows())
    touched = unsure.filter(pl.col("run_id").is_in(pl.concat([of_calls, begun])["run_id"].implode()))
    return _Sums(
        calls=calls,
        floor=floor,
        floors=(*floors(analysis, links, by_outcome, int(hidden.item()), int(left_out.item()), touched), *lost),
        rate=rate.row(0, named=True),
        runs=told.pop("all_runs"),
        clusters=Clusters(**told),
        outcomes=by_outcome,
        kinds=kinds,
    )


def _floor(unsure: pl.DataFrame, *, is_everywhere: bool) -> pl.Expr:
    """Whether something may hide near misses like a call.

    Args:
        unsure: the runs that may lack calls.
        is_everywhere: whether near misses of anybody may be lost.
    """
    if is_everywhere:
        return pl.lit(value=True)
    open_ended = pl.col("outcome").is_in(("pending", "unresolved"))
    return near_misses.hides_refusals() | pl.col("run_id").is_in(unsure["run_id"].implode()) | open_ended


def _before(analysis: Analysis, sums: _Sums, earlier: Filter) -> Totals:
    return sums.totals(told_of(analysis, earlier).failures, sums.kinds.height)


def _changed(before: Clusters, now: Clusters) -> Change:
    """Whether the rate is higher or lower: zero is outside the 95 % interval of the difference."""
    if not before.runs or not now.runs:
        return "not known"
    low, high = shares_apart(before, now)
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "no clear change"


def _ranked(analysis: Analysis, near: pl.DataFrame, calls: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Near misses, the worst first: by severity, then by how many different requests one of their targets was refused
    in, then those whose tool their agent uses in the fewest of its runs, then the latest; and what they aimed at most
    (`targets.aims`).
    """
    agents, tools = (near.select(names).unique().lazy() for names in (["agent_name"], ["agent_name", "tool_name"]))
    is_one = pl.col("call_key").is_in(near["call_key"].implode())
    is_run = pl.col("run_id").is_in(near["run_id"].implode())
    near, asked, agent_runs, tool_runs = analysis.collected(
        weighed(near.lazy(), analysis.scan("decisions", DECISIONS, only=is_one)),
        analysis.scan("runs", ("run_id", "prompt"), only=is_run),
        _runs_of(calls, agents).rename({"runs": "agent_runs"}),
        _runs_of(calls, tools).rename({"runs": "tool_runs"}),
    )
    told = aimed(near)
    ranked = (
        spread(near, told, asked)
        .join(agent_runs, on="agent_name", how="left", nulls_equal=True)
        .join(tool_runs, on=["agent_name", "tool_name"], how="left", nulls_equal=True)
        .with_columns(rarity=pl.col("tool_runs") / pl.col("agent_runs"))
        .sort(
            "severity", "spread", "rarity", "first_ns", "call_key",
            descending=[True, True, False, True, False],
            nulls_last=True,
        )
        .drop("agent_runs", "tool_runs", "rarity")
    )  # fmt: skip
    return ranked, aims(ranked, told, asked)


def _runs_of(calls: pl.LazyFrame, of: pl.LazyFrame) -> pl.LazyFrame:
    """In how many runs there is a call that agrees with a row, in the columns of the rows."""
    by = of.collect_schema().names()
    return calls.join(of, on=by, how="semi", nulls_equal=True).group_by(by).agg(runs=pl.col("run_id").n_unique())


def _times(analysis: Analysis, found: pl.DataFrame, wanted: Filter) -> list[int]:
    """How many calls that ran had each of some targets."""
    if not found.height:
        return []
    is_one = pl.col("outcome").is_in(("executed", "failed")) & pl.col("tool_name").is_in(found["tool_name"].implode())
    ran = analysis.scan("calls", ("tool_name", "arguments"), wanted, only=is_one)
    return list(analysis.collected(ran_with(found, ran))[0].row(0))


def _kinds(near: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame:
    of = near.group_by(KIND, maintain_order=True).agg(
        *(pl.col(name).first() for name in ("severity", "held_by", "risk", "risk_basis")),
        pl.len().alias("near_misses"),
        pl.col("consequential").sum(),
        pl.col("run_id").n_unique().alias("runs"),
        pl.col("spread").max(),
        pl.col("floor").any(),
        pl.col("first_ns").max().alias("last_ns"),
        pl.col("run_id")
        .sort_by("first_ns", "call_key", descending=[True, False])
        .unique(maintain_order=True)
        .head(3)
        .alias("run_ids"),
        pl.col("first_ns").min(),
    )
    if known is None:
        of = of.with_columns(is_new=pl.lit(None, pl.Boolean))
    else:
        of = of.join(known.with_columns(was=pl.lit(value=True)), on=KIND, how="left", nulls_equal=True).with_columns(
            is_new=pl.col("was").is_null()
        )
    return of.select(pl.col(name).cast(kind) for name, (kind, _) in KINDS.items()).sort(
        "severity", "spread", "near_misses", *KIND,
        descending=[True, True, True, False, False, False, False],
        nulls_last=True,
    )  # fmt: skip


def _steps(analysis: Analysis, calls: pl.LazyFrame, period: Period) -> pl.DataFrame:
    """The steps of a trend: `begin_ns`, `end_ns`, `name`."""
    first_ns = None
    if period.since_ns is None:
        first_ns = analysis.collected(calls.select(pl.col("first_ns").min()))[0].item()
    schema = {"begin_ns": pl.Int64, "end_ns": pl.Int64, "name": pl.String}
    return pl.DataFrame(list(period.steps(first_ns)), schema, orient="row")


def _step(steps: pl.DataFrame) -> pl.Expr:
    """In which step a call began: its number; null where that is not known, or before all of them."""
    passed = pl.sum_horizontal(pl.lit(0), *(pl.col("first_ns") >= begin_ns for begin_ns in steps["begin_ns"]))
    return pl.when(pl.col("first_ns").is_not_null() & (passed > 0)).then(passed.cast(pl.Int64) - 1)


def _trend(steps: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    return (
        steps.with_columns(step=pl.int_range(pl.len()))
        .join(found, on="step", how="left", maintain_order="left")
        .drop("step")
        .with_columns(
            pl.col("calls", "near_misses", "consequential").fill_null(0), pl.col("floor").fill_null(value=False)
        )
    )
