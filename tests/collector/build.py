"""A Collector to run, made once by the Collector builder: that of the tests is of what `otel-collector.yaml` names.

It is kept under `.cache/collector/<digest>/otelcol`, where the digest is that of its recipe: another list of
components makes another Collector. Go and the Go module proxy are needed for the first build
alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RECIPE: Final = Path(__file__).with_name("builder-config.yaml")
CACHE: Final = ROOT / ".cache" / "collector"
BUILD_LIMIT_S: Final = float(os.environ.get("COLLECTOR_BUILD_LIMIT_S", "480"))
"""How long a build may take, all in all. It took 80 s on two idle cores with nothing cached."""

BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder"


class CannotBuild(Exception):
    """There is no Collector, and none can be made here; the message says why."""


def otelcol(cache: Path = CACHE, *, recipe: Path = RECIPE, limit_s: float = BUILD_LIMIT_S) -> Path:
    """Path of the binary of the Collector that a recipe makes, built if it is not in `cache` yet.

    Raises:
        CannotBuild: Go is missing, a module cannot be had, or the build took longer than `limit_s`.
    """
    binary = cache.absolute() / hashlib.sha256(recipe.read_bytes()).hexdigest()[:16] / "otelcol"
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        raise CannotBuild("Go is not installed")
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (binary.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(binary, recipe, time.monotonic() + limit_s)
    return binary


def _build(binary: Path, recipe: Path, deadline: float) -> None:
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        release = yaml.safe_load(recipe.read_bytes())["dist"]["version"]
        # A toolchain of another version would be fetched from elsewhere; the one that is here has to do.
        environment = os.environ | {"GOBIN": scratch, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        for command in (
            ["go", "install", f"{BUILDER}@v{release}"],
            [f"{scratch}/builder", "--config", str(recipe.absolute())],
        ):
            _run(command, Path(scratch), environment, deadline)
        Path(scratch, "build", "otelcol").rename(binary)


def _run(command: list[str], folder: Path, environment: dict[str, str], deadline: float) -> None:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise CannotBuild(f"{Path(command[0]).name} was not done in time (COLLECTOR_BUILD_LIMIT_S)") from None
    if process.returncode != 0:
        raise CannotBuild(f"{Path(command[0]).name} failed: {output.strip()[-400:]}")
