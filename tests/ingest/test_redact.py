"""Secrets in requests: no position of a message is forgotten, and nothing that is no secret changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redact import Redactor
from aftertrace.ingest.redact_tokens import ERROR
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.ingest.secret_rules import FieldRule
from aftertrace.ingest.wire import split
from aftertrace.store.digest import record_key
from aftertrace.store.request import Prepared, Request

from .otlp_messages import REQUESTS, requests
from .otlp_text import otlp_json

KEY = b"k" * 32
SECRET = "ghp_" + "C4naryC4nary" * 3
SHORT = "CANARY-5f1d"
POLICY = RedactionPolicy()
PREPARE = make_prepare(POLICY, limits=Limits(), store_metrics=True, key=KEY)
REDACTOR = Redactor(POLICY, KEY)


def prepare(message: Any, encoding: Any = "protobuf") -> Prepared:
    """A request as the receiver keeps it."""
    signal = next(signal for signal, kind in REQUESTS.items() if isinstance(message, kind))
    body = otlp_json(message) if encoding == "json" else message.SerializeToString()
    return PREPARE(Request(signal, encoding, body, "anonymous", 1))


def text_paths(kind: Any, values_deep: int = 3) -> Iterator[tuple[FieldDescriptor, ...]]:
    """The way to every string and bytes field under a message type, values nested up to three deep."""
    for field in kind.fields:
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            yield (field,)
        elif field.message_type is not None:
            deeper = values_deep - (field.message_type.name == "AnyValue")
            if deeper >= 0:
                for path in text_paths(field.message_type, deeper):
                    yield (field, *path)


def put(message: Any, path: tuple[FieldDescriptor, ...], text: str) -> None:
    """Set the field at the end of the way."""
    *way, last = path
    for field in way:
        message = getattr(message, field.name)
        if field.is_repeated:
            message = message.add()
        else:
            message.SetInParent()
    value: Any = text if last.type == FieldDescriptor.TYPE_STRING else text.encode()
    if last.is_repeated:
        getattr(message, last.name).append(value)
    else:
        setattr(message, last.name, value)


def name_of(path: tuple[FieldDescriptor, ...]) -> str:
    """The way as text."""
    return ".".join(field.name for field in path)


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_no_position_of_a_request_keeps_a_secret(signal: str, encoding: str) -> None:
    """Every string and bytes field there is, by the descriptors, gets a secret: none is left, and each is counted."""
    looked_at = 0
    for path in text_paths(REQUESTS[signal].DESCRIPTOR):
        message = REQUESTS[signal]()
        put(message, path, f"see {SECRET} here")
        if signal == "traces":
            message.resource_spans.add().scope_spans.add().spans.add().trace_id = b"i" * 16
        kept = prepare(message, encoding)
        assert SECRET.encode() not in kept.payload, name_of(path)
        assert kept.redactions == (("github", 1),), name_of(path)
        looked_at += 1
    assert looked_at > 90


def test_the_search_for_positions_would_see_a_leak() -> None:
    """Control: with no rules, the same secret is found in every position."""
    lax = make_prepare(RedactionPolicy(shapes=(), fields=(FieldRule("x-field", ("xyzzy",)),)), limits=Limits(), key=KEY)
    for path in text_paths(ExportLogsServiceRequest.DESCRIPTOR):
        message = ExportLogsServiceRequest()
        put(message, path, SECRET)
        kept = lax(Request("logs", "protobuf", message.SerializeToString(), "anonymous", 1))
        assert SECRET.encode() in kept.payload, name_of(path)


def attributes_of(value: AnyValue) -> list[KeyValue]:
    """A denied attribute beside a harmless one."""
    return [
        KeyValue(key="x-api-key", value=value),
        KeyValue(key="gen_ai.usage.input_tokens", value=AnyValue(int_value=7)),
    ]


def span_request(**fields: Any) -> ExportTraceServiceRequest:
    """A request with one span."""
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, **fields)
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])


def log_request(body: AnyValue) -> ExportLogsServiceRequest:
    """A request with one log record."""
    scope_logs = ScopeLogs(log_records=[LogRecord(body=body)])
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[scope_logs])])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(AnyValue(string_value=SHORT), id="a string"),
        pytest.param(AnyValue(int_value=5), id="an integer"),
        pytest.param(AnyValue(double_value=0.0), id="a number"),
        pytest.param(AnyValue(bytes_value=SHORT.encode()), id="bytes"),
        pytest.param(AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=SHORT)])), id="an array"),
        pytest.param(
            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=SHORT, value=AnyValue(int_value=1))])), id="a map"
        ),
    ],
)
def test_what_a_denied_key_holds_is_replaced_whole(value: AnyValue) -> None:
    """Whatever its type; the attribute beside it stays."""
    kept = prepare(span_request(attributes=attributes_of(value)))
    assert SHORT.encode() not in kept.payload
    assert kept.redactions == (("api-key-field", 1),)
    span = ExportTraceServiceRequest.FromString(kept.payload).resource_spans[0].scope_spans[0].spans[0]
    assert span.attributes[0].value.string_value.startswith("[[redacted:api-key-field:")
    assert span.attributes[1] == attributes_of(value)[1]


@pytest.mark.parametrize(
    "value", [AnyValue(), AnyValue(bool_value=True), AnyValue(string_value=""), AnyValue(bytes_value=b"")]
)
def test_a_denied_key_that_tells_nothing_stays(value: AnyValue) -> None:
    """Nothing, an empty text and a flag are no secrets, and the bytes stay as they came."""
    message = span_request(attributes=attributes_of(value))
    kept = prepare(message)
    assert (kept.payload, kept.keys, kept.redactions) == (message.SerializeToString(), b"", ())


def test_denied_keys_are_found_in_maps_and_in_json_text() -> None:
    """Deep in a log's body, and in JSON put into strings twice."""
    headers = KeyValueList(values=attributes_of(AnyValue(string_value=SHORT)))
    text = f'{{"a": "{{\\"\\\\u0070assword\\": \\"{SHORT}\\"}}"}}'
    body = KeyValueList(
        values=[
            KeyValue(key="headers", value=AnyValue(kvlist_value=headers)),
            KeyValue(key="text", value=AnyValue(string_value=text)),
        ]
    )
    message = log_request(AnyValue(kvlist_value=body))
    for encoding in ("protobuf", "json"):
        kept = prepare(message, encoding)
        assert SHORT.encode() not in kept.payload
        assert kept.redactions == (("api-key-field", 1), ("password-field", 1))


