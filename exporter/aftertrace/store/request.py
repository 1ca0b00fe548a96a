"""What travels between receiver, `prepare` and WAL: plain values, so that receiver and ingest need not meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from aftertrace.store.blobs.blobs import Content

Signal: TypeAlias = Literal["traces", "logs", "metrics"]
Encoding: TypeAlias = Literal["protobuf", "json"]


@dataclass(frozen=True, slots=True)
class Request:
    """An export request as it came, after inflating: nothing of it is trusted yet."""

    signal: Signal
    encoding: Encoding
    body: bytes
    """The OTLP `Export*ServiceRequest` (or `TracesData`, `LogsData`, `MetricsData`: the wire format is the same)."""
    source: str
    """Who sent it, as the server authenticated it."""
    received_ns: int
    credential: str = ""
    """By what they were told: `Principal.credential`."""
    agents: tuple[str, ...] = ()
    """Patterns of the agents that its records may be of: `Principal.agents`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was decoded, validated and redacted: what a WAL frame holds."""

    payload: bytes
    """Protobuf bytes of the redacted request; byte for byte what came where no rule fired and it came as protobuf."""
    records: int
    """How many spans, log records or metrics it holds. 0: nothing to store."""
    keys: bytes
    """16 bytes per record, in wire order: keyed digests of the records before redaction. Empty where redaction changed
    nothing, since the drain then makes the same digests from `payload`."""
    redactions: tuple[tuple[str, int], ...]
    """How often each redaction rule fired, by rule name; never a value."""
    policy: str
    """Tagged digest of the redaction policy that was applied."""
    contents: tuple[Content, ...] = ()
    """What `payload` refers to, and blobs are to hold before it is written."""
    store: bool = True
    """False for what is validated and counted but not kept (metrics, unless the configuration keeps them)."""


Prepare: TypeAlias = Callable[[Request], Prepared]
"""Decode, validate and redact. Raises `Invalid` for what cannot be decoded, `TooLarge` for what is over a cap."""


class Quotas(Protocol):
    """How much a source may send."""

    def admit(self, source: str) -> None:
        """Let a source begin a request. Raises `OverQuota`."""

    def spend(self, source: str, size_bytes: int) -> None:
        """Count the inflated size of a request of a source."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends, as the server told it."""

    source: str
    """Name of the source."""
    credential: str = ""
    """By what: `token` or `certificate`, and its id; empty: by nothing that was shown."""
    agents: tuple[str, ...] = ()
    """Patterns of the agents that its records may be of; empty: of any."""


Identify: TypeAlias = Callable[[str | None, bytes | None], Principal]
"""From the Authorization header of a request and the certificate of its client (DER), None where there is none, to who
sends. Raises `Unauthenticated`."""
