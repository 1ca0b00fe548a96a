"""Requests of distinct spans, each a pure function of its number: what was sent can be made again."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS_PER_REQUEST: Final = 20
_TRACE_ID: Final = struct.Struct(">4sIQ")
_MAGIC: Final = b"FALT"
_EPOCH_NS: Final = 1_790_000_000 * 10**9


@dataclass(frozen=True, slots=True, order=True)
class RequestId:
    """Which request: the client that makes it and its number there."""

    client: int
    number: int

    @property
    def trace_id(self) -> bytes:
        """The trace id of all spans of the request."""
        return _TRACE_ID.pack(_MAGIC, self.client, self.number)

    @property
    def marker(self) -> str:
        """Text that is in the request's bytes and in no other request's."""
        return f"marker-{self.client}-{self.number}-end"

    @classmethod
    def of(cls, trace_id: bytes) -> RequestId | None:
        """The inverse of `trace_id`; None for an id that no client makes."""
        if len(trace_id) != _TRACE_ID.size:
            return None
        magic, client, number = _TRACE_ID.unpack(trace_id)
        return cls(client, number) if magic == _MAGIC else None


@dataclass(frozen=True, slots=True, order=True)
class SpanId:
    """Which span: its request and its place there."""

    request: RequestId
    index: int


def span(of: SpanId) -> Span:
    """The span as its client sends it."""
    noise = hashlib.sha256(f"{of.request.client}/{of.request.number}/{of.index}".encode()).hexdigest()
    start_ns = _EPOCH_NS + of.request.number * 10**6 + of.index
    message = Span(
        trace_id=of.request.trace_id,
        span_id=(of.index + 1).to_bytes(8),
        name=f"execute_tool {noise[:8]}",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + 1000,
    )
    for key, text in (
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", f"tool_{noise[0]}"),
        ("gen_ai.tool.call.id", noise[:12]),
        ("gen_ai.tool.call.result", noise * 3),
    ):
        message.attributes.add(key=key).value.string_value = text
    return message


def request(of: RequestId) -> bytes:
    """The OTLP request; its marker stands at the start."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = of.marker
    resource.scope_spans.add().spans.extend(span(each) for each in spans_of(of))
    return message.SerializeToString()


def spans_of(request: RequestId) -> list[SpanId]:
    """The spans of a request."""
    return [SpanId(request, index) for index in range(SPANS_PER_REQUEST)]


def span_id(trace_id: bytes, wire_span_id: bytes) -> SpanId | None:
    """Which span a received pair of ids names; None if no client makes it."""
    of = RequestId.of(trace_id)
    if of is None or len(wire_span_id) != 8:
        return None
    return SpanId(of, int.from_bytes(wire_span_id) - 1)
