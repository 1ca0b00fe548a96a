"""What is kept of a request, what is refused, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.ingest.wire import split
from aftertrace.store.errors import Invalid, TooLarge
from aftertrace.store.request import Encoding, Prepared, Request, Signal

from .otlp_messages import REQUESTS, requests
from .otlp_text import otlp_json

RECORDINGS = [Path(__file__).parents[1] / "testdata/otlp", Path(__file__).parents[2] / "../shared/fixtures"]
"""Telemetry of real agents: a part is in the repository, all of it beside it where it is developed."""
POLICY = RedactionPolicy()
PREPARE = make_prepare(POLICY, limits=Limits(), key=b"k" * 32)


def request(signal: Signal, body: bytes, encoding: Encoding = "protobuf") -> Request:
    """A request from nobody in particular."""
    return Request(signal, encoding, body, "anonymous", 1)


def traces(*spans: Span, resource: Resource | None = None) -> ExportTraceServiceRequest:
    """A request with these spans."""
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])]
    )


def span(**fields: Any) -> Span:
    """A span with ids."""
    return Span(trace_id=b"t" * 16, span_id=b"s" * 8, **fields)


def attributes(number: int) -> list[KeyValue]:
    """So many attributes."""
    return [KeyValue(key=f"k{index}", value=AnyValue(int_value=index)) for index in range(number)]


LOGS = ExportLogsServiceRequest(
    resource_logs=[
        ResourceLogs(
            scope_logs=[
                ScopeLogs(
                    log_records=[
                        LogRecord(time_unix_nano=1, severity_text="INFO", body=AnyValue(string_value="text")),
                        LogRecord(observed_time_unix_nano=2, event_name="tool_decision"),
                    ]
                )
            ]
        )
    ]
)

BAD_UTF8 = traces(span(name="xy")).SerializeToString().replace(b"xy", b"\xff\xfe")


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_request_without_secrets_is_kept_as_it_came(encoding: Encoding) -> None:
    """Byte for byte; keys are left to the drain, which makes the same ones from the same bytes."""
    wire = LOGS.SerializeToString()
    body = otlp_json(LOGS) if encoding == "json" else wire
    assert PREPARE(request("logs", body, encoding)) == Prepared(
        payload=wire, records=2, keys=b"", redactions=(), policy=POLICY.digest, store=True
    )


@given(requests)
@settings(max_examples=100, deadline=None)
def test_both_encodings_of_any_request_are_kept_as_the_same_bytes(pair: tuple[Any, Any]) -> None:
    """JSON and protobuf get the same verdict, and the same payload."""
    signal, message = pair
    results: list[Any] = []
    for encoding, body in (("protobuf", message.SerializeToString()), ("json", otlp_json(message))):
        try:
            results.append(PREPARE(Request(signal, encoding, body, "anonymous", 1)))
        except Invalid as error:
            results.append(str(error))
    assert results[0] == results[1]


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_an_empty_request_holds_nothing_and_is_fine(signal: Signal) -> None:
    """OTLP: a server should answer success."""
    kept = PREPARE(request(signal, b""))
    assert (kept.payload, kept.records) == (b"", 0)
    assert PREPARE(request(signal, b"{}", "json")) == kept


def test_metrics_are_counted_and_kept_only_when_the_configuration_says_so() -> None:
    """They are validated and redacted all the same."""
    message = ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[Metric(name="m"), Metric()])])]
    )
    body = message.SerializeToString()
    keeping = make_prepare(POLICY, limits=Limits(), key=b"k" * 32, store_metrics=True)
    assert (PREPARE(request("metrics", body)).store, PREPARE(request("metrics", body)).records) == (False, 2)
    assert keeping(request("metrics", body)).store


@pytest.mark.parametrize(
    ("signal", "body", "encoding"),
    [
        pytest.param("traces", b"\x0a\x05ab", "protobuf", id="a message that is cut off"),
        pytest.param("traces", traces(span(name="x")).SerializeToString()[:-1], "protobuf", id="a span cut off"),
        pytest.param("logs", b"\x0a\x06\x12\x04\x12\x02\x1a\x01", "protobuf", id="a record cut off"),
        pytest.param("traces", BAD_UTF8, "protobuf", id="bad UTF-8"),
        pytest.param("traces", b'{"resourceSpans": []}', "protobuf", id="JSON as protobuf"),
        pytest.param("traces", traces(span()).SerializeToString(), "json", id="protobuf as JSON"),
        pytest.param("traces", b'{"resourceSpans": [', "json", id="JSON cut off"),
    ],
)
def test_what_does_not_decode_is_refused_whole(signal: Signal, body: bytes, encoding: Encoding) -> None:
    """Before anything is kept of it."""
    with pytest.raises(Invalid, match=signal):
        PREPARE(request(signal, body, encoding))


@pytest.mark.parametrize("message", [LOGS, traces(Span(name="a"), Span(name="b"))])
def test_spans_without_any_ids_are_explained(message: Any) -> None:
    """The sign of logs that were posted to the traces path."""
    with pytest.raises(Invalid, match="/v1/logs"):
        PREPARE(request("traces", message.SerializeToString()))


def test_one_span_without_ids_among_others_is_kept() -> None:
    """It is flagged when it is read, not dropped."""
    assert PREPARE(request("traces", traces(Span(name="odd"), span()).SerializeToString())).records == 2


SMALL = Limits(max_records=3, max_attributes=2, max_events=2)


@pytest.mark.parametrize(
    ("fits", "over"),
    [
        pytest.param(traces(*[span()] * 3), traces(*[span()] * 4), id="records"),
        pytest.param(
            traces(span(attributes=attributes(2))), traces(span(attributes=attributes(3))), id="attributes of a span"
        ),
        pytest.param(
            traces(span(), resource=Resource(attributes=attributes(2))),
            traces(span(), resource=Resource(attributes=attributes(3))),
            id="attributes of a resource",
        ),
        pytest.param(traces(span(events=[Span.Event()] * 2)), traces(span(events=[Span.Event()] * 3)), id="events"),
        pytest.param(traces(span(links=[Span.Link()] * 2)), traces(span(links=[Span.Link()] * 3)), id="links"),
    ],
)
def test_caps_let_through_what_reaches_them_and_refuse_what_passes_them(fits: Any, over: Any) -> None:
    """Each cap to the last one."""
    small = make_prepare(POLICY, limits=SMALL, key=b"k" * 32)
    assert small(request("traces", fits.SerializeToString())).records
    for encoding, body in (("protobuf", over.SerializeToString()), ("json", otlp_json(over))):
        with pytest.raises(TooLarge, match="prepare traces request"):
            small(Request("traces", encoding, body, "anonymous", 1))


EMPTY = {"resources": (b"", b"\x0a\x00"), "scopes": (b"\x0a", b"\x12\x00"), "spans": (b"\x0a\x12", b"\x12\x00")}
"""What may be empty: the tags above it, and it."""


def many_empty(what: str, number: int) -> bytes:
    """A request of nothing else."""
    above, unit = EMPTY[what]
    body = unit * number
    for tag in reversed(above):
        body = bytes([tag]) + varint(len(body)) + body
    return body


@pytest.mark.parametrize(("what", "most"), [("resources", 20_000), ("scopes", 19_999), ("spans", 10_000)])
def test_what_is_empty_counts_as_well(what: str, most: int) -> None:
    """Records to their cap; resources and scopes together to twice as many. None of them has an id, which is told of
    those alone that are not too many.
    """
    with pytest.raises(TooLarge, match="more than 10000 records"):
        PREPARE(request("traces", many_empty(what, most + 1)))
    if what == "spans":
        with pytest.raises(Invalid, match="none of its spans has a trace or span id"):
            PREPARE(request("traces", many_empty(what, most)))
    else:
        assert PREPARE(request("traces", many_empty(what, most))).records == 0


@pytest.mark.parametrize("what", EMPTY)
def test_two_million_empty_messages_are_refused_before_they_take_memory(what: str) -> None:
    """They make a decoder allocate most per byte: they are counted before there is one."""
    with pytest.raises(TooLarge, match="more than 10000 records or 500000 attributes and other parts"):
        PREPARE(request("traces", many_empty(what, 2_000_000)))


@given(requests)
@settings(max_examples=150, deadline=None)
def test_records_are_counted_as_they_are_split(pair: tuple[Any, Any]) -> None:
    """The drain finds as many as were told of."""
    signal, message = pair
    try:
        kept = PREPARE(Request(signal, "protobuf", message.SerializeToString(), "anonymous", 1))
    except Invalid:
        return
    assert kept.records == len(list(split(kept.payload, signal)))


def varint(value: int) -> bytes:
    """Base-128."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


