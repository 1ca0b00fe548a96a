"""What a receiver took and what it refused, counted by signal, source and status."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aftertrace.store.request import Prepared, Request, Signal


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came from one source in one signal and was answered OK."""

    signal: Signal
    source: str
    requests: int
    records: int
    payload_bytes: int
    """Protobuf bytes after redaction, as stored."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Requests from one source in one signal that were answered with one HTTP status."""

    signal: Signal
    source: str
    http_status: int
    """A gRPC refusal counts under the HTTP status that means the same."""
    requests: int


class Tally:
    """Counters of one receiver. Safe to use from any thread; holds counts and names, never content."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._accepted: dict[tuple[Signal, str], list[int]] = {}
        self._refused: Counter[tuple[Signal, str, int]] = Counter()
        self._redactions: Counter[str] = Counter()
        self._over_quota: Counter[str] = Counter()

    def accept(self, request: Request, prepared: Prepared) -> None:
        """Count a request that was answered OK."""
        with self._lock:
            counts = self._accepted.setdefault((request.signal, request.source), [0, 0, 0])
            counts[0] += 1
            counts[1] += prepared.records
            counts[2] += len(prepared.payload)
            self._redactions.update(dict(prepared.redactions))

    def refuse(self, signal: Signal, source: str, http_status: int) -> None:
        """Count a request that was answered with an error."""
        with self._lock:
            self._refused[signal, source, http_status] += 1

    def exceed(self, source: str) -> None:
        """Count a request that was refused since its source had sent what it may."""
        with self._lock:
            self._over_quota[source] += 1

    def over_quota(self) -> tuple[tuple[str, int], ...]:
        """How many requests of each source were refused since it had sent what it may, ordered by source."""
        with self._lock:
            return tuple(sorted(self._over_quota.items()))

    def accepted(self) -> tuple[Accepted, ...]:
        """What was taken so far, ordered by signal and source."""
        with self._lock:
            return tuple(Accepted(*key, *counts) for key, counts in sorted(self._accepted.items()))

    def refused(self) -> tuple[Refused, ...]:
        """What was refused so far, ordered by signal, source and status."""
        with self._lock:
            return tuple(Refused(*key, requests) for key, requests in sorted(self._refused.items()))

    def redactions(self) -> tuple[tuple[str, int], ...]:
        """How often each redaction rule fired in accepted requests, ordered by rule."""
        with self._lock:
            return tuple(sorted(self._redactions.items()))
