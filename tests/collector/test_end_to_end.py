"""An agent on the official SDK -> a real Collector -> a real `aftertrace serve` -> a question in SQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from collector.gate import Gate
from collector.process import Collector, free_port
from faults.serve import Serve
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.cli.served import until
from tests.sdk.agents import PYTHON, agents, compare, stored

if TYPE_CHECKING:
    from pathlib import Path

AGENT = Resource.create({"service.name": "shell-agent"})
LIMIT_S = 30.0


def act(endpoint: str, calls: int, first: int) -> None:
    """An agent: it runs tools under spans, and each time says in a log event that a person let it."""
    tracing, logging = TracerProvider(resource=AGENT), LoggerProvider(resource=AGENT)
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs")))
    for number in range(first, first + calls):
        call = {"gen_ai.tool.name": "shell", "gen_ai.tool.call.id": f"call-{number}"}
        with tracing.get_tracer("agent").start_as_current_span("execute_tool shell") as span:
            span.set_attributes({"gen_ai.operation.name": "execute_tool", **call})
            granted = LogRecord(event_name="aftertrace.approval.granted", attributes=call, timestamp=time.time_ns())
            logging.get_logger("agent").emit(granted)
    tracing.shutdown()
    logging.shutdown()


def ask(data: Path, statement: str) -> list[dict[str, Any]]:
    """What `aftertrace sql` answers."""
    command = [sys.executable, "-m", "aftertrace.cli", "sql", statement, "--data", str(data), "--format", "json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.mark.slow
def test_what_an_agent_tells_the_collector_can_be_asked_of_aftertrace(collector_binary: Path, tmp_path: Path) -> None:
    """Spans and log events, some sent while aftertrace is down and the Collector dies: each arrives once."""
    data = tmp_path / "data"
    port = free_port()
    expected = [{"call_id": f"call-{number}"} for number in range(1, 5)]
    with (
        Serve(data, http=f"127.0.0.1:{port}") as serve,
        Collector(collector_binary, tmp_path, f"http://127.0.0.1:{port}") as collector,
    ):
        act(collector.endpoint, calls=2, first=1)
        collector.kill()
        serve.start()
        serve.wait_ready()
        collector.start()
        act(collector.endpoint, calls=2, first=3)
        spans = "select call_id from spans where service_name = 'shell-agent' order by call_id"
        events = "select call_id from events where event = 'approval.granted' order by call_id"
        deadline = time.monotonic() + LIMIT_S
        while (answers := (ask(data, spans), ask(data, events))) != (expected, expected):
            assert time.monotonic() < deadline, answers
        assert serve.stop() == 0


@pytest.mark.slow
def test_what_the_collector_said_ok_to_is_there_once_whoever_is_killed(collector_binary: Path, tmp_path: Path) -> None:
    """Agents send all the time, on all four ways of their SDK, while Collector and `serve` are killed in turn."""
    data, port = tmp_path / "data", free_port()
    with (
        Serve(data, http=f"127.0.0.1:{port}") as serve,
        Collector(collector_binary, tmp_path, f"http://127.0.0.1:{port}") as collector,
        Gate(collector.http_port) as http,
        Gate(collector.grpc_port) as grpc,
        ExitStack() as running,
    ):

        def kill_the_collector() -> None:
            collector.kill()
            http.shut()
            grpc.shut()
            collector.start()
            http.open()
            grpc.open()

        serve.start()
        serve.wait_ready()
        of_python = running.enter_context(agents(PYTHON, (http.port, grpc.port), tmp_path / "agents.log"))
        of_python.through()
        kill_the_collector()
        of_python.through()
        serve.kill()
        of_python.through()
        kill_the_collector()
        of_python.through()
        serve.start()
        serve.wait_ready()
        kill_the_collector()
        of_python.through()
        acted, notes = of_python.end()
        told = [{name for noted in notes.values() for name in noted[signal]["told"]} for signal in ("spans", "logs")]
        until(lambda: all(names <= found.keys() for names, found in zip(told, stored(data).values(), strict=True)), 60)
        assert serve.stop() == 0
    compare(acted, notes, stored(data))
