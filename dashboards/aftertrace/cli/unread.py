"""Which records no dialect reads: they are in the evidence, and say nothing about a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.ingest import records
from aftertrace.store.snapshot import collected

if TYPE_CHECKING:
    from aftertrace.cli.senders import Sender
    from aftertrace.store.snapshot import Snapshot

SAMPLE_RECORDS: Final = 20_000
"""How many unread log records are decoded for their names; the tables do not hold them."""
NAME_CHARACTERS: Final = 60
_POINTER: Final = ["receiver", "seq", "index"]
_OF_WHOM: Final = ["resource_digest", "scope_digest"]
_READ: Final = (pl.col("dialect") != "plain") & pl.col("operation").is_not_null()


@dataclass(frozen=True, slots=True)
class Unread:
    """What of one signal from one sender is not read."""

    records: int
    names: Counter[str]
    """What they call themselves, of at most `SAMPLE_RECORDS` log records in the store."""


def unread(snapshot: Snapshot, senders: list[Sender]) -> dict[Sender, Unread]:
    """What is not read of each sender's spans and log records. Metrics are never read.

    A span is read when a dialect knows what it is, a log record when it states an event.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    evidence = snapshot.scan("evidence").filter(pl.col("duplicate_of").is_null())
    spans = snapshot.scan("spans").select(*_POINTER, "name", _READ.alias("is_read"))
    stating = snapshot.scan("events").select(_POINTER).unique()
    silent = evidence.filter(pl.col("signal") == "logs").join(stating, on=_POINTER, how="anti")
    unread_spans, silent_logs, sample = collected(
        evidence.filter(pl.col("signal") == "traces")
        .join(spans, on=_POINTER, how="left")
        .join(stating.with_columns(states=True), on=_POINTER, how="left")
        .filter(~pl.col("is_read").fill_null(value=False) & pl.col("states").is_null())
        .group_by(*_OF_WHOM, pl.col("name").fill_null("a span that could not be read"))
        .len(),
        silent.group_by(_OF_WHOM).len(),
        silent.select(*_OF_WHOM, "record").head(SAMPLE_RECORDS),
    )
    names: dict[tuple[str, str, str], Counter[str]] = {}
    for resource, scope, name, count in unread_spans.iter_rows():
        names.setdefault((resource, scope, "traces"), Counter())[name[:NAME_CHARACTERS]] += count
    counts = {key: named.total() for key, named in names.items()}
    for resource, scope, count in silent_logs.iter_rows():
        counts[(resource, scope, "logs")] = count
    for resource, scope, record in sample.iter_rows():
        names.setdefault((resource, scope, "logs"), Counter())[log_name(record)] += 1
    keys = {sender: (sender.resource_digest, sender.scope_digest, sender.signal) for sender in senders}
    return {sender: Unread(counts.get(key, 0), names.get(key, Counter())) for sender, key in keys.items()}


def log_name(record: bytes) -> str:
    """What a log record calls itself: the attribute `event.name`, else its event name, else the start of its body."""
    log = records.log(record, records.Origin({}))
    told = log.attributes.get("event.name") or log.event_name or log.body
    return " ".join(str("" if told is None else told).split())[:NAME_CHARACTERS] or "unnamed"
