"""What the analyzer reads: the stored tables as lazy frames with a known schema, and what was noted of losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.store import schema

if TYPE_CHECKING:
    import pyarrow as pa

    from aftertrace.store.quarantine import PutAside
    from aftertrace.store.refusals import Refusals


def polars_schema(arrow: pa.Schema) -> pl.Schema:
    """The Polars schema of a stored table."""
    frame = pl.from_arrow(arrow.empty_table())
    if isinstance(frame, pl.Series):
        raise TypeError("a table's schema gives a frame")
    return frame.schema


SPANS: Final = polars_schema(schema.SPANS)
EVENTS: Final = polars_schema(schema.EVENTS)
EVIDENCE: Final = polars_schema(schema.EVIDENCE)


@dataclass(frozen=True, slots=True)
class Noted:
    """What is told of losses beside the tables."""

    refused: tuple[Refusals, ...] = ()
    put_aside: tuple[PutAside, ...] = ()
    """What is in the quarantine."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What everything else is made from."""

    spans: pl.LazyFrame
    """Columns of `store.schema.SPANS`."""
    events: pl.LazyFrame
    """Columns of `store.schema.EVENTS`."""
    evidence: pl.LazyFrame = field(default_factory=lambda: pl.LazyFrame(schema=EVIDENCE))
    """Columns of `store.schema.EVIDENCE`; for losses alone."""
    noted: Callable[[], Noted] = Noted
    """Reads what was noted: for losses alone."""

    @classmethod
    def empty(cls) -> Tables:
        """Tables without a row."""
        return cls(pl.LazyFrame(schema=SPANS), pl.LazyFrame(schema=EVENTS))
