"""Some calls or runs held against others: what is different about the denied ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.populations import sides
from aftertrace.analyzer.populations.attributes import ATTRIBUTES, Kind
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.statistics.lift_sums import KEY
from aftertrace.analyzer.statistics.lifts import Lifts, lifts
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

EVERYTHING: Final = Filter()


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
    having: Callable[[pl.DataFrame], pl.DataFrame]
    """Gives the calls or runs that have one of some values, columns as in `lift_sums.KEY`: all that is told of them,
    and `is_chosen`."""
    sizes: Mapping[bool, tuple[int, int]]
    """How many rows are chosen, and how many are not, and of how many runs each."""
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
    arguments_left_out: int
    """How many calls there are whose arguments are not looked at, since too many differ."""

    def size(self, *, is_chosen: bool) -> tuple[int, int]:
        """How many rows a side has, and of how many runs."""
        return self.sizes[is_chosen]

    def rows_of(self, lift_id: str) -> pl.DataFrame:
        """The rows that have a value: those of the chosen first, then the latest. Raises `Invalid`."""
        found = self.lifts.rows.filter(pl.col("lift_id") == lift_id)
        if not found.height:
            raise Invalid(f"rows {lift_id!r}: nothing that was looked at has this id, expected the 8 digits of one")
        return self.having(found.select(KEY)).sort(
            "is_chosen", "first_ns", sides.KEYS[self.choice.of], descending=[True, True, False], nulls_last=True
        )


def compare_populations(analysis: Analysis, choice: Choice) -> PopulationComparison:
    """What is different about the chosen calls or runs.

    Raises:
        Invalid: nothing chooses, or one of the two sides is empty.
    """
    if not choice.chosen:
        raise Invalid("compare: nothing chooses, expected a filter such as outcome=denied")
    seen = sides.overview(analysis, choice)
    for side, name in ((True, "chosen"), (False, "other")):
        if not seen.sizes[side][0]:
            is_left = seen.pending and not side
            left = f" ({seen.pending:,} left out: nothing can be said of them yet)" if is_left else ""
            raise Invalid(f"compare: no {name} {choice.of} on record{left}, expected some of both; `aftertrace "
                          f"{choice.of}` lists them, with the same names as options")  # fmt: skip
    told, untold, arguments_left_out = sides.sums(analysis, choice, seen)
    left_out = sides.left_out(choice)
    rows = {side: rows for side, (rows, _) in seen.sizes.items()}
    return PopulationComparison(
        choice=choice,
        now_ns=analysis.now_ns,
        having=partial(sides.having, analysis, choice, seen),
        sizes=seen.sizes,
        lifts=lifts(told, rows, [each.name for each in ATTRIBUTES], seen.rare),
        both=seen.both,
        pending=seen.pending,
        left_out=left_out,
        untold=tuple(name for name in untold if name not in left_out),
        arguments_left_out=arguments_left_out,
    )
