"""`derive`: what is kept changes no answer; `serve` keeps it up to date, and nothing about it ends `serve`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aftertrace.analyzer.derived import deriving as steps
from aftertrace.cli import deriving, draining
from aftertrace.cli.children import Child
from aftertrace.store import waiting
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.request import Prepared, Request
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal import WalWriter

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


@pytest.mark.parametrize(("hours", "kept", "opened"), [(0, 3, 2), (1, 4, 1), (25, 5, 0)])
def test_what_is_kept_changes_no_answer(
    aftertrace: Command,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
    kept: int,
    opened: int,
) -> None:
    """Runs that are over are kept; those that are not are told from their records: one tells no end, and one waits."""
    data = Path(shutil.copytree(store, tmp_path / "data"))
    for name in ("codex.exec_never_logs_json", "agent-framework.pending"):
        assert aftertrace("import", RECORDINGS / f"{name}.jsonl", "--data", data).code == 0
    now_ns = time.time_ns() + hours * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    before = [aftertrace(*arguments, "--data", data) for arguments in ASKED]
    assert [ended.code for ended in before] == [0] * len(ASKED)
    derived = aftertrace("derive", "--data", data)
    assert (derived.code, derived.err) == (0, "")
    assert derived.out == f"looked at 114 records: what {kept} runs tell is kept, {opened} are not over yet\n"
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


@pytest.mark.parametrize(
    ("behind_s", "waited_s"), [(0.0, 0.0), (7.5, 8.0), (119.5, 120.0), (float("inf"), deriving.WAIT_AT_MOST_S)]
)
def test_a_step_waits_while_the_drain_is_behind(behind_s: float, waited_s: float) -> None:
    """And not for ever, as where nobody drains; where it is not behind, not at all."""
    now = [1000.0]

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return False

    deriving._let_pass(lambda: now[0] < 1000 + behind_s, wait, lambda: now[0])
    assert now[0] - 1000 == waited_s


def test_a_step_that_waits_is_not_waited_for(tmp_path: Path) -> None:
    """`serve` ends at once: nothing is derived any more."""
    layout, asked, stopping = open_folder(tmp_path / "data"), [], threading.Event()

    def wait(seconds: float) -> bool:
        asked.append(seconds)
        stopping.set()
        return True

    deriving._let_pass(lambda: True, wait, lambda: 0.0)
    assert asked == [2.0]
    deriving._follow(layout.data, stopping, 0, anew=False)
    assert not layout.derived.exists()


def test_the_drain_is_behind_after_three_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the oldest that waits, and not within the two that it is to take; what is accepted now and then never is
    behind, nor what this account may not read.
    """
    layout, now_ns = open_folder(tmp_path / "data"), 10**18
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    assert not deriving._is_behind(layout)
    with WalWriter(layout, "main") as log:
        log.append(Request("traces", "protobuf", b"", "agent", now_ns), Prepared(b"", 0, b"", (), "")).result()
    assert not deriving._is_behind(layout)
    now_ns += 3 * 10**9
    assert not deriving._is_behind(layout)
    now_ns += 1
    assert deriving._is_behind(layout)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(waiting, "oldest_ns", lambda _: (_ for _ in ()).throw(PermissionError))
        assert not deriving._is_behind(layout)
    draining.run(layout.data, follow=False, stopping=threading.Event(), processes=1)
    assert not deriving._is_behind(layout)


def test_what_follows_derives_where_nobody_drains(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the tables is derived after the wait, though more waits in the log for ever."""
    data, stopping, waited = Path(shutil.copytree(store, tmp_path / "data")), threading.Event(), []
    with WalWriter(Layout(data), "main") as log:
        log.append(Request("traces", "protobuf", b"", "agent", 1), Prepared(b"", 0, b"", (), "")).result()

    def let_pass(is_behind: Callable[[], bool], *_: object) -> None:
        waited.append(is_behind())
        if len(waited) == 2:
            stopping.set()

    monkeypatch.setattr(deriving, "_let_pass", let_pass)
    monkeypatch.setattr(deriving, "_EVERY_S", 0.0)
    deriving._follow(data, stopping, 0, anew=False)
    assert waited == [True, True]
    assert json.loads((data / "derived" / "STATE").read_bytes())["upto"] == dict(Snapshot.of(data).watermarks)


FOLLOWS = """
import sys
from aftertrace.cli import deriving, root

def follow(*_, **__):
    import polars
    print(polars.thread_pool_size())

deriving._follow = follow
raise SystemExit(root.run(sys.argv[1:]))
"""


@pytest.mark.parametrize(("asked_for", "threads"), [(None, "1"), ("2", "2")])
def test_what_follows_takes_one_thread(
    aftertrace: Command, tmp_path: Path, asked_for: str | None, threads: str
) -> None:
    """Unless it is told otherwise: nothing has loaded the library before that is said."""
    data = tmp_path / "data"
    assert aftertrace("import", RECORDINGS / "langchain.openinference_reject_edit.jsonl", "--data", data).code == 0
    command = [sys.executable, "-c", FOLLOWS, "derive", "--follow", "--data", str(data)]
    environment = {name: told for name, told in os.environ.items() if name != "POLARS_MAX_THREADS"}
    environment |= {} if asked_for is None else {"POLARS_MAX_THREADS": asked_for}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as ran:
        assert ran.stdout is not None
        assert ran.stdout.read().split() == [threads]
    assert ran.returncode == 0


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
