"""Hypothesis strategies for OTLP requests of all three signals, as the official protobuf messages."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

REQUESTS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}

texts = st.text(st.characters(codec="utf-8"), max_size=12)
uint32s = st.integers(0, 2**32 - 1)
uint64s = st.integers(0, 2**64 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
doubles = st.floats(allow_nan=False)
trace_ids = st.sampled_from([b"", bytes(range(16)), b"\xff" * 16])
span_ids = st.sampled_from([b"", bytes(range(8)), b"\xab" * 8])


def messages(kind: Any, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A strategy for a message with some of these fields set."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


values = st.recursive(
    messages(AnyValue)
    | st.builds(AnyValue, string_value=texts)
    | st.builds(AnyValue, bool_value=st.booleans())
    | st.builds(AnyValue, int_value=int64s)
    | st.builds(AnyValue, double_value=doubles)
    | st.builds(AnyValue, bytes_value=st.binary(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: AnyValue(array_value=ArrayValue(values=items)))
        | st.lists(st.builds(KeyValue, key=texts, value=inner), max_size=3).map(
            lambda items: AnyValue(kvlist_value=KeyValueList(values=items))
        )
    ),
    max_leaves=4,
)
attributes = st.lists(messages(KeyValue, key=texts, value=values), max_size=3)
resources = messages(
    Resource,
    attributes=attributes,
    dropped_attributes_count=uint32s,
    entity_refs=st.lists(messages(EntityRef, type=texts, id_keys=st.lists(texts, max_size=2)), max_size=1),
)
scopes = messages(InstrumentationScope, name=texts, version=texts, attributes=attributes)
spans = messages(
    Span,
    trace_id=trace_ids,
    span_id=span_ids,
    parent_span_id=span_ids,
    trace_state=texts,
    flags=uint32s,
    name=texts,
    kind=st.integers(0, 5),
    start_time_unix_nano=uint64s,
    end_time_unix_nano=uint64s,
    attributes=attributes,
    events=st.lists(messages(Span.Event, time_unix_nano=uint64s, name=texts, attributes=attributes), max_size=2),
    links=st.lists(messages(Span.Link, trace_id=trace_ids, span_id=span_ids, attributes=attributes), max_size=2),
    status=messages(Status, code=st.integers(0, 2), message=texts),
    dropped_links_count=uint32s,
)
logs = messages(
    LogRecord,
    time_unix_nano=uint64s,
    observed_time_unix_nano=uint64s,
    severity_number=st.integers(0, 24),
    severity_text=texts,
    body=values,
    attributes=attributes,
    flags=uint32s,
    trace_id=trace_ids,
    span_id=span_ids,
    event_name=texts,
)
number_points = st.lists(
    messages(
        metrics.NumberDataPoint,
        attributes=attributes,
        time_unix_nano=uint64s,
        exemplars=st.lists(
            messages(metrics.Exemplar, as_double=doubles, trace_id=trace_ids, span_id=span_ids), max_size=1
        ),
    )
    | st.builds(metrics.NumberDataPoint, as_int=int64s),
    max_size=2,
)
histogram_points = st.lists(
    messages(
        metrics.HistogramDataPoint,
        count=uint64s,
        sum=doubles,
        bucket_counts=st.lists(uint64s, max_size=3),
        explicit_bounds=st.lists(doubles, max_size=3),
        min=doubles,
    ),
    max_size=2,
)
metric_records = (
    messages(metrics.Metric, name=texts, unit=texts, metadata=attributes)
    | st.builds(metrics.Metric, gauge=messages(metrics.Gauge, data_points=number_points))
    | st.builds(
        metrics.Metric,
        sum=messages(
            metrics.Sum,
            data_points=number_points,
            aggregation_temporality=st.integers(0, 2),
            is_monotonic=st.booleans(),
        ),
    )
    | st.builds(metrics.Metric, histogram=messages(metrics.Histogram, data_points=histogram_points))
)


def _requests(request: Any, group: Any, scoped: Any, names: tuple[str, str, str], records: Any) -> Any:
    outer, middle, inner = names
    scope_groups = messages(scoped, scope=scopes, schema_url=texts, **{inner: st.lists(records, max_size=3)})
    groups = messages(group, resource=resources, schema_url=texts, **{middle: st.lists(scope_groups, max_size=2)})
    return st.lists(groups, max_size=2).map(lambda items: request(**{outer: items}))


trace_requests = _requests(
    ExportTraceServiceRequest, ResourceSpans, ScopeSpans, ("resource_spans", "scope_spans", "spans"), spans
)
log_requests = _requests(
    ExportLogsServiceRequest, ResourceLogs, ScopeLogs, ("resource_logs", "scope_logs", "log_records"), logs
)
metric_requests = _requests(
    ExportMetricsServiceRequest,
    metrics.ResourceMetrics,
    metrics.ScopeMetrics,
    ("resource_metrics", "scope_metrics", "metrics"),
    metric_records,
)
requests = (
    st.tuples(st.just("traces"), trace_requests)
    | st.tuples(st.just("logs"), log_requests)
    | st.tuples(st.just("metrics"), metric_requests)
)
"""Pairs of signal and request message."""
