"""What fsck knows as taken out on purpose: ranges, however many requests they are of."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as some

from aftertrace.store.fsck.destroyed import Destroyed, merged

UPTO = 30
_SEQS = some.integers(1, UPTO)
_RANGES = some.lists(some.tuples(_SEQS, _SEQS).map(lambda ends: (min(ends), max(ends))), max_size=6)


def destroyed(ranges: list[tuple[int, int]], erased: set[int], receiver: str = "main") -> Destroyed:
    """Requests of one receiver; and as many of another, which count for nothing here."""
    whole = [
        (name, *each) for name in ("another", receiver) for each in merged(ranges if name == receiver else [(1, 9)])
    ]
    return Destroyed(
        pl.DataFrame(whole, schema={"receiver": pl.String, "first": pl.Int64, "last": pl.Int64}, orient="row"),
        pl.DataFrame(
            [(receiver, seq, 0) for seq in sorted(erased)],
            schema={"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32},
            orient="row",
        ),
    )


@given(ranges=_RANGES, erased=some.sets(_SEQS), present=some.lists(some.integers(0, UPTO + 3)))
def test_they_are_those_of_sets(ranges: list[tuple[int, int]], erased: set[int], present: list[int]) -> None:
    """What is outside, what is left, and what is missing."""
    taken = {seq for first, last in ranges for seq in range(first, last + 1)}
    known = destroyed(ranges, erased)
    rows = pl.DataFrame({"seq": pl.Series(present, dtype=pl.Int64)}).with_columns(receiver=pl.lit("main"))
    assert sorted(known.outside(rows)["seq"]) == sorted(seq for seq in present if seq not in taken)
    assert sorted(known.without(rows)["seq"]) == sorted(seq for seq in present if seq not in taken | erased)
    missing = known.missing("main", rows["seq"], UPTO)
    expected = set(range(1, UPTO + 1)) - taken - erased - set(present)
    assert [seq for first, last in missing for seq in range(first, last + 1)] == sorted(expected)


def test_a_thousand_million_requests_are_one_range() -> None:
    """Nothing is made for each of them; what is named by nothing is outside."""
    many = 10**9
    known = destroyed([(1, many)], set())
    rows = pl.DataFrame({"receiver": ["main", "main", None, "other"], "seq": [many, many + 1, 5, 5]})
    assert known.without(rows).rows() == [(None, 5), ("other", 5), ("main", many + 1)]
    assert known.missing("main", pl.Series([many + 2]), many + 3) == [(many + 1, many + 1), (many + 3, many + 3)]
    assert known.without(rows.with_columns(seq=pl.lit(None, pl.Int64))).height == 4
