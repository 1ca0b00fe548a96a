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
        body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{text}}}]}}]}}]}}'
        in_json = decode(body.encode(), "logs")
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
