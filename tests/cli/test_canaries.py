"""A secret of every rule, in every kind of place, over every way in, through a kill -9: none of it is on the disk."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import grpc
import polars as pl
import pytest
from ingest.made_secrets import FORMS, in_form, made
from ingest.otlp_text import otlp_json
from ingest.test_gitleaks import ASSIGNED, QUOTING, SEEDS, examples, found
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from aftertrace.ingest.gitleaks import GITLEAKS
from aftertrace.ingest.pii import PII
from aftertrace.ingest.redaction_policy import OPTIONAL
from aftertrace.ingest.secret_rules import FIELDS, SHAPES
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot

from .served import Served, serving, until

MARK = "harmless-mark-7f3a"
"""Stands beside every canary, and is no secret: a search that does not find it would find no canary either."""
PERSONAL = {
    "email": "ann.canary@example.com",
    "iban": "DE89370400440532013000",
    "card": "4111111111111111",
    "phone": "+442071838750",
    "ipv4": "203.0.113.42",
    "ipv6": "2001:db8::8a2e:370:7334",
    "us-ssn": "123-45-6789",
}
_LEAST_CHARACTERS = 6
OWN = """
[redaction]
redact_keys = ["own.redacted"]
drop_keys = ["own.dropped"]
secret_fields = ["own~pin"]
rules_on = [{on}]
secret_patterns = {{ employee = "EMP-[0-9]{{6}}" }}
"""


def canaries() -> Iterator[tuple[str, str, str]]:
    """Rule, a text with a secret of it, and the secret."""
    for rule, form in zip(GITLEAKS, cycle(FORMS), strict=False):
        for text, secret in examples(rule, 1):
            if rule.field or rule.rule in ASSIGNED:
                name = made(rule.field, 1) if rule.field else rule.keywords[0]
                yield rule.rule, in_form(form, name, secret), secret
            else:
                yield rule.rule, text, secret
    for shape in SHAPES:
        made_of = (f"see {made(shape.pattern, seed)} " for seed in SEEDS)
        tried = ["Basic dXNlcjpodW50ZXIyLWNhbmFyeQ=="] if shape.check == "basic" else made_of
        told = ((text, secrets[0]) for text in tried if (secrets := found(shape, text)))
        # A short one may be in anything.
        yield shape.rule, *next((text, secret) for text, secret in told if len(secret) >= _LEAST_CHARACTERS)
    for name, value in PERSONAL.items():
        yield name, f"reach {value} now", value
    for field in FIELDS:
        for number, name in enumerate(field.names):
            secret = f"hunter2-{field.rule}-{number}"
            yield field.rule, json.dumps({"user": "u", name.replace("~", "_"): secret}), secret
    yield "employee", "it is EMP-123456", "EMP-123456"
    yield "own-field", "own_pin=x1y2z3-pin", "x1y2z3-pin"


def attribute(key: str, value: AnyValue) -> KeyValue:
    """An attribute."""
    return KeyValue(key=key, value=value)


def spans(text: str, number: int, *, can_be_quoted: bool) -> ExportTraceServiceRequest:
    """A text in every place of a span that can hold one, at several depths."""
    plain = AnyValue(string_value=text)
    nested = AnyValue(
        kvlist_value=KeyValueList(
            values=[
                attribute("deep", AnyValue(array_value=ArrayValue(values=[plain, AnyValue(bytes_value=text.encode())])))
            ]
        )
    )
    quoted = AnyValue(string_value=json.dumps({"output": json.dumps({"text": f"x\n{text}\ny"})}))
    told = [attribute("note", plain), attribute("map", nested), attribute(MARK, plain)]
    told += [attribute("quoted", quoted)] if can_be_quoted else []
    own = [attribute("own.redacted", AnyValue(string_value="redacted-canary-1"))]
    own.append(attribute("own.dropped", AnyValue(string_value="dropped-canary-2")))
    span = Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=f"{MARK} {text}",
        attributes=[*told, *own],
        events=[Span.Event(name=text, attributes=told)],
        links=[Span.Link(trace_id=b"l" * 16, span_id=b"l" * 8, attributes=told)],
        status=Status(message=text, code=Status.STATUS_CODE_ERROR),
    )
    group = ResourceSpans(resource=Resource(attributes=told), scope_spans=[ScopeSpans(spans=[span])])
    return ExportTraceServiceRequest(resource_spans=[group])


def logs(text: str) -> ExportLogsServiceRequest:
    """The same of a log record."""
    record = LogRecord(time_unix_nano=1, body=AnyValue(string_value=f"{MARK} {text}"), severity_text=text)
    record.attributes.append(attribute("note", AnyValue(string_value=text)))
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])])


def send(served: Served, numbered: list[tuple[int, tuple[str, str]]]) -> None:
    """Each text as a span, over gRPC, HTTP with protobuf and HTTP with JSON in turn, and as a log record."""
    with grpc.insecure_channel(served.ready["grpc"].removeprefix("http://")) as channel:
        export = TraceServiceStub(channel).Export
        for (number, (rule, text)), way in zip(numbered, cycle(("grpc", "protobuf", "json")), strict=False):
            request = spans(text, number, can_be_quoted=rule not in QUOTING)
            if way == "grpc":
                export(request, timeout=60)
            elif way == "protobuf":
                assert served.send("traces", request.SerializeToString()) == 200
            else:
                body = otlp_json(request)
                assert served.send("traces", body, **{"Content-Type": "application/json"}) == 200
            assert served.send("logs", logs(text).SerializeToString()) == 200


def held(data: Path, served: list[Served]) -> bytes:
    """All that is in the files of a store, in its tables as they are read, and in what was logged."""
    parts = [path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()]
    for name in TABLES:
        table = Snapshot.of(data).scan(name, whole=True).collect()
        for column in table.iter_columns():
            if column.dtype in (pl.String, pl.Binary):
                parts += [each.encode() if isinstance(each, str) else each for each in column.drop_nulls().to_list()]
    return b"\x00".join((*parts, *("\n".join(each.errors).encode() for each in served)))


@pytest.mark.slow
def test_no_byte_of_a_secret_is_on_the_disk(tmp_path: Path) -> None:
    """Of every rule: those of gitleaks, those of aftertrace, personal data, fields, and those of a configuration."""
    Path("aftertrace.toml").write_text(OWN.format(on=", ".join(f'"{name}"' for name in sorted(OPTIONAL))))
    told = list(canaries())
    rules = {rule for rule, _, _ in told}
    wanted = {rule.rule for rule in (*FIELDS, *SHAPES, *GITLEAKS, *PII)} | {"employee", "own-field"}
    assert rules == wanted
    texts = list(enumerate(((rule, text) for rule, text, _ in told), 1))
    half = len(texts) // 2
    data = tmp_path / "data"
    with serving(data, "--no-dashboard") as first:
        send(first, texts[:half])
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    with serving(data, "--no-dashboard") as second:
        send(second, texts[half:])
        until(lambda: Snapshot.of(data).scan("spans").collect().height == len(texts), within_s=180)
    kept = held(data, [first, second])
    assert kept.count(MARK.encode()) > 4 * len(texts), "the search must see what is no secret"
    assert [each for each in told if each[2] and each[2].encode() in kept] == []
    assert b"redacted-canary-1" not in kept
    assert b"dropped-canary-2" not in kept
    evidence = Snapshot.of(data).scan("evidence").collect()
    assert evidence["redactions"].min() >= 1