def test_keys_are_those_of_the_records_as_they_came() -> None:
    """When anything was redacted, each record brings the key of its bytes before: a resend makes the same ones."""
    message = span_request(name=f"call {SECRET}")
    message.resource_spans[0].resource.CopyFrom(Resource(attributes=attributes_of(AnyValue(string_value=SHORT))))
    message.resource_spans[0].scope_spans[0].spans.add(trace_id=b"t" * 16, name="harmless")
    received = list(split(message.SerializeToString(), "traces"))
    kept = prepare(message)
    assert kept.keys == b"".join(record_key(KEY, each.resource, each.scope, each.record) for each in received)
    assert kept.records == 2
    assert kept == prepare(message)
    assert kept.redactions == (("api-key-field", 1), ("github", 1))


def test_content_of_unknown_fields_that_may_be_secret_is_dropped() -> None:
    """A field of a later OTLP cannot be looked into: harmless ones stay, suspicious ones go and are counted."""
    harmless, secret = b"\xc2\x3e\x05later", b"\xc2\x3e" + bytes([len(SECRET)]) + SECRET.encode()
    record = Span(trace_id=b"t" * 16, name=f"x {SECRET}").SerializeToString()

    def request(unknown: bytes) -> bytes:
        span = record + unknown
        scoped = b"\x12" + bytes([len(span)]) + span
        group = b"\x12" + bytes([len(scoped)]) + scoped
        return b"\x0a" + bytes([len(group) & 0x7F | 0x80, len(group) >> 7]) + group

    kept = PREPARE(Request("traces", "protobuf", request(harmless), "anonymous", 1))
    assert (b"later" in kept.payload, kept.redactions) == (True, (("github", 1),))
    kept = PREPARE(Request("traces", "protobuf", request(secret), "anonymous", 1))
    assert (SECRET.encode() in kept.payload, kept.redactions) == (False, (("github", 1), ("unknown-field", 1)))


def test_a_value_that_cannot_be_redacted_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed: whatever goes wrong, the value is gone."""
    redactor = Redactor(POLICY, KEY)

    def fail(*_: object) -> bytes:
        raise RuntimeError("broken rule")

    monkeypatch.setattr(redactor._text, "redact", fail)
    message = span_request(name=f"x {SECRET}")
    hits = redactor.redact(message)
    assert message.resource_spans[0].scope_spans[0].spans[0].name == ERROR.decode()
    assert hits["redaction-error"] >= 1
    assert SECRET.encode() not in message.SerializeToString()


def test_the_deepest_value_that_decodes_is_redacted() -> None:
    """Nesting hides nothing."""
    value = AnyValue(string_value=SECRET)
    for _ in range(48):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    kept = prepare(log_request(value))
    assert (SECRET.encode() in kept.payload, kept.redactions) == (False, (("github", 1),))


@given(requests, st.booleans())
@settings(max_examples=150, deadline=None)
def test_requests_without_secrets_stay_byte_for_byte(pair: tuple[Any, Any], as_json: bool) -> None:
    """Whatever a message holds, no rule changes it by accident, and redacting it makes no difference."""
    _, message = pair
    before = message.SerializeToString()
    if not REDACTOR.suspects(before):
        assert not REDACTOR.redact(message)
        assert message.SerializeToString() == before


def test_the_policy_digest_covers_every_rule() -> None:
    """Another rule, another digest; the same rules, the same one."""
    assert RedactionPolicy().digest == POLICY.digest
    assert RedactionPolicy(shapes=POLICY.shapes[1:]).digest != POLICY.digest
    assert RedactionPolicy(fields=(*POLICY.fields, FieldRule("x-field", ("x",)))).digest != POLICY.digest
    assert POLICY.digest.startswith("sha256:")
