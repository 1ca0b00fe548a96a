"""`otel-collector.yaml` on a real Collector: it is valid, it loses nothing, and no secret gets past it."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import requests
from collector.build import CannotBuild, otelcol
from collector.process import CONFIGURATION, Collector
from collector.sink import Sink
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRETS = ("sk-live00000000000000000000", "hunter2-canary", "ghp_" + "a1B2" * 9)
"""Canaries: one by its shape, one by the key it stands under, one inside a list."""


def spans(names: list[str]) -> bytes:
    """An OTLP request with one span per name."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for index, name in enumerate(names):
        scope.spans.add(name=name, trace_id=bytes(15) + b"\1", span_id=(index + 1).to_bytes(8))
    return request.SerializeToString()


def logs(bodies: list[str]) -> bytes:
    """An OTLP request with one log record per body."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for body in bodies:
        scope.log_records.add().body.string_value = body
    return request.SerializeToString()


def post(collector: Collector, path: str, body: bytes) -> None:
    """Send `body` and insist on an OK."""
    reply = requests.post(
        collector.endpoint + path, data=body, headers={"Content-Type": "application/x-protobuf"}, timeout=10
    )
    assert reply.status_code == 200, reply.text


def wait_until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Return when `condition` holds or `limit_s` is over: the assertion that follows tells which."""
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_the_configuration_is_valid_to_a_real_collector(collector_binary: Path) -> None:
    """Every component exists and every key is known to it."""
    result = subprocess.run(
        [collector_binary, "validate", "--config", CONFIGURATION], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_misspelt_key_is_refused_by_that_check(collector_binary: Path, tmp_path: Path) -> None:
    """Negative control: validation sees a wrong name."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(CONFIGURATION.read_text().replace("block_on_overflow", "block_on_overflows"))
    result = subprocess.run(
        [collector_binary, "validate", "--config", wrong], capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert "block_on_overflows" in result.stderr


def test_what_was_acknowledged_in_an_outage_arrives_after_a_kill_of_the_collector(
    collector_binary: Path, tmp_path: Path
) -> None:
    """The destination is down, the Collector is killed with a full queue, both come back: all is there."""
    sent = [f"request-{request:02}/span-{span}" for request in range(20) for span in range(5)]
    with Sink() as sink, Collector(collector_binary, tmp_path, sink.endpoint) as collector:
        sink.up = False
        for first in range(0, len(sent), 5):
            post(collector, "/v1/traces", spans(sent[first : first + 5]))
        post(collector, "/v1/logs", logs(sent))
        wait_until(lambda: sink.refused > 0)
        collector.kill()
        sink.up = True
        collector.start()
        wait_until(lambda: sink.span_names() == sent and sink.log_bodies() == sent)
        assert sink.span_names() == sent
        assert sink.log_bodies() == sent


def test_without_fsynced_storage_the_same_kill_loses_the_backlog(
    collector_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with the queue in memory the test above would fail."""
    forgetful = tmp_path / "forgetful.yaml"
    forgetful.write_text(CONFIGURATION.read_text().replace("storage: file_storage\n", "\n"))
    monkeypatch.setattr("collector.process.CONFIGURATION", forgetful)
    with Sink() as sink, Collector(collector_binary, tmp_path, sink.endpoint) as collector:
        sink.up = False
        post(collector, "/v1/traces", spans(["lost"]))
        wait_until(lambda: sink.refused > 0)
        collector.kill()
        sink.up = True
        collector.start()
        post(collector, "/v1/traces", spans(["after"]))
        wait_until(lambda: "after" in sink.span_names())
        assert sink.span_names() == ["after"]


def test_no_secret_reaches_the_queue_on_disk_or_the_network(collector_binary: Path, tmp_path: Path) -> None:
    """Canaries in attributes, a list, a log body, a resource: none in the queue files or in what is sent."""
    shape, by_key, in_a_list = SECRETS
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="deploy.api_key").value.string_value = by_key
    span = resource.scope_spans.add().spans.add(name="call", trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1")
    span.attributes.add(key="gen_ai.tool.call.arguments").value.string_value = f'{{"key": "{shape}"}}'
    span.attributes.add(key="http.request.header.authorization").value.string_value = by_key
    span.attributes.add(key="argv").value.array_value.values.add().string_value = in_a_list
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 42
    span.events.add(name="e").attributes.add(key="db.password").value.string_value = by_key
    with Sink() as sink, Collector(collector_binary, tmp_path, sink.endpoint) as collector:
        sink.up = False
        post(collector, "/v1/traces", request.SerializeToString())
        post(collector, "/v1/logs", logs([f"exported {shape}"]))
        wait_until(lambda: sink.refused > 1)
        on_disk = b"".join(file.read_bytes() for file in collector.queue.iterdir())
        sink.up = True
        wait_until(lambda: bool(sink.traces and sink.logs))
        sent = b"".join(sink.traces + sink.logs)
    assert b"gen_ai.tool.call.arguments" in on_disk, "the queue's files are what is searched"
    assert [secret for secret in SECRETS if secret.encode() in on_disk + sent + collector.log.read_bytes()] == []
    received = ExportTraceServiceRequest.FromString(sink.traces[0]).resource_spans[0].scope_spans[0].spans[0]
    values = {pair.key: pair.value for pair in received.attributes}
    assert values["gen_ai.usage.input_tokens"].int_value == 42
    assert values["gen_ai.tool.call.arguments"].string_value == '{"key": "****"}'


def test_a_build_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go there is a reason to skip by, not a traceback."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotBuild, match="Go is not installed"):
        otelcol(tmp_path)
