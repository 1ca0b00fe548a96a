"""Tests and intervals: published examples, and what must hold of any numbers."""

from __future__ import annotations

from math import comb, isclose

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer.statistics import significance
from aftertrace.analyzer.statistics.significance import (
    Clusters,
    Share,
    amounts_differ,
    benjamini_hochberg,
    clusters,
    design_effect,
    fisher_exact,
    mann_whitney,
    newcombe,
    populations_differ,
    ratio_interval,
    shares_apart,
    shares_differ,
)

COUNTS = st.integers(1, 30).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
AMOUNTS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((3, 4, 1, 4), 0.4857),  # Fisher 1935, the lady tasting tea: 34/70
        ((10, 13, 2, 17), 0.0005367),  # Fisher 1934, criminals among twins
    ],
)
def test_the_exact_test_has_the_known_values(table: tuple[int, int, int, int], p: float) -> None:
    """Published examples."""
    assert fisher_exact(*table) == pytest.approx(p, rel=2e-3)


@given(COUNTS, COUNTS)
def test_the_exact_test_is_its_definition(first: tuple[int, int], second: tuple[int, int]) -> None:
    """Over whole numbers: the share of all tables that are no more likely than the one seen."""
    of, low = first[0] + second[0], max(0, first[0] + second[0] - second[1])
    ways = {x: comb(first[1], x) * comb(second[1], of - x) for x in range(low, min(of, first[1]) + 1)}
    as_rare = sum(each for each in ways.values() if each <= ways[first[0]])
    assert isclose(fisher_exact(*first, *second), as_rare / sum(ways.values()), rel_tol=1e-6)
    assert isclose(fisher_exact(*first, *second), fisher_exact(*second, *first), rel_tol=1e-9)


@pytest.mark.parametrize(("runs", "calls"), [(50, 2), (400, 2), (500, 20)])
def test_a_difference_beyond_all_doubt_can_be_told_however_many_calls_show_it(runs: int, calls: int) -> None:
    """Beside such a table a likely one weighs more than a float can hold."""
    found = shares_differ([(0, calls)] * runs, [(calls, calls)] * runs)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.p < 1e-50


@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((2, 7), (6, 7), (0.0582, 0.8062)),
        ((0, 29), (5, 56), (-0.0381, 0.1926)),
        ((0, 20), (0, 10), (-0.1611, 0.2775)),
        ((0, 10), (10, 10), (0.6075, 1.0000)),
    ],
)
def test_the_interval_of_a_difference_has_the_known_values(
    first: tuple[int, int], second: tuple[int, int], interval: tuple[float, float]
) -> None:
    """The contrasts of Newcombe 1998, table II, method 10."""
    assert newcombe(Share(*first), Share(*second)) == pytest.approx(interval, abs=5e-5)


@given(COUNTS, COUNTS)
def test_an_interval_holds_its_difference_and_turns_with_it(first: tuple[int, int], second: tuple[int, int]) -> None:
    """Within -1 and 1; the other way round it is the same with the other sign."""
    low, high = newcombe(Share(*first), Share(*second))
    gap = second[0] / second[1] - first[0] / first[1]
    assert -1 - 1e-9 <= low <= gap + 1e-9
    assert gap - 1e-9 <= high <= 1 + 1e-9
    assert newcombe(Share(*second), Share(*first)) == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        ([19, 22, 16, 29, 24], [20, 11, 17, 12], 2 * 7 / 126),
        ([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46], [1.15, 0.88, 0.90, 0.74, 1.21], 0.2544),
    ],
)
def test_the_test_of_ranks_has_the_known_values(first: list[float], second: list[float], p: float) -> None:
    """Exact, without ties: ages at a diagnosis (U = 3), and Hollander and Wolfe, example 4.1 (permeability)."""
    assert mann_whitney(first, second) == pytest.approx(p, abs=5e-5)


