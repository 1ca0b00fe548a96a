"""Programs of a scene as child processes: bounded in time, and ended by their process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

LIMIT_S: Final = 60.0
_GRACE_S: Final = 5.0


def run(command: Sequence[str], environment: Mapping[str, str], limit_s: float = LIMIT_S) -> None:
    """Run a program to its end, or end it when its time is up; what it prints goes where this process prints."""
    child = started(command, environment, stdin=subprocess.DEVNULL)
    try:
        code = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        end(child)
    print(f"{Path(command[0]).name} ended with {code}", flush=True)


def started(command: Sequence[str], environment: Mapping[str, str], **pipes: Any) -> subprocess.Popen[str]:
    """A program in a process group of its own."""
    return subprocess.Popen(
        list(command), env={**os.environ, **environment}, start_new_session=True, text=True, **pipes
    )


def end(child: subprocess.Popen[str]) -> None:
    """End a program and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        try:
            os.killpg(child.pid, number)
            child.wait(_GRACE_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            print(f"{child.pid} does not end at {number}", file=sys.stderr)
