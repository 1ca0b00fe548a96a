"""What aftertrace is measured beside: released packages in environments of their own, with their defaults.

Each is installed once into a folder that `make clean` removes, runs on a scratch folder and a free loopback port, and
says itself how many spans it stored: no figure rests on what it acknowledged.
"""

from __future__ import annotations

import http.client
import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self

from benchmarks.footprint import folder_bytes
from benchmarks.processes import Meter, end, tree
from benchmarks.senders import Http
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.collector.build import CannotBuild, otelcol
from tests.live.agent import Agent, Installation
from tests.live.installation import Skipped, binaries, installed

CACHE: Final = Path(".bench")
RECIPE: Final = Path(__file__).with_name("collector-recipe.yaml")
START_LIMIT_S: Final = 240.0
"""Some make their whole schema, step by step, before they answer."""
STOP_LIMIT_S: Final = 20.0
PHOENIX: Final = "20.26.1"
MLFLOW: Final = "3.17.2"


class Missing(Exception):
    """A system cannot be installed or started here, and why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a system is started."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    """Further variables."""


class System(Protocol):
    """A system that takes OTLP/HTTP."""

    name: str
    headers: Mapping[str, str]
    """What it wants beside OTLP's own."""

    def launch(self, scratch: Path, port: int) -> Launch:
        """What serves `port` and keeps everything in `scratch`; installed or built if it is not there yet.

        Raises:
            Missing: that cannot be had here.
        """

    def count(self, scratch: Path) -> int:
        """How many spans a query finds."""


class Phoenix:
    """Arize Phoenix on SQLite."""

    name = f"Phoenix {PHOENIX}"
    headers: Mapping[str, str] = {}

    def launch(self, scratch: Path, port: int) -> Launch:
        """Its server; nothing is sent home."""
        variables = {
            "PHOENIX_WORKING_DIR": str(scratch),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        return Launch([_installed("phoenix", f"arize-phoenix=={PHOENIX}"), "serve"], variables)

    def count(self, scratch: Path) -> int:
        """Rows of its table."""
        return _rows(scratch / "phoenix.db")


class Mlflow:
    """MLflow's tracking server on SQLite."""

    name = f"MLflow {MLFLOW}"
    headers: Mapping[str, str] = {"x-mlflow-experiment-id": "0"}

    def launch(self, scratch: Path, port: int) -> Launch:
        """Its server, with as many workers and the kind of database that it starts by itself; nothing is sent home.

        By default a worker that is busy for 5 s is killed with what it was sent, which a loaded machine brings about.
        """
        variables = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{scratch}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
        program = _installed("mlflow", f"mlflow=={MLFLOW}")
        patient = ["--uvicorn-opts", "--timeout-worker-healthcheck 300"]
        return Launch([program, "server", "--host", "127.0.0.1", "--port", str(port), *patient], variables)

    def count(self, scratch: Path) -> int:
        """Rows of its table."""
        return _rows(scratch / "mlflow.db")


class Collector:
    """The OpenTelemetry Collector with its file exporter: it keeps what comes and reads nothing of it."""

    name = "Collector 0.156.0, files"
    headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._counted = 0
        self._counted_bytes = 0

    def launch(self, scratch: Path, port: int) -> Launch:
        """One receiver, one exporter, nothing between."""
        try:
            binary = otelcol(CACHE / "collector", recipe=RECIPE)
        except CannotBuild as reason:
            raise Missing(str(reason)) from reason
        configuration = scratch / "collector.yaml"
        configuration.write_text(
            "receivers:\n  otlp:\n    protocols:\n      http:\n"
            f"        endpoint: 127.0.0.1:{port}\n"
            f"exporters:\n  file:\n    path: {scratch}/spans.bin\n    format: proto\n"
            "service:\n  telemetry:\n    metrics:\n      level: none\n"
            "  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [file]\n"
        )
        return Launch([str(binary), "--config", f"file:{configuration}"])

    def count(self, scratch: Path) -> int:
        """Spans in its file, where each request follows its length in four bytes. Goes on where it was before."""
        with (scratch / "spans.bin").open("rb") as file:
            file.seek(self._counted_bytes)
            while len(prefix := file.read(4)) == 4:
                body = file.read(size := int.from_bytes(prefix, "big"))
                if len(body) < size:
                    break
                self._counted_bytes += 4 + size
                groups = ExportTraceServiceRequest.FromString(body).resource_spans
                self._counted += sum(len(scope.spans) for group in groups for scope in group.scope_spans)
        return self._counted


class Running:
    """A context manager: a system that answers inside, and is gone after."""

    def __init__(self, system: System, scratch: Path) -> None:
        """Prepare to run it on an empty folder."""
        self.system = system
        self.meter = Meter(lambda: {"all": tree(self._process.pid)})
        self._scratch = scratch
        self._port = free_port()

    def __enter__(self) -> Self:
        """Start it. Raises `Missing` if it does not answer in time."""
        launch = self.system.launch(self._scratch, self._port)
        with (self._scratch / "log").open("wb") as log:
            self._process = subprocess.Popen(
                launch.command,
                cwd=self._scratch,
                env=_environment() | launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait()
        except BaseException:
            end(self._process, 0)
            raise
        self.meter.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End it with all that it started."""
        self.meter.__exit__()
        end(self._process, STOP_LIMIT_S)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not _answers(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"did not start:\n{(self._scratch / 'log').read_text(errors='replace')[-800:]}")
            time.sleep(0.2)

    @property
    def transport(self) -> Http:
        """How to send to it."""
        return Http(self._port, self.system.headers)

    def count(self) -> int:
        """How many spans a query finds now."""
        return self.system.count(self._scratch)

    def disk_bytes(self) -> int:
        """What it wrote."""
        return folder_bytes(self._scratch)


def _environment() -> dict[str, str]:
    """The caller's, without where Python looks for modules: each has its own."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"DO_NOT_TRACK": "1"}


def _installed(program: str, package: str) -> str:
    """The path of a package's program."""
    try:
        agent = Agent(program, installation := Installation("pip", (package,)), (), ())
        return str(binaries(installation, installed(agent, CACHE.absolute())) / program)
    except Skipped as reason:
        raise Missing(str(reason)) from reason


def _rows(database: Path) -> int:
    """Both keep spans in a table of that name."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
