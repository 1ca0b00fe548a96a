"""The whole content of an event, read once more from its evidence: a row holds how it begins."""

from __future__ import annotations

from aftertrace.ingest import carried, records
from aftertrace.ingest.dialects import FAULTS
from aftertrace.ingest.dialects.messages import value_digest
from aftertrace.ingest.rows import content_text
from aftertrace.ingest.wire import Slice
from aftertrace.store.request import Signal


def content_of(signal: Signal, part: Slice, digest: str) -> str | None:
    """The content of this digest that a stored record tells; None where it tells none, or cannot be read any more.

    Args:
        signal: what kind of record it is.
        part: the record, and what it belongs to.
        digest: `events.content_digest`.
    """
    origin = records.origin(part.resource, part.scope)
    decode = records.span if signal == "traces" else records.log
    try:
        told = carried.read(decode(part.record, origin)).events
    except FAULTS:
        return None
    for event in told:
        if event.content is not None and (event.content_digest or value_digest(event.content)) == digest:
            return content_text(event.content)
    return None
