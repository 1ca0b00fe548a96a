"""Stored bytes become spans and log records with plain Python values; what is odd is flagged, nothing is dropped."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from aftertrace.ingest.records import MAX_TIME_NS, Log, Origin, Span, SpanEvent, log, origin, span, value

OF = Origin(resource={})
TRACE, SPAN, PARENT = bytes(15) + b"\x01", bytes(7) + b"\x02", bytes(7) + b"\x03"

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=10)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def any_value(given_value: Any) -> AnyValue:
    """The OTLP form of a plain value."""
    match given_value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=given_value)
        case int():
            return AnyValue(int_value=given_value)
        case float():
            return AnyValue(double_value=given_value)
        case str():
            return AnyValue(string_value=given_value)
        case bytes():
            return AnyValue(bytes_value=given_value)
        case list():
            made = AnyValue()
            made.array_value.values.extend(any_value(item) for item in given_value)
            made.array_value.SetInParent()
            return made
    made = AnyValue()
    made.kvlist_value.values.extend(pairs(given_value))
    made.kvlist_value.SetInParent()
    return made


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """The OTLP form of attributes."""
    return [KeyValue(key=key, value=any_value(item)) for key, item in attributes.items()]


@given(plain)
def test_every_value_is_read_as_it_was_written(given_value: Any) -> None:
    """Of any type, at any depth."""
    assert value(any_value(given_value)) == given_value


def test_a_place_in_the_dictionary_of_profiles_is_no_value() -> None:
    """Spans and logs bring no dictionary: OTLP has it treated as absent."""
    read = log(LogRecord(body=AnyValue(string_value_strindex=7)).SerializeToString(), OF)
    assert (read.body, value(AnyValue(string_value_strindex=0))) == (None, None)


def test_a_span_is_read_whole() -> None:
    """Ids as hex, times as they are, events and links with what they carry."""
    wire = WireSpan(
        trace_id=TRACE, span_id=SPAN, parent_span_id=PARENT, name="execute_tool pay", kind=3,
        start_time_unix_nano=5, end_time_unix_nano=9, attributes=pairs({"a": [1, "x"]}),
    )  # fmt: skip
    wire.status.code, wire.status.message = 2, "refused"
    wire.events.add(name="exception", time_unix_nano=7, attributes=pairs({"exception.type": "ValueError"}))
    wire.links.add(trace_id=TRACE, span_id=PARENT)
    assert span(wire.SerializeToString(), OF) == Span(
        origin=OF,
        trace_id="0" * 31 + "1",
        span_id="0" * 15 + "2",
        parent_span_id="0" * 15 + "3",
        name="execute_tool pay",
        kind=3,
        start_ns=5,
        end_ns=9,
        status=2,
        status_message="refused",
        attributes={"a": [1, "x"]},
        events=[SpanEvent("exception", 7, {"exception.type": "ValueError"})],
        links=[("0" * 31 + "1", "0" * 15 + "3")],
        flags=[],
    )


def test_a_log_record_is_read_whole() -> None:
    """With a body of any type."""
    wire = LogRecord(time_unix_nano=5, event_name="aftertrace.run.created", severity_number=9, trace_id=TRACE,
                     span_id=SPAN, attributes=pairs({"a": True}), body=any_value({"id": "c-1"}))  # fmt: skip
    assert log(wire.SerializeToString(), OF) == Log(
        origin=OF,
        trace_id="0" * 31 + "1",
        span_id="0" * 15 + "2",
        time_ns=5,
        event_name="aftertrace.run.created",
        severity=9,
        body={"id": "c-1"},
        attributes={"a": True},
        flags=[],
    )


def test_a_log_record_without_a_time_has_that_of_its_receipt_by_the_sender() -> None:
    """And says so."""
    observed = log(LogRecord(observed_time_unix_nano=7).SerializeToString(), OF)
    assert (observed.time_ns, observed.body, observed.flags) == (7, None, ["no_time"])
    assert log(b"", OF).time_ns == 0


def test_times_beyond_the_columns_are_clamped_and_flagged() -> None:
    """OTLP's times are uint64, those of the tables int64."""
    late = span(WireSpan(trace_id=TRACE, span_id=SPAN, start_time_unix_nano=2**64 - 1).SerializeToString(), OF)
    assert (late.start_ns, "time_clamped" in late.flags) == (MAX_TIME_NS, True)
    logged = log(LogRecord(time_unix_nano=2**64 - 1).SerializeToString(), OF)
    assert (logged.time_ns, logged.flags) == (MAX_TIME_NS, ["time_clamped"])


def test_what_is_odd_about_a_span_is_flagged() -> None:
    """It has no ids, ends before it starts, and lost attributes on the way."""
    odd = WireSpan(start_time_unix_nano=9, end_time_unix_nano=5, dropped_attributes_count=3)
    read = span(odd.SerializeToString(), OF)
    assert sorted(read.flags) == ["dropped_attributes:3", "ends_before_start", "no_ids"]
    assert (read.trace_id, read.span_id, read.parent_span_id) == (None, None, None)


@given(st.binary(max_size=20), st.binary(max_size=10))
def test_an_id_of_the_wrong_length_is_no_id(trace_id: bytes, span_id: bytes) -> None:
    """Nor is one of zeros."""
    read = span(WireSpan(trace_id=trace_id, span_id=span_id).SerializeToString(), OF)
    assert read.trace_id == (trace_id.hex() if len(trace_id) == 16 and any(trace_id) else None)
    assert read.span_id == (span_id.hex() if len(span_id) == 8 and any(span_id) else None)


def test_resource_and_scope_are_decoded_once() -> None:
    """The same bytes give the same object."""
    resource = Resource(attributes=pairs({"service.name": "shop"})).SerializeToString()
    scope = InstrumentationScope(name="tools", version="1.2", attributes=pairs({"a": 1})).SerializeToString()
    found = origin(resource, scope)
    assert found == Origin({"service.name": "shop"}, "tools", "1.2", {"a": 1})
    assert origin(bytes(bytearray(resource)), scope) is found
    assert origin(b"", b"") == Origin({})


@pytest.mark.parametrize(("flags", "told"), [(0x301, ["remote_parent"]), (0x101, []), (0x200, []), (0, [])])
def test_a_parent_in_another_process_is_told_of_where_the_emitter_knows(flags: int, told: list[str]) -> None:
    """The second bit says nothing unless the first says that it is known."""
    sent = WireSpan(trace_id=b"t" * 16, span_id=b"s" * 8, start_time_unix_nano=1, flags=flags)
    assert span(sent.SerializeToString(), OF).flags == told


def test_large_resources_do_not_stay_in_memory() -> None:
    """Somebody may send another with each request: of large ones, the last alone is kept."""
    messages = []
    for number in range(8):
        resource = Resource()
        resource.attributes.add(key=str(number)).value.string_value = "x" * 2**20
        messages.append(resource.SerializeToString())
    tracemalloc.start()
    try:
        for message in messages:
            assert origin(message, b"").resource
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 4 * 2**20
    again = (origin(messages[-1], scope).resource for scope in (b"", b"\n\x01a"))
    assert len({id(attributes) for attributes in again}) == 1
