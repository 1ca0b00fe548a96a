"""Work that can wait goes last: in the lowest class, and with its session where that is its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aftertrace.store import priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="classes and autogroups are Linux's")

TELL = """
import os
from pathlib import Path
print(os.sched_getscheduler(0) == os.SCHED_IDLE, os.nice(0))
try:
    print(Path("/proc/self/autogroup").read_text().rpartition(" ")[2].strip())
except OSError:
    print("none")
"""
REFUSED = """
def refuse(*_):
    raise PermissionError
os.sched_setscheduler = refuse
"""
BUSY = """
import errno, pathlib
real, busy = pathlib.Path.write_text, [1, 1]
def write_text(path, text):
    if busy:
        busy.pop()
        raise OSError(errno.EAGAIN, "somebody asked just now")
    return real(path, text)
pathlib.Path.write_text = write_text
"""
GIVE_WAY = "from aftertrace.store import priority\npriority.give_way()"


def told(*code: str, is_leader: bool = True) -> list[str]:
    """Whether the class is the lowest, the niceness, and that of the session where there are autogroups."""
    command = [sys.executable, "-c", "\n".join(("import os", *code, TELL))]
    out = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=is_leader).stdout
    return out.split()


def test_it_goes_last_in_its_own_session() -> None:
    """As a child of `serve`; one that only starts is as all are."""
    plain = told()
    assert plain == ["False", str(os.nice(0)), "none" if plain[2] == "none" else "0"]
    last = plain[2] if plain[2] == "none" else "19"
    assert told(GIVE_WAY) == ["True", plain[1], last]
    assert told(BUSY, GIVE_WAY) == ["True", plain[1], last]


def test_what_is_refused_is_nicer_at_least() -> None:
    """Where a container forbids other classes."""
    plain = told()
    assert told(REFUSED, GIVE_WAY)[:2] == ["False", str(min(int(plain[1]) + priority.NICENESS, 19))]


def test_a_session_of_others_stays_as_it_is() -> None:
    """Derived by hand from a shell, it must not slow down what else that runs."""
    before = priority.AUTOGROUP.read_text() if priority.AUTOGROUP.exists() else ""
    assert told(GIVE_WAY, is_leader=False)[0] == "True"
    assert (priority.AUTOGROUP.read_text() if before else "") == before
