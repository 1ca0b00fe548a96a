"""The id that a sender gave a record, by which it may be told of twice: of a span, or of a log record that has one.

Ids of spans are random and meet within a tenant. Those of log records may be counted up, so they meet within one
service of a tenant.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aftertrace.ingest import records

if TYPE_CHECKING:
    from aftertrace.ingest.wire import Slice
    from aftertrace.store.request import Signal

ID_BYTES: Final = 8
"""Length of what stands for an id."""
LOG_IDS: Final = ("log.record.uid", "audit.record.id")
"""Attributes that name a log record: the standard's, and that of the draft of an audit signal."""


class Identity(NamedTuple):
    """What has to be known of a record to find others of its id."""

    record_id: bytes | None
    """A keyed digest of its id; None for one that has none."""
    is_open: bool
    """It is a span that has not ended."""


def identity(signal: Signal, of: Slice, tenant: str | None, key: bytes) -> Identity:
    """The identity of a span or log record. `key` is the store's secret.

    Raises:
        DecodeError: it is no such record.
    """
    if signal == "logs":
        return Identity(_digest(_of_log(of, tenant), key), is_open=False)
    span = Span.FromString(of.record)
    ids = records.hex_id(span.trace_id, records.TRACE_ID_BYTES), records.hex_id(span.span_id, records.SPAN_ID_BYTES)
    told = None if ids[0] is None or ids[1] is None else ("span", tenant or "", ids[0], ids[1])
    return Identity(_digest(told, key), is_open=not span.end_time_unix_nano)


def _of_log(of: Slice, tenant: str | None) -> tuple[str, ...] | None:
    attributes = LogRecord.FromString(of.record).attributes
    told = {pair.key: pair.value.string_value for pair in attributes if pair.key in LOG_IDS}
    uid = next((told[name] for name in LOG_IDS if told.get(name)), None)
    if uid is None:
        return None
    service = records.origin(of.resource, of.scope).resource.get("service.name")
    return "log", tenant or "", service if isinstance(service, str) else "", uid


def _digest(told: tuple[str, ...] | None, key: bytes) -> bytes | None:
    if told is None:
        return None
    # A separator that stands in an id could make two of them one; they are compared before anything is said of them.
    return hashlib.blake2b("\0".join(told).encode("utf-8", "replace"), digest_size=ID_BYTES, key=key).digest()
