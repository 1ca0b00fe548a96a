"""A real `aftertrace serve` in a process of its own, ended by its process id."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

READY_S = 60.0
STOP_S = 60.0


@dataclass(slots=True)
class Served:
    """A running `serve`."""

    process: subprocess.Popen[str]
    ready: dict[str, str]
    """What its one line said."""
    errors: list[str]
    """Lines of its standard error so far."""

    def post(self, name: str) -> int:
        """Send one log record whose conversation is `name`; the status of the answer."""
        return self.send("logs", ParseDict(log_of(name), ExportLogsServiceRequest()).SerializeToString())

    def send(self, signal: str, body: bytes, **headers: str) -> int:
        """Send a request as protobuf; the status of the answer."""
        connection = http.client.HTTPConnection(self.ready["http"].removeprefix("http://"), timeout=10)
        connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf", **headers})
        with closing(connection):
            return connection.getresponse().status

    def children(self) -> list[int]:
        """Process ids of what it started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(process_id) for process_id in listed.split()]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it politely: its exit code, and what else it wrote on standard output."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        rest = self.process.stdout.read()
        return self.process.wait(STOP_S), rest


def log_of(name: str) -> dict[str, object]:
    """A Claude Code decision: `Bash` denied by a rule."""
    attributes = {
        "event.name": "tool_decision",
        "session.id": name,
        "prompt.id": f"prompt-{name}",
        "tool_name": "Bash",
        "tool_use_id": f"call-{name}",
        "decision": "reject",
        "source": "config",
    }
    now_ns = str(time.time_ns())
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]},
                "scopeLogs": [
                    {
                        "scope": {"name": "com.anthropic.claude_code.events"},
                        "logRecords": [
                            {
                                "timeUnixNano": now_ns,
                                "body": {"stringValue": "claude_code.tool_decision"},
                                "attributes": [
                                    {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
                                ],
                            }
                        ],
                    }
                ],
            }
        ]
    }


@contextmanager
def serving(data: Path, *more: str) -> Iterator[Served]:
    """`serve` on free ports for the length of a `with` block; nothing of it is left afterwards."""
    places = [] if "--http" in more else ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "aftertrace.cli", "serve", "--data", str(data), *places, *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("AFTERTRACE_")},
    )
    served = Served(process, {}, [])
    reader = threading.Thread(target=_read, args=(process.stderr, served.errors))
    reader.start()
    timer = threading.Timer(READY_S, process.kill)
    timer.start()
    children: list[int] = []
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        timer.cancel()
        assert line.startswith("ready "), (line, served.errors)
        served.ready = dict(re.findall(r"(\w+)=(\S+)", line))
        children = served.children()
        yield served
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_S)
    finally:
        timer.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        gone(children)
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def gone(process_ids: list[int], within_s: float = 20.0) -> None:
    """Wait until none of the processes is left; fail if one stays."""
    deadline = time.monotonic() + within_s
    while left := [process_id for process_id in process_ids if _runs(process_id)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


def _runs(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _read(stream: IO[str] | None, lines: list[str]) -> None:
    assert stream is not None
    with stream:
        lines.extend(stream)
