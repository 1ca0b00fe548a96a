"""The official Python SDK and its exporters, pointed at a receiver: what they send is what is kept."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from .station import Station

WAYS = ["http", "http gzip", "grpc", "grpc gzip"]


def exporter(station: Station, way: str, signal: str) -> Any:
    """An exporter as a user would configure it."""
    if way.startswith("http"):
        kind: Any = HttpSpanExporter if signal == "traces" else HttpLogExporter
        return kind(
            endpoint=f"http://127.0.0.1:{station.receiver.http_port}/v1/{signal}",
            compression=Compression.Gzip if "gzip" in way else Compression.NoCompression,
        )
    kind = GrpcSpanExporter if signal == "traces" else GrpcLogExporter
    return kind(
        endpoint=f"http://127.0.0.1:{station.receiver.grpc_port}",
        insecure=True,
        compression=grpc.Compression.Gzip if "gzip" in way else grpc.Compression.NoCompression,
    )


@pytest.mark.parametrize("way", WAYS)
def test_spans_of_the_sdk_arrive(station: Station, way: str) -> None:
    """Name, attributes, events and links of a span, and its resource; a bearer token in it does not."""
    provider = TracerProvider(resource=Resource({"service.name": "agent"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter(station, way, "traces")))
    with provider.get_tracer("t").start_as_current_span("chat") as span:
        span.set_attribute("http.request.header.authorization", "Bearer hunter2")
        span.set_attribute("gen_ai.usage.input_tokens", 7)
        span.add_event("e", {"n": [1, 2]})
    provider.shutdown()
    (frame,) = station.kept()
    group = ExportTraceServiceRequest.FromString(frame.payload).resource_spans[0]
    found = group.scope_spans[0].spans[0]
    attributes = {pair.key: pair.value for pair in found.attributes}
    assert (found.name, [event.name for event in found.events]) == ("chat", ["e"])
    assert group.resource.attributes[0].value.string_value == "agent"
    assert attributes["gen_ai.usage.input_tokens"].int_value == 7
    assert attributes["http.request.header.authorization"].string_value.startswith("[[redacted:authorization-field:")
    assert b"hunter2" not in frame.payload
    assert frame.redactions == 1


@pytest.mark.parametrize("way", WAYS)
def test_log_records_of_the_sdk_arrive(station: Station, way: str) -> None:
    """Event name, body and severity of a log record."""
    provider = LoggerProvider(resource=Resource({"service.name": "agent"}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter(station, way, "logs")))
    provider.get_logger("l").emit(event_name="tool_decision", body="deny", severity_number=SeverityNumber.INFO)
    provider.shutdown()
    (frame,) = station.kept()
    record = ExportLogsServiceRequest.FromString(frame.payload).resource_logs[0].scope_logs[0].log_records[0]
    assert (record.event_name, record.body.string_value, record.severity_number) == ("tool_decision", "deny", 9)
