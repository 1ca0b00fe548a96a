"""Records that are told of more than once under one id (`ingest.same_ids`), by the flags that the drain gave them.

What another record of the same source tells whole, and more, is left out, whichever came first: a span that was sent
when it began and again when it ended, or by two exporters. One source's word never takes the place of another's.
Records that contradict each other both stay, and their run says so.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_PLACE: Final = pl.concat_str("receiver", "seq", "index", separator="/")
_SAME: Final = ("place", "source")
_SOURCES: Final = (
    pl.col("source"),
    _PLACE.alias("place"),
    *(pl.col("flags").str.extract(f'"{name}:([^"]+)"').alias(name) for name in ("continues", "continued_by")),
)


def without_retold(*frames: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of `spans` and `events` without those of records that another tells whole."""
    told = pl.concat([frame.filter(pl.col("flags").is_not_null()).select(*_SOURCES) for frame in frames])
    fuller = told.select("source", place="continues").drop_nulls("place")
    if not fuller.height and not told["continued_by"].count():
        return list(frames)
    known = pl.concat([frame.select("source", place=_PLACE) for frame in frames]).unique()
    poorer = told.join(known, left_on=["continued_by", "source"], right_on=_SAME, how="semi").select(_SAME)
    gone = pl.concat([fuller.select(_SAME), poorer])
    return [
        frame.with_columns(place=_PLACE).join(gone, on=_SAME, how="anti", maintain_order="left").drop("place")
        for frame in frames
    ]


def contradicted(*frames: pl.DataFrame) -> pl.DataFrame:
    """`run_id`: runs with records that contradict each other."""
    conflicts = pl.col("flags").str.contains('"conflicts_with:', literal=True)
    return pl.concat([frame.filter(conflicts).select("run_id") for frame in frames]).unique().sort("run_id")
