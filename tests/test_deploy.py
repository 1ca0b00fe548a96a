"""What `deploy/` holds: a unit that systemd takes, a container file whose commands run, a configuration that is one."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.served import serving
from tests.receiver.station import PROTOBUF, REQUESTS

from aftertrace.cli import config
from aftertrace.cli.root import run

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "aftertrace.service"
STATE = "/var/lib/aftertrace"
PROGRAM = "/opt/aftertrace/bin/aftertrace"
SAFE_EXPOSURE = 20
"""Of 100, as `systemd-analyze security` counts: what it calls OK ends at 40."""


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `systemd-analyze`; without it, the test is skipped and says so."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: nobody has looked at the unit")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


def directives() -> dict[str, list[str]]:
    """Values by name, in the unit."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def instructions() -> list[tuple[str, str]]:
    """Instructions of the container file, with what follows them."""
    lines = [line for line in (DEPLOY / "Containerfile").read_text().splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def copied() -> Iterator[str]:
    """What the container file takes from the checkout."""
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            yield from rest.split()[:-1]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Every directive is known and has a value that can be."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    ended = analyze("verify", unit)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_systemd_takes_what_readers_need(tmp_path: Path) -> None:
    """The lines of the README stand commented in the unit, and are such as there can be."""
    text = (DEPLOY / "README.md").read_text().partition("### With accounts that only read")[2]
    lines = text.partition("[Service]\n")[2].partition("```")[0].splitlines()
    told = UNIT.read_text().replace(PROGRAM, "/bin/true")
    assert (len(lines), [line for line in lines if f"\n#{line}\n" not in told]) == (3, [])
    for line in lines:
        told = told.replace(f"#{line}\n", f"{line}\n")
    unit = tmp_path / UNIT.name
    unit.write_text(told)
    ended = analyze("verify", unit)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"g {lines[0].partition('=')[2]} -" in (DEPLOY / "aftertrace.sysusers").read_text().splitlines()


def test_a_directive_that_nobody_knows_would_be_seen(tmp_path: Path) -> None:
    """Control."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true").replace("ProtectSystem", "ProtectSistem"))
    assert "ProtectSistem" in analyze("verify", unit).stderr


def test_the_unit_leaves_little_open(tmp_path: Path) -> None:
    """By systemd's own count; without the hardening it counts four times as much."""
    limit = ("security", "--offline=true", "--no-pager", f"--threshold={SAFE_EXPOSURE}")
    assert analyze(*limit, UNIT).returncode == 0
    bare = tmp_path / UNIT.name
    kept = ("[", "Type", "Exec", "User", "Group")
    bare.write_text("".join(f"{line}\n" for line in UNIT.read_text().splitlines() if line.startswith(kept)))
    assert analyze(*limit, bare).returncode != 0


def test_the_unit_runs_a_command_that_there_is(tmp_path: Path) -> None:
    """With its own configuration; a reload is the signal that `serve` reads its configuration at."""
    unit = directives()
    program, *arguments = shlex.split(unit["ExecStart"][0])
    assert program == PROGRAM
    assert arguments == ["--config", "/etc/aftertrace/aftertrace.toml", "serve", "--data", STATE, "--no-dashboard"]
    assert run([*arguments[2:], "--help"]) == 0
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert unit["StateDirectory"] == [Path(STATE).name]
    assert unit["User"] == [(DEPLOY / "aftertrace.sysusers").read_text().splitlines()[-1].split()[1]]


def test_the_configuration_is_one_that_listens_beyond_loopback() -> None:
    """All that it needs for that is there, but for the certificates."""
    found = config.load(DEPLOY / "aftertrace.toml", {})
    assert found.store.data == STATE
    assert found.receiver.require_token
    assert found.receiver.tls_certificate == str(DEPLOY / "server.pem")
    assert not found.dashboard.enabled


def test_the_container_starts_a_command_that_there_is() -> None:
    """As a user without rights, with the signal that `serve` ends in order at."""
    found = dict(instructions())
    assert json.loads(found["ENTRYPOINT"]) == [PROGRAM]
    assert run([*json.loads(found["CMD"]), "--help"]) == 0
    assert (found["USER"], found["STOPSIGNAL"], found["VOLUME"]) == ("10001", "SIGTERM", STATE)
    assert f"AFTERTRACE_STORE_DATA={STATE}" in found["ENV"].split()
    assert all((ROOT / path).exists() for path in copied())


def test_the_health_check_tells_whether_it_is_ready(tmp_path: Path) -> None:
    """The command of the container file itself, beside a real `serve` and without one."""
    check = json.loads(dict(instructions())["HEALTHCHECK"].partition("CMD ")[2])
    environment = {**os.environ, "AFTERTRACE_STORE_DATA": str(tmp_path / "data")}

    def healthy() -> bool:
        return subprocess.run([sys.executable, *check[1:]], env=environment, capture_output=True).returncode == 0

    assert not healthy()
    with serving(tmp_path / "data", "--no-dashboard"):
        assert healthy()
    assert not healthy()


@pytest.mark.slow
def test_what_the_container_file_copies_is_all_that_a_build_needs(tmp_path: Path) -> None:
    """Its last `pip install`, as a wheel: with the same files inside as one of the whole checkout."""
    (command,) = [rest for word, rest in instructions() if word == "RUN" and rest.endswith("--no-build-isolation .")]
    assert command.startswith("/opt/aftertrace/bin/python -m pip install ")
    source = tmp_path / "src"
    for path in copied():
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, source / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    inside = []
    for number, folder in enumerate((source, ROOT)):
        out = tmp_path / str(number)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(folder)]
        subprocess.run(build, check=True, capture_output=True, timeout=300)
        (wheel,) = out.glob("*.whl")
        inside.append({name for name in zipfile.ZipFile(wheel).namelist() if "__pycache__" not in name})
    assert inside[0] == inside[1]


@pytest.mark.slow
def test_no_system_call_of_serve_is_one_that_the_unit_denies(tmp_path: Path) -> None:
    """Watched from its start to its end, with all its children; memory is never both written and run."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: nobody has seen the system calls of serve")
    allowed = listed("@system-service") - listed("@privileged")
    trace = tmp_path / "trace"
    command = [sys.executable, "-m", "aftertrace.cli", "serve", "--data", str(tmp_path / "data"), "--no-dashboard"]
    process = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", str(trace), *command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        told = json.loads((tmp_path / "data" / "serving.json").read_text())
        with closing(http.client.HTTPConnection(told["http"].removeprefix("http://"), timeout=60)) as connection:
            connection.request("POST", "/v1/traces", REQUESTS["traces"], {"Content-Type": PROTOBUF})
            assert connection.getresponse().status == 200
        os.kill(told["process_id"], 15)
        process.wait(120)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text(errors="replace").splitlines()]
    made = {found[1] for line in lines if (found := re.match(r"([a-z0-9_]+)\(", line))}
    assert {"openat", "fdatasync", "accept4"} <= made
    assert made - allowed == set()
    families = {found[1] for line in lines if (found := re.match(r"socket\((AF_[A-Z0-9]+)", line))}
    assert families <= set(directives()["RestrictAddressFamilies"][0].split())
    assert [line for line in lines if line.startswith(("mmap", "mprotect")) and "PROT_WRITE|PROT_EXEC" in line] == []


def listed(group: str) -> set[str]:
    """The system calls of a group of systemd's, and of the groups in it."""
    names = [line.strip() for line in analyze("syscall-filter", group).stdout.splitlines()[1:]]
    groups = {name for name in names if name.startswith("@")}
    return {name for name in names if name and name[0] not in "#@"}.union(*map(listed, groups))
