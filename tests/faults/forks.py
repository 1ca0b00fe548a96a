"""Commands of aftertrace in forks of one process that has loaded everything: a start takes milliseconds, not a second.

Run as a program it is that process: it reads a job per line, and answers each with a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROLES: Final = ("serve", "drain")
"""Stand among its arguments, so that changes to its interpreter and faults of the disk take it for either."""
LIMIT_S: Final = 120.0
_ADDRESS: Final = re.compile(r"127\.0\.0\.1:(\d+)")
_LOADED: Final = (
    "deltalake",
    # Where it is installed, PyArrow loads it as soon as it looks at a value.
    "pandas",
    "polars",
    "pyarrow.parquet",
    "aftertrace.cli.draining",
    "aftertrace.cli.serve",
    "aftertrace.ingest.drain",
    "aftertrace.receiver.server",
    "aftertrace.store.fsck",
)
"""What commands load when they come to it: by then no thread may run, since forks have none."""
_DEFECT: Final = ("Traceback (most recent call last)", "a defect of aftertrace")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    """Exit code; below zero the number of the signal that killed it."""
    said: str
    """What it wrote, on both outputs."""

    @property
    def is_defect(self) -> bool:
        """Whether it wrote what nothing may write: that aftertrace itself is at fault."""
        return is_defect(self.said)


def is_defect(said: str) -> bool:
    """Whether a process wrote that aftertrace itself is at fault, or how."""
    return any(text in said for text in _DEFECT)


@dataclass(slots=True)
class Running:
    """A command that was started and runs beside the test."""

    process_id: int
    said: Path
    _forks: Forks = field(repr=False)
    _code: int | None = None

    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self._code is None:
            self._code = self._forks.ask({"poll": self.process_id})
        return self._code

    def ports(self) -> list[int] | None:
        """The ports that it says it listens on, once it does; None if it ended without saying so."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            text = self.said.read_text(errors="replace")
            if line := next((line for line in text.splitlines(keepends=True) if line.startswith("ready ")), ""):
                if line.endswith("\n"):
                    return [int(port) for port in _ADDRESS.findall(line)]
            elif self.ended() is not None:
                return None
            time.sleep(0.01)
        raise AssertionError(f"neither ready nor ended: {self.said.read_text(errors='replace')[-3000:]}")

    def end(self) -> Ended:
        """Ask it to end, if it has not, and wait for that."""
        if self.ended() is None:
            os.kill(self.process_id, signal.SIGTERM)
        deadline = time.monotonic() + LIMIT_S
        while (code := self.ended()) is None:
            if time.monotonic() > deadline:
                os.kill(self.process_id, signal.SIGKILL)
            time.sleep(0.01)
        return Ended(code, self.said.read_text(errors="replace"))


class Forks:
    """The process that forks, as a context manager. Its forks are the real commands; only `python -m` is left out."""

    def __init__(self, environment: Mapping[str, str], scratch: Path) -> None:
        """Prepare it with an environment, and a folder for what the commands write."""
        self._environment = dict(environment)
        self._said = scratch / "said"

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, *ROLES],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def ask(self, job: dict[str, Any]) -> Any:
        """One line there and one back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> Running:
        """Start `aftertrace ARGUMENTS` with further variables in its environment."""
        self._said.write_bytes(b"")
        job = {"arguments": list(arguments), "variables": dict(variables or {}), "said": str(self._said)}
        return Running(self.ask(job), self._said, self)

    def run(self, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> Ended:
        """The same, to its end."""
        running = self.start(arguments, variables)
        code = self.ask({"wait": running.process_id})
        return Ended(code, self._said.read_text(errors="replace"))


def _answer(job: dict[str, Any]) -> int | None:
    if "arguments" in job:
        return os.fork() or _command(job)
    process_id, status = os.waitpid(job.get("poll") or job["wait"], os.WNOHANG if "poll" in job else 0)
    return os.waitstatus_to_exitcode(status) if process_id else None


def _command(job: dict[str, Any]) -> int:
    code = 99
    try:
        said = os.open(job["said"], os.O_WRONLY | os.O_APPEND)
        for number in (1, 2):
            os.dup2(said, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(job["variables"])
        # There where the library of a failing disk is loaded.
        arm = getattr(ctypes.CDLL(None), "failing_disk_arm", None)
        if arm is not None:
            arm()
        code = run(job["arguments"])
    finally:
        if sys.exc_info()[1] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> None:
    for each in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(each))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    from aftertrace.cli.root import run

    for module in _LOADED:
        import_module(module)
    _main()
