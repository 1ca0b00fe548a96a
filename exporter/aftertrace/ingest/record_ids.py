"""The id that a sender gave a record, by which it may be told of twice: of a span, or of a log record that has one.

Ids of spans are random and meet within a tenant. Those of log records may be counted up, so they meet within one
service of a tenant.
"""

from __future__ import annotations

import hashlib
from typing import Final

from aftertrace.ingest.records import Log, Record

ID_BYTES: Final = 8
"""Length of what stands for an id."""
LOG_IDS: Final = ("log.record.uid", "audit.record.id")
"""Attributes that name a log record: the standard's, and that of the draft of an audit signal."""


def record_id(record: Record, tenant: str | None, key: bytes) -> bytes | None:
    """A keyed digest of the record's id; None for one that has none. `key` is the store's secret."""
    if isinstance(record, Log):
        given = next((uid for name in LOG_IDS if isinstance(uid := record.attributes.get(name), str) and uid), None)
        if given is None:
            return None
        service = record.origin.resource.get("service.name")
        parts = ("log", tenant or "", service if isinstance(service, str) else "", given)
    elif record.trace_id is None or record.span_id is None:
        return None
    else:
        parts = ("span", tenant or "", record.trace_id, record.span_id)
    # A separator that stands in an id could make two of them one; they are compared before anything is said of them.
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=ID_BYTES, key=key).digest()
