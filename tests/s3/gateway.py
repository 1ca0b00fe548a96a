"""A real S3 server on loopback: Versity's gateway over a folder, built once from the Go module proxy.

It is kept under `.cache/versitygw/<version>/versitygw`. Go and the Go module proxy are needed for the first build
alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = "v1.8.0"
MODULE: Final = "github.com/versity/versitygw/cmd/versitygw"
CACHE: Final = Path(__file__).parents[2] / ".cache" / "versitygw"
BUILD_LIMIT_S: Final = float(os.environ.get("S3_BUILD_LIMIT_S", "600"))
"""How long a build may take. It took 10 minutes beside much other work."""
START_LIMIT_S: Final = 20.0
BUCKET: Final = "lake"


class CannotBuild(Exception):
    """There is no server, and none can be made here; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, with a bucket."""

    port: int
    folder: Path
    """Holds what the bucket holds."""

    @property
    def environment(self) -> dict[str, str]:
        """What its clients are told."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        }


def binary(cache: Path = CACHE, *, limit_s: float = BUILD_LIMIT_S) -> Path:
    """Path of the server, built if it is not in `cache` yet.

    Raises:
        CannotBuild: Go is missing, a module cannot be had, or the build took too long.
    """
    built = cache / VERSION / "versitygw"
    if built.exists():
        return built
    if shutil.which("go") is None:
        raise CannotBuild("Go is not installed")
    built.parent.mkdir(parents=True, exist_ok=True)
    with (built.parent / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=built.parent) as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            environment = os.environ | {"GOBIN": scratch, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
            command = ["go", "install", f"{MODULE}@{VERSION}"]
            try:
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit_s)
            except subprocess.TimeoutExpired:
                raise CannotBuild("go install was not done in time (S3_BUILD_LIMIT_S)") from None
            if done.returncode:
                raise CannotBuild(f"go install failed: {done.stderr.strip()[-400:]}")
            Path(scratch, "versitygw").rename(built)
    return built


@contextmanager
def running(program: Path, folder: Path) -> Iterator[Server]:
    """Serve the buckets that are folders of `folder`, until the `with` block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    server = Server(port, folder / BUCKET)
    server.folder.mkdir(parents=True)
    keys = server.environment
    process = subprocess.Popen(
        [
            *(str(program), "--port", f"127.0.0.1:{port}", "--quiet"),
            *("--access", keys["AWS_ACCESS_KEY_ID"], "--secret", keys["AWS_SECRET_ACCESS_KEY"]),
            *("posix", str(folder)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield server
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            # It answers: that it does not know us is as it should be.
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the S3 server did not start") from None
            time.sleep(0.05)
        else:
            return
