"""Decoded OTLP records: what a dialect reads.

`Span` and `Log` are made from stored bytes and hold plain Python values: an `AnyValue` becomes None, bool, int, float,
str, bytes, list or dict. Nothing is interpreted here, and nothing is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from aftertrace.ingest import sampling
from aftertrace.ingest.flags import dropped, left_out, sampled
from aftertrace.ingest.redact_tokens import READING

MAX_TIME_NS = 2**63 - 1
"""Column times are int64; OTLP's are uint64. Later times are clamped to this and flagged."""

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8

SMALL_ORIGIN_BYTES: Final = 4096
"""Resource and scope up to this size are kept decoded, beside a thousand others; of larger ones the last alone."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Resource and scope of a record: the same for many records, decoded once."""

    resource: dict[str, Any]
    scope_name: str = ""
    scope_version: str = ""
    scope_attributes: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    """Attributes that the sender dropped of them: `dropped_resource_attributes:N`, `dropped_scope_attributes:N`."""


@dataclass(slots=True)
class SpanEvent:
    """An event inside a span."""

    name: str
    time_ns: int
    attributes: dict[str, Any]


@dataclass(slots=True)
class Span:
    """A span. Ids are lower-case hex; an id that is absent or all zeros is None."""

    origin: Origin
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    """OTLP status code: 0 unset, 1 ok, 2 error."""
    status_message: str
    attributes: dict[str, Any]
    events: list[SpanEvent]
    links: list[tuple[str, str]]
    flags: list[str]
    """What is odd: see `ingest.flags`."""
    carried: str | None = None
    """What was read of it before its content was left out (`ingest.readings`)."""


@dataclass(slots=True)
class Log:
    """A log record."""

    origin: Origin
    trace_id: str | None
    span_id: str | None
    time_ns: int
    """`time_unix_nano`, else `observed_time_unix_nano`, else 0."""
    event_name: str
    severity: int
    body: Any
    attributes: dict[str, Any]
    flags: list[str]
    carried: str | None = None


Record: TypeAlias = Span | Log


def value(any_value: common_pb2.AnyValue) -> Any:
    """The Python value of an OTLP AnyValue; None for an empty one, and for the number of a text in a dictionary, which
    the signal of profiles alone has.
    """
    kind = any_value.WhichOneof("value")
    if kind is None or kind == "string_value_strindex":
        return None
    if kind == "array_value":
        return [item.string_value or value(item) for item in any_value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: value(item.value) for item in any_value.kvlist_value.values}
    return getattr(any_value, kind)


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        given = pair.value
        # Nearly all values are texts or numbers: one look says so, where asking for the kind and then for the value
        # takes four.
        found[pair.key] = given.string_value or given.int_value or given.double_value or value(given)
    return found


_PARENT_IS_REMOTE: Final = 0x300
"""Span flags of OTLP: whether the parent is another process's is known (0x100), and it is (0x200)."""


def origin(resource: bytes, scope: bytes) -> Origin:
    """Decode a stored Resource and InstrumentationScope message. Treat the result as read-only: it is cached.

    Large ones are forgotten soon: somebody may send others with each request. They are decoded apart: one resource may
    have thousands of scopes.
    """
    is_small = len(resource) + len(scope) <= SMALL_ORIGIN_BYTES
    return _known_origin(resource, scope) if is_small else _origin(resource, scope)


def _origin(resource: bytes, scope: bytes) -> Origin:
    of_resource, of_scope = _last_resource(resource), _last_scope(scope)
    return Origin(
        resource=of_resource.resource,
        scope_name=of_scope.scope_name,
        scope_version=of_scope.scope_version,
        scope_attributes=of_scope.scope_attributes,
        flags=of_resource.flags + of_scope.flags,
    )


def _resource(message: bytes) -> Origin:
    decoded = resource_pb2.Resource.FromString(message)
    flags = dropped(resource_attributes=decoded.dropped_attributes_count)
    return Origin(resource=_attributes(decoded.attributes), flags=flags)


