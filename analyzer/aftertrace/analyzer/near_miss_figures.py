"""The figures of the near-miss report: every number in it, made once, for all its formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import polars as pl

from aftertrace.analyzer import near_misses
from aftertrace.analyzer.autonomy import autonomy
from aftertrace.analyzer.document import Interval
from aftertrace.analyzer.failure_report import Told, told_of
from aftertrace.analyzer.floors import Floor, floors
from aftertrace.analyzer.row_links import Links
from aftertrace.analyzer.severity import weighed
from aftertrace.analyzer.significance import shares_apart
from aftertrace.analyzer.targets import aimed, spread, targets

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.periods import Period
    from aftertrace.analyzer.select import Filter

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
    """The near misses, the worst first: columns as in `schemas.CALLS`, and `severity`, `held_by` and `spread`."""
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
    """Where a control failed, and what else does not agree; its calls have `floor`."""

    @property
    def listed(self) -> pl.DataFrame:
        """The worst near misses, as many as a report lists one by one: columns as in `near`."""
        return self.near.head(LISTED)

    @property
    def calls(self) -> pl.DataFrame:
        """Columns as in `schemas.CALLS`, and `floor`."""
        return self.told.calls

    @property
    def period(self) -> Period:
        """What it is about."""
        return self.links.period

    @property
    def is_floor(self) -> bool:
        """Whether near misses may be missing from the totals."""
        return self.totals.floor


def figures(analysis: Analysis, period: Period, wanted: Filter) -> Figures:
    """The figures of a period. The analysis is as of the period's `as_of_ns`."""
    within, earlier = period.within(wanted), period.before(wanted)
    links = Links(period, replace(wanted, since_ns=None, until_ns=None))
    told_within = told_of(analysis, within)
    calls, runs = told_within.calls, told_within.runs
    found = floors(analysis, links, calls, _touched(analysis, calls, runs))
    calls = calls.with_columns(floor=_floor(analysis, found))
    near = _ranked(analysis, calls)
    before = None if earlier is None else analysis.select("calls", earlier)
    known_before = before is not None and before.height > 0
    kinds = _kinds(near, before if known_before else None)
    told, asked = aimed(near), analysis.runs.select("run_id", "prompt")
    first = calls["first_ns"].min()
    ran = calls.filter(pl.col("outcome").is_in(("executed", "failed")))
    return Figures(
        links=links,
        totals=_totals(told_within, found),
        before=None if earlier is None else _before(analysis, links, earlier),
        rate_changed=_changed(before, calls),
        floors=found,
        kinds=kinds,
        near=near,
        targets=targets(near, told, asked, ran),
        trend=_trend(calls, period, first if isinstance(first, int) else None),
        rates={column: near_misses.rates(calls.lazy(), [column], pl.col("floor")).collect() for column, _ in BY},
        autonomy=autonomy(calls, analysis.select("approvals", within)),
        beside=dict(
            calls.filter(~pl.col("outcome").is_in(_IN_RATES)).group_by("outcome").len().sort("outcome").iter_rows()
        ),
        guessed=near.filter(pl.col("risk_basis") == "guess").height,
        told=replace(told_within, calls=calls),
    )


_IN_RATES: Final = tuple(name for name in near_misses.COUNTED if name != "failed")


def _floor(analysis: Analysis, found: tuple[Floor, ...]) -> pl.Expr:
    """Whether something may hide near misses like this call."""
    if any(floor.is_everywhere for floor in found):
        return pl.lit(value=True)
    unsure = analysis.runs.filter((pl.col("missing") > 0) | pl.col("state").is_in(("open", "waiting")))["run_id"]
    open_ended = pl.col("outcome").is_in(("pending", "unresolved"))
    return near_misses.hides_refusals() | pl.col("run_id").is_in(unsure.implode()) | open_ended


