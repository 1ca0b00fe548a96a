"""What came from each source, by the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
    redacted: int
    """Values that redaction replaced or left out, of what came again too. Which rules did is in `/metrics`, and in the
    notes of records."""
    first_ns: int
    """When the first record was received."""
    last_ns: int


_COLUMNS: Final = ("source", "receiver", "seq", "received_ns", "duplicate_of", "redactions", "flags")


def arrivals(snapshot: Snapshot) -> list[Arrivals]:
    """What came from each source, by name.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    (found,) = collected(
        snapshot.scan("evidence", columns=list(_COLUMNS))
        .group_by("source")
        .agg(
            pl.struct("receiver", "seq").n_unique().alias("requests"),
            pl.col("duplicate_of").is_null().sum().alias("records"),
            pl.col("duplicate_of").is_not_null().sum().alias("resent"),
            pl.col("flags").str.contains('"conflicts_with:', literal=True).sum().alias("conflicts"),
            # Each row tells of all of its request.
            pl.col("redactions").filter(pl.struct("receiver", "seq").is_first_distinct()).sum().alias("redacted"),
            pl.col("received_ns").min().alias("first_ns"),
            pl.col("received_ns").max().alias("last_ns"),
        )
        .sort("source")
    )
    return [Arrivals(tenant=tenant_of(row["source"]), **row) for row in found.iter_rows(named=True)]
