"""Content that a policy leaves out of a request, wherever in it the content stands."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy, make_policy
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
