"""OTLP/JSON becomes the same message as OTLP/protobuf; what can be read in two ways is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from aftertrace.ingest import otlp_json as module
from aftertrace.ingest.otlp_json import REQUESTS, decode
from aftertrace.store.errors import Invalid

from .otlp_messages import requests
from .otlp_text import otlp_json

RECORDINGS = [Path(__file__).parents[1] / "testdata/otlp", Path(__file__).parents[2] / "../shared/fixtures"]
"""Telemetry of real agents: a part is in the repository, all of it beside it where it is developed."""
INTEGERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
    FieldDescriptor.CPPTYPE_ENUM,
)


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


def kinds() -> list[Any]:
    """The messages of all signals, each once."""
    found, todo = {}, [kind.DESCRIPTOR for kind in REQUESTS.values()]
    while todo:
        kind: Any = todo.pop()
        if kind.full_name not in found:
            found[kind.full_name] = kind
            todo += [each.message_type for each in kind.fields if each.message_type is not None]
    return list(found.values())


EDGES = (0, 1, -1, *(sign * 2**bits + by for bits in (7, 14, 31, 32, 63, 64) for sign in (1, -1) for by in (-1, 0, 1)))


def built(kind: Any, name: str, value: Any) -> Any:
    """A message with one field, by the protobuf library; None where that refuses it."""
    try:
        return GetMessageClass(kind)(**{name: value})
    except (ValueError, OverflowError):
        return None


def read(kind: Any, name: str, value: Any) -> Any:
    """The same, by way of JSON."""
    try:
        return GetMessageClass(kind).FromString(module._message({name: value}, module._kind(kind), 0))
    except ValueError:
        return None


def test_every_integer_has_the_range_of_its_field() -> None:
    """As numbers and as decimal strings, alone and in lists: what the protobuf library takes, and nothing else."""
    tried = 0
    for kind in kinds():
        for each in kind.fields:
            if each.cpp_type not in INTEGERS:
                continue
            for edge in EDGES:
                value = [edge, 1, edge] if each.is_repeated else edge
                expected = built(kind, each.name, value)
                assert read(kind, each.camelcase_name, value) == expected, (each.full_name, edge)
                if each.cpp_type != FieldDescriptor.CPPTYPE_ENUM:
                    text = list(map(str, value)) if each.is_repeated else str(value)
                    assert read(kind, each.camelcase_name, text) == expected, (each.full_name, edge)
                tried += 1
    assert tried > 40 * len(EDGES)


@pytest.mark.parametrize("size", [0, 1, 111, *range(118, 132), 16_380, 16_383, 16_384, 2**21])
def test_texts_of_any_length_are_written_whole(size: int) -> None:
    """A length takes one byte up to 127, two up to 16,383: of a text, its value, its attribute and what holds that."""
    for text in ("x" * size, "é" * (size // 2)):
        expected = ExportLogsServiceRequest()
        record = expected.resource_logs.add().scope_logs.add().log_records.add()
        record.attributes.add(key="k" * 9).value.string_value = text
        record.attributes.add(key="k" * 127).value.array_value.values.add().string_value = text
        record.body.string_value = text
        assert decode(otlp_json(expected), "logs") == expected


def attributes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Of the usual shape, and of others."""
    key = st.sampled_from(["", "a", "é", 7, None])
    return (
        st.fixed_dictionaries({"key": key, "value": values}, optional={"x": st.just(1), "keyStrindex": st.just(2)})
        | st.fixed_dictionaries({}, optional={"key": key, "value": values, "Value": values})
        | st.sampled_from([None, [], "a"])
    )


ANY_VALUES = st.recursive(
    st.sampled_from(
        [{}, None, {"stringValue": None}, {"stringValue": 7}, {"x": 1}, {"boolValue": 1}, {"string_value": "a"}]
    )
    | st.fixed_dictionaries({"stringValue": st.text(max_size=3)})
    | st.fixed_dictionaries({"stringValue": st.just("a"), "intValue": st.none() | st.just(1)})
    | st.fixed_dictionaries({"intValue": st.integers(-(2**63), 2**63) | st.text("0123456789-", max_size=3)})
    | st.fixed_dictionaries({"doubleValue": st.floats(allow_nan=False) | st.just("NaN")})
    | st.fixed_dictionaries({"bytesValue": st.sampled_from(["", "YQ==", "YQ", "?"])}),
    lambda inner: (
        st.fixed_dictionaries({"arrayValue": st.fixed_dictionaries({"values": st.lists(inner, max_size=2)})})
        | st.fixed_dictionaries(
            {"kvlistValue": st.fixed_dictionaries({"values": st.lists(attributes(inner), max_size=2)})}
        )
    ),
    max_leaves=4,
)


def told(found: Any) -> Any:
    """What an attribute list of a resource becomes, or why it is refused."""
    body = {"resourceLogs": [{"resource": {"attributes": found}}]}
    try:
        return decode(json.dumps(body).encode(), "logs")
    except Invalid as error:
        return str(error)


@given(st.lists(attributes(ANY_VALUES), max_size=3))
@settings(max_examples=300, deadline=None)
def test_attributes_of_the_usual_shape_are_read_as_others_are(found: Any) -> None:
    """The same message, or the same refusal, as without the shorter way for them."""
    shorter = told(found)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_attribute_in", lambda _, otherwise: otherwise)
        module._kind.cache_clear()
        try:
            longer = told(found)
        finally:
            module._kind.cache_clear()
    assert shorter == longer
