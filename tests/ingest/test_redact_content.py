"""Content that a policy leaves out of a request, wherever in it the content stands."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import Keys, RedactionPolicy, make_policy
from aftertrace.store.request import Prepared, Request

CANARY = "hunter2-CANARY"
NONE_OF_IT = make_policy(capture="metadata-only")
GONE = "[[left-out:metadata-only]]"


def span_of(policy: RedactionPolicy, **fields: Any) -> tuple[Span, Prepared]:
    """A span as it is stored under a policy, and all of what is kept of its request."""
    group = ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(trace_id=b"t" * 16, span_id=b"s" * 8, **fields)])])
    body = ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()
    kept = make_prepare(policy, limits=Limits(), key=b"k" * 32)(Request("traces", "protobuf", body, "anonymous", 1))
    return ExportTraceServiceRequest.FromString(kept.payload).resource_spans[0].scope_spans[0].spans[0], kept


def log_of(policy: RedactionPolicy, **fields: Any) -> tuple[LogRecord, Prepared]:
    """The same of a log record."""
    group = ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(**fields)])])
    body = ExportLogsServiceRequest(resource_logs=[group]).SerializeToString()
    kept = make_prepare(policy, limits=Limits(), key=b"k" * 32)(Request("logs", "protobuf", body, "anonymous", 1))
    return ExportLogsServiceRequest.FromString(kept.payload).resource_logs[0].scope_logs[0].log_records[0], kept


def text(told: str) -> AnyValue:
    """An OTLP value."""
    return AnyValue(string_value=told)


def twice(first: str, second: str) -> AnyValue:
    """A map that has one key twice."""
    pairs = [KeyValue(key="content", value=text(told)) for told in (first, second)]
    return AnyValue(kvlist_value=KeyValueList(values=pairs))


@pytest.mark.parametrize("key", ["gen_ai.input.messages", "gen_ai.tool.call.arguments", "anything"])
@pytest.mark.parametrize("is_in_list", [False, True])
def test_a_map_that_has_a_key_twice_goes_whole(key: str, is_in_list: bool) -> None:
    """Of which one reader would see the one value, and another the other."""
    value = twice(CANARY, "")
    if is_in_list:
        value = AnyValue(array_value=ArrayValue(values=[value]))
    span, kept = span_of(NONE_OF_IT, attributes=[KeyValue(key=key, value=value)])
    assert (span.attributes[0].value, CANARY.encode() in kept.payload) == (text(GONE), False)
    assert kept.redactions == (("metadata-only", 1),)


LONG = "x" * 115 + CANARY
LINES = f"pay\n{CANARY}"


@pytest.mark.parametrize(
    "policy", [NONE_OF_IT, make_policy(capture="digest-only"), make_policy(keys=Keys(keep=("gen_ai.*",)))]
)
@pytest.mark.parametrize("told", [LONG, LINES])
def test_what_cannot_be_a_name_goes_from_every_plain_field(policy: RedactionPolicy, told: str) -> None:
    """Those fields have no key, so nothing but their form says that they hold content."""
    fields: dict[str, Any] = {
        "name": told,
        "trace_state": told,
        "events": [Span.Event(name=told)],
        "links": [Span.Link(trace_id=b"l" * 16, trace_state=told)],
        "status": Status(message=told),
    }
    span, kept = span_of(policy, **fields)
    assert CANARY.encode() not in kept.payload
    assert [times for _, times in kept.redactions] == [5]
    again, kept_again = span_of(policy, **{part.name: held for part, held in span.ListFields() if part.name in fields})
    assert (kept_again.redactions, again.name) == ((), span.name)
    log, kept = log_of(policy, event_name=told, severity_text=told)
    assert (CANARY.encode() in kept.payload, [times for _, times in kept.redactions]) == (False, [2])
    again_log, _ = log_of(policy, event_name=log.event_name, severity_text=log.severity_text)
    assert (again_log.event_name, again_log.severity_text) == (log.event_name, log.severity_text)


@pytest.mark.parametrize("policy", [NONE_OF_IT, make_policy(keys=Keys(keep=("gen_ai.*",)))])
def test_names_stay_by_which_is_told_what_an_agent_did(policy: RedactionPolicy) -> None:
    """And the state of a trace, which tells how it was sampled."""
    fields: dict[str, Any] = {
        "name": "execute_tool pay",
        "trace_state": "ot=th:8;rv:1234567890abcd,acme@vendor=t61rcWkgMzE",
        "events": [Span.Event(name="event otel/src/events/session_telemetry.rs:703")],
        "links": [Span.Link(trace_id=b"l" * 16, trace_state="ot=th:8")],
    }
    span, kept = span_of(policy, **fields)
    assert ({part.name: held for part, held in span.ListFields() if part.name in fields}, kept.redactions) == (
        fields,
        (),
    )
    log, kept = log_of(policy, event_name="gen_ai.client.inference.operation.details")
    assert (log.event_name, kept.redactions) == ("gen_ai.client.inference.operation.details", ())


@pytest.mark.parametrize("told", [CANARY, f"a={CANARY},=", f"a=the {CANARY}", f"a={CANARY},,b=1", f"A={CANARY}"])
def test_what_is_no_state_of_a_trace_goes_from_its_field(told: str) -> None:
    """Also if it is short."""
    span, _ = span_of(NONE_OF_IT, trace_state=told)
    assert span.trace_state == GONE


@pytest.mark.parametrize("keys", [Keys(drop=("severity_text",)), Keys(redact=("severity*",)), Keys(keep=("body",))])
def test_the_text_of_a_severity_has_a_key(keys: Keys) -> None:
    """Which stands in no message, as that of a body."""
    log, kept = log_of(make_policy(keys=keys), severity_text=CANARY)
    assert (CANARY in log.severity_text, [times for _, times in kept.redactions]) == (False, [1])
