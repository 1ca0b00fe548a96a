"""Programs of a scene as child processes: bounded in time, and ended by their process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

LIMIT_S: Final = 60.0
_ENDING: Final = ((signal.SIGTERM, 4.0), (signal.SIGKILL, 1.0))
"""Signals to a group, and how long it may take to end at each: together less than the harness grants this process."""
_AROUND_S: Final = 30.0
"""For Python to start, and for what lies between the processes of a scene."""
_POLL_S: Final = 0.05


def limit_s(processes: int) -> float:
    """The limit of a case that runs so many processes one after another: theirs fit into it."""
    return _AROUND_S + processes * (LIMIT_S + sum(grace_s for _, grace_s in _ENDING))


def run(command: Sequence[str], environment: Mapping[str, str], limit_s: float = LIMIT_S) -> int:
    """Run a program to its end, or end it when its time is up; what it prints goes where this process prints.

    Returns:
        Its exit code; -1 where its time was up.
    """
    child = started(command, environment, stdin=subprocess.DEVNULL)
    try:
        code = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        end(child)
    print(f"{Path(command[0]).name} ended with {code}", flush=True)
    return -1 if code is None else code


def started(command: Sequence[str], environment: Mapping[str, str], **pipes: Any) -> subprocess.Popen[str]:
    """A program in a process group of its own."""
    return subprocess.Popen(
        list(command), env={**os.environ, **environment}, start_new_session=True, text=True, **pipes
    )


def end(child: subprocess.Popen[str]) -> None:
    """End a program and what it started, also what is left of it when the program itself has ended."""
    try:
        for number, grace_s in _ENDING:
            end_s = time.monotonic() + grace_s
            left = _signalled(child, number)
            while left and time.monotonic() < end_s:
                time.sleep(_POLL_S)
                left = _signalled(child, 0)
            if not left:
                return
    finally:
        _signalled(child, signal.SIGKILL)
    if child.poll() is None:
        print(f"{child.pid} does not end", file=sys.stderr)


def ends_on_sigterm() -> None:
    """Let SIGTERM unwind this process as Ctrl-C does, so that programs in groups of their own end with it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def _signalled(child: subprocess.Popen[str], number: int) -> bool:
    """Whether anything was left of the program's group to signal; 0 asks alone."""
    child.poll()
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    return True