def _scope(message: bytes) -> Origin:
    decoded = common_pb2.InstrumentationScope.FromString(message)
    return Origin(
        resource={},
        scope_name=decoded.name,
        scope_version=decoded.version,
        scope_attributes=_attributes(decoded.attributes),
        flags=dropped(scope_attributes=decoded.dropped_attributes_count),
    )


_last_resource: Final = lru_cache(maxsize=1)(_resource)
_last_scope: Final = lru_cache(maxsize=1)(_scope)
_known_origin: Final = lru_cache(maxsize=1024)(_origin)


def span(record: bytes, of: Origin) -> Span:
    """Decode a stored Span message."""
    message = trace_pb2.Span.FromString(record)
    flags: list[str] = []
    start_ns, end_ns = message.start_time_unix_nano, message.end_time_unix_nano
    if start_ns > MAX_TIME_NS or end_ns > MAX_TIME_NS:
        start_ns, end_ns = min(start_ns, MAX_TIME_NS), min(end_ns, MAX_TIME_NS)
        flags.append("time_clamped")
    if end_ns and end_ns < start_ns:
        flags.append("ends_before_start")
    trace_id, span_id = hex_id(message.trace_id, TRACE_ID_BYTES), hex_id(message.span_id, SPAN_ID_BYTES)
    if trace_id is None or span_id is None:
        flags.append("no_ids")
    if message.flags & _PARENT_IS_REMOTE == _PARENT_IS_REMOTE:
        flags.append("remote_parent")
    counts = message.dropped_attributes_count, message.dropped_events_count, message.dropped_links_count
    # Each look at a field makes an object: nearly all spans have neither of these.
    events, links = message.events or (), message.links or ()
    if events or links or any(counts):
        flags += dropped(
            attributes=counts[0],
            events=counts[1],
            links=counts[2],
            event_attributes=sum(event.dropped_attributes_count for event in events),
            link_attributes=sum(link.dropped_attributes_count for link in links),
        )
    flags += of.flags
    if message.trace_state:
        flags += sampled(sampling.of_trace_state(message.trace_state))
    attributes, status = _attributes(message.attributes), message.status
    flags += left_out(attributes)
    carried = attributes.pop(READING, None)
    return Span(
        origin=of,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=hex_id(message.parent_span_id, SPAN_ID_BYTES),
        name=message.name,
        kind=message.kind,
        start_ns=start_ns,
        end_ns=end_ns,
        status=status.code,
        status_message=status.message,
        attributes=attributes,
        events=[
            SpanEvent(event.name, min(event.time_unix_nano, MAX_TIME_NS), _attributes(event.attributes))
            for event in events
        ],
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in links],
        flags=flags,
        carried=carried,
    )


def log(record: bytes, of: Origin) -> Log:
    """Decode a stored LogRecord message."""
    message = logs_pb2.LogRecord.FromString(record)
    flags: list[str] = []
    time_ns = message.time_unix_nano or message.observed_time_unix_nano
    if not message.time_unix_nano:
        flags.append("no_time")
    if time_ns > MAX_TIME_NS:
        time_ns = MAX_TIME_NS
        flags.append("time_clamped")
    flags += dropped(attributes=message.dropped_attributes_count)
    flags += of.flags
    attributes = _attributes(message.attributes)
    flags += sampled(sampling.threshold(attributes.get(sampling.ATTRIBUTE)))
    flags += left_out(attributes)
    carried = attributes.pop(READING, None)
    return Log(
        origin=of,
        trace_id=hex_id(message.trace_id, TRACE_ID_BYTES),
        span_id=hex_id(message.span_id, SPAN_ID_BYTES),
        time_ns=time_ns,
        event_name=message.event_name,
        severity=message.severity_number,
        body=value(message.body) if message.HasField("body") else None,
        attributes=attributes,
        flags=flags,
        carried=carried,
    )


def hex_id(raw: bytes, length: int) -> str | None:
    """A trace or span id as it is stored; None for one that is absent, of another length, or all zeros."""
    return raw.hex() if len(raw) == length and raw.strip(b"\0") else None