def test_the_shift_has_the_known_value() -> None:
    """Hollander and Wolfe, examples 4.2 and 4.3: 0.305 and, at 95 %, -0.15 to 0.76."""
    shift = amounts_differ([1.15, 0.88, 0.90, 0.74, 1.21], [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    assert (shift.value, shift.low, shift.high) == pytest.approx((0.305, -0.15, 0.76), abs=5e-3)


@given(AMOUNTS, AMOUNTS)
def test_a_shift_turns_with_its_groups(first: list[float], second: list[float]) -> None:
    """And the chance is the same both ways; a group against itself is no shift."""
    there, back = amounts_differ(first, second), amounts_differ(second, first)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert isclose(there.p, back.p, rel_tol=1e-9)
    assert there.low <= there.value <= there.high
    assert 0 <= there.p <= 1
    assert amounts_differ(first, first).value == 0


def test_ties_take_the_normal_form() -> None:
    """Many alike: by hand, U = 1, variance 25/12 * (11 - 42/90), z = (12.5 - 1 - 0.5) / 4.684."""
    assert mann_whitney([1, 2, 2, 3, 3], [3, 4, 4, 5, 5]) == pytest.approx(0.01887, abs=5e-5)
    assert mann_whitney([1.0] * 30, [1.0] * 30) == 1.0


@given(st.lists(COUNTS, min_size=2, max_size=10), st.integers(2, 6))
def test_calls_that_repeat_each_other_weigh_as_one(calls: list[tuple[int, int]], times: int) -> None:
    """Each run's calls written down so many times: the design effect grows as often, or is undefined as before."""
    once = design_effect(calls)
    again = design_effect([(of * times, total * times) for of, total in calls])
    assert (once is None) == (again is None)
    if once is not None and again is not None:
        assert once >= 1
        assert again == pytest.approx(max(1.0, times * once), rel=1e-9) if once > 1 else again >= 1


def test_a_run_that_was_refused_often_is_not_many_runs_that_were() -> None:
    """Negative control of the design effect: the same sums, once in two runs and once all over."""
    before = [(0, 10)] * 40
    spread, lumped = [(1, 10)] * 20 + [(0, 10)] * 20, [(10, 10)] * 2 + [(0, 10)] * 38
    assert shares_differ(before, spread).p < 0.001
    assert shares_differ(before, lumped).p > 0.05


def test_the_interval_alone_is_that_of_the_test_and_does_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test goes through every table with the same sums; the headline of a report has no use for it."""
    before, after = [(0, 10), (2, 5), (1, 1)], [(1, 10), (3, 3)]
    told = shares_differ(before, after)
    monkeypatch.delattr(significance, "fisher_exact")
    assert shares_apart(Clusters.of_runs(before), Clusters.of_runs(after)) == (told.low, told.high)


def test_corrected_for_many_looks_as_published() -> None:
    """Benjamini and Hochberg 1995, section 4: of fifteen, the four least count at 5 %."""
    below = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    ps = [*below, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    assert [q <= 0.05 for q in benjamini_hochberg(ps)] == [True] * 4 + [False] * 11


@given(st.lists(st.floats(0, 1), max_size=20))
def test_the_correction_is_the_procedure(ps: list[float]) -> None:
    """What counts at 5 % is all up to the greatest p(k) <= k/m * 5 %; one look needs no correction; order stays."""
    adjusted = benjamini_hochberg(ps)
    ranked = sorted(ps)
    passed = [p for rank, p in enumerate(ranked, start=1) if p * len(ps) / rank <= 0.05]
    assert [q <= 0.05 for q in adjusted] == [bool(passed) and p <= max(passed) for p in ps]
    assert all(p <= q + 1e-12 <= 1 + 1e-12 for p, q in zip(ps, adjusted, strict=True))


@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [
        ((56, 70), (48, 80), (1.0783, 1.6629)),  # by logarithms (Katz 1978) 1.0766 to 1.6513
        ((10, 10), (0, 20), (5.9625, float("inf"))),  # sqrt(0.72246 * 1.27754) / 0.16113, from the Wilson intervals
    ],
)
def test_the_interval_of_a_ratio(
    first: tuple[int, int], second: tuple[int, int], interval: tuple[float, float]
) -> None:
    """By hand; where the second share may be 0 it has no upper end."""
    assert ratio_interval(Share(*first), Share(*second)) == pytest.approx(interval, rel=1e-4)


@given(COUNTS, COUNTS)
def test_the_interval_of_a_ratio_holds_it_and_turns_with_it(first: tuple[int, int], second: tuple[int, int]) -> None:
    """With the sides changed both ends are turned upside down."""
    low, high = ratio_interval(Share(*first), Share(*second))
    if second[0]:
        assert low <= first[0] / first[1] / (second[0] / second[1]) * (1 + 1e-9)
        assert high >= first[0] / first[1] / (second[0] / second[1]) * (1 - 1e-9)
    turned_low, turned_high = ratio_interval(Share(*second), Share(*first))
    assert isclose(turned_low, 0.0 if high == float("inf") else 1 / high, rel_tol=1e-6, abs_tol=1e-12)
    assert turned_high == float("inf") if low == 0 else isclose(turned_high, 1 / low, rel_tol=1e-6)


def test_calls_of_one_run_count_once_where_they_are_all_alike() -> None:
    """Fifty refusals of one run say as much as one; of fifty runs fifty times as much."""
    rest = Clusters.of_runs([(1, 10)] * 100)
    one = populations_differ(Clusters.of_runs([(50, 50), (1, 1), (1, 1)]), rest)
    many = populations_differ(Clusters.of_runs([(1, 1)] * 52), rest)
    assert one[0].total < 2
    assert one[2].p > 0.05
    assert many[0].total == 52
    assert many[2].p < 1e-20


@given(st.lists(COUNTS, min_size=1, max_size=6), st.lists(COUNTS, min_size=1, max_size=6))
def test_no_run_counts_for_more_than_its_calls_or_less_than_one(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    """And with the sides changed chance is as likely."""
    sides = (Clusters.of_runs(first), Clusters.of_runs(second))
    one, two, ratio = populations_differ(*sides)
    for share, each in ((one, sides[0]), (two, sides[1])):
        assert 1 - 1e-9 <= share.total <= each.total
        assert isclose(share.value, each.of / each.total, abs_tol=1e-12)
    assert 0 <= ratio.p <= 1
    assert isclose(populations_differ(*reversed(sides))[2].p, ratio.p, rel_tol=1e-6, abs_tol=1e-12)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=9))
def test_clusters_are_summed_up_in_frames_as_they_are_in_lists(drawn: list[tuple[int, int]]) -> None:
    """Runs without a call that counts are none."""
    runs = [(min(of, total), total) for of, total in drawn]
    frame = pl.DataFrame(runs, {"of": pl.Int64, "total": pl.Int64}, orient="row")
    assert Clusters(**frame.select(clusters()).row(0, named=True)) == Clusters.of_runs(runs)
