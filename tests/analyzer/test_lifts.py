"""What is more frequent in one group of rows than in another: what must hold of any rows, and what chance makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.statistics.lift_sums import (
    KEYS,
    KNOWN,
    SIDES,
    TOLD,
    Telling,
    added,
    among,
    common,
    common_added,
    is_enough,
    summed,
)
from aftertrace.analyzer.statistics.lifts import Lifts, lifts

ROWS: Final = st.lists(
    st.tuples(st.integers(0, 9), st.booleans(), st.sampled_from("xyz"), st.sampled_from(["a", "b", None])), max_size=60
)
"""Run, side, and the values of two attributes; the second is not always told."""


def looked_at(rows: Iterable[tuple[int, bool, str, str | None]]) -> Lifts:
    """What two attributes of some rows tell of their sides."""
    telling, sides = telling_of(rows)
    return looked(telling, [sides])


def telling_of(rows: Iterable[tuple[int, bool, str, str | None]]) -> tuple[Telling, pl.DataFrame]:
    """What some rows tell, and their sides."""
    listed = list(rows)
    sides = pl.DataFrame(
        [(at, str(at), f"r{run}", is_chosen) for at, (run, is_chosen, _, _) in enumerate(listed)], SIDES, orient="row"
    )
    told = [
        (at, name, value)
        for at, (_, _, *values) in enumerate(listed)
        for name, value in zip(("first", "second"), values, strict=True)
        if value is not None
    ]
    keys = {key: number for number, key in enumerate(dict.fromkeys((name, value) for _, name, value in told))}
    telling = Telling(
        pl.DataFrame([(at, keys[name, value]) for at, name, value in told], TOLD, orient="row"),
        pl.DataFrame([(at, name, name, None, None, value) for (name, value), at in keys.items()], KEYS, orient="row"),
        pl.DataFrame([(at, name) for at, name, _ in told], KNOWN, orient="row"),
    )
    return telling, sides


def looked(telling: Telling, sides: Sequence[pl.DataFrame]) -> Lifts:
    """What is told of sides whose rows are looked at some after others, none of a run in two of them."""
    parts = [Telling(_numbered(telling.values, each), telling.keys, _numbered(telling.known, each)) for each in sides]
    sides = [each.drop("row").with_row_index("row") for each in sides]
    often = common_added(one for part, each in zip(parts, sides, strict=True) for one in common([part], each))
    enough = often.filter(is_enough())["mark"]
    sums = added(summed([among(part, enough)], each) for part, each in zip(parts, sides, strict=True))
    sizes = dict(pl.concat(sides).group_by("is_chosen").agg(pl.len()).iter_rows())
    return lifts(sums, sizes, ("first", "second"), often.height - enough.len())


def _numbered(told: pl.DataFrame, side: pl.DataFrame) -> pl.DataFrame:
    """What the rows of a side alone tell, each by its position there."""
    at = side.select("row").with_row_index("at")
    return told.join(at, on="row").with_columns(row="at").drop("at")


def told(found: Lifts, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of what was looked at, by rank."""
    return found.rows.select(columns).rows()


def test_counts_shares_and_the_runs_behind_them_are_told() -> None:
    """Of a value that half of the chosen have and a tenth of the others; the control is one that all have alike."""
    rows = [(nth, True, "xy"[nth % 2], "a" if nth % 4 < 2 else "b") for nth in range(40)]
    rows += [(100 + nth, False, "x" if nth % 10 else "y", "a" if nth % 4 < 2 else "b") for nth in range(80)]
    found = looked_at(rows)
    assert told(found, "rank", "attribute", "value", "chosen", "of_chosen", "others", "of_others", "verdict") == [
        (1, "first", "y", 20, 40, 8, 80, "more"),
        (2, "first", "x", 20, 40, 72, 80, "less"),
        (3, "second", "a", 20, 40, 40, 80, "not_shown"),
        (4, "second", "b", 20, 40, 40, 80, "not_shown"),
    ]  # fmt: skip
    row = found.rows.row(0, named=True)
    assert (row["lift"], row["chosen_runs"], row["other_runs"], row["run_ids"]) == (5.0, 20, 8, ["r1", "r11", "r13"])
    assert row["low"] < 5.0 < row["high"]
    assert row["q"] < 0.001


