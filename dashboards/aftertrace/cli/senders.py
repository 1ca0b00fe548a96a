"""Who sent what is stored: by the evidence, so that records which no dialect understands count too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aftertrace.ingest.records import origin
from aftertrace.store.snapshot import collected

if TYPE_CHECKING:
    from aftertrace.store.snapshot import Snapshot

UNNAMED = "unnamed service"


@dataclass(frozen=True, slots=True)
class Sender:
    """Records of one signal from one resource and scope."""

    service: str
    """`service.name`, or `UNNAMED`."""
    scope: str
    """Name of the instrumentation scope; may be empty."""
    signal: str
    """`traces`, `logs` or `metrics`."""
    records: int
    """How many different records."""
    resource_digest: str
    scope_digest: str

    def __str__(self) -> str:
        """Service and scope, as a person would name it."""
        return f"{self.service} ({self.scope})" if self.scope else self.service


def senders(snapshot: Snapshot, *, since_ns: int = 0) -> list[Sender]:
    """Who sent anything since then, in the order in which they were first heard.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    resources = snapshot.scan("resources", columns=["digest", "bytes"]).unique("digest")
    scopes = snapshot.scan("scopes", columns=["digest", "bytes"]).unique("digest")
    (spoken,) = collected(
        snapshot.scan("evidence")
        .filter(pl.col("received_ns") >= since_ns)
        .group_by("resource_digest", "scope_digest", "signal")
        .agg(pl.col("duplicate_of").is_null().sum().alias("records"), pl.col("received_ns").min())
        .join(resources, left_on="resource_digest", right_on="digest")
        .join(scopes, left_on="scope_digest", right_on="digest", suffix="_scope")
        .sort("received_ns", "resource_digest", "scope_digest", "signal")
        .select("bytes", "bytes_scope", "signal", "records", "resource_digest", "scope_digest")
    )
    found = []
    for resource, scope, signal, records, resource_digest, scope_digest in spoken.iter_rows():
        by = origin(resource, scope)
        service = str(by.resource.get("service.name", UNNAMED))
        found.append(Sender(service, by.scope_name, signal, records, resource_digest, scope_digest))
    return found
