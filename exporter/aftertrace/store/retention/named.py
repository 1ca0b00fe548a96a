"""Terms of records that are told by more than who sent them: by agents of their runs, and by tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from aftertrace.store.retention.policy import FOR_EVER, OF, Term

PLACE: Final = ("receiver", "seq", "index")
NAMED: Final = pl.Schema(
    {
        "receiver": pl.String(),
        "seq": pl.Int64(),
        "index": pl.Int32(),
        "of": pl.String(),
        "term": pl.String(),
        "days": pl.Int64(),
    }
)
"""Records with a term that is for them; of one record there may be several."""
NEVER_DAYS: Final = 1 << 60
"""In the place of `FOR_EVER`, so that the longest of some terms is the largest."""


def named(places: pl.DataFrame, term: Term) -> pl.DataFrame:
    """Rows of `NAMED` of records that a term is for, given `receiver`, `seq`, `index`."""
    told = {"of": term.of, "term": str(term), "days": length(term.days)}
    return places.select(PLACE).with_columns(**{name: pl.lit(value) for name, value in told.items()}).cast(NAMED)


def together(found: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """All rows of `NAMED` of some frames."""
    return pl.concat([NAMED.to_frame(), *found]).unique()


def length(days: int) -> int:
    """A term as it can be compared with others."""
    return NEVER_DAYS if days == FOR_EVER else days


def of_requests(found: pl.DataFrame) -> pl.DataFrame:
    """By request, `receiver` and `seq`: how many records of it have terms of their own (`named_records`), the longest
    of these (`named_days`, `named_term`) and the shortest (`least_days`).

    Of a record the most specific term counts; of several that are as specific the longest.
    """
    rank = pl.col("of").replace_strict({of: number for number, of in enumerate(OF)}, return_dtype=pl.Int64)
    of_records = (
        found.with_columns(rank=rank).sort("rank", "days", descending=[False, True]).unique(PLACE, keep="first")
    )
    longest = pl.col("term").sort_by("days", "term", descending=[True, False]).first()
    return of_records.group_by("receiver", "seq").agg(
        named_records=pl.len().cast(pl.Int64),
        named_days=pl.col("days").max(),
        named_term=longest,
        least_days=pl.col("days").min(),
    )
