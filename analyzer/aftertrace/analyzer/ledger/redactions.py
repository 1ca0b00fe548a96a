"""What redaction replaced, by rule: of the newest requests in which it replaced anything, so that it is told soon also
of a store of years. Names of rules and counts, never a value.

Each record, resource and scope that was changed has a note of the rules that did it. Whoever sends could write one: a
request whose notes tell of more than was counted when it came is told by no rule at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.store.marks import REDACTION_NOTE
from aftertrace.store.schema import PARTITION
from aftertrace.store.snapshot import Snapshot, batches, collected

DAYS: Final = timedelta(days=30)
"""Of receipt, up to the newest one: what came before is not looked at."""
RECORDS: Final = 10_000
"""So many records are read at most, the newest."""
_AT_ONCE: Final = 100
_PLACE: Final = ["receiver", "seq"]
_KINDS: Final[dict[str, Any]] = {"traces": Span, "logs": LogRecord, "metrics": Metric}
_ORIGINS: Final[dict[str, Any]] = {"resources": Resource, "scopes": InstrumentationScope}
_NOTED: Final = re.compile(r"([a-z0-9][a-z0-9_.-]{0,63}) ([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Redactions:
    """What was replaced in the newest requests in which anything was."""

    requests: int
    values: int
    """Values that were replaced or left out, of what came again too."""
    rules: dict[str, int]
    """Of these, how many by each rule, the one that fired most first."""
    untold: int
    """Of these, how many no note tells of."""
    since_ns: int | None
    """When the first of the requests was received; None: there is none."""
    is_all: bool
    """Whether no request before these had anything to be replaced."""


@dataclass(slots=True)
class _Request:
    """What is known of a request."""

    redactions: int
    received_ns: int
    hits: Counter[str] = field(default_factory=Counter)
    origins: set[tuple[str, str]] = field(default_factory=set)
    """Tables and digests of what its records came with."""


def redactions(data: Path) -> Redactions:
    """What redaction replaced lately in a store.

    Raises:
        Corrupt: a file of a table is damaged or missing.
        Unavailable: the tables are in a bucket that cannot be reached.
    """
    snapshot = Snapshot.of(data)
    days = [day for _, day in snapshot.files("evidence")]
    if not days:
        return Redactions(0, 0, {}, 0, None, is_all=True)
    first_day = max(days) - DAYS
    changed = snapshot.scan("evidence").filter(pl.col("redactions") > 0)
    newest = changed.filter(pl.col(PARTITION) > first_day)
    (times,) = collected(newest.select("received_ns").top_k(RECORDS + 1, by="received_ns"))
    since_ns = _since_ns(times["received_ns"].sort())
    read = newest.filter(pl.col("received_ns") >= since_ns).select(
        *_PLACE, "received_ns", "signal", "record", "resource_digest", "scope_digest", "redactions"
    )
    older = changed.filter((pl.col(PARTITION) <= first_day) | (pl.col("received_ns") < since_ns)).head(1)
    (before,) = collected(older.select("seq"))
    found = _requests(read)
    notes = dict(_notes_of_origins(snapshot, found.values()))
    rules: Counter[str] = Counter()
    for request in found.values():
        for origin in request.origins:
            request.hits += notes.get(origin, Counter())
        if request.hits.total() <= request.redactions:
            rules += request.hits
    values = sum(request.redactions for request in found.values())
    told = dict(sorted(rules.items(), key=lambda each: (-each[1], each[0])))
    begun = min((request.received_ns for request in found.values()), default=None)
    return Redactions(len(found), values, told, values - rules.total(), begun, is_all=before.is_empty())


def _since_ns(times: pl.Series) -> int:
    """From when on records are read: all of a request came at once."""
    if times.len() <= RECORDS:
        return 0
    later = times.filter(times > times[0])
    return int(later[0] if later.len() else times[0])


def _requests(rows: pl.LazyFrame) -> dict[tuple[str, int], _Request]:
    found: dict[tuple[str, int], _Request] = {}
    # A record may hold all that a model was told: a few are in memory at a time.
    for part in batches(rows, _AT_ONCE):
        for receiver, seq, received_ns, signal, record, resource, scope, count in part.iter_rows():
            request = found.setdefault((receiver, seq), _Request(count, received_ns))
            request.hits += _hits(_KINDS[signal], "metadata" if signal == "metrics" else "attributes", record)
            request.origins |= {("resources", resource), ("scopes", scope)}
    return found


def _notes_of_origins(
    snapshot: Snapshot, requests: Iterable[_Request]
) -> Iterator[tuple[tuple[str, str], Counter[str]]]:
    wanted = {origin for request in requests for origin in request.origins}
    for table, kind in _ORIGINS.items():
        digests = sorted({digest for of, digest in wanted if of == table and digest is not None})
        rows = snapshot.scan(table, columns=["digest", "bytes"]).filter(pl.col("digest").is_in(digests))
        for digest, message in collected(rows)[0].iter_rows():
            yield (table, digest), _hits(kind, "attributes", message)


def _hits(kind: Any, noted_in: str, message: bytes) -> Counter[str]:
    """What the note of a message tells: the last one, since redaction writes behind what was sent."""
    if REDACTION_NOTE.encode() not in message:
        return Counter()
    for pair in reversed(getattr(kind.FromString(message), noted_in)):
        if pair.key == REDACTION_NOTE:
            told = (_NOTED.fullmatch(each) for each in pair.value.string_value.split(", "))
            return Counter({match[1]: int(match[2]) for match in told if match})
    return Counter()
