"""Some calls or runs held against others: what is different about the denied ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.populations.attributes import ATTRIBUTES, COLUMNS, Kind, Told, told_of
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.statistics.lifts import KEY, Lifts, lifts
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

EVERYTHING: Final = Filter()
_KEYS: Final = {"calls": "call_key", "runs": "run_id"}
_JUDGED: Final = frozenset({"outcome", "decided_by", "reviewer"})
_PENDING: Final = {"calls": pl.col("outcome") == "pending", "runs": pl.col("state").is_in(("open", "waiting"))}
"""Of what nothing can be said yet: a call may still be denied, and a run may still make one that is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which calls or runs are held against which. Of several filters any may let a row through."""

    of: Kind
    chosen: tuple[Filter, ...]
    others: tuple[Filter, ...] = ()
    """None: all that are not chosen."""
    within: Filter = EVERYTHING
    """What both have to be let through by."""
    count_untold: bool = False
    """Whether what is not told counts as a value of its own."""

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a filter by which it is chosen."""
        return frozenset(
            item.name
            for filter_ in (*self.chosen, *self.others)
            for item in fields(filter_)
            if getattr(filter_, item.name) is not None
        )


@dataclass(frozen=True, slots=True)
class PopulationComparison:
    """What is different about the chosen rows, and what that was told from."""

    choice: Choice
    now_ns: int
    """The time it is judged at."""
    source: Callable[[pl.Series], pl.DataFrame]
    """Gives the calls or runs of the analysis that have some keys, all that is told of them."""
    rows: pl.DataFrame
    """Those that are compared, as far as they are looked at, each with its number `row` and `is_chosen`."""
    told: Told
    """What they tell."""
    lifts: Lifts
    """What is more or less frequent among the chosen, and all else that was looked at."""
    both: int
    """How many rows are in both: they count among the chosen."""
    pending: int
    """How many others are left out, since nothing can be said yet of what becomes of them."""
    left_out: tuple[str, ...]
    """Attributes that are left out, since they choose, or are told by what chooses."""
    untold: tuple[str, ...]
    """Attributes that no row of one side tells, or of either."""

    @property
    def arguments_left_out(self) -> int:
        """How many calls there are whose arguments are not looked at, since too many differ."""
        return 0 if self.told.arguments is None else self.told.arguments.left_out

    def size(self, *, is_chosen: bool) -> tuple[int, int]:
        """How many rows a side has, and of how many runs."""
        side = self.rows.filter(pl.col("is_chosen") == is_chosen)
        return side.height, side["run_id"].n_unique()

    def rows_of(self, lift_id: str) -> pl.DataFrame:
        """The rows that have a value: those of the chosen first, then the latest. Raises `Invalid`."""
        found = self.lifts.rows.filter(pl.col("lift_id") == lift_id)
        if not found.height:
            raise Invalid(f"rows {lift_id!r}: nothing that was looked at has this id, expected the 8 digits of one")
        having = pl.concat(
            telling.values.join(
                telling.keys.join(found.select(KEY), on=KEY, how="semi", nulls_equal=True), on="key", how="semi"
            ).select("row")
            for telling in self.told.tellings(self.left_out)
        )
        key = _KEYS[self.choice.of]
        mine = self.rows.join(having, on="row", how="semi").select(key, "is_chosen")
        return (
            self.source(mine[key])
            .join(mine, on=key)
            .sort("is_chosen", "first_ns", key, descending=[True, True, False], nulls_last=True)
        )


def compare_populations(analysis: Analysis, choice: Choice) -> PopulationComparison:
    """What is different about the chosen calls or runs.

    Raises:
        Invalid: nothing chooses, or one of the two sides is empty.
    """
    if not choice.chosen:
        raise Invalid("compare: nothing chooses, expected a filter such as outcome=denied")
    key = _KEYS[choice.of]
    names = [name for name in DERIVED[choice.of].schema if name in COLUMNS[choice.of]]
    within = analysis.columns(choice.of, names, choice.within)
    chosen = _let_through(analysis, choice, choice.chosen)
    others = _let_through(analysis, choice, choice.others) if choice.others else within.select(key)
    is_chosen, is_other = (pl.col(key).is_in(side[key].implode()) for side in (chosen, others))
    rows = within.filter(is_chosen | is_other).with_columns(is_chosen=is_chosen)
    both = rows.filter("is_chosen").join(others, on=key, how="semi").height if choice.others else 0
    pending = pl.lit(value=False)
    if choice.fields & _JUDGED and not choice.others:
        pending = ~pl.col("is_chosen") & _PENDING[choice.of].fill_null(value=False)
    waiting = rows.filter(pending).height
    rows = rows.filter(~pending).sort("first_ns", key, nulls_last=True).with_row_index("row")
    for side, name in ((True, "chosen"), (False, "other")):
        if not rows.filter(pl.col("is_chosen") == side).height:
            left = f" ({waiting:,} left out: nothing can be said of them yet)" if waiting and not side else ""
            raise Invalid(f"compare: no {name} {choice.of} on record{left}, expected some of both; `aftertrace "
                          f"{choice.of}` lists them, with the same names as options")  # fmt: skip
    told = told_of(analysis, choice.of, rows, count_untold=choice.count_untold)
    known = [each for each in ATTRIBUTES if choice.of in each.of]
    left_out = tuple(each.name for each in known if choice.fields & set(each.chosen_by))
    found = lifts(told.tellings(left_out), rows, [each.name for each in ATTRIBUTES])
    return PopulationComparison(
        choice=choice,
        now_ns=analysis.now_ns,
        source=lambda keys: analysis.select(choice.of, only=pl.col(key).is_in(keys.implode())),
        rows=rows,
        told=told,
        lifts=found,
        both=both,
        pending=waiting,
        left_out=left_out,
        untold=tuple(name for name in told.untold() if name not in left_out),
    )


def _let_through(analysis: Analysis, choice: Choice, filters: Sequence[Filter]) -> pl.DataFrame:
    """The keys of rows that any of the filters lets through."""
    key = _KEYS[choice.of]
    return pl.concat(analysis.columns(choice.of, (key,), each) for each in filters).unique(maintain_order=True)
