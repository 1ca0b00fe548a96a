"""The conformance table of OTLP's JSON: what is sent over a socket, and the protobuf that is kept of it."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from .station import JSON, Station

ID, SHORT_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c"), bytes.fromhex("eee19b7ec3c1b174")
IDS = '"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"'


def span(fields: str) -> bytes:
    """A request with a span of these members, and ids."""
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[{%s,%s}]}]}]}' % (IDS.encode(), fields.encode())


def of_span(**fields: Any) -> bytes:
    """The same in protobuf."""
    found = Span(trace_id=ID, span_id=SHORT_ID, **fields)
    groups = [ResourceSpans(scope_spans=[ScopeSpans(spans=[found])])]
    return ExportTraceServiceRequest(resource_spans=groups).SerializeToString()


def log(fields: str) -> bytes:
    """A request with a log record of these members."""
    return b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{%s}]}]}]}' % fields.encode()


def of_log(**fields: Any) -> bytes:
    """The same in protobuf."""
    groups = [ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(**fields)])])]
    return ExportLogsServiceRequest(resource_logs=groups).SerializeToString()


def point(fields: str) -> bytes:
    """A request with a gauge of one data point."""
    metric = b'{"name":"m","gauge":{"dataPoints":[{%s}]}}' % fields.encode()
    return b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[%s]}]}]}' % metric


def of_point(**fields: Any) -> bytes:
    """The same in protobuf."""
    metric = metrics.Metric(name="m", gauge=metrics.Gauge(data_points=[metrics.NumberDataPoint(**fields)]))
    groups = [metrics.ResourceMetrics(scope_metrics=[metrics.ScopeMetrics(metrics=[metric])])]
    return ExportMetricsServiceRequest(resource_metrics=groups).SerializeToString()


def body(text: str) -> bytes:
    """A log record with this value as its body."""
    return log(f'"body":{{{text}}}')


def of_body(**value: Any) -> bytes:
    """The same in protobuf."""
    return of_log(body=AnyValue(**value))


MAX = 2**64 - 1
NESTED = AnyValue(
    kvlist_value=KeyValueList(
        values=[KeyValue(key="a", value=AnyValue(array_value=ArrayValue(values=[AnyValue(), AnyValue(int_value=1)])))]
    )
)
WHOLE = ExportLogsServiceRequest(
    resource_logs=[
        ResourceLogs(
            resource=Resource(attributes=[KeyValue(key="a", value=AnyValue(bool_value=True))]),
            schema_url="r",
            scope_logs=[ScopeLogs(scope=InstrumentationScope(name="s", version="1"), schema_url="u", log_records=[
                LogRecord(time_unix_nano=5, observed_time_unix_nano=6, severity_number=9, severity_text="INFO",
                          body=AnyValue(string_value="b"), dropped_attributes_count=1, flags=1, trace_id=ID,
                          span_id=SHORT_ID, event_name="e")
            ])],
        )
    ]
).SerializeToString()  # fmt: skip
WHOLE_JSON = (
    '{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"boolValue":true}}]},"schemaUrl":"r",'
    '"scopeLogs":[{"scope":{"name":"s","version":"1"},"schemaUrl":"u","logRecords":[{"timeUnixNano":"5",'
    '"observedTimeUnixNano":"6","severityNumber":9,"severityText":"INFO","body":{"stringValue":"b"},'
    f'"droppedAttributesCount":1,"flags":1,{IDS},"eventName":"e"}}]}}]}}]}}'
).encode()

READ: dict[str, tuple[str, bytes, bytes]] = {
    "all members of a log record": ("logs", WHOLE_JSON, WHOLE),
    "keys in camelCase": ("traces", span('"startTimeUnixNano":1'), of_span(start_time_unix_nano=1)),
    "unknown keys, with anything in them": ("traces", span('"x":[1,{"y":null}],"kind":3,"Kind":"no"'), of_span(kind=3)),
    "null is absent": ("traces", span('"kind":null,"status":null,"attributes":null'), of_span()),
    "ids in capitals": ("logs", log(f'"traceId":"{ID.hex().upper()}"'), of_log(trace_id=ID)),
    "an empty id": ("traces", span('"parentSpanId":""'), of_span()),
    "an id of another length": ("logs", log('"spanId":"0102"'), of_log(span_id=b"\x01\x02")),
    "ids of links and parents": (
        "traces", span(f'"links":[{{{IDS}}}],"parentSpanId":"{SHORT_ID.hex()}"'),
        of_span(links=[Span.Link(trace_id=ID, span_id=SHORT_ID)], parent_span_id=SHORT_ID),
    ),
    "ids of exemplars": (
        "metrics", point(f'"asInt":1,"exemplars":[{{{IDS},"asInt":"2"}}]'),
        of_point(as_int=1, exemplars=[metrics.Exemplar(trace_id=ID, span_id=SHORT_ID, as_int=2)]),
    ),
    "enums as integers": ("traces", span('"kind":3,"status":{"code":2}'), of_span(kind=3, status=Status(code=2))),
    "an enum that nobody knows": ("traces", span('"kind":77'), of_span(kind=77)),
    "64 bits as text": ("traces", span('"endTimeUnixNano":"18446744073709551615"'), of_span(end_time_unix_nano=MAX)),
    "64 bits as a number": ("traces", span('"endTimeUnixNano":18446744073709551615'), of_span(end_time_unix_nano=MAX)),
    "a whole number with a point": ("logs", log('"timeUnixNano":2.0'), of_log(time_unix_nano=2)),
    "a whole number with an exponent": ("logs", log('"timeUnixNano":1e3'), of_log(time_unix_nano=1000)),
    "32 bits as text": ("logs", log('"droppedAttributesCount":"7"'), of_log(dropped_attributes_count=7)),
    "fixed32": ("logs", log('"flags":4294967295'), of_log(flags=2**32 - 1)),
    "fixed64, signed": ("metrics", point('"asInt":"-9223372036854775808"'), of_point(as_int=-(2**63))),
    "int value as text": ("logs", body('"intValue":"-5"'), of_body(int_value=-5)),
    "int value as a number": ("logs", body('"intValue":9223372036854775807'), of_body(int_value=2**63 - 1)),
    "int value of nothing": ("logs", body('"intValue":"0"'), of_body(int_value=0)),
    "a double": ("metrics", point('"asDouble":-2.5e-3'), of_point(as_double=-0.0025)),
    "a double as text": ("logs", body('"doubleValue":"1.5"'), of_body(double_value=1.5)),
    "a double without a point": ("logs", body('"doubleValue":2'), of_body(double_value=2.0)),
    "minus nothing": ("logs", body('"doubleValue":-0.0'), of_body(double_value=-0.0)),
    "NaN": ("logs", body('"doubleValue":"NaN"'), of_body(double_value=math.nan)),
    "Infinity": ("metrics", point('"asDouble":"Infinity"'), of_point(as_double=math.inf)),
    "-Infinity": ("logs", body('"doubleValue":"-Infinity"'), of_body(double_value=-math.inf)),
    "bytes in base64": ("logs", body('"bytesValue":"+/8="'), of_body(bytes_value=b"\xfb\xff")),
    "bytes in base64 for URLs, without padding": ("logs", body('"bytesValue":"-_8"'), of_body(bytes_value=b"\xfb\xff")),
    "no bytes": ("logs", body('"bytesValue":""'), of_body(bytes_value=b"")),
    "an empty value": ("logs", log('"body":{}'), of_log(body=AnyValue())),
    "false": ("logs", body('"boolValue":false'), of_body(bool_value=False)),
    "empty text": ("logs", body('"stringValue":""'), of_body(string_value="")),
    "lists and maps": (
        "logs", body('"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{},{"intValue":1}]}}}]}'),
        of_log(body=NESTED),
    ),
    "an empty list": ("logs", body('"arrayValue":{}'), of_body(array_value=ArrayValue())),
    "any text": ("logs", log(r'"eventName":"\ud83d\ude00\u0000\/é"'), of_log(event_name="😀\0/é")),
    "an attribute without a value": (
        "traces", span('"attributes":[{"key":"k"}]'), of_span(attributes=[KeyValue(key="k")]),
    ),
    "an attribute twice": (
        "traces", span('"attributes":[{"key":"k"},{"key":"k"}]'), of_span(attributes=[KeyValue(key="k")] * 2),
    ),
    "white space around": ("logs", b" \r\n\t" + log('"eventName" : "e" ') + b"\n", of_log(event_name="e")),
    "groups without resource, scope or records": (
        "logs", b'{"resourceLogs":[{},{"resource":{}},{"scopeLogs":[{},{"logRecords":[{}]}]}]}',
        ExportLogsServiceRequest(resource_logs=[
            ResourceLogs(), ResourceLogs(resource=Resource()),
            ResourceLogs(scope_logs=[ScopeLogs(), ScopeLogs(log_records=[LogRecord()])]),
        ]).SerializeToString(),
    ),
}  # fmt: skip
"""Signal, request, and what is kept."""

REFUSED: dict[str, bytes] = {
    "an array": b"[]",
    "traces": b'{"resourceSpans":[]}',
    "metrics beside what nobody knows": b'{"x":1,"resourceMetrics":[]}',
    "a key as protobuf has it": b'{"resource_logs":[]}',
    "a key as protobuf has it, further in": log('"trace_id":"5b8efff798038103d269b633813fc60c"'),
    "a key as protobuf has it, beside that of JSON": log('"eventName":"a","event_name":"b"'),
    "two documents": b"{} {}",
    "cut off": b'{"resourceLogs":[{}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "bad UTF-8": b'{"a":"\xff"}',
    "a key twice": b'{"a":1,"a":2}',
    "a key twice where nothing is read": b'{"resourceLogs":[{"x":{"y":0,"y":0}}]}',
    "bare NaN": body('"doubleValue":NaN'),
    "bare -Infinity": b'{"a":-Infinity}',
    "a control character in a string": b'{"a":"\n"}',
    "an integer of 5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "brackets without end": b"[" * 100_000,
    "objects without end": b'{"a":' * 100_000,
    "an enum by name": log('"severityNumber":"SEVERITY_NUMBER_INFO"'),
    "an enum as text": log('"severityNumber":"9"'),
    "an enum that is a boolean": log('"severityNumber":true'),
    "an enum beyond 32 bits": log('"severityNumber":4294967296'),
    "an integer as text with an exponent": log('"timeUnixNano":"1e3"'),
    "an integer with a blank": log('"timeUnixNano":" 1"'),
    "an unsigned integer below zero": log('"timeUnixNano":-1'),
    "an integer beyond 64 bits": log('"timeUnixNano":18446744073709551616'),
    "an integer with a fraction": log('"timeUnixNano":1.5'),
    "an integer that is a boolean": log('"timeUnixNano":true'),
    "an integer beyond 32 bits": log('"flags":4294967296'),
    "an id in base64": log('"traceId":"W47/95gDgQPSabYzgT/GDA=="'),
    "an id with blanks": log('"traceId":"0 0 "'),
    "an id of odd length": log('"traceId":"012"'),
    "an id that is a number": log('"traceId":12'),
    "a string that is a number": log('"eventName":5'),
    "a lone surrogate": log('"eventName":"\\ud800"'),
    "a value that is not an object": log('"body":"text"'),
    "a boolean that is a string": body('"boolValue":"true"'),
    "a double beyond range": body('"doubleValue":1e999'),
    "a double that is not a number": body('"doubleValue":"x"'),
    "infinity in small letters": body('"doubleValue":"infinity"'),
    "bytes that are not base64": body('"bytesValue":"*"'),
    "two values at once": body('"stringValue":"a","intValue":1'),
    "a list that is an object": log('"attributes":{"a":1}'),
    "null in a list": log('"attributes":[null]'),
}
"""Requests of logs."""


@pytest.mark.parametrize(("signal", "sent", "kept"), READ.values(), ids=READ.keys())
def test_read(station: Station, signal: str, sent: bytes, kept: bytes) -> None:
    """It is kept as the protobuf that says the same."""
    answer = station.post(signal, sent, JSON)
    assert (answer.status, answer.media, answer.body) == (200, JSON, b"{}")
    assert [frame.payload for frame in station.kept()] == [kept]


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED.keys())
def test_refused(station: Station, sent: bytes) -> None:
    """400, with a status in JSON that repeats nothing of the body; nothing is kept."""
    answer = station.post("logs", sent, JSON)
    told = answer.told()
    assert (answer.status, answer.media, told.code) == (400, JSON, 3)
    assert told.message.startswith("read logs request: ")
    assert not any(word in told.message for word in ("SEVERITY", "W47", "xyz"))
    assert station.kept() == []


def test_a_double_of_the_table_would_be_seen_to_change() -> None:
    """Control: rows are compared by bytes, so that NaN, -0.0 and a number that lost its last bit are told apart."""
    kept = of_body(double_value=-0.0)
    assert kept != of_body(double_value=0.0)
    assert struct.pack("<d", math.nan) in of_body(double_value=math.nan)
    assert of_body(double_value=1.5) != of_body(double_value=math.nextafter(1.5, 2))
