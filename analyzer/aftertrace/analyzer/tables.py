"""What the analyzer reads: the stored `spans` and `events` as lazy frames with a known schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.store import schema

if TYPE_CHECKING:
    import pyarrow as pa


def polars_schema(arrow: pa.Schema) -> pl.Schema:
    """The Polars schema of a stored table."""
    frame = pl.from_arrow(arrow.empty_table())
    if isinstance(frame, pl.Series):
        raise TypeError("a table's schema gives a frame")
    return frame.schema


SPANS: Final = polars_schema(schema.SPANS)
EVENTS: Final = polars_schema(schema.EVENTS)


@dataclass(frozen=True, slots=True)
class Tables:
    """The two tables everything else is made from."""

    spans: pl.LazyFrame
    """Columns of `store.schema.SPANS`."""
    events: pl.LazyFrame
    """Columns of `store.schema.EVENTS`."""

    @classmethod
    def empty(cls) -> Tables:
        """Tables without a row."""
        return cls(pl.LazyFrame(schema=SPANS), pl.LazyFrame(schema=EVENTS))
