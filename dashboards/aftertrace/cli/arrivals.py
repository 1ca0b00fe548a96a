"""What came from each source, and what is missing in it: by the evidence and the spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aftertrace.store.snapshot import collected
from aftertrace.store.sources import tenant_of

if TYPE_CHECKING:
    from aftertrace.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came from one source."""

    source: str
    tenant: str | None
    requests: int
    records: int
    """Different spans, log records and metrics."""
    resent: int
    """Records that came again and are kept once in `spans` and `events`."""
    conflicts: int
    """Records that contradict another of their id; all of them are kept."""
    dropped: int
    """Attributes, events and links of spans that its own limits dropped before they were sent (`dropped_*_count`)."""
    spans_without_parent: int
    """Spans that name a parent which never came: lost, sampled away, or of a program that does not report here."""
    first_ns: int
    """When the first record was received."""
    last_ns: int


def arrivals(snapshot: Snapshot) -> list[Arrivals]:
    """What came from each source, by name.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    spans = snapshot.scan("spans", columns=["source", "trace_id", "span_id", "parent_span_id", "flags"])
    parents = spans.select("source", "trace_id", parent_span_id="span_id").unique()
    dropped = (
        spans.filter(pl.col("flags").str.contains("dropped_", literal=True))
        .with_columns(pl.col("flags").str.extract_all(r"dropped_\w+:(\d+)"))
        .explode("flags")
        .group_by("source")
        .agg(pl.col("flags").str.extract(r":(\d+)", 1).cast(pl.Int64).sum().alias("dropped"))
    )
    orphans = (
        spans.filter(pl.col("parent_span_id").is_not_null())
        .join(parents, on=["source", "trace_id", "parent_span_id"], how="anti")
        .group_by("source")
        .agg(pl.len().alias("spans_without_parent"))
    )
    (found,) = collected(
        snapshot.scan("evidence", columns=["source", "receiver", "seq", "received_ns", "duplicate_of", "flags"])
        .group_by("source")
        .agg(
            pl.struct("receiver", "seq").n_unique().alias("requests"),
            pl.col("duplicate_of").is_null().sum().alias("records"),
            pl.col("duplicate_of").is_not_null().sum().alias("resent"),
            pl.col("flags").str.contains('"conflicts_with:', literal=True).sum().alias("conflicts"),
            pl.col("received_ns").min().alias("first_ns"),
            pl.col("received_ns").max().alias("last_ns"),
        )
        .join(dropped, on="source", how="left")
        .join(orphans, on="source", how="left")
        .with_columns(pl.col("dropped", "spans_without_parent").fill_null(0))
        .sort("source")
    )
    return [Arrivals(tenant=tenant_of(row["source"]), **row) for row in found.iter_rows(named=True)]
