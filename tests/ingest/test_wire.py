"""The walker agrees with the official protobuf parser on where records are, and on what is not a request."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.ingest.wire import Slice, split
from aftertrace.store.digest import record_key
from aftertrace.store.errors import Invalid

from .otlp_messages import REQUESTS, requests


def expected_slices(request: Any) -> list[Slice]:
    """What `split` must yield for a message that the official library serialized."""
    found = []
    for group in request.ListFields()[0][1] if request.ListFields() else []:
        scoped_field = next(field for field in group.DESCRIPTOR.fields if field.number == 2)
        for scoped in getattr(group, scoped_field.name):
            record_field = next(field for field in scoped.DESCRIPTOR.fields if field.number == 2)
            for record in getattr(scoped, record_field.name):
                found.append(
                    Slice(
                        group.resource.SerializeToString(),
                        group.schema_url,
                        scoped.scope.SerializeToString(),
                        scoped.schema_url,
                        record.SerializeToString(),
                    )
                )
    return found


@given(requests)
@settings(max_examples=150, deadline=None)
def test_every_record_is_found_in_wire_order(pair: tuple[Any, Any]) -> None:
    """Slices of any request are the bytes that the official library makes of its parts."""
    signal, request = pair
    payload = request.SerializeToString()
    assert list(split(payload, signal)) == expected_slices(request)


LONG_VARINT = st.builds(lambda last: b"\xff" * 9 + bytes([last]), st.integers(0, 0x7F))
"""Of ten bytes, of which the last one has room for one bit."""
SIMPLE = st.one_of(
    st.builds(lambda number, value: bytes([number << 3]) + value, st.integers(0, 15), LONG_VARINT),
    st.builds(lambda number: bytes([number << 3 | 2, 1, 0x61]), st.integers(0, 15)),
    st.builds(lambda number: bytes([number << 3 | 1]) + bytes(8), st.integers(0, 15)),
    st.binary(max_size=6),
)
UNKNOWN = st.recursive(
    SIMPLE,
    lambda inner: st.builds(
        lambda number, fields, end: bytes([number << 3 | 3]) + b"".join(fields) + bytes([(number + end) << 3 | 4]),
        st.integers(0, 14),
        st.lists(inner, max_size=3),
        st.sampled_from((0, 0, 0, 1)),
    ),
    max_leaves=4,
)
"""Fields that nobody knows: also such as no encoder writes, with the number 0 or in groups that end as another."""


def within(number: int, *contents: bytes) -> bytes:
    """A field with a length."""
    content = b"".join(contents)
    assert len(content) < 1 << 14
    return bytes([number << 3 | 2, len(content) & 0x7F | 0x80, len(content) >> 7]) + content


@given(in_request=UNKNOWN, in_resource=UNKNOWN, in_scope=UNKNOWN, comes_first=st.booleans())
@settings(max_examples=600, deadline=None)
def test_whatever_the_official_parser_passes_over_is_passed_over(
    *, in_request: bytes, in_resource: bytes, in_scope: bytes, comes_first: bool
) -> None:
    """What is answered OK can be split: else none of its records would be in a table."""

    def beside(known: bytes, unknown: bytes) -> bytes:
        return unknown + known if comes_first else known + unknown

    span = within(2, Span(trace_id=b"t" * 16, span_id=b"s" * 8).SerializeToString())
    payload = beside(within(1, beside(within(2, beside(span, in_scope)), in_resource)), in_request)
    try:
        message = REQUESTS["traces"].FromString(payload)
    except DecodeError:
        with contextlib.suppress(Invalid):
            list(split(payload, "traces"))
        return
    assert [Span.FromString(each.record) for each in split(payload, "traces")] == [
        each for group in message.resource_spans for scoped in group.scope_spans for each in scoped.spans
    ]


@pytest.mark.parametrize("unknown", ["20" + "ff" * 9 + "02", "23000124", "2302016124", "2320" + "ff" * 9 + "7f24"])
def test_what_no_encoder_writes_is_passed_over_as_the_official_parser_does(unknown: str) -> None:
    """Numbers over 64 bits, and groups with fields of the number 0."""
    payload = within(1, within(2, within(2, b""))) + bytes.fromhex(unknown)
    assert len(REQUESTS["traces"].FromString(payload).resource_spans) == 1
    assert len(list(split(payload, "traces"))) == 1


@given(requests, st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_read_as_the_official_parser_reads_them(pair: tuple[Any, Any], data: Any) -> None:
    """What the official parser accepts, the walker splits into the same records; it raises nothing but
    Invalid.
    """
    signal, request = pair
    payload = bytearray(request.SerializeToString())
    if payload:
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place] = data.draw(st.integers(0, 255))
    damaged = bytes(payload)[: data.draw(st.integers(0, len(payload)))]
    try:
        message = REQUESTS[signal].FromString(damaged)
    except DecodeError:
        with contextlib.suppress(Invalid):
            list(split(damaged, signal))
        return
    record = {"traces": Span}.get(signal)
    slices = list(split(damaged, signal))
    assert len(slices) == len(expected_slices(message))
    if record is not None:
        parsed = [record.FromString(each.record) for each in slices]
        assert parsed == [record.FromString(each.record) for each in expected_slices(message)]


def field(number: int, body: bytes) -> bytes:
    """A short length-delimited field."""
    return bytes([number << 3 | 2, len(body)]) + body


def test_parts_may_come_late_twice_and_between_unknown_fields() -> None:
    """A resource after its spans counts for them; split resources merge; unknown fields of all kinds are
    skipped.
    """
    span = Span(name="s").SerializeToString()
    first = Resource(dropped_attributes_count=1).SerializeToString()
    second = Resource(dropped_attributes_count=2).SerializeToString()
    scope = InstrumentationScope(name="lib").SerializeToString()
    unknown = b"\xc8\x01\x07" + b"\xc9\x01" + bytes(8) + b"\xcd\x01" + bytes(4) + b"\xcb\x01\x08\x01\xcc\x01"
    scope_spans = field(2, span) + unknown + field(3, b"old") + field(1, scope) + field(3, b"new")
    payload = field(1, field(1, first) + field(2, scope_spans) + unknown + field(3, b"url") + field(1, second))
    assert ExportTraceServiceRequest.FromString(payload).resource_spans[0].resource == Resource(
        dropped_attributes_count=2
    )
    assert list(split(payload, "traces")) == [Slice(first + second, "url", scope, "new", span)]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\x0a", id="a tag without a length"),
        pytest.param(b"\x0a\x05ab", id="a length past the end"),
        pytest.param(b"\x0a\xff\xff\xff\xff\xff\x01", id="a length of six bytes"),
        pytest.param(b"\x02\x00", id="field number 0"),
        pytest.param(b"\x0c", id="the end of a group that never began"),
        pytest.param(b"\x0b\x14", id="a group that ends as another"),
        pytest.param(b"\x0b" * 200, id="groups without end"),
        pytest.param(b"\x0e\x00", id="wire type 6"),
        pytest.param(b"\x09\x00", id="a fixed64 cut off"),
        pytest.param(b"\x08" + b"\xff" * 10 + b"\x01", id="a varint of eleven bytes"),
        pytest.param(b"\x0a\x04\x1a\x02\xff\xfe", id="a schema URL that is not UTF-8"),
    ],
)
def test_broken_wire_bytes_are_refused(payload: bytes) -> None:
    """Both parsers refuse; ours says which signal and where."""
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(payload)
    with pytest.raises(Invalid, match=r"read traces request: .* at byte"):
        list(split(payload, "traces"))


def test_record_keys_tell_apart_what_runs_together() -> None:
    """The key depends on the store key and on where one part ends and the next begins."""
    made = {
        record_key(b"k", b"ab", b"c", b"d"),
        record_key(b"k", b"a", b"bc", b"d"),
        record_key(b"k", b"ab", b"", b"cd"),
        record_key(b"other", b"ab", b"c", b"d"),
    }
    assert len(made) == 4
    assert record_key(b"k", b"ab", b"c", b"d") == record_key(b"k", b"ab", b"c", b"d")
    assert {len(key) for key in made} == {16}


def test_empty_groups_hold_no_records() -> None:
    """Partial trees are fine: a resource without scopes, a scope without spans, a span without either."""
    bare = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(),
            ResourceSpans(resource=Resource()),
            ResourceSpans(scope_spans=[ScopeSpans()]),
            ResourceSpans(scope_spans=[ScopeSpans(spans=[Span()])]),
        ]
    ).SerializeToString()
    assert list(split(bare, "traces")) == [Slice(b"", "", b"", "", b"")]
    assert list(split(b"", "traces")) == []
