"""What a file gives: export requests, and the places where it holds something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.store.request import Encoding, Signal

REQUEST_BYTES: Final = 1 << 20
"""Records of so many bytes make one request; a longer record makes one of its own."""
REQUEST_RECORDS: Final = 4_000

Value: TypeAlias = "str | bool | int | float | list[Value]"
"""A value of an attribute."""


@dataclass(frozen=True, slots=True)
class Item:
    """One export request of a file."""

    signal: Signal
    encoding: Encoding
    body: bytes
    where: str
    """File and line, or file and offset: for messages."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A place in a file that could not be read. What stands before and after it is."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who a record says it comes from: resource and scope of its request."""

    scope: str
    resource: tuple[tuple[str, Value], ...] = ()
    scope_version: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A record that was made of a piece of a file."""

    record: LogRecord | Span
    of: Origin
    where: str


def packed(made: Iterable[Made | Refused]) -> Iterator[Item | Refused]:
    """Records as requests, in order: neighbours of one source share a request.

    Where the source breaks off with an error, what it gave before comes first.
    """
    waiting: list[Made] = []
    waiting_bytes = 0
    try:
        for each in made:
            if isinstance(each, Refused):
                yield each
                continue
            size_bytes = each.record.ByteSize()
            full = waiting_bytes + size_bytes > REQUEST_BYTES or len(waiting) >= REQUEST_RECORDS
            if waiting and (full or _group(each) != _group(waiting[0])):
                yield _request(waiting)
                waiting, waiting_bytes = [], 0
            waiting.append(each)
            waiting_bytes += size_bytes
    except Exception:
        if waiting:
            yield _request(waiting)
        raise
    if waiting:
        yield _request(waiting)


def log_record(event_name: str, body: str, attributes: dict[str, Value | None], *, time_ns: int = 0) -> LogRecord:
    """A log record that holds a piece of a file. Attributes that are None are left out; a time of 0 is none."""
    return LogRecord(
        time_unix_nano=time_ns,
        event_name=event_name,
        body=AnyValue(string_value=body),
        attributes=pairs(attributes),
    )


def pairs(attributes: dict[str, Value | None]) -> list[KeyValue]:
    """Attributes as OTLP has them; those that are None are left out."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items() if value is not None]


def any_value(value: Value) -> AnyValue:
    """A value as OTLP has it. A whole number beyond 64 bits becomes text."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value) if -(2**63) <= value < 2**63 else AnyValue(string_value=str(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(each) for each in value]))
    return AnyValue(string_value=value)


def _group(made: Made) -> tuple[bool, Origin]:
    return isinstance(made.record, Span), made.of


def _request(made: list[Made]) -> Item:
    of = made[0].of
    resource = Resource(attributes=pairs(dict(of.resource)))
    scope = InstrumentationScope(name=of.scope, version=of.scope_version)
    spans = [each.record for each in made if isinstance(each.record, Span)]
    if spans:
        traces = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=spans)])
        body = ExportTraceServiceRequest(resource_spans=[traces]).SerializeToString()
        return Item("traces", "protobuf", body, made[0].where)
    logs = [each.record for each in made if isinstance(each.record, LogRecord)]
    told = ResourceLogs(resource=resource, scope_logs=[ScopeLogs(scope=scope, log_records=logs)])
    return Item("logs", "protobuf", ExportLogsServiceRequest(resource_logs=[told]).SerializeToString(), made[0].where)
