"""Attributes by their keys: redacted, dropped, or the only ones to be kept."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.records import value
from aftertrace.ingest.redact import assign
from aftertrace.ingest.redact_tokens import NOTE, Tokens
from aftertrace.ingest.redaction_policy import Keys, make_policy
from aftertrace.store.request import Prepared, Request

KEY = b"k" * 32
TOKENS = Tokens(KEY)


def attributes(told: dict[str, Any]) -> list[KeyValue]:
    """OTLP attributes of a dictionary."""
    found = AnyValue()
    assign(found, told)
    return list(found.kvlist_value.values)


def read(pairs: Any) -> dict[str, Any]:
    """And back."""
    return {pair.key: value(pair.value) for pair in pairs}


def span_of(told: dict[str, Any], keys: Keys, resource: dict[str, Any] | None = None) -> tuple[Any, Prepared]:
    """A span with these attributes as it is stored under a policy: its resource spans, and all of what is kept."""
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, attributes=attributes(told), status=Status(message="it said no"))
    group = ResourceSpans(
        resource=Resource(attributes=attributes(resource or {})), scope_spans=[ScopeSpans(spans=[span])]
    )
    body = ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()
    prepare = make_prepare(make_policy(keys=keys), limits=Limits(), key=KEY)
    kept = prepare(Request("traces", "protobuf", body, "anonymous", 1))
    return ExportTraceServiceRequest.FromString(kept.payload).resource_spans[0], kept


def token(rule: str, text: str) -> str:
    """What stands for a text."""
    return TOKENS.of(rule, text.encode()).decode()


TOLD = {
    "app.customer.email": "a@example.com",
    "App.Customer.Name": "Ann",
    "app.order": 7,
    "app.debug.sql": "select 1",
    "customer": {"email": "b@example.com", "tier": "gold", "debug": {"trace": "x"}},
}


def test_keys_are_redacted_and_dropped_in_any_case_and_by_their_path_in_maps() -> None:
    """Of everything else nothing changes, and the record says what was done, without a value."""
    group, kept = span_of(TOLD, Keys(redact=("*.customer.*", "customer.email"), drop=("app.debug.*", "*.debug")))
    assert read(group.scope_spans[0].spans[0].attributes) == {
        "app.customer.email": token("redacted-key", "a@example.com"),
        "App.Customer.Name": token("redacted-key", "Ann"),
        "app.order": 7,
        "customer": {"email": token("redacted-key", "b@example.com"), "tier": "gold"},
        NOTE: "dropped-key 2, redacted-key 3",
    }
    assert kept.redactions == (("dropped-key", 2), ("redacted-key", 3))


def test_what_has_no_such_key_stays_byte_for_byte() -> None:
    """Also where a key is alike."""
    told = {"application.customers": "x", "customer": {"e-mail": "y"}}
    keys = Keys(redact=("app.customer.*", "customer.email"), drop=("debug",))
    group, kept = span_of(told, keys)
    assert (read(group.scope_spans[0].spans[0].attributes), kept.redactions, kept.keys) == (told, (), b"")


def test_of_an_allow_list_all_other_values_become_tokens() -> None:
    """Numbers and flags too, whose tokens are drawn, since there are few; keys and names stay."""
    told = TOLD | {"flag": True, "none": "", "gen_ai.operation.name": "execute_tool"}
    group, kept = span_of(told, Keys(keep=("gen_ai.*", "customer.tier", "service.name")), {"service.name": "refunds"})
    stored = read(group.scope_spans[0].spans[0].attributes)
    drawn = {name: stored.pop(name) for name in ("app.order", "flag")}
    assert all(text.startswith("[[redacted:unlisted-key:random-") for text in drawn.values())
    assert stored == {
        "app.customer.email": token("unlisted-key", "a@example.com"),
        "App.Customer.Name": token("unlisted-key", "Ann"),
        "app.debug.sql": token("unlisted-key", "select 1"),
        "customer": {
            "email": token("unlisted-key", "b@example.com"),
            "tier": "gold",
            "debug": {"trace": token("unlisted-key", "x")},
        },
        "none": "",
        "gen_ai.operation.name": "execute_tool",
        NOTE: "unlisted-key 8",
    }
    assert group.scope_spans[0].spans[0].status.message == token("unlisted-key", "it said no")
    assert read(group.resource.attributes) == {"service.name": "refunds"}
    assert kept.redactions == (("unlisted-key", 8),)


def test_a_map_that_is_listed_keeps_its_members() -> None:
    """And the text of a log record is `body`."""
    keys = Keys(keep=("customer",))
    group, _ = span_of({"customer": {"name": "Ann"}}, keys)
    assert read(group.scope_spans[0].spans[0].attributes)["customer"] == {"name": "Ann"}
    prepare = make_prepare(make_policy(keys=keys), limits=Limits(), key=KEY)
    record = LogRecord(body=AnyValue(string_value="Ann called"))
    logs = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])])
    kept = prepare(Request("logs", "protobuf", logs.SerializeToString(), "anonymous", 1))
    stored = ExportLogsServiceRequest.FromString(kept.payload).resource_logs[0].scope_logs[0].log_records[0]
    assert stored.body.string_value == token("unlisted-key", "Ann called")


def test_fields_of_a_later_otlp_do_not_pass_an_allow_list() -> None:
    """They have no key."""
    unknown = b"\xc2\x3e\x05later"
    span = Span(trace_id=b"t" * 16, name="x").SerializeToString() + unknown
    scoped = b"\x12" + bytes([len(span)]) + span
    group = b"\x12" + bytes([len(scoped)]) + scoped
    prepare = make_prepare(make_policy(keys=Keys(keep=("a",))), limits=Limits(), key=KEY)
    kept = prepare(Request("traces", "protobuf", b"\x0a" + bytes([len(group)]) + group, "anonymous", 1))
    assert (b"later" in kept.payload, kept.redactions) == (False, (("unknown-field", 1),))


@pytest.mark.parametrize("key", ["body", "BODY", "bo*", "body.*"])
def test_what_has_no_key_in_a_message_is_found_by_the_one_that_we_give_it(key: str) -> None:
    """Also where nothing else of the request is looked at."""
    members = KeyValueList(values=attributes({"id": "Ann"}))
    body = AnyValue(kvlist_value=members) if key == "body.*" else AnyValue(string_value="Ann called")
    logs = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(body=body)])])]
    )
    prepare = make_prepare(make_policy(keys=Keys(drop=(key,))), limits=Limits(), key=KEY)
    kept = prepare(Request("logs", "protobuf", logs.SerializeToString(), "anonymous", 1))
    assert (b"Ann" in kept.payload, kept.redactions) == (False, (("dropped-key", 1),))


@pytest.mark.parametrize("key", ["status.message", "status.*", "*message"])
def test_the_text_of_a_status_is_found_by_its_key(key: str) -> None:
    """And what it is about is not touched."""
    group, kept = span_of({"app.order": 7}, Keys(redact=(key,)))
    span = group.scope_spans[0].spans[0]
    assert (span.status.message, read(span.attributes)["app.order"]) == (token("redacted-key", "it said no"), 7)
    assert kept.redactions == (("redacted-key", 1),)
