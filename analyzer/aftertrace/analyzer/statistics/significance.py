"""Whether two groups differ: tests and intervals, as plain functions over numbers.

Calls of one run hang together: a run that is refused once is refused again. So shares are tested on counts that are
divided by their design effect (Rao and Scott 1992), and amounts on one number per run.

Sources:
    R. A. Fisher, The Design of Experiments, 1935 (the exact test).
    R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
    1998, method 10 (the interval of a difference).
    J. N. K. Rao, A. J. Scott, A simple method for the analysis of clustered binary data, Biometrics 48, 1992.
    H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18, 1947; M. Hollander, D. A. Wolfe, Nonparametric
    Statistical Methods, 1999, chapter 4 (ties, the shift of Hodges and Lehmann, and its interval).
    R. G. Newcombe, MOVER-R confidence intervals for ratios and products of two independently estimated quantities,
    Statistical Methods in Medical Research 25, 2016 (the interval of a ratio).
    L. Kish, Survey Sampling, 1965, section 8.2 (the most that calls of one run can hang together).
    Y. Benjamini, Y. Hochberg, Controlling the false discovery rate, J. R. Statist. Soc. B 57, 1995.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, erfc, exp, inf, lgamma, log1p, sqrt
from typing import Final

import polars as pl

from aftertrace.analyzer.calls.near_misses import Z_95

EXACT_AT_MOST: Final = 20
"""With so many values in all, and no two alike, the test of ranks counts every order of them."""
EXPECTED_AT_LEAST: Final = 10
"""Where so many are expected in each cell of a table, the normal distribution does for the exact test."""
_AS_LIKELY: Final = log1p(1e-7)
"""Tables this near in probability are as likely as each other: rounding tells them apart, not chance."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many. Both may be fractions, once a design effect divides them."""

    of: float
    total: float

    @property
    def value(self) -> float:
        """The share."""
        return self.of / self.total

    def divided(self, by: float) -> Share:
        """The same share of fewer."""
        return Share(self.of / by, self.total / by)


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second group lies above the first, its 95 % interval, and how likely chance alone is."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Clusters:
    """How often something is so in calls that hang together by runs, as sums over the runs: all that a design effect
    needs, however many the runs are.
    """

    runs: int
    """Runs with a call."""
    of: int
    """Calls of which it is so."""
    total: int
    """Calls."""
    of_of: int
    """Squares of the first, summed over runs."""
    of_total: int
    """Products of both."""
    total_total: int
    """Squares of the second."""

    @classmethod
    def of_runs(cls, runs: Sequence[tuple[int, int]]) -> Clusters:
        """The sums over runs of `(of, total)` each."""
        counted = [run for run in runs if run[1] > 0]
        return cls(
            len(counted),
            sum(of for of, _ in counted),
            sum(total for _, total in counted),
            sum(of * of for of, _ in counted),
            sum(of * total for of, total in counted),
            sum(total * total for _, total in counted),
        )

    @property
    def share(self) -> Share:
        """The share of all calls."""
        return Share(self.of, self.total)

    @property
    def design_effect(self) -> float | None:
        """By the share of these calls: see `design_effect`."""
        if self.runs < 2 or not 0 < self.of < self.total:
            return None
        return max(1.0, self._effect(self.of, self.total))

    def effect_beside(self, other: Clusters) -> float:
        """The design effect by the share of these calls, by that of both groups, or by how often calls of a run are
        alike, whichever is most; at most as if all of them were (Kish), as where no two calls of a run differ. The few
        runs that have most of the calls may all have it, or none, by chance, so that shares alone say too little.
        """
        of, total = self.of + other.of, self.total + other.total
        most = self.total_total / self.total
        if self.runs < 2 or not 0 < of < total:
            return most
        varied = max(share.value * (1 - share.value) for share in (Share(of, total), self.share, other.share))
        pairs = self.total_total - self.total
        alike = 1 - (self.of_total - self.of_of) / (varied * pairs) if pairs else 0.0
        by_pairs = 1 + (most - 1) * alike
        return max(1.0, min(most, max(self.design_effect or 1.0, self._effect(of, total), by_pairs)))

    def _effect(self, of: int, total: int) -> float:
        # In whole numbers until the end: the squares are large, and what is left of them small.
        residuals = self.of_of * total**2 - 2 * of * total * self.of_total + of**2 * self.total_total
        return self.runs / (self.runs - 1) * residuals / (self.total * of * (total - of))


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as large the first share is, its 95 % interval, and how likely chance alone is.

    Infinite where the second share is 0, and its `high` wherever that may be 0.
    """

    value: float
    low: float
    high: float
    p: float


def populations_differ(first: Clusters, second: Clusters) -> tuple[Share, Share, Ratio]:
    """Both shares as they count for a test, and their ratio: Fisher's test, Newcombe's interval. Neither may be empty.

    Groups that are chosen by what became of calls are made of runs that try again and again, so that of all guesses at
    how much they hang together the most is taken (`Clusters.effect_beside`).
    """
    one, two = first.share.divided(first.effect_beside(second)), second.share.divided(second.effect_beside(first))
    value = one.value / two.value if two.of else inf
    low, high = ratio_interval(one, two)
    return one, two, Ratio(value, low, high, _p_of_shares(one, two))


def ratio_interval(first: Share, second: Share) -> tuple[float, float]:
    """The 95 % interval of the first share over the second: Newcombe 2016, of two Wilson intervals."""
    (first_low, first_high), (second_low, second_high) = _wilson(first), _wilson(second)
    both = first.value * second.value
    above, below = first_low * (2 * first.value - first_low), second_high * (2 * second.value - second_high)
    # The form of the lesser root that does not divide by what may be 0.
    low = above / (both + sqrt(max(0.0, both**2 - above * below))) if above > 0 else 0.0
    above, below = first_high * (2 * first.value - first_high), second_low * (2 * second.value - second_low)
    high = (both + sqrt(max(0.0, both**2 - above * below))) / below if below > 0 else inf
    return low, high


def _p_of_shares(first: Share, second: Share) -> float:
    """Two-sided p: exact where few are expected anywhere, else by the normal distribution, which is as good there."""
    counts = tuple(round(each) for each in (first.of, first.total, second.of, second.total))
    of, total = counts[0] + counts[2], counts[1] + counts[3]
    if not 0 < of < total:
        return 1.0
    if min(of, total - of) * min(counts[1], counts[3]) < EXPECTED_AT_LEAST * total:
        return fisher_exact(*counts)
    share = of / total
    spread = sqrt(share * (1 - share) * (1 / counts[1] + 1 / counts[3]))
    return min(1.0, erfc(abs(counts[0] / counts[1] - counts[2] / counts[3]) / (spread * sqrt(2))))


def shares_differ(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> Difference:
    """The difference of two shares, each of `(of, total)` per run: Fisher's test and Newcombe's interval.

    Both rest on counts divided by the design effect of their group; where one cannot be told, by that of the other.
    Each group has to have a total above 0.
    """
    first, second = _effective(Clusters.of_runs(before), Clusters.of_runs(after))
    low, high = newcombe(first, second)
    p = fisher_exact(round(first.of), round(first.total), round(second.of), round(second.total))
    return Difference(second.value - first.value, low, high, p)


def shares_apart(before: Clusters, after: Clusters) -> tuple[float, float]:
    """The interval of `shares_differ`, without its test, which takes a second for a million calls."""
    return newcombe(*_effective(before, after))


def clusters() -> tuple[pl.Expr, ...]:
    """The fields of `Clusters`, each as a sum over runs with `of` and `total`."""
    of, total, counts = pl.col("of"), pl.col("total"), pl.col("total") > 0
    sums = {"of": of, "total": total, "of_of": of * of, "of_total": of * total, "total_total": total * total}
    return counts.sum().alias("runs"), *(each.filter(counts).sum().alias(name) for name, each in sums.items())


def design_effect(runs: Sequence[tuple[int, int]]) -> float | None:
    """How much more a share varies than if its calls came one by one: at least 1. `runs` hold `(of, total)` of each.
    None where nothing varies, or there is but one run.

    Rao and Scott 1992, equation 2: the variance of a ratio between clusters over that of a binomial share.
    """
    return Clusters.of_runs(runs).design_effect


def newcombe(first: Share, second: Share) -> tuple[float, float]:
    """The 95 % interval of the second share less the first: Newcombe 1998, method 10, of two Wilson intervals."""
    (first_low, first_high), (second_low, second_high) = _wilson(first), _wilson(second)
    gap = second.value - first.value
    return (
        gap - sqrt((second.value - second_low) ** 2 + (first_high - first.value) ** 2),
        gap + sqrt((second_high - second.value) ** 2 + (first.value - first_low) ** 2),
    )


def fisher_exact(first_of: int, first_total: int, second_of: int, second_total: int) -> float:
    """Two-sided p of Fisher's exact test: of all tables with these margins, those that are no more likely."""
    of = first_of + second_of
    low, high = max(0, of - second_total), min(of, first_total)

    def log_weight(x: int) -> float:
        return _log_choose(first_total, x) + _log_choose(second_total, of - x)

    everything = _log_choose(first_total + second_total, of)
    seen = log_weight(first_of)
    likely = (log_weight(x) for x in range(low, high + 1))
    # Compared as logarithms: beside a table that is next to impossible, a likely one has more than a float can hold.
    return min(1.0, sum(exp(weight - everything) for weight in likely if weight - seen <= _AS_LIKELY))


