"""Collecting lazy frames so that what is held does not grow with what is read: in the streaming engine."""

from __future__ import annotations

from typing import Final

import polars as pl

_APART: Final = pl.QueryOptFlags(comm_subplan_elim=False)
"""Frames that read the same table read it each for itself: what they have in common would be held for all of them."""


def streamed(*frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """The rows of lazy frames, read at once."""
    return pl.collect_all(frames, engine="streaming", optimizations=_APART)
