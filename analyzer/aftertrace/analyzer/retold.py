"""Records that are told of more than once under one id (`ingest.same_ids`), by the flags that the drain gave them.

What another record tells whole, and more, is left out, whichever came first: a span that was sent when it began and
again when it ended, or by two exporters. Records that contradict each other both stay, and their run says so.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_CONTINUES: Final = '"continues:([^"]+)"'
_PLACE: Final = ("receiver", "seq", "index")


def without_retold(*frames: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows of `spans` and `events` without those of records that another tells whole."""
    told = pl.concat([frame.select(pl.col("flags").str.extract(_CONTINUES)).drop_nulls() for frame in frames])
    less = pl.col("flags").str.contains('"continued_by:', literal=True).fill_null(value=False)
    whole = [frame.filter(~less) for frame in frames]
    if not told.height:
        return whole
    place = pl.concat_str(_PLACE, separator="/")
    return [frame.filter(~place.is_in(told["flags"].implode())) for frame in whole]


def contradicted(*frames: pl.DataFrame) -> pl.DataFrame:
    """`run_id`: runs with records that contradict each other."""
    conflicts = pl.col("flags").str.contains('"conflicts_with:', literal=True)
    return pl.concat([frame.filter(conflicts).select("run_id") for frame in frames]).unique().sort("run_id")
