"""What the tests of the receiver talk to, and with: a receiver over a real log, raw HTTP, raw gRPC, sample requests."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import status_pb2
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
from aftertrace.receiver.config import ReceiverConfig
from aftertrace.receiver.server import Receiver
from aftertrace.store.folder import store_key
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.quotas import UNLIMITED, Meter, Quota
from aftertrace.store.request import Prepare, Prepared, Request
from aftertrace.store.sources import Sources
from aftertrace.store.wal import WalWriter
from aftertrace.store.wal_reader import WalReader

PROTOBUF, JSON = "application/x-protobuf", "application/json"
SIGNALS = ("traces", "logs", "metrics")
METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

SPAN = Span(
    trace_id=bytes(range(16)),
    span_id=bytes(range(8)),
    name="execute_tool ls",
    start_time_unix_nano=1_795_245_291_000_000_000,
    end_time_unix_nano=1_795_245_292_000_000_000,
    attributes=[KeyValue(key="gen_ai.tool.name", value=AnyValue(string_value="ls"))],
)
REQUESTS = {
    "traces": ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=Resource(), scope_spans=[ScopeSpans(spans=[SPAN])])]
    ).SerializeToString(),
    "logs": ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(event_name="tool_decision")])])]
    ).SerializeToString(),
    "metrics": ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[Metric(name="m")])])]
    ).SerializeToString(),
}
"""A small request of each signal."""

SPAN_JSON = json.dumps(
    {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0A" * 16, "spanId": "0b" * 8, "name": "x"}]}]}]}
).encode()
"""A request with one span, as OTLP/JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    media: str
    body: bytes
    headers: dict[str, str]

    def told(self) -> status_pb2.Status:
        """The `google.rpc.Status` of a refusal, as the official messages read it."""
        if self.media == JSON:
            return json_format.Parse(self.body, status_pb2.Status())
        return status_pb2.Status.FromString(self.body)


class Station:
    """A started receiver over a real write-ahead log."""

    def __init__(
        self,
        layout: Layout,
        *,
        prepare: Prepare | None = None,
        append: Any = None,
        quota: Quota = UNLIMITED,
        **settings: Any,
    ) -> None:
        """Start with these settings of `ReceiverConfig`; `prepare` and `append` stand in for the real ones."""
        config = self._config = ReceiverConfig(http_port=0, grpc_port=0, **settings)
        self.layout = layout
        self._forgotten = 0
        self._log = WalWriter(layout, "main")
        self.receiver = Receiver(
            config,
            Sources(layout, required=config.require_token).identify,
            prepare or make_prepare(RedactionPolicy(), limits=Limits(), store_metrics=True, key=store_key(layout)),
            append or self._log.append,
            Meter(layout, lambda: quota),
        )
        self.receiver.start()
        self._connection = http.client.HTTPConnection("127.0.0.1", self.receiver.http_port, timeout=20)
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{self.receiver.grpc_port}", [("grpc.max_send_message_length", -1)]
        )

    def append(self, request: Request, prepared: Prepared) -> Future[int]:
        """The real append."""
        return self._log.append(request, prepared)

    def post(
        self, signal: str, body: Any, media: str | None = PROTOBUF, *, method: str = "POST", **headers: str
    ) -> Answer:
        """One HTTP request over a kept-alive connection; header names with `_` for `-`."""
        path = signal if signal.startswith("/") else f"/v1/{signal}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if media is not None:
            named["Content-Type"] = media
        self._connection.request(method, path, body, named)
        response = self._connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found.get("content-type", ""), response.read(), found)

    def call(self, signal: str, body: bytes, **options: Any) -> bytes:
        """One gRPC request; raises `grpc.RpcError`."""
        return self.reach(METHODS[signal], body, **options)

    def reach(self, method: str, body: bytes, **options: Any) -> bytes:
        """One gRPC request to a method by its path, ours or not; raises `grpc.RpcError`."""
        return self._channel.unary_unary(method)(body, timeout=20, **options)

    def kept(self) -> list[Frame]:
        """Everything that is on stable storage, in order, since `forget`."""
        with_damage = list(WalReader(self.layout, "main").poll())
        frames = [found for found in with_damage if isinstance(found, Frame)]
        assert len(frames) == len(with_damage)
        return [frame for frame in frames if frame.seq > self._forgotten]

    def forget(self) -> None:
        """Leave what was kept so far out of `kept`."""
        self._forgotten = max((frame.seq for frame in self.kept()), default=self._forgotten)

    def reload(self) -> None:
        """Read the certificates anew."""
        self.receiver.reload(self._config)

    def close_connection(self) -> None:
        """End the kept-alive connection; the next `post` opens another."""
        self._connection.close()

    def close(self) -> None:
        """Stop all."""
        self._channel.close()
        self._connection.close()
        self.receiver.stop(1)
        self._log.close()
