"""The image of `deploy/Containerfile`, run as `deploy/README.md` says, killed and started again: nothing is lost.

It needs an image, which takes minutes to build: `AFTERTRACE_IMAGE=aftertrace make test ARGS=tests/test_container.py`.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faults.payload import SPANS_PER_REQUEST, RequestId, request
from receiver.authority import Authority

DEPLOY = Path(__file__).parents[1] / "deploy"
ENGINE = shlex.split(os.environ.get("AFTERTRACE_ENGINE", "podman"))
IMAGE = os.environ.get("AFTERTRACE_IMAGE", "")
PROGRAM = "/opt/aftertrace/bin/aftertrace"
STATE = "/var/lib/aftertrace"
HEALTHY_S = 60.0


def engine(*arguments: str, fails: bool = False) -> str:
    """What the engine says."""
    ended = subprocess.run([*ENGINE, *arguments], capture_output=True, text=True, timeout=300)
    assert (ended.returncode != 0) == fails, f"{arguments}: {ended.stderr or ended.stdout}"
    return ended.stderr if fails else ended.stdout


def told(verb: str) -> list[str]:
    """The arguments of a command of the README's."""
    text = (DEPLOY / "README.md").read_text().partition("## Container")[2].replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if line.startswith(f"podman {verb} ")]
    return shlex.split(line, comments=True)[1:]


class Contained:
    """A container of the image, over any number of starts on one volume."""

    def __init__(self, name: str, authority: Authority, etc: Path) -> None:
        """Prepare it: nothing runs yet."""
        self.name = name
        self._tls = ssl.create_default_context(cafile=str(authority.roots))
        self._etc = etc

    def run(self) -> None:
        """Run the README's command with names and ports of the test's own, until it is healthy."""
        own = {
            "aftertrace": self.name,
            "4317:4317": "127.0.0.1::4317",
            "4318:4318": "127.0.0.1::4318",
            f"aftertrace:{STATE}": f"{self.name}:{STATE}",
            "./etc:/etc/aftertrace:ro": f"{self._etc}:/etc/aftertrace:ro",
        }
        *options, image = told("run")
        assert image == "aftertrace"
        assert set(own) <= set(options)
        engine(*(own.get(option, option) for option in options), IMAGE)
        self.port = int(engine("port", self.name, "4318/tcp").split(":")[-1])
        self.wait_healthy()

    def wait_healthy(self) -> None:
        """Wait until the image's own health check says so."""
        kept = json.loads(engine("inspect", self.name, "--format", "{{json .Config.Healthcheck}}"))
        assert kept, "the image has no health check: build it with --format docker"
        deadline = time.monotonic() + HEALTHY_S
        check = [*ENGINE, "exec", self.name, *kept["Test"][1:]]
        while subprocess.run(check, capture_output=True).returncode:
            assert time.monotonic() < deadline, engine("logs", self.name)
            time.sleep(0.5)

    def inside(self, *command: str) -> str:
        """What a command says that runs in it."""
        return engine("exec", self.name, *command)

    def ask(self, *arguments: str) -> str:
        """What `aftertrace` says in it."""
        return self.inside(PROGRAM, *arguments)

    def keep(self, name: str) -> str:
        """Copy a file of the ledger to where the container cannot write; how it finds it there."""
        (self._etc / name).write_text(self.inside("cat", f"{STATE}/ledger/{name}"))
        return f"/etc/aftertrace/{name}"

    def post(self, number: int, token: str) -> int:
        """Send a request from outside, over TLS; the status of the answer."""
        headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
        with closing(http.client.HTTPSConnection("127.0.0.1", self.port, context=self._tls, timeout=60)) as connection:
            connection.request("POST", "/v1/traces", request(RequestId(0, number)), headers)
            return connection.getresponse().status

    def stored(self, spans: int) -> list[str]:
        """Runs, as `aftertrace runs` tells them, once so many spans are in the tables; each of them once."""
        counted = "SELECT count(*) AS rows, count(DISTINCT trace_id || span_id) AS spans FROM spans"
        deadline = time.monotonic() + HEALTHY_S
        while (found := json.loads(self.ask("sql", counted, "--format", "json")))["spans"] < spans:
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
        assert found == {"rows": spans, "spans": spans}
        lines = self.ask("runs", "--format", "json", "--limit", "1000").splitlines()
        return sorted(json.loads(line)["run_id"] for line in lines)

    def ended(self) -> int:
        """Its exit code, when it has ended; it is removed then, and its volume stays."""
        engine("wait", self.name)
        code = int(engine("inspect", self.name, "--format", "{{.State.ExitCode}}"))
        engine("rm", self.name)
        return code