def test_what_the_same_rows_have_is_one_finding() -> None:
    """Under the name of the attribute that comes first."""
    rows = [(nth, True, "x", "a") for nth in range(9)] + [(20 + nth, False, "y", "b") for nth in range(9)]
    assert told(looked_at(rows), "attribute", "value", "also", "verdict") == [
        ("first", "x", ["second = a"], "more"),
        ("first", "y", ["second = b"], "less"),
    ]


def test_what_is_not_told_is_neither_a_value_nor_a_difference() -> None:
    """The chosen do not tell the second attribute: it is not looked at. Where some do, it counts among those."""
    silent = [(nth, True, "x", None) for nth in range(9)] + [(20 + nth, False, "x", "a") for nth in range(9)]
    assert told(looked_at(silent), "attribute") == []
    some = [*silent, *((40 + nth, nth < 6, "x", "a" if nth < 6 else "b") for nth in range(9))]
    assert told(looked_at(some), "value", "chosen", "of_chosen", "others", "of_others") == [
        ("a", 6, 6, 9, 12),
        ("b", 0, 6, 3, 12),
    ]


def test_what_few_have_is_not_looked_at_and_few_runs_are_not_tested() -> None:
    """Two rows say nothing, nor do three of one run; two runs on a side are told as too few."""
    others = [(20 + nth, False, "xy"[nth % 2], None) for nth in range(9)]
    rare = looked_at([*((nth, True, "z" if nth < 2 else "x", None) for nth in range(9)), *others])
    assert ("z" in {value for (value,) in told(rare, "value")}, rare.left_out) == (False, 1)
    at_once = looked_at(
        [*((0, True, "z", None) for _ in range(9)), *((nth, True, "x", None) for nth in range(4)), *others]
    )
    assert "z" not in {value for (value,) in told(at_once, "value")}
    few = looked_at([*((nth % 2, True, "x", None) for nth in range(9)), *others])
    assert set(told(few, "verdict", "p", "q", "low")) == {("too_few", None, None, None)}


@settings(max_examples=40)
@given(ROWS, st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[tuple[int, bool, str, str | None]], random: Random) -> None:
    """Nor does it change a rank."""
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert looked_at(rows).rows.equals(looked_at(shuffled).rows)


@settings(max_examples=40)
@given(ROWS)
def test_with_the_sides_changed_more_is_less_and_chance_as_likely(
    rows: list[tuple[int, bool, str, str | None]],
) -> None:
    """And each lift is turned upside down."""
    turned = looked_at((run, not is_chosen, *values) for run, is_chosen, *values in rows)  # type: ignore[misc]
    there = {row["lift_id"]: row for row in turned.rows.iter_rows(named=True)}
    opposite = {"more": "less", "less": "more"}
    for row in looked_at(rows).rows.iter_rows(named=True):
        back = there[row["lift_id"]]
        assert (row["chosen"], row["of_chosen"]) == (back["others"], back["of_others"])
        assert opposite.get(row["verdict"], row["verdict"]) == back["verdict"]
        assert row["q"] is None or abs(row["q"] - back["q"]) < 1e-9
        if row["lift"] and back["lift"]:
            assert abs(row["lift"] * back["lift"] - 1) < 1e-9


