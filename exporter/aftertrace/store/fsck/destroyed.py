"""What was taken out of a table on purpose, as ranges: of a store of years most requests are gone by their term, and
memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from aftertrace.store import commits
from aftertrace.store.snapshot import Snapshot

_RANGES = pl.Schema({"receiver": pl.String, "first": pl.Int64, "last": pl.Int64})
_RECORDS = pl.Schema({"receiver": pl.String, "seq": pl.Int64, "index": pl.Int32})


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was taken out of one table."""

    ranges: pl.DataFrame
    """`receiver`, `first` and `last` seq of requests that were taken out whole, apart from each other and in order."""
    records: pl.DataFrame
    """`receiver`, `seq`, `index` of records that were erased one by one."""

    @classmethod
    def of(cls, snapshot: Snapshot, table: str) -> Destroyed:
        """By the commits of a table.

        Raises:
            Corrupt: one cannot be read.
        """
        version = dict(snapshot.versions).get(table, -1)
        told = commits.history(commits.log_of(snapshot.layout, table), version)
        whole = [(name, *each) for name, found in sorted(told.destroyed.items()) for each in merged(found)]
        single = [(receiver, *place) for receiver, found in told.erased.items() for place in set(found)]
        ranges = pl.DataFrame(whole, schema=_RANGES, orient="row")
        return cls(ranges, pl.DataFrame(single, schema=_RECORDS, orient="row"))

    def erased(self) -> pl.DataFrame:
        """`receiver`, `seq` of requests of which records were erased one by one, and how many were `erased`."""
        return self.records.group_by("receiver", "seq").agg(erased=pl.len())

    def outside(self, rows: pl.DataFrame, receiver: str = "receiver", seq: str = "seq") -> pl.DataFrame:
        """Rows of requests that were not taken out whole, by the columns that name them; null is none."""
        placed = rows.with_columns(_at=pl.col(seq).fill_null(0).cast(pl.Int64)).sort("_at")
        found = placed.join_asof(
            self.ranges.sort("first"),
            left_on="_at",
            right_on="first",
            by_left=receiver,
            by_right="receiver",
            strategy="backward",
            check_sortedness=False,
        )
        return found.filter(pl.col("last").is_null() | (pl.col("last") < pl.col("_at"))).select(rows.columns)

    def without(self, rows: pl.DataFrame, receiver: str = "receiver", seq: str = "seq") -> pl.DataFrame:
        """The same, also without requests of which any record was erased."""
        return self.outside(rows, receiver, seq).join(
            self.records, left_on=[receiver, seq], right_on=["receiver", "seq"], how="anti"
        )

    def missing(self, receiver: str, present: pl.Series, upto: int) -> list[tuple[int, int]]:
        """First and last seq of stretches of requests that are neither there nor taken out.

        Args:
            receiver: whose.
            present: seqs of those that are there.
            upto: the last one that is stored.
        """
        there = present.filter(present.is_between(1, upto)).unique().sort()
        ends = pl.concat([pl.Series([0], dtype=pl.Int64), there, pl.Series([upto + 1], dtype=pl.Int64)])
        gaps = pl.DataFrame({"first": ends[:-1] + 1, "last": ends[1:] - 1}).filter(pl.col("first") <= pl.col("last"))
        own = self.ranges.filter(pl.col("receiver") == receiver).select("first", "last").rows()
        erased = self.records.filter(pl.col("receiver") == receiver)["seq"].unique()
        return list(_less(gaps.rows(), merged([*own, *((seq, seq) for seq in erased)])))


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges from a first number to a last one, apart from each other and in order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        elif first <= last:
            found.append((first, last))
    return found


def _less(ranges: list[tuple[int, int]], taken: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of ranges without others, all apart from each other and in order."""
    place = 0
    for first, last in ranges:
        at = first
        while place < len(taken) and taken[place][1] < at:
            place += 1
        ahead = place
        while ahead < len(taken) and taken[ahead][0] <= last:
            if taken[ahead][0] > at:
                yield at, taken[ahead][0] - 1
            at = max(at, taken[ahead][1] + 1)
            ahead += 1
        if at <= last:
            yield at, last
