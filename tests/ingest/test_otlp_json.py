"""OTLP/JSON becomes the same message as OTLP/protobuf; what can be read in two ways is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from aftertrace.ingest.otlp_json import decode
from aftertrace.store.errors import Invalid

from .otlp_messages import requests
from .otlp_text import otlp_json

RECORDINGS = [Path(__file__).parents[1] / "testdata/otlp", Path(__file__).parents[2] / "../shared/fixtures"]
"""Telemetry of real agents: a part is in the repository, all of it beside it where it is developed."""


@given(requests, st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_request_survives_the_way_through_json(pair: tuple[Any, Any], upper: bool) -> None:
    """Protobuf to JSON and back is the same message, with ids in either case."""
    signal, request = pair
    assert decode(otlp_json(request, upper=upper), signal) == request


def test_every_deviation_of_otlp_from_proto3_json_is_followed() -> None:
    """Hex ids in spans and links, integer enums, numbers as text or not, unknown and null fields."""
    body = {
        "unknownTop": [1, {"x": None}],
        "resourceSpans": [
            {
                "resource": None,
                "scopeSpans": [
                    {
                        "scope": {"name": "lib", "future_field": True},
                        "spans": [
                            {
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "trace_id": "ignored, since it is not lowerCamelCase",
                                "spanId": "eee19b7ec3c1b174",
                                "parentSpanId": "",
                                "kind": 3,
                                "startTimeUnixNano": "1544712660000000000",
                                "endTimeUnixNano": 1544712661000000000,
                                "attributes": [
                                    {"key": "empty", "value": {}},
                                    {"key": "null", "value": None},
                                    {"key": "int", "value": {"intValue": 1.0}},
                                    {"key": "double", "value": {"doubleValue": "-Infinity"}},
                                    {"key": "count", "value": {"doubleValue": 2}},
                                    {"key": "bytes", "value": {"bytesValue": "-_8"}},
                                ],
                                "links": [{"traceId": "aA" * 16, "spanId": "Bb" * 8}],
                                "status": {"code": 2},
                            }
                        ],
                    }
                ],
            }
        ],
    }
    span = Span(
        trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
        span_id=bytes.fromhex("eee19b7ec3c1b174"),
        kind=3,
        start_time_unix_nano=1544712660000000000,
        end_time_unix_nano=1544712661000000000,
        attributes=[
            KeyValue(key="empty", value=AnyValue()),
            KeyValue(key="null"),
            KeyValue(key="int", value=AnyValue(int_value=1)),
            KeyValue(key="double", value=AnyValue(double_value=float("-inf"))),
            KeyValue(key="count", value=AnyValue(double_value=2.0)),
            KeyValue(key="bytes", value=AnyValue(bytes_value=b"\xfb\xff")),
        ],
        links=[Span.Link(trace_id=b"\xaa" * 16, span_id=b"\xbb" * 8)],
        status=Status(code=2),
    )
    scope_spans = ScopeSpans(spans=[span])
    scope_spans.scope.name = "lib"
    expected = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope_spans])])
    assert decode(json.dumps(body).encode(), "traces") == expected


def log(fields: str) -> bytes:
    """A request with one log record of these members."""
    return b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{%s}]}]}]}' % fields.encode()


def test_the_fields_of_a_log_record_are_read() -> None:
    """Event name, both times, body and hex ids of a log record."""
    body = log(
        '"eventName":"e","timeUnixNano":"5","observedTimeUnixNano":6,"severityNumber":9,'
        '"body":{"stringValue":"b"},"traceId":"0102","spanId":"03"'
    )
    record = LogRecord(
        event_name="e",
        time_unix_nano=5,
        observed_time_unix_nano=6,
        severity_number=9,
        body=AnyValue(string_value="b"),
        trace_id=b"\x01\x02",
        span_id=b"\x03",
    )
    expected = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])])
    assert decode(body, "logs") == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"{} {}", id="two documents"),
        pytest.param(b'{"resourceLogs":[{}', id="cut off"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":"\xff"}', id="bad UTF-8"),
        pytest.param(b'{"a":1,"a":2}', id="a key twice"),
        pytest.param(b'{"resourceLogs":[{"x":{"y":0,"y":0}}]}', id="a key twice where nothing is read"),
        pytest.param(b'{"a":NaN}', id="bare NaN"),
        pytest.param(b'{"a":-Infinity}', id="bare Infinity"),
        pytest.param(b'{"a":"\n"}', id="a control character in a string"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="an integer of 5000 digits"),
        pytest.param(b"[" * 100_000, id="brackets without end"),
        pytest.param(b'{"a":' * 100_000, id="objects without end"),
        pytest.param(log('"severityNumber":"SEVERITY_NUMBER_INFO"'), id="an enum by name"),
        pytest.param(log('"severityNumber":true'), id="an enum that is a boolean"),
        pytest.param(log('"timeUnixNano":"1e3"'), id="an integer in exponent form"),
        pytest.param(log('"timeUnixNano":" 1"'), id="an integer with a blank"),
        pytest.param(log('"timeUnixNano":-1'), id="an unsigned integer below zero"),
        pytest.param(log('"timeUnixNano":18446744073709551616'), id="an integer beyond 64 bits"),
        pytest.param(log('"timeUnixNano":1.5'), id="an integer with a fraction"),
        pytest.param(log('"timeUnixNano":true'), id="an integer that is a boolean"),
        pytest.param(log('"flags":4294967296'), id="an integer beyond 32 bits"),
        pytest.param(log('"traceId":"xyz0"'), id="an id that is not hex"),
        pytest.param(log('"traceId":"0 0 "'), id="an id with blanks"),
        pytest.param(log('"traceId":"012"'), id="an id of odd length"),
        pytest.param(log('"traceId":12'), id="an id that is a number"),
        pytest.param(log('"eventName":5'), id="a string that is a number"),
        pytest.param(log('"eventName":"\\ud800"'), id="a lone surrogate"),
        pytest.param(log('"body":"text"'), id="a value that is not an object"),
        pytest.param(log('"body":{"boolValue":"true"}'), id="a boolean that is a string"),
        pytest.param(log('"body":{"doubleValue":1e999}'), id="a double beyond range"),
        pytest.param(log('"body":{"doubleValue":"x"}'), id="a double that is not a number"),
        pytest.param(log('"body":{"bytesValue":"*"}'), id="bytes that are not base64"),
        pytest.param(log('"body":{"stringValue":"a","intValue":1}'), id="two values at once"),
        pytest.param(log('"attributes":{"a":1}'), id="a list that is an object"),
        pytest.param(log('"attributes":[null]'), id="null in a list"),
    ],
)
def test_what_is_not_otlp_json_is_refused(body: bytes) -> None:
    """Each fault is Invalid, and the message repeats nothing of the body."""
    with pytest.raises(Invalid, match="read logs request: ") as caught:
        decode(body, "logs")
    assert "SEVERITY" not in str(caught.value)
    assert "xyz" not in str(caught.value)


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    length = len(body)
    return bytes([number << 3 | 2, length & 0x7F | 0x80, length >> 7]) + body


@pytest.mark.parametrize("depth", [1, 16, 47, 48, 49, 50, 51, 60, 2_000])
def test_nesting_gets_the_same_verdict_in_both_encodings(depth: int) -> None:
    """Arrays in arrays are read down to the depth of the protobuf library, and refused below it."""
    wire, text = field(1, b"x"), '{"stringValue":"x"}'
    for _ in range(depth):
        wire = field(5, field(1, wire))
        text = f'{{"arrayValue":{{"values":[{text}]}}}}'
    try:
        in_protobuf = ExportLogsServiceRequest.FromString(field(1, field(2, field(2, field(5, wire)))))
    except DecodeError:
        in_protobuf = None
    try:
        in_json = decode(log(f'"body":{text}'), "logs")
    except Invalid:
        in_json = None
    assert in_json == in_protobuf
    assert (in_json is not None) == (depth <= 48)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but Invalid comes out of a body that is not OTLP/JSON."""
    try:
        decode(body, "traces")
    except Invalid:
        return
    assert isinstance(json.loads(body), dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resourceMetrics", "scopeMetrics", "metrics", "gauge", "dataPoints", "asInt", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.just("resourceMetrics"), json_values))
@settings(max_examples=150, deadline=None)
def test_json_of_any_shape_is_read_or_refused(body: Any) -> None:
    """Values of the wrong type anywhere are Invalid."""
    try:
        assert isinstance(decode(json.dumps(body).encode(), "metrics"), ExportMetricsServiceRequest)
    except Invalid:
        return


@pytest.mark.parametrize("recordings", RECORDINGS, ids=["own", "all"])
def test_every_recording_of_real_agents_is_read(recordings: Path) -> None:
    """All recorded requests decode, and none becomes an empty one."""
    if not recordings.is_dir():
        pytest.skip(f"no recordings in {recordings.name}")
    for path in sorted(recordings.glob("*/*.otlp.jsonl")):
        for line in path.read_bytes().splitlines():
            recorded = json.loads(line)
            request = decode(json.dumps(recorded["request"]).encode(), recorded["signal"])
            assert request.ByteSize() > 0, path.name
