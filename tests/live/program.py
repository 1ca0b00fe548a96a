"""A case's program as a child process: bounded in time, with an environment of its own, ended by its process group."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from .agent import Agent

ROOT: Final = Path(__file__).parents[2]
_KEPT: Final = ("LANG", "LC_ALL", "TERM")
_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Places:
    """What strings of a case may name in braces."""

    http: str
    """Base URL of OTLP/HTTP."""
    grpc: str
    """URL of OTLP/gRPC."""
    bin: str
    """The installation's programs; `{bin}/python` is the venv's."""
    installed: str
    """The installation's folder."""
    scratch: str
    """A folder of this case's own; its home and working folder are in it."""
    live: str
    """The folder of these modules."""
    harness: str = sys.executable
    """The Python that runs the harness, with its modules on the path."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int | None
    """Exit code; None: it was ended because its time was up."""
    output: str
    """The last of what it wrote."""


def run(agent: Agent, places: Places, tool_log: Path) -> Ended:
    """Run the case's program to its end, or end it when its time is up."""
    command = [_filled(part, places) for part in agent.command]
    output = Path(places.scratch) / "output.txt"
    for folder in ("home", "work", "tmp"):
        (Path(places.scratch) / folder).mkdir()
    with output.open("wb") as log, _child(command, _environment(agent, places, tool_log), places, log) as child:
        try:
            code: int | None = child.wait(agent.limit_s)
        except subprocess.TimeoutExpired:
            code = None
    return Ended(code, output.read_text(encoding="utf-8", errors="replace")[-4000:])


@contextmanager
def _child(command: list[str], environment: dict[str, str], places: Places, log: object) -> Iterator[subprocess.Popen]:
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=Path(places.scratch) / "work",
        env=environment,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        # Its session is its own: what it started ends with it.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(child.pid, number)
                child.wait(_GRACE_S)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        child.wait()


def _environment(agent: Agent, places: Places, tool_log: Path) -> dict[str, str]:
    """Nothing of the caller's but its language: no proxy, no key and no configuration reaches the agent."""
    path = os.pathsep.join(
        [places.bin, *(str(Path(found).parent) for need in agent.needs if (found := shutil.which(need)))]
    )
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "PATH": os.pathsep.join((path, "/usr/local/bin", "/usr/bin", "/bin")),
        "HOME": f"{places.scratch}/home",
        "TMPDIR": f"{places.scratch}/tmp",
        "NO_PROXY": "*",
        "OTEL_EXPORTER_OTLP_ENDPOINT": places.http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "LIVE_TOOL_LOG": str(tool_log),
        "LIVE_ROOT": str(ROOT),
        **{name: _filled(value, places) for name, value in agent.environment.items()},
    }


def _filled(text: str, places: Places) -> str:
    for name, value in asdict(places).items():
        text = text.replace(f"{{{name}}}", value)
    return text