@pytest.fixture
def contained(tmp_path: Path) -> Iterator[Contained]:
    """A container with the configuration of `deploy/`; skips the test, with the reason, where there can be none."""
    if not IMAGE or shutil.which(ENGINE[0]) is None:
        missing = f"{ENGINE[0]} is not installed" if IMAGE else "AFTERTRACE_IMAGE names none"
        pytest.skip(f"NO IMAGE, the container is not tested: {missing}; deploy/README.md tells how to build one")
    etc = tmp_path / "etc"
    etc.mkdir()
    authority = Authority(tmp_path)
    shutil.copy(DEPLOY / "aftertrace.toml", etc)
    shutil.copy(authority.certificate, etc / "server.pem")
    shutil.copy(authority.key, etc / "server.key")
    # For its user, whose number need not be one of this machine's.
    tmp_path.chmod(0o755)
    (etc / "server.key").chmod(0o644)
    name = f"aftertrace-test-{os.getpid()}"
    try:
        yield Contained(name, authority, etc)
    finally:
        for command in (["rm", "--force", name], ["volume", "rm", name]):
            subprocess.run([*ENGINE, *command], capture_output=True, timeout=120)


@pytest.mark.slow
def test_a_container_keeps_what_it_acknowledged(contained: Contained) -> None:
    """Stopped in order and started again, killed and started again, each time as a new container on the volume."""
    contained.run()
    token = contained.ask("source", "add", "acme/refunds").splitlines()[0]
    assert contained.post(0, "no-token-of-its") == 401
    assert [contained.post(number, token) for number in range(10)] == [200] * 10
    before = contained.stored(10 * SPANS_PER_REQUEST)
    assert len(before) == 10
    kept = ["--key", contained.keep("key"), "--checkpoint", contained.keep("checkpoint")]
    engine(*(contained.name if word == "aftertrace" else word for word in told("kill")))
    engine(*(contained.name if word == "aftertrace" else word for word in told("stop")))
    assert contained.ended() == 0

    contained.run()
    assert contained.stored(10 * SPANS_PER_REQUEST) == before
    # What was sent again is known again; what got its OK a moment before the end is there.
    assert [contained.post(number, token) for number in range(5, 20)] == [200] * 15
    engine("kill", "--signal", "KILL", contained.name)
    assert contained.ended() == 137

    contained.run()
    after = contained.stored(20 * SPANS_PER_REQUEST)
    assert (len(after), set(before) - set(after)) == (20, set())
    contained.ask("fsck")
    contained.ask("verify", *kept)


@pytest.mark.slow
def test_a_container_can_do_nothing_but_its_work(contained: Contained) -> None:
    """No privilege, no way to one, nothing to write but its state, and limits."""
    contained.run()
    lines = (line.split(None, 1) for line in contained.inside("cat", "/proc/1/status").splitlines())
    status = {line[0].rstrip(":"): line[1] for line in lines if len(line) == 2}
    capabilities = [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    assert set(status["Uid"].split() + status["Gid"].split()) == {"10001"}
    assert (set(capabilities), status["NoNewPrivs"], status["Seccomp"]) == ({"0" * 16}, "1", "2")
    for place in ("/opt/aftertrace", "/etc/aftertrace", "/usr/local/bin", "/"):
        assert "Read-only file system" in engine("exec", contained.name, "touch", f"{place}/x", fails=True)
    limits = json.loads(engine("inspect", contained.name, "--format", "{{json .HostConfig}}"))
    assert (limits["Memory"], limits["PidsLimit"]) == (2 << 30, 4096)
    assert {line.split()[2] for line in contained.inside("ls", "-ln", STATE).splitlines()[1:]} == {"10001"}


def test_the_container_has_the_limits_of_the_unit() -> None:
    """One number for both: what is told of them holds for either."""
    unit = dict(line.split("=", 1) for line in (DEPLOY / "aftertrace.service").read_text().splitlines() if "=" in line)
    options = told("run")
    limits = {name: options[options.index(f"--{name}") + 1] for name in ("memory", "pids-limit")}
    assert (limits["memory"].upper(), limits["pids-limit"]) == (unit["MemoryMax"], unit["TasksMax"])