def amounts_differ(before: Sequence[float], after: Sequence[float]) -> Difference:
    """How far the second group is shifted against the first: the test of Mann and Whitney, and the shift of Hodges and
    Lehmann with its interval. Neither group may be empty.
    """
    first = pl.DataFrame({"before": before}, schema={"before": pl.Float64})
    second = pl.DataFrame({"after": after}, schema={"after": pl.Float64})
    gaps = first.join(second, how="cross").select((pl.col("after") - pl.col("before")).sort()).to_series()
    pairs = len(before) * len(after)
    spread = sqrt(pairs * (len(before) + len(after) + 1) / 12)
    reach = max(1, round(pairs / 2 - Z_95 * spread))
    middle = (gaps[(pairs - 1) // 2] + gaps[pairs // 2]) / 2
    return Difference(middle, gaps[reach - 1], gaps[pairs - reach], mann_whitney(before, after))


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of the test of ranks: exact for few values without ties, else normal with the corrections for ties
    and for continuity.
    """
    pairs, ordered = len(first) * len(second), sorted(second)
    below = sum(bisect_left(ordered, x) + bisect_right(ordered, x) for x in first) / 2
    lesser = min(below, pairs - below)
    total = len(first) + len(second)
    ties = Counter([*first, *second])
    if total <= EXACT_AT_MOST and len(ties) == total:
        ways = sum(_ways(len(first), len(second), u) for u in range(int(lesser) + 1))
        return min(1.0, 2 * ways / comb(total, len(first)))
    tied = sum(times**3 - times for times in ties.values()) / (total * (total - 1))
    variance = pairs / 12 * (total + 1 - tied)
    if variance <= 0:
        return 1.0
    return min(1.0, erfc(max(0.0, pairs / 2 - lesser - 0.5) / sqrt(2 * variance)))


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """For each p the least rate of false discoveries at which it would count, given how many were looked at."""
    falling = sorted(range(len(ps)), key=lambda at: ps[at], reverse=True)
    adjusted, least = [1.0] * len(ps), 1.0
    for passed, at in enumerate(falling):
        least = min(least, ps[at] * len(ps) / (len(ps) - passed))
        adjusted[at] = least
    return adjusted


def _effective(before: Clusters, after: Clusters) -> tuple[Share, Share]:
    by_first, by_second = before.design_effect, after.design_effect
    return before.share.divided(by_first or by_second or 1.0), after.share.divided(by_second or by_first or 1.0)


def _wilson(share: Share) -> tuple[float, float]:
    spread = Z_95**2 / share.total
    centre = (share.value + spread / 2) / (1 + spread)
    half = (Z_95 / (1 + spread)) * sqrt(share.value * (1 - share.value) / share.total + spread / (4 * share.total))
    return max(0.0, min(share.value, centre - half)), min(1.0, max(share.value, centre + half))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) if 0 <= k <= n else -inf


@lru_cache(maxsize=65_536)
def _ways(first: int, second: int, u: int) -> int:
    """In how many orders of two groups so large the count of Mann and Whitney is `u`: their recurrence of 1947."""
    if u < 0 or not first or not second:
        return int(u == 0)
    return _ways(first - 1, second, u - second) + _ways(first, second - 1, u)