def _before(analysis: Analysis, links: Links, earlier: Filter) -> Totals | None:
    told = told_of(analysis, earlier)
    if not told.calls.height:
        return None
    touched = _touched(analysis, told.calls, told.runs)
    return _totals(told, floors(analysis, links.before(), told.calls, touched))


def _touched(analysis: Analysis, calls: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """The runs that began, and those of the calls."""
    of_calls = analysis.runs.filter(pl.col("run_id").is_in(calls["run_id"].implode()))
    return pl.concat([runs, of_calls]).unique("run_id", maintain_order=True)


def _totals(told: Told, found: tuple[Floor, ...]) -> Totals:
    calls = told.calls
    row = near_misses.rates(calls.lazy(), []).collect().row(0, named=True)
    return Totals(
        runs=calls["run_id"].n_unique(),
        calls=row["calls"],
        near_misses=row["near_misses"],
        consequential=row["consequential"],
        rate=Interval(row["rate"], row["low"], row["high"]),
        failures=told.failures,
        kinds=calls.filter("near_miss").select(KIND).n_unique(),
        floor=any(floor.hides for floor in found),
    )


def _changed(before: pl.DataFrame | None, now: pl.DataFrame) -> Change:
    """Whether the rate is higher or lower: zero is outside the 95 % interval of the difference."""
    if before is None or not (first := _per_run(before)) or not (second := _per_run(now)):
        return "not known"
    low, high = shares_apart(first, second)
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "no clear change"


def _per_run(calls: pl.DataFrame) -> list[tuple[int, int]]:
    """Near misses, and calls that count in a rate, of each run that has any."""
    counted = calls.filter(pl.col("outcome").is_in(near_misses.COUNTED))
    return counted.group_by("run_id").agg(pl.col("near_miss").sum(), pl.len()).sort("run_id").drop("run_id").rows()


def _ranked(analysis: Analysis, calls: pl.DataFrame) -> pl.DataFrame:
    """Near misses, the worst first: by severity, then by how many different requests one of their targets was refused
    in, then those whose tool their agent uses in the fewest of its runs, then the latest.
    """
    near = weighed(calls.lazy().filter("near_miss"), analysis.decisions.lazy()).collect()
    near = spread(near, aimed(near), analysis.runs.select("run_id", "prompt"))
    agents = calls.group_by("agent_name").agg(agent_runs=pl.col("run_id").n_unique())
    tools = calls.group_by("agent_name", "tool_name").agg(tool_runs=pl.col("run_id").n_unique())
    return (
        near.join(agents, on="agent_name", how="left", nulls_equal=True)
        .join(tools, on=["agent_name", "tool_name"], how="left", nulls_equal=True)
        .with_columns(rarity=pl.col("tool_runs") / pl.col("agent_runs"))
        .sort(
            "severity", "spread", "rarity", "first_ns", "call_key",
            descending=[True, True, False, True, False],
            nulls_last=True,
        )
        .drop("agent_runs", "tool_runs", "rarity")
    )  # fmt: skip


def _kinds(near: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
    known = None if before is None else before.filter("near_miss").select(KIND).unique()
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


def _trend(calls: pl.DataFrame, period: Period, first_ns: int | None) -> pl.DataFrame:
    steps = pl.DataFrame(
        list(period.steps(first_ns)), {"begin_ns": pl.Int64, "end_ns": pl.Int64, "name": pl.String}, orient="row"
    )
    of_steps = (
        calls.drop_nulls("first_ns")
        .sort("first_ns", maintain_order=True)
        .join_asof(steps.select("begin_ns"), left_on="first_ns", right_on="begin_ns", strategy="backward")
    )
    found = near_misses.rates(of_steps.lazy(), ["begin_ns"], pl.col("floor")).collect()
    return steps.join(found, on="begin_ns", how="left").with_columns(
        pl.col("calls", "near_misses", "consequential").fill_null(0), pl.col("floor").fill_null(value=False)
    )
