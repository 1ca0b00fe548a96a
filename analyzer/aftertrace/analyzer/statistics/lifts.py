"""What is more frequent in one group of rows than in another, and how sure that is.

Everything that is looked at is corrected for at once, and what chance could have made is not told. An attribute counts
among the rows that tell it: what is not told is neither a value nor a difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.statistics.lift_sums import FEWEST_RUNS, KEY, Sums, is_enough
from aftertrace.analyzer.statistics.significance import (
    Clusters,
    Ratio,
    Share,
    benjamini_hochberg,
    populations_differ,
    ratio_interval,
)

LIFTS: Final[dict[str, tuple[pl.DataType | type[pl.DataType], str]]] = {
    "lift_id": (pl.String, "digest of the attribute and its value"),
    "attribute": (pl.String, "attribute: see the attributes"),
    "within": (pl.String, "tool of the argument, agent of the configuration: rows of others do not count"),
    "argument": (pl.String, "of arguments: their path, with `[]` for any place of a list"),
    "value": (pl.String, "value; of arguments as JSON; null: not told, where that counts"),
    "chosen": (pl.Int64, "chosen rows that have it"),
    "of_chosen": (pl.Int64, "chosen rows that tell the attribute"),
    "others": (pl.Int64, "other rows that have it"),
    "of_others": (pl.Int64, "other rows that tell the attribute"),
    "chosen_runs": (pl.Int64, "runs of the chosen rows that have it"),
    "other_runs": (pl.Int64, "runs of the other rows that have it"),
    "lift": (pl.Float64, "share of the chosen over that of the others; null: no other row has it"),
    "low": (pl.Float64, "lower end of its 95 % interval (Newcombe, counts divided by their design effect)"),
    "high": (pl.Float64, "upper end; null: none, since the others may have none"),
    "p": (pl.Float64, "how likely chance alone is (Fisher; where enough are expected, by the normal distribution)"),
    "q": (pl.Float64, "the same, corrected for all that is tested here (Benjamini and Hochberg)"),
    "verdict": (
        pl.String,
        (
            "`more` or `less` frequent among the chosen: q is at most 5 %; `not_shown`; `too_few`: fewer than 3 runs "
            "on a side, so nothing is tested"
        ),
    ),
    "rank": (
        pl.Int64,
        (
            "from 1: what is more frequent before what is less, by the end of the interval that is nearer to 1; what "
            "fewer than 5 % of the chosen have after what more have"
        ),
    ),
    "also": (pl.List(pl.String), "what the very same rows have, and no other: no separate finding"),
    "run_ids": (pl.List(pl.String), "some runs to look at: of chosen rows that have it; where none has, of others"),
}
"""Columns of what is more or less frequent among the chosen."""
SCHEMA: Final = pl.Schema({name: kind for name, (kind, _) in LIFTS.items()})
FOUND_AT_MOST: Final = 0.05
"""The rate of false discoveries among what is said to be more or less frequent."""
RARE_BELOW: Final = 0.05
"""What fewer of the chosen have comes after the rest: it may be sure, and explains little."""
_KINDS: Final = {
    "argument_given": "is",
    "argument_begins": "begins with",
    "argument_host": "leads to",
    "argument_size": "is",
}


@dataclass(frozen=True, slots=True)
class Lifts:
    """What was looked at."""

    rows: pl.DataFrame
    """Columns as in `LIFTS`, by rank."""
    left_out: int
    """How many values too few rows or runs have to tell anything."""

    @property
    def found(self) -> pl.DataFrame:
        """What is known to be more or less frequent."""
        return self.rows.filter(pl.col("verdict").is_in(("more", "less")))


@dataclass(frozen=True, slots=True)
class _Look:
    """One value, and how often it is on each side."""

    row: dict[str, Any]
    chosen: Clusters
    others: Clusters
    ratio: Ratio | None
    nearer: float
    """How far the interval of its ratio is from 1, among the rows that tell it or among all, whichever is less; of what
    is not tested, by how much its share is larger.
    """


def lifts(found: Sums, sizes: Mapping[bool, int], order: Sequence[str] = (), left_out: int = 0) -> Lifts:
    """What is more or less frequent among the chosen.

    Args:
        found: what all rows tell.
        sizes: how many rows are chosen, and how many are not.
        order: attributes, the one first that names a set of rows which several attributes tell.
        left_out: how many values there are, of too few rows or runs, that are not in the sums.
    """
    enough = found.values.filter(is_enough())
    looks = [_look(row, sizes) for row in _merged(_counted(enough, found.scopes), order).iter_rows(named=True)]
    ranked = _ranked(looks, sizes)
    return Lifts(pl.DataFrame(ranked, schema=SCHEMA, orient="row"), left_out + found.values.height - enough.height)


def _ranked(looks: Sequence[_Look], sizes: Mapping[bool, int]) -> list[dict[str, Any]]:
    """The rows of what was looked at, corrected for all of it, by rank."""
    corrected = iter(benjamini_hochberg([look.ratio.p for look in looks if look.ratio is not None]))
    rows = [_row(look, None if look.ratio is None else next(corrected)) for look in looks]
    places = {"more": 0, "less": 2, "not_shown": 3, "too_few": 4}
    rare = RARE_BELOW * sizes.get(True, 0)

    def place(each: tuple[dict[str, Any], _Look]) -> tuple[float | str, ...]:
        row, look = each
        is_rare = row["verdict"] == "more" and row["chosen"] < rare
        return (places[row["verdict"]] + is_rare, -look.nearer, row["q"] or 0, name_of(row))

    ranked = sorted(zip(rows, looks, strict=True), key=place)
    return [{**row, "rank": rank} for rank, (row, _) in enumerate(ranked, start=1)]


def _counted(values: pl.DataFrame, scopes: pl.DataFrame) -> pl.DataFrame:
    """The sums of values with those of their scopes, but for what all rows have, or none of one side can."""
    whole = values.join(scopes, on="scope", how="left")
    both = (pl.col("chosen_total") > 0) & (pl.col("others_total") > 0)
    had_by_all = pl.sum_horizontal("chosen_of", "others_of") == pl.sum_horizontal("chosen_total", "others_total")
    return whole.filter(both & ~had_by_all)


def _merged(counted: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """One row for all values that the very same rows have: the first in the order of attributes, the rest in `also`."""
    places = {name: place for place, name in enumerate(order)}
    return (
        counted.with_columns(
            pl.Series("name", [name_of(row) for row in counted.select(KEY).iter_rows(named=True)], dtype=pl.String),
            place=pl.col("attribute").replace_strict(places, default=len(places), return_dtype=pl.Int64),
        )
        .sort("place", *KEY, nulls_last=True)
        .group_by("first_mark", "second_mark", maintain_order=True)
        .agg(pl.exclude("name").first(), pl.col("name").slice(1).alias("also"))
    )


def name_of(row: dict[str, Any]) -> str:
    """A value of an attribute in words, as senders wrote it: ``tool = pay``, ``pay: to.name = "ann"``."""
    value = "not told" if row["value"] is None else row["value"]
    of = row["attribute"].replace("_", " ")
    if row["argument"] is not None:
        kind = _KINDS.get(row["attribute"], "=")
        return f"{row['within']}: {row['argument']} {kind} {value}"
    return f"{of} = {value}" if row["within"] is None else f"{row['within']}: {of} = {value}"


def _look(row: dict[str, Any], sizes: Mapping[bool, int]) -> _Look:
    chosen, others = (
        Clusters(*(row[f"{side}_{name}"] for name in ("runs", "of", "total", "of_of", "of_total", "total_total")))
        for side in ("chosen", "others")
    )
    if min(chosen.runs, others.runs) < FEWEST_RUNS:
        return _Look(row, chosen, others, None, chosen.of / sizes[True] - others.of / sizes[False])
    one, two, ratio = populations_differ(chosen, others)
    # Over all rows too, so that what is within a tool is beside what is not; each as often as it counts for the test.
    low, high = ratio_interval(
        *(
            Share(share.of, max(share.total, sizes[side] * share.total / clusters.total))
            for share, clusters, side in ((one, chosen, True), (two, others, False))
        )
    )
    return _Look(row, chosen, others, ratio, min(_nearer(low, high), _nearer(ratio.low, ratio.high)))


def _nearer(low: float, high: float) -> float:
    """How far the nearer end of an interval is from 1, upwards or downwards."""
    return max(low, 1 / high if high else inf)


def _row(look: _Look, q: float | None) -> dict[str, Any]:
    row, ratio = look.row, look.ratio
    key = "\x1f".join("\x00" if row[name] is None else row[name] for name in KEY)
    return {
        **{name: row[name] for name in (*KEY, "also")},
        "lift_id": hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8],
        "chosen": look.chosen.of,
        "of_chosen": look.chosen.total,
        "others": look.others.of,
        "of_others": look.others.total,
        "chosen_runs": row["chosen_had"],
        "other_runs": row["others_had"],
        "lift": None if ratio is None else _finite(ratio.value),
        "low": ratio and ratio.low,
        "high": None if ratio is None else _finite(ratio.high),
        "p": ratio and ratio.p,
        "q": q,
        "verdict": _verdict(ratio, q),
        "run_ids": row["runs_of_chosen"] or row["runs_of_any"],
    }


def _verdict(ratio: Ratio | None, q: float | None) -> str:
    if ratio is None or q is None:
        return "too_few"
    if q > FOUND_AT_MOST:
        return "not_shown"
    return "more" if ratio.value > 1 else "less"


def _finite(number: float) -> float | None:
    return None if number == inf else number
