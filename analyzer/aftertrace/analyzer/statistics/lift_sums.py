"""What rows tell of attributes, summed up by value and side: over some runs after others, as over all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

FEWEST_RUNS: Final = 3
"""With fewer on a side nothing is tested; and what fewer runs have is not looked at."""
FEWEST_ROWS: Final = 3
RUNS_NAMED: Final = 3
KEY: Final = ["attribute", "within", "argument", "value"]
"""What makes a value of an attribute."""
TOLD: Final = pl.Schema({"row": pl.UInt32(), "key": pl.UInt32()})
"""One row per row and value that it has, by number; each once."""
KEYS: Final = pl.Schema({"key": pl.UInt32(), "scope": pl.String(), **dict.fromkeys(KEY, pl.String())})
"""What each number stands for; `scope` names the rows among which it counts, as in `KNOWN`."""
KNOWN: Final = pl.Schema({"row": pl.UInt32(), "scope": pl.String()})
"""One row per row and scope that it tells."""
SIDES: Final = pl.Schema({"row": pl.UInt32(), "id": pl.String(), "run_id": pl.String(), "is_chosen": pl.Boolean()})
"""One row per row that is compared, by its number, which is its position, and what it is known by; rows of one run
hang together."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What rows tell of some attributes: all values of each."""

    values: pl.DataFrame
    """Columns as in `TOLD`."""
    keys: pl.DataFrame
    """Columns as in `KEYS`."""
    known: pl.DataFrame
    """Columns as in `KNOWN`."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What rows tell, summed up; no run is in two sums that are added."""

    values: pl.DataFrame
    """One row per value, with `scope` and the columns of `lifts.KEY`: how many `rows` and `runs` have it; of each side
    the rows (`chosen_of`), and over its runs the sums that make `significance.Clusters`, with how many runs `had` it;
    which rows have it, as two marks that are equal where the rows are; and some runs."""
    scopes: pl.DataFrame
    """One row per scope: of each side `runs`, and the sums of the rows that tell it (`total`, `total_total`)."""


_OF_VALUES: Final = ("of", "of_of", "of_total", "had")
_OF_SCOPES: Final = ("runs", "total", "total_total")
_SIDES: Final = {"chosen": True, "others": False}
_RUNS: Final = ("runs_of_any", "runs_of_chosen")
_MARKS: Final = ("first_mark", "second_mark")
_VALUES: Final = pl.Schema(
    {
        "scope": pl.String(),
        **dict.fromkeys(KEY, pl.String()),
        "rows": pl.Int64(),
        "runs": pl.Int64(),
        **{f"{side}_{name}": pl.Int64() for side in _SIDES for name in _OF_VALUES},
        **dict.fromkeys(_MARKS, pl.UInt64()),
        **dict.fromkeys(_RUNS, pl.List(pl.String)),
    }
)
_SCOPES: Final = pl.Schema(
    {"scope": pl.String(), **{f"{side}_{name}": pl.Int64() for side in _SIDES for name in _OF_SCOPES}}
)
NO_SUMS: Final = Sums(pl.DataFrame(schema=_VALUES), pl.DataFrame(schema=_SCOPES))
COMMON: Final = pl.Schema({"mark": pl.UInt64(), "rows": pl.Int64(), "runs": pl.Int64()})
"""One row per value, by a digest of it: how many rows and runs have it."""


def is_enough() -> pl.Expr:
    """Whether a value is of rows and runs enough to tell anything."""
    return (pl.col("rows") >= FEWEST_ROWS) & (pl.col("runs") >= FEWEST_RUNS)


