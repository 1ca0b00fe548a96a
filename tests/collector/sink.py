"""An OTLP/HTTP sink that can be switched off: it stands for an aftertrace that is down."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from types import TracebackType


class Sink:
    """Keeps every request body it answers 200 to; answers 503 while `up` is false."""

    def __init__(self) -> None:
        """Bind a free loopback port."""
        self.up = True
        self.refused = 0
        self.traces: list[bytes] = []
        self.logs: list[bytes] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            bodies: ClassVar = {"/v1/traces": sink.traces, "/v1/logs": sink.logs}

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if sink.up:
                    self.bodies[self.path].append(body)
                else:
                    sink.refused += 1
                self.send_response(200 if sink.up else 503)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def span_names(self) -> list[str]:
        """Names of the spans that came, sorted, each once: delivery is at least once, and aftertrace finds repeats."""
        return sorted(
            {
                span.name
                for body in self.traces
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            }
        )

    def log_bodies(self) -> list[str]:
        """Text bodies of the log records that came, sorted, each once."""
        return sorted(
            {
                record.body.string_value
                for body in self.logs
                for resource in ExportLogsServiceRequest.FromString(body).resource_logs
                for scope in resource.scope_logs
                for record in scope.log_records
            }
        )
