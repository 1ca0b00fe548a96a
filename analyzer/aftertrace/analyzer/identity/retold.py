"""Records that are told of more than once under one id (`ingest.same_ids`), by the flags that the drain gave them.

What another record of the same source tells whole, and more, is left out, whichever came first: a span that was sent
when it began and again when it ended, or by two exporters. One source's word never takes the place of another's.
Records that contradict each other both stay, and their run says so.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.store.snapshot import collected

_PLACE: Final = pl.concat_str("receiver", "seq", "index", separator="/")
_SAME: Final = ["place", "source"]
_SOURCES: Final = (
    pl.col("source"),
    _PLACE.alias("place"),
    *(pl.col("flags").str.extract(f'"{name}:([^"]+)"').alias(name) for name in ("continues", "continued_by")),
)


def without_retold(*frames: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of `spans` and `events` without those of records that another tells whole."""
    if all(frame["flags"].null_count() == frame.height for frame in frames):
        return list(frames)
    gone = retold(*(frame.lazy() for frame in frames))
    return [without(frame.lazy(), gone).collect() if gone.height else frame for frame in frames]


def retold(*frames: pl.LazyFrame) -> pl.DataFrame:
    """The records of `spans` and `events` that another tells whole: `place`, `source`.

    Raises:
        Corrupt: a file of a table is damaged or missing.
    """
    told = pl.concat(
        collected(
            *(
                frame.filter(pl.col("flags").str.contains('"continue', literal=True)).select(*_SOURCES)
                for frame in frames
            ),
            streaming=True,
        )
    )
    fuller = told.select("source", place="continues").drop_nulls("place")
    named = told.select("source", place="continued_by").drop_nulls("place").unique()
    if not named.height:
        return fuller.select(_SAME)
    known = collected(
        *(frame.select("source", place=_PLACE).join(named.lazy(), on=_SAME, how="semi") for frame in frames),
        streaming=True,
    )
    poorer = told.join(pl.concat(known).unique(), left_on=["continued_by", "source"], right_on=_SAME, how="semi")
    return pl.concat([fuller.select(_SAME), poorer.select(_SAME)])


def without(rows: pl.LazyFrame, gone: pl.DataFrame) -> pl.LazyFrame:
    """Rows of `spans` or `events` without those of some records, which are named by `place` and `source`."""
    if not gone.height:
        return rows
    named = rows.with_columns(place=_PLACE)
    return named.join(gone.lazy(), on=_SAME, how="anti", maintain_order="left").drop("place")


def contradicted(*frames: pl.DataFrame) -> pl.DataFrame:
    """`run_id`: runs with records that contradict each other."""
    conflicts = pl.col("flags").str.contains('"conflicts_with:', literal=True)
    return pl.concat([frame.filter(conflicts).select("run_id") for frame in frames]).unique().sort("run_id")