@pytest.mark.parametrize("field", ["max_records", "max_attributes", "max_events"])
def test_limits_that_let_nothing_in_are_refused(field: str) -> None:
    """The message names the setting."""
    with pytest.raises(Invalid, match=field):
        Limits(**{field: 0})


@given(st.sampled_from(["traces", "logs", "metrics"]), st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_kept_or_refused(signal: Signal, body: bytes) -> None:
    """Nothing but Invalid comes out of bytes that are no request, and what is kept decodes."""
    try:
        kept = PREPARE(request(signal, body))
    except Invalid:
        return
    REQUESTS[signal].FromString(kept.payload)


@pytest.mark.parametrize("recordings", RECORDINGS, ids=["own", "all"])
def test_no_rule_fires_on_the_recordings_of_real_agents(recordings: Path) -> None:
    """They hold no secrets, and no evidence in them is mistaken for one."""
    if not recordings.is_dir():
        pytest.skip(f"no recordings in {recordings.name}")
    fired, planted = [], 0
    for path in sorted(recordings.glob("*/*.otlp.jsonl")):
        for line in path.read_text().splitlines():
            recorded = json.loads(line)
            body = json.dumps(recorded["request"])
            if redactions := PREPARE(request(recorded["signal"], body.encode(), "json")).redactions:
                fired.append((path.name, redactions))
            # Control: a secret in the same place is seen.
            leaking = body.replace('"stringValue": "', '"stringValue": "password=hunter2 ', 1)
            planted += bool(PREPARE(request(recorded["signal"], leaking.encode(), "json")).redactions)
    assert fired == []
    assert planted > 10
