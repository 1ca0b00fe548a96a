"""Programs of live cases: bounded in time, ended with all they started, told nothing of the caller's environment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from .agent import Agent, Installation
from .installation import Skipped, installed
from .program import Places, run

SHOP = Installation("pip", ("shop==1.0",))
STARTS_ANOTHER = """
import subprocess, sys, pathlib, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("child.txt").write_text(str(child.pid))
time.sleep(60)
"""
TELLS = """
import os
print(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["SHOP"], "HTTP_PROXY" in os.environ)
"""


def places(scratch: Path) -> Places:
    """Where a case runs."""
    return Places("http://127.0.0.1:1", "http://127.0.0.1:2", str(scratch), str(scratch), str(scratch), str(scratch))


def agent(code: str, **options: Any) -> Agent:
    """A case whose program is a piece of Python."""
    return Agent("shop/pays", SHOP, ("{harness}", "-c", code), (), **options)


def test_a_program_whose_time_is_up_ends_with_what_it_started(tmp_path: Path) -> None:
    """No process is left behind."""
    began = time.monotonic()
    ended = run(agent(STARTS_ANOTHER, limit_s=3.0), places(tmp_path), tmp_path / "tools.txt")
    child = int((tmp_path / "work" / "child.txt").read_text())
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}/stat").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ended.code is None
    assert time.monotonic() - began < 40


def test_a_program_is_told_where_to_export_and_nothing_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would take loopback traffic elsewhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    ended = run(agent(TELLS, environment={"SHOP": "{grpc}"}), places(tmp_path), tmp_path / "tools.txt")
    assert (ended.code, ended.output) == (0, "http://127.0.0.1:1 http://127.0.0.1:2 False\n")


def test_a_case_whose_program_is_missing_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """And installs nothing."""
    with pytest.raises(Skipped, match="no-such-program is not on the path"):
        installed(agent("", needs=("no-such-program",)), tmp_path)
    assert list(tmp_path.iterdir()) == []