def common(tellings: Iterable[Telling], sides: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """How common each value is that some rows tell, columns as in `COMMON`; parameters as of `summed`."""
    runs = _runs(sides)
    for telling in tellings:
        seen = telling.values.select("key", run_id=runs.gather(telling.values["row"])).group_by("key")
        often = seen.agg(pl.len().alias("rows"), pl.col("run_id").n_unique().alias("runs"))
        yield (
            telling.keys.select("key", mark=_mark())
            .join(often, on="key")
            .select(pl.col(name).cast(kind) for name, kind in COMMON.items())
        )


def _runs(sides: pl.DataFrame) -> pl.Series:
    """The run of each row, in the order of their ids: to compare numbers is quicker than to compare texts."""
    return sides["run_id"].cast(pl.Enum(sides["run_id"].unique().sort()))


def common_added(some: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The same over all these together."""
    return pl.concat(some).group_by("mark").agg(pl.col("rows", "runs").sum())


def among(telling: Telling, marks: pl.Series) -> Telling:
    """What is told of some values, by the digests in `COMMON`."""
    keys = telling.keys.filter(_mark().is_in(marks.implode()))
    return Telling(telling.values.join(keys, on="key", how="semi"), keys, telling.known)


def _mark() -> pl.Expr:
    return pl.concat_str((pl.col(name).fill_null("\x00") for name in KEY), separator="\x1f").hash()


def summed(tellings: Iterable[Telling], sides: pl.DataFrame) -> Sums:
    """What some rows tell, summed up.

    Args:
        tellings: what they tell; those that count among the same rows name the same scopes.
        sides: columns as in `SIDES`.
    """
    rows = sides.select(
        "is_chosen", run_id=_runs(sides), first_mark=pl.col("id").hash(1), second_mark=pl.col("id").hash(2)
    )
    each = [NO_SUMS, *(_summed(telling, rows) for telling in tellings)]
    return Sums(pl.concat(one.values for one in each), pl.concat(one.scopes for one in each).unique("scope"))


def _summed(telling: Telling, rows: pl.DataFrame) -> Sums:
    t, o = pl.col("t"), pl.col("o")
    seen = telling.values.with_columns(rows[telling.values["row"]])
    known = telling.known.with_columns(rows.select("run_id", "is_chosen")[telling.known["row"]])
    totals = known.group_by("scope", "is_chosen", "run_id").agg(pl.len().cast(pl.Int64).alias("t"))
    scopes = totals.group_by("scope", "is_chosen").agg(
        pl.len().alias("runs"), t.sum().alias("total"), (t * t).sum().alias("total_total")
    )
    by_run = seen.group_by("key", "is_chosen", "run_id").agg(pl.len().cast(pl.Int64).alias("o"))
    sums = (
        by_run.join(telling.keys.select("key", "scope"), on="key")
        .join(totals, on=["scope", "is_chosen", "run_id"])
        .group_by("key", "is_chosen")
        .agg(o.sum().alias("of"), (o * o).sum().alias("of_of"), (o * t).sum().alias("of_total"), pl.len().alias("had"))
    )
    runs = by_run.group_by("key").agg(
        o.sum().alias("rows"),
        pl.col("run_id").n_unique().alias("runs"),
        _first(pl.col("run_id")).alias("runs_of_any"),
        _first(pl.col("run_id").filter("is_chosen")).alias("runs_of_chosen"),
    )
    marks = seen.group_by("key").agg(pl.col(_MARKS).bitwise_xor())
    values = telling.keys.join(marks, on="key").join(runs, on="key")
    return Sums(
        _by_side(values, sums, "key", _VALUES), _by_side(scopes.select("scope").unique(), scopes, "scope", _SCOPES)
    )


def added(some: Iterable[Sums]) -> Sums:
    """The same over all these together."""
    each = list(some)
    exploded = {name: pl.col(name).list.explode(empty_as_null=False, keep_nulls=False) for name in _RUNS}
    values = (
        pl.concat(one.values for one in each)
        .group_by("scope", *KEY)
        .agg(
            pl.col(name).bitwise_xor()
            if name in _MARKS
            else _first(exploded[name])
            if name in _RUNS
            else pl.col(name).sum()
            for name in _VALUES.names()[1 + len(KEY) :]
        )
    )
    scopes = pl.concat(one.scopes for one in each).group_by("scope").agg(pl.exclude("scope").sum())
    return Sums(values, scopes)


def _first(runs: pl.Expr) -> pl.Expr:
    return runs.unique().sort().head(RUNS_NAMED)


def _by_side(whole: pl.DataFrame, sums: pl.DataFrame, on: str, schema: pl.Schema) -> pl.DataFrame:
    """Rows with the sums of both sides, each under the name of its side; 0 where there are none."""
    for side, is_chosen in _SIDES.items():
        mine = sums.filter(pl.col("is_chosen") == is_chosen).drop("is_chosen")
        whole = whole.join(
            mine.rename({name: f"{side}_{name}" for name in mine.columns if name != on}), on=on, how="left"
        )
    return whole.select(
        (pl.col(name).fill_null(0) if kind == pl.Int64 else pl.col(name)).cast(kind) for name, kind in schema.items()
    )
