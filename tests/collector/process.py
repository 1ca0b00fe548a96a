"""A Collector process on `otel-collector.yaml`, and free loopback ports for it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, Self

from collector.build import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CONFIGURATION: Final = ROOT / "otel-collector.yaml"
START_LIMIT_S: Final = 20.0
READY: Final = b"Everything is ready."


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Collector:
    """One Collector over any number of starts: its ports and its queue folder stay the same.

    A context manager, so that no process outlives its test.
    """

    def __init__(self, binary: Path, folder: Path, endpoint: str) -> None:
        """Prepare a Collector that forwards to `endpoint` and keeps its queue and its log in `folder`."""
        self.queue = folder / "queue"
        self.log = folder / "collector.log"
        self.http_port, self.grpc_port = free_port(), free_port()
        self._binary = binary
        self._folder = folder
        self._environment = os.environ | {
            "AFTERTRACE_ENDPOINT": endpoint,
            "AFTERTRACE_COLLECTOR_QUEUE": str(self.queue),
            "AFTERTRACE_COLLECTOR_GRPC": f"127.0.0.1:{self.grpc_port}",
            "AFTERTRACE_COLLECTOR_HTTP": f"127.0.0.1:{self.http_port}",
            "AFTERTRACE_COLLECTOR_METRICS_PORT": str(free_port()),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it if it runs."""
        self.kill()

    @property
    def endpoint(self) -> str:
        """Where agents send OTLP/HTTP."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Start it and wait until it says that it is ready.

        Its port opens some milliseconds before its queues are open, and a record that was acknowledged in
        between was seen to get lost.
        """
        with self.log.open("ab") as log:
            earlier_bytes = log.tell()
            self._process = subprocess.Popen(
                [self._binary, "--config", CONFIGURATION],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_LIMIT_S
        while READY not in (said := self.log.read_bytes()[earlier_bytes:]):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the Collector did not start:\n{said[-2000:].decode()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, nothing flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
