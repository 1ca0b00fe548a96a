"""Two sides of calls or runs: which rows are on which, and what they tell, summed up over some runs after others.

All are looked at twice. First it is told which values enough of them have, and which arguments are drawn where more
differ than can be taken apart; then those alone are summed up, so that what is held does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.analyzer.populations.argument_attributes import (
    ARGUMENT_ATTRIBUTES,
    arguments_of,
    digests,
    drawn,
    last_of,
    of_several_tools,
)
from aftertrace.analyzer.populations.attributes import ATTRIBUTES, COLUMNS, told_of
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.statistics.lift_sums import (
    COMMON,
    KEY,
    NO_SUMS,
    Sums,
    added,
    among,
    common,
    common_added,
    is_enough,
    summed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftertrace.analyzer.analysis import Analysis
    from aftertrace.analyzer.populations.comparison import Choice
    from aftertrace.analyzer.reading.select import Filter
    from aftertrace.analyzer.statistics.lift_sums import Telling

KEYS: Final = {"calls": "call_key", "runs": "run_id"}
_JUDGED: Final = frozenset({"outcome", "decided_by", "reviewer"})
_PENDING: Final = {"calls": pl.col("outcome") == "pending", "runs": pl.col("state").is_in(("open", "waiting"))}
"""Of what nothing can be said yet: a call may still be denied, and a run may still make one that is."""
_ROWS_TOGETHER: Final = 200_000
"""So many rows of sums are put together at once, if not more."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows of some runs."""

    rows: pl.DataFrame
    """Those that are compared, as far as they are looked at: each with its number `row`, `id`, and `is_chosen`."""
    both: int
    """How many are in both: they count among the chosen."""
    pending: int
    """How many others are left out, since nothing can be said yet of what becomes of them."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What is told by a first look at all rows."""

    sizes: dict[bool, tuple[int, int]]
    """How many are chosen, and how many are not, and of how many runs each."""
    both: int
    pending: int
    told: dict[str, set[bool]]
    """The attributes but those of arguments, each with the sides that tell it of any row."""
    common: pl.Series
    """Digests of their values that enough rows and runs have (`lift_sums.COMMON`)."""
    rare: int
    """How many values have too few."""
    upto: int
    """Of arguments, those with no larger digest are taken apart."""


def left_out(choice: Choice) -> tuple[str, ...]:
    """Attributes that are left out, since they choose, or are told by what chooses."""
    return tuple(each.name for each in ATTRIBUTES if choice.of in each.of and choice.fields & set(each.chosen_by))


def overview(analysis: Analysis, choice: Choice) -> Overview:
    """A first look at all rows."""
    sizes = {True: (0, 0), False: (0, 0)}
    both = pending = 0
    told: dict[str, set[bool]] = {}
    often, some = [pl.DataFrame(schema=COMMON)], pl.Series("digest", [], pl.UInt64)
    for share in analysis.shares():
        each = _sides(share, choice)
        both, pending = both + each.both, pending + each.pending
        for side, (rows, runs) in sizes.items():
            mine = each.rows.filter(pl.col("is_chosen") == side)
            sizes[side] = rows + mine.height, runs + mine["run_id"].n_unique()
        telling = told_of(share, choice.of, each.rows, count_untold=choice.count_untold)
        for name, tells in telling.sides().items():
            told.setdefault(name, set()).update(tells)
        often += common(telling.tellings(left_out(choice)), each.rows)
        if sum(frame.height for frame in often[1:]) > max(_ROWS_TOGETHER, often[0].height):
            often = [common_added(often)]
        if choice.of == "calls":
            some = drawn([some, digests(each.rows)])
    values = common_added(often)
    enough = values.filter(is_enough())["mark"]
    return Overview(sizes, both, pending, told, enough, values.height - enough.len(), last_of(some))


