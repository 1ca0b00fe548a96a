"""`derive`: what is kept changes no answer; `serve` keeps it up to date, and nothing about it ends `serve`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aftertrace.analyzer.derived import deriving as steps
from aftertrace.cli import deriving
from aftertrace.cli.children import Child
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.folder import open_folder

from .conftest import RECORDINGS
from .served import Served, gone, until

if TYPE_CHECKING:
    from .conftest import Command

ASKED = (
    ("runs", "--format", "json"),
    ("calls", "--format", "json"),
    ("near-misses", "--format", "json"),
    ("approvals", "--format", "json"),
    ("changes",),
    ("doctor",),
    ("find", "delete_db"),
    ("run", "last"),
    ("report", "coverage"),
    ("sql", "SELECT agent_name, calls FROM runs ORDER BY run_id"),
)
"""What has to be answered alike."""


@pytest.mark.parametrize(("hours", "kept", "opened"), [(0, 0, 3), (1, 3, 0)])
def test_what_is_kept_changes_no_answer(
    aftertrace: Command,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
    kept: int,
    opened: int,
) -> None:
    """Runs that are over are kept; those that are not are told from their records."""
    now_ns = time.time_ns() + hours * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    data = Path(shutil.copytree(store, tmp_path / "data"))
    before = [aftertrace(*arguments, "--data", data) for arguments in ASKED]
    assert [ended.code for ended in before] == [0] * len(ASKED)
    derived = aftertrace("derive", "--data", data)
    assert (derived.code, derived.err) == (0, "")
    assert derived.out == f"looked at 86 records: what {kept} runs tell is kept, {opened} are not over yet\n"
    assert [aftertrace(*arguments, "--data", data) for arguments in ASKED] == before
    assert aftertrace("derive", "--anew", "--data", data).out == derived.out


def test_it_goes_on_after_a_full_disk_until_it_is_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And after somebody has derived by hand; and makes anew what is damaged."""
    layout = open_folder(tmp_path / "data")
    real = steps.derive
    refusals = [
        OSError(28, "No space left on device"),
        Corrupt("read STATE: damaged"),
        Unavailable("lock: held, expected it free"),
    ]
    asked = []
    stopping, told = threading.Event(), []

    def step(data: Path, *, anew: bool) -> steps.Step:
        asked.append(anew)
        if refusals:
            raise refusals.pop()
        stopping.set()
        told.append(real(data, anew=anew))
        return told[-1]

    monkeypatch.setattr(steps, "derive", step)
    monkeypatch.setattr(deriving, "_EVERY_S", 0.0)
    deriving._follow(layout.data, stopping, 0, anew=False)
    assert asked == [False, False, True, True]
    assert told == [steps.Step(records=0, kept=0, open=0, is_last=True)]


SERVE = """
import sys
from aftertrace.cli import root, serve
serve._DERIVE_AFTER_S = 0.0
raise SystemExit(root.run(sys.argv[1:]))
"""


def test_serve_derives_after_a_while(aftertrace: Command, tmp_path: Path) -> None:
    """In a process of its own, which ends with it."""
    data = tmp_path / "data"
    assert aftertrace("import", RECORDINGS / "langchain.openinference_reject_edit.jsonl", "--data", data).code == 0
    addresses = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--no-dashboard")
    served = subprocess.Popen([sys.executable, "-c", SERVE, "serve", *addresses, "--data", str(data)], text=True)
    try:
        until((data / "derived" / "STATE").exists, 60)
        children = Served(served, {}, []).children()
        assert len(children) == 3
    finally:
        served.terminate()
        assert served.wait(60) == 0
    gone(children)
    assert json.loads((data / "derived" / "STATE").read_bytes())["upto"] == {"import": 2}


def test_a_child_that_nobody_waits_for_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it ends: it is tried again slowly."""
    now = 0.0
    monkeypatch.setattr("aftertrace.cli.children.time.monotonic", lambda: now)
    child = Child("derive", ["-c", "raise SystemExit(3)"], output=subprocess.DEVNULL, is_spare=True)
    child.start()
    for _ in range(8):
        assert child.process is not None
        child.process.wait()
        assert "derive is tried again every 30 s" in str(child.revive())
        now += 30
        assert child.revive() == "derive is tried again"
    child.stop(5)
