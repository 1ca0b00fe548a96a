"""A real `aftertrace serve`: started, killed and started again on one data folder, its children with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from faults.interpreter import environment

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

START_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 60.0
_ADDRESS: Final = re.compile(r"127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The loopback ports of one start."""

    http: int
    grpc: int


class Serve:
    """`aftertrace serve` on one data folder, over any number of starts.

    A context manager, so that no process outlives its test. `endpoints` is None while nothing is ready.
    """

    def __init__(
        self,
        data: Path,
        *,
        http: str = "127.0.0.1:0",
        grpc: str = "127.0.0.1:0",
        changes: Sequence[str | None] = (),
        under: Sequence[str] = (),
        log: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            data: the data folder.
            http: where it takes OTLP/HTTP; any free port if not given.
            grpc: where it takes OTLP/gRPC; likewise.
            changes: modules of `broken/` that its interpreter runs first; None is none.
            under: what the command runs under, such as `strace` and its options.
            log: where its standard error goes; beside the data folder if not given.
            more: variables for its environment.
        """
        self.endpoints: Endpoints | None = None
        self.log = log or data.with_name(data.name + ".log")
        self._under = bool(under)
        self._command = [
            *under,
            *(sys.executable, "-m", "aftertrace.cli", "serve", "--data", str(data)),
            *("--http", http, "--grpc", grpc, "--no-dashboard"),
        ]
        self._environment = environment(*changes, more=more)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        """Return itself; `start` starts it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it if it runs."""
        self.kill()

    def start(self) -> None:
        """Start it and return at once."""
        assert self._process is None
        self._ready = threading.Event()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, args=(self._process, self._ready))
        self._reader.start()

    def wait_ready(self, limit_s: float = START_LIMIT_S) -> Endpoints:
        """Wait for the line that says where it listens."""
        deadline = time.monotonic() + limit_s
        while not self._ready.wait(0.02):
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"serve did not get ready:\n{self.log.read_text()[-3000:]}")
        assert self.endpoints is not None
        return self.endpoints

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither killed nor stopped since."""
        return self._process is not None

    def ended(self) -> int | None:
        """Its exit code if it ended by itself, below zero the number of the signal that killed it; None if it runs."""
        assert self._process is not None
        return self._process.poll()

    def kill(self) -> None:
        """`kill -9` of receiver, drain and whatever else it started, at the same instant."""
        if self._process is not None:
            # Stopped first, so that it starts no child while its children are looked up.
            _send(self._process.pid, signal.SIGSTOP)
            for process_id in descendants(self._process.pid):
                _send(process_id, signal.SIGKILL)
            _send(self._process.pid, signal.SIGKILL)
            self._gone()

    def kill_alone(self) -> None:
        """`kill -9` of `serve` itself: its children find out by themselves that they are orphans."""
        assert self._process is not None
        self._process.kill()
        self._gone()

    def kill_children(self) -> None:
        """`kill -9` of the drain and its readers, which `serve` has to notice."""
        assert self._process is not None
        for process_id in descendants(self._process.pid):
            _send(process_id, signal.SIGKILL)

    def kill_one(self, rng: random.Random) -> None:
        """`kill -9` of any one process that it or its drain started, if there is one now."""
        assert self._process is not None
        if started := descendants(self._process.pid):
            _send(rng.choice(started), signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to `serve` and then to all that it started."""
        assert self._process is not None
        _send(self._process.pid, number)
        for process_id in descendants(self._process.pid):
            _send(process_id, number)

    def stop(self) -> int:
        """End it politely and return its exit code."""
        assert self._process is not None
        # Under another command, such as strace, `serve` is that command's child.
        served = descendants(self._process.pid)[0] if self._under else self._process.pid
        _send(served, signal.SIGTERM)
        try:
            code = self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"serve did not end within {STOP_LIMIT_S} s of SIGTERM") from None
        self._gone()
        return code

    def _gone(self) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._process.wait()
        self._reader.join()
        self._process = None
        self.endpoints = None

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                ports = [int(port) for port in _ADDRESS.findall(line)]
                if not ready.is_set() and len(ports) >= 2:
                    self.endpoints = Endpoints(http=ports[0], grpc=ports[1])
                    ready.set()


def descendants(of: int) -> list[int]:
    """Process ids of all that a process started, and what those started; its own children first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            # A process may end while it is looked at.
            with suppress(FileNotFoundError, ProcessLookupError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    generation = [of]
    while generation:
        generation = sorted(child for parent in generation for child in children.get(parent, []))
        found += generation
    return found


def _send(process_id: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process_id, number)
