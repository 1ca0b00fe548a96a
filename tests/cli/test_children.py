"""Child processes: started again when they end, given up when they will not stay, and never orphans."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aftertrace.cli import children
from aftertrace.cli.children import Child
from aftertrace.store.errors import Unavailable

from .served import gone, until

WATCH = "from aftertrace.cli.children import when_parent_ends\nimport os, time\nwhen_parent_ends(lambda: os._exit(7))\n"
PARENT = f"""
from aftertrace.cli.children import Child
import time
child = Child("helper", ["-c", {WATCH + "time.sleep(60)"!r}])
child.start()
print(child.process.pid, flush=True)
time.sleep(60)
"""


def runs(child: Child) -> bool:
    """Whether it runs now."""
    return child.process is not None and child.process.poll() is None


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two starts."""
    monkeypatch.setattr(children, "_PAUSE_S", 0.0)


def made(code: str) -> Child:
    """A child that runs this code; what it prints goes nowhere."""
    return Child("helper", ["-c", code], output=subprocess.DEVNULL)


def test_a_child_that_ends_is_started_again_and_one_that_runs_is_left_alone() -> None:
    """And what happened is told."""
    child = made("import sys; sys.stdin.read()")
    child.start()
    assert child.revive() is None
    first = child.process
    assert first is not None
    first.kill()
    first.wait()
    assert child.revive() == "helper ended with exit code -9; started again"
    assert runs(child)
    child.stop(5)
    assert not runs(child)


def test_a_child_that_will_not_stay_is_given_up() -> None:
    """Starting it for ever would only hide what is wrong."""
    child = made("raise SystemExit(3)")
    child.start()
    with pytest.raises(Unavailable, match=r"run helper: it ended 6 times in 60 s, the last time with exit code 3"):
        revive_for_ever(child)


def test_a_child_that_needs_a_person_is_tried_again_slowly_and_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once each time, and the next attempt comes no sooner than its pause is over."""
    now = 0.0
    monkeypatch.setattr(children.time, "monotonic", lambda: now)
    child = made("raise SystemExit(1)")
    child.helpless_code = 1
    child.start()
    for _ in range(8):
        assert child.process is not None
        child.process.wait()
        first = child.process
        assert "cannot go on until somebody mends" in str(child.revive())
        now += 29
        assert child.revive() is None
        assert child.process is first
        now += 1
        assert child.revive() == "helper is tried again"
    child.stop(5)


def revive_for_ever(child: Child) -> None:
    """Start it again whenever it has ended."""
    while child.process is not None:
        child.process.wait(20)
        child.revive()


def test_a_child_that_is_asked_while_it_starts_still_ends_in_order() -> None:
    """It reads the end of its pipe whenever it comes to it; a signal would not have waited."""
    child = made("import sys, time; time.sleep(0.5); sys.stdin.read(); raise SystemExit(9)")
    child.start()
    child.stop(20)
    assert child.process is not None
    assert child.process.returncode == 9


def test_a_child_that_ignores_being_asked_is_ended_by_force() -> None:
    """After some patience."""
    child = made("import time; time.sleep(60)")
    child.start()
    child.stop(0.2)
    assert child.process is not None
    assert child.process.returncode == -9


def test_a_child_goes_when_its_parent_is_killed() -> None:
    """The pipe between them closes, however the parent ended."""
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PARENT,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        orphan = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    gone([orphan])
    until(lambda: parent.poll() is not None)
