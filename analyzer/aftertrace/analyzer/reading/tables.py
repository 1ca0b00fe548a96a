"""What the analyzer reads: the stored tables as lazy frames with a known schema, and what was noted of losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.store import schema

if TYPE_CHECKING:
    from aftertrace.store.quarantine import PutAside
    from aftertrace.store.refusals import Refusals


SPANS: Final = pl.Schema(schema.SPANS)
EVENTS: Final = pl.Schema(schema.EVENTS)
EVIDENCE: Final = pl.Schema(schema.EVIDENCE)
RESOURCES: Final = pl.Schema(schema.RESOURCES)


_NO_EVIDENCE: Final = pl.LazyFrame(schema=EVIDENCE)
_NO_RESOURCES: Final = pl.LazyFrame(schema=RESOURCES)


@dataclass(frozen=True, slots=True)
class Noted:
    """What is told of losses beside the tables."""

    refused: tuple[Refusals, ...] = ()
    put_aside: tuple[PutAside, ...] = ()
    """What is in the quarantine."""

    def up_to(self, day: date) -> Noted:
        """What was noted up to the end of a day in UTC."""
        return Noted(
            tuple(each for each in self.refused if each.day <= day.isoformat()),
            tuple(each for each in self.put_aside if each.day <= day),
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """What everything else is made from."""

    spans: pl.LazyFrame
    """Columns of `store.schema.SPANS`."""
    events: pl.LazyFrame
    """Columns of `store.schema.EVENTS`."""
    evidence: pl.LazyFrame = field(default_factory=lambda: _NO_EVIDENCE)
    """Columns of `store.schema.EVIDENCE`; for losses, and for which resource sent a record."""
    noted: Callable[[], Noted] = Noted
    """Reads what was noted: for losses alone."""
    resources: pl.LazyFrame = field(default_factory=lambda: _NO_RESOURCES)
    """Columns of `store.schema.RESOURCES`: what sent something, whenever it was seen first."""
    shown: Callable[[str], str] | None = None
    """A text with how large contents begin that it refers to; None where none are kept apart."""

    def received_before(self, time_ns: int) -> Tables:
        """What was received before a time, by the receiver's clock, and what was noted up to the end of its day."""
        day = datetime.fromtimestamp(time_ns // 10**9, UTC).date()
        had_come = (pl.col("received_date") <= day) & (pl.col("received_ns") < time_ns)
        spans, events, evidence = (frame.filter(had_come) for frame in (self.spans, self.events, self.evidence))
        return replace(self, spans=spans, events=events, evidence=evidence, noted=lambda: self.noted().up_to(day))

    @classmethod
    def empty(cls) -> Tables:
        """Tables without a row."""
        return cls(pl.LazyFrame(schema=SPANS), pl.LazyFrame(schema=EVENTS))
