"""What a reader finds in the tables, without any code of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from deltalake import DeltaTable
from faults.checker import Verdict, check
from faults.payload import RequestId, SpanId, span, span_id
from opentelemetry.proto.trace.v1.trace_pb2 import Span

if TYPE_CHECKING:
    from pathlib import Path

STRANGER: Final = SpanId(RequestId(-1, -1), -1)
"""Stands for a row whose ids no client makes."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows, repeats included."""

    spans: list[SpanId]
    """One per row of `spans`."""
    evidence: list[SpanId]
    """One per row of `evidence` that is not marked as a duplicate."""
    duplicates: int
    """Rows of `evidence` that are."""
    altered: list[SpanId]
    """Evidence whose bytes are not the ones that were sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is in the tables, against what was sent."""

    spans: Verdict[SpanId]
    evidence: Verdict[SpanId]
    """Rows of `evidence` that are not marked as duplicates."""
    duplicates: int
    """Rows of `evidence` that are: resends that were recognised."""
    altered: int
    errors: list[str]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.spans.holds and self.evidence.holds and not self.altered and not self.errors

    def __str__(self) -> str:
        """A few lines for people."""
        return (
            f"spans: {self.spans}. evidence: {self.evidence}, {self.duplicates} resends recognised,"
            f" {self.altered} altered. errors: {self.errors[:3]}"
        )


def span_ids(data: Path) -> list[SpanId]:
    """What `spans` holds; nothing before the first commit."""
    rows = _rows(data, "spans", "trace_id", "span_id")
    return [_known(bytes.fromhex(trace or ""), bytes.fromhex(wire or "")) for trace, wire in rows]


def found(data: Path) -> Found:
    """What `spans` and `evidence` hold."""
    evidence: list[SpanId] = []
    altered: list[SpanId] = []
    duplicates = 0
    for record, duplicate_of in _rows(data, "evidence", "record", "duplicate_of"):
        message = Span.FromString(record)
        known = _known(message.trace_id, message.span_id)
        if known is not STRANGER and record != span(known).SerializeToString():
            altered.append(known)
        if duplicate_of is None:
            evidence.append(known)
        else:
            duplicates += 1
    return Found(span_ids(data), evidence, duplicates, altered)


def compare(data: Path, attempted: set[SpanId], acknowledged: set[SpanId]) -> list[str]:
    """What is wrong with what `spans` and `evidence` hold, in words; nothing when all is well."""
    rows = found(data)
    judged = {
        name: check(attempted, acknowledged, ids) for name, ids in (("spans", rows.spans), ("evidence", rows.evidence))
    }
    wrong = [f"{name}: {verdict}" for name, verdict in judged.items() if not verdict.holds]
    return wrong + ([f"{len(rows.altered)} altered"] if rows.altered else [])


def _rows(data: Path, table: str, *columns: str) -> list[tuple[Any, ...]]:
    tables = data / "tables"
    place = tables.read_text().strip() if tables.is_file() else str(tables)
    if not DeltaTable.is_deltatable(f"{place}/{table}"):
        return []
    return pl.scan_delta(f"{place}/{table}").select(columns).collect().rows()


def _known(trace_id: bytes, wire_span_id: bytes) -> SpanId:
    return span_id(trace_id, wire_span_id) or STRANGER
