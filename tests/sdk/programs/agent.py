"""Agents on the Python SDK, one for each way that its exporters know: `agent.py HTTP_URL GRPC_URL`.

Each ends a span and emits a log record every 40 ms. A line `through` is answered when every exporter has had another
OK, and `end` when all is flushed: with how often they acted, what each exporter was told OK for, and what it gave up.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

LIMIT_S = 90
BATCHES: dict[str, Any] = {"schedule_delay_millis": 100, "max_export_batch_size": 16, "max_queue_size": 4096}
PACKED: dict[str, tuple[Any, Any]] = {
    "none": (Compression.NoCompression, grpc.Compression.NoCompression),
    "gzip": (Compression.Gzip, grpc.Compression.Gzip),
}


class Noting(SpanExporter, LogRecordExporter):
    """An exporter that notes the names of what it was told OK for, and of what it gave up."""

    def __init__(self, exporter: Any, name_of: Callable[[Any], str]) -> None:
        """Export with another one."""
        self._exporter = exporter
        self._name_of = name_of
        self.notes: dict[str, list[str]] = {"told": [], "gave_up": []}

    def export(self, batch: Sequence[Any]) -> Any:
        """Hand on a batch."""
        result = self._exporter.export(batch)
        is_told = result in (SpanExportResult.SUCCESS, LogRecordExportResult.SUCCESS)
        self.notes["told" if is_told else "gave_up"] += [self._name_of(item) for item in batch]
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the other one, which keeps nothing either."""
        return bool(self._exporter.force_flush(timeout_millis))


class Agent:
    """One way to export."""

    def __init__(self, way: str, spans: Any, logs: Any) -> None:
        """Export by these."""
        self.way = way
        self.spans = Noting(spans, lambda span: str(span.name))
        self.logs = Noting(logs, lambda data: str(data.log_record.body))
        resource = Resource({"service.name": way})
        self._tracing, self._logging = TracerProvider(resource=resource), LoggerProvider(resource=resource)
        self._tracing.add_span_processor(BatchSpanProcessor(self.spans, **BATCHES))
        self._logging.add_log_record_processor(BatchLogRecordProcessor(self.logs, **BATCHES))
        self._tracer, self._logger = self._tracing.get_tracer("agent"), self._logging.get_logger("agent")

    def act(self, number: int) -> None:
        """End a span and emit a record."""
        name = f"{self.way} {number}"
        self._tracer.start_span(name, attributes={"agent.number": number}).end()
        self._logger.emit(body=name, attributes={"agent.number": number})

    def flush(self) -> None:
        """Wait until all is exported, or given up."""
        self._tracing.force_flush(LIMIT_S * 1000)
        self._logging.force_flush(LIMIT_S * 1000)


def main(http_url: str, grpc_url: str) -> None:
    """Act until there is an end."""
    agents = []
    for packing, (by_http, by_grpc) in PACKED.items():
        both: dict[str, Any] = {"timeout": LIMIT_S, "compression": by_http}
        spans, logs = HttpSpans(f"{http_url}/v1/traces", **both), HttpLogs(f"{http_url}/v1/logs", **both)
        agents.append(Agent(f"python http/protobuf {packing}", spans, logs))
        both = {"timeout": LIMIT_S, "compression": by_grpc, "insecure": True}
        agents.append(Agent(f"python grpc {packing}", GrpcSpans(grpc_url, **both), GrpcLogs(grpc_url, **both)))
    acted = 0
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: [asked.put(line.strip()) for line in sys.stdin], daemon=True).start()
    before: list[int] | None = None
    while True:
        for agent in agents:
            agent.act(acted)
        acted += 1
        if before is not None and all(now > then for now, then in zip(counts(agents), before, strict=True)):
            before = None
            say(agents, acted)
        try:
            if asked.get(timeout=0.04) == "end":
                break
            before = counts(agents)
        except queue.Empty:
            continue
    for agent in agents:
        agent.flush()
    say(agents, acted)


def counts(agents: list[Agent]) -> list[int]:
    """How much each exporter was told OK for."""
    return [len(exporter.notes["told"]) for agent in agents for exporter in (agent.spans, agent.logs)]


def say(agents: list[Agent], acted: int) -> None:
    """Print a line."""
    notes = {agent.way: {"spans": agent.spans.notes, "logs": agent.logs.notes} for agent in agents}
    print(json.dumps({"acted": acted, "notes": notes}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