@settings(max_examples=40)
@given(ROWS, st.integers(1, 9))
def test_sums_over_some_runs_after_others_are_those_over_all(
    rows: list[tuple[int, bool, str, str | None]], many: int
) -> None:
    """However runs are divided. The control: with a run in two parts another number of runs has a value."""
    telling, sides = telling_of(rows)
    whole = looked(telling, [sides])
    parts = [sides.filter(pl.col("run_id").str.slice(1).cast(pl.Int64) % many == nth) for nth in range(many)]
    divided = looked(telling, parts)
    assert (divided.rows.equals(whole.rows), divided.left_out) == (True, whole.left_out)
    halves = [sides.filter(pl.col("row") % 2 == nth) for nth in range(2)]
    if sum(each["run_id"].n_unique() for each in halves) == sides["run_id"].n_unique():
        assert looked(telling, halves).rows.equals(whole.rows)


def split_by_chance(random: Random, *, by_run: bool) -> list[tuple[int, bool, str, str | None]]:
    """Calls of forty runs whose values hang together within a run, and whose side is drawn: of each, or of its run."""
    rows: list[tuple[int, bool, str, str | None]] = []
    for run in range(40):
        likes = random.choice("xyz"), random.choice("ab")
        is_chosen = random.random() < 0.4
        for _ in range(random.choice((1, 2, 3, 12))):
            own = tuple(like if random.random() < 0.8 else random.choice("xyzab") for like in likes)
            rows.append((run, is_chosen if by_run else random.random() < 0.4, own[0], own[1]))
    return rows


def test_a_split_by_chance_finds_nothing_but_for_the_stated_rate() -> None:
    """Of sixty splits, calls of a run together or apart, three would have a finding at five per cent; seven are next to
    impossible (less than 2 %). Without the runs behind the calls it is seen that they are no single rows.
    """
    for by_run in (True, False):
        random = Random(7)
        splits = [split_by_chance(random, by_run=by_run) for _ in range(60)]
        assert sum(looked_at(rows).found.height > 0 for rows in splits) < 7
    alone = [
        [(nth, *rest) for nth, (_, *rest) in enumerate(split_by_chance(Random(at), by_run=True))] for at in range(30)
    ]
    assert sum(looked_at(rows).found.height > 0 for rows in alone) > 7  # type: ignore[arg-type]


def retried_by_chance(
    random: Random, *, retries: bool, alike: float, rare: tuple[float, float] = (0.05, 0.05)
) -> list[tuple[int, bool, str, str | None]]:
    """Runs of which one in five of one side makes fifty calls, all others one; each run draws what its calls mostly
    have, with the share of its side.
    """
    rows: list[tuple[int, bool, str, str | None]] = []
    for run in range(130):
        is_chosen = run < (30 if retries else 100)
        share = rare[0] if is_chosen else rare[1]
        has = "x" if random.random() < share else "y"
        for _ in range(50 if is_chosen is retries and random.random() < 0.2 else 1):
            rows.append((run, is_chosen, has if random.random() < alike else random.choice("xyyyyyyyyy"), None))
    return rows


@pytest.mark.parametrize("alike", [1.0, 0.9])
@pytest.mark.parametrize("retries", [True, False])
def test_runs_that_try_again_make_nothing_more_or_less_frequent(*, retries: bool, alike: float) -> None:
    """Whichever side has them, and whether all calls of a run have the same or most: sixty splits by chance, as above.
    What most runs of one side have is mostly found all the same; and without the runs behind the calls, too much is.
    """
    random = Random(7)
    splits = [retried_by_chance(random, retries=retries, alike=alike) for _ in range(60)]
    assert sum(looked_at(rows).found.height > 0 for rows in splits) < 7
    alone = [[(nth, *rest) for nth, (_, *rest) in enumerate(rows)] for rows in splits]
    assert sum(looked_at(rows).found.height > 0 for rows in alone) > 20  # type: ignore[arg-type]
    share = (0.05, 0.6) if retries else (0.6, 0.05)
    planted = [retried_by_chance(random, retries=retries, alike=alike, rare=share) for _ in range(20)]
    assert sum(looked_at(rows).found.height > 0 for rows in planted) > 10