def sums(analysis: Analysis, choice: Choice, seen: Overview) -> tuple[Sums, tuple[str, ...], int]:
    """What all rows tell; the attributes that no row of one side tells, or of either; and how many calls there are
    whose arguments are not looked at.

    Args:
        analysis: where they are from.
        choice: which are held against which.
        seen: what the first look told.
    """
    told, of_arguments = [NO_SUMS], [NO_SUMS]
    targets, not_looked_at = pl.DataFrame(schema=_TARGETS), 0
    for share in analysis.shares():
        rows = _sides(share, choice).rows
        told = _together([*told, summed(_tellings(share, choice, seen, rows), rows)])
        if choice.of == "calls":
            arguments = arguments_of(rows, seen.upto)
            targets = pl.concat([targets, arguments.target_tools()]).unique()
            not_looked_at += arguments.left_out
            of_arguments = _together([*of_arguments, summed(arguments.tellings(left_out(choice)), rows)])
    arguments_told = of_several_tools(added(of_arguments), targets)
    untold = [name for name, sides in seen.told.items() if len(sides) < 2]
    if choice.of == "calls":
        sides = arguments_told.values.group_by("attribute").agg(pl.col("chosen_of", "others_of").sum())
        both = sides.filter((pl.col("chosen_of") > 0) & (pl.col("others_of") > 0))["attribute"].to_list()
        untold += [name for name in ARGUMENT_ATTRIBUTES if name not in both]
    return added([*told, arguments_told]), tuple(untold), not_looked_at


def _together(some: list[Sums]) -> list[Sums]:
    """Sums that are to be added, the first of them of all before, as soon as the others are as much as that."""
    if sum(each.values.height for each in some[1:]) <= max(_ROWS_TOGETHER, some[0].values.height):
        return some
    return [added(some)]


_TARGETS: Final = pl.Schema({"value": pl.String(), "tool": pl.String()})


def having(analysis: Analysis, choice: Choice, seen: Overview, values: pl.DataFrame) -> pl.DataFrame:
    """The rows that have one of some values, columns as in `lift_sums.KEY`, with all that is told, and `is_chosen`."""
    key, found = KEYS[choice.of], list[pl.DataFrame]()
    for share in analysis.shares():
        rows = _sides(share, choice).rows
        tellings: list[Telling] = list(_tellings(share, choice, seen, rows))
        if choice.of == "calls":
            tellings += arguments_of(rows, seen.upto).tellings(left_out(choice))
        have = pl.concat(
            each.values.join(each.keys.join(values, on=KEY, how="semi", nulls_equal=True), on="key", how="semi").select(
                "row"
            )
            for each in tellings
        )
        found.append(rows.join(have, on="row", how="semi").select(key, "is_chosen"))
    mine = pl.concat(found)
    return analysis.select(choice.of, only=pl.col(key).is_in(mine[key].implode())).join(mine, on=key)


def _tellings(share: Analysis, choice: Choice, seen: Overview, rows: pl.DataFrame) -> Iterator[Telling]:
    """What rows tell but by arguments, as far as enough have it."""
    told = told_of(share, choice.of, rows, count_untold=choice.count_untold)
    return (among(each, seen.common) for each in told.tellings(left_out(choice)))


def _sides(share: Analysis, choice: Choice) -> Sides:
    key = KEYS[choice.of]
    names = [name for name in DERIVED[choice.of].schema if name in COLUMNS[choice.of]]
    (within,) = share.collected(share.scan(choice.of, names, choice.within))
    chosen = _let_through(share, choice, choice.chosen)
    others = _let_through(share, choice, choice.others) if choice.others else within.select(key)
    is_chosen, is_other = (pl.col(key).is_in(side[key].implode()) for side in (chosen, others))
    rows = within.filter(is_chosen | is_other).with_columns(is_chosen=is_chosen, id=pl.col(key))
    both = rows.filter("is_chosen").join(others, on=key, how="semi").height if choice.others else 0
    pending = pl.lit(value=False)
    if choice.fields & _JUDGED and not choice.others:
        pending = ~pl.col("is_chosen") & _PENDING[choice.of].fill_null(value=False)
    waiting = rows.filter(pending).height
    return Sides(rows.filter(~pending).sort("first_ns", key, nulls_last=True).with_row_index("row"), both, waiting)


def _let_through(share: Analysis, choice: Choice, filters: Sequence[Filter]) -> pl.DataFrame:
    """The keys of rows that any of the filters lets through."""
    key = KEYS[choice.of]
    return pl.concat(share.collected(*(share.scan(choice.of, (key,), each) for each in filters))).unique()
