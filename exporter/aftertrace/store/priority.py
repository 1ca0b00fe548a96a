"""Letting others go first: for a process whose work can wait while others receive and store."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path
from typing import Final

NICENESS: Final = 10
"""Where the system has no lower class, or does not let us into it."""
AUTOGROUP: Final = Path("/proc/self/autogroup")
_LOWEST: Final = 19
_ATTEMPTS: Final = 10
_AGAIN_S: Final = 0.1


def give_way() -> None:
    """Let this process run only when no other wants to, as far as the system does that without privileges.

    Linux has a class for it. Under a low niceness alone a process still gets a share of a busy core, and with it the
    caches that whoever stores had filled. But in a session of its own, as a child of `serve` is, neither counts: Linux
    shares a core out among sessions first (`man 7 sched`, autogroup), and only within one by what its processes ask
    for. So the session goes last too, where it is this process's own.

    Nothing here helps against the other thread of one core, or for the way to memory: there a process of any class
    takes from its neighbour, and has to wait by itself.
    """
    if sys.platform != "linux":
        os.nice(NICENESS)
        return
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError:
        os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        _session_goes_last()


def _session_goes_last() -> None:
    for _ in range(_ATTEMPTS):
        try:
            AUTOGROUP.write_text(str(_LOWEST))
        except OSError as refusal:
            # One process in all may ask for it every tenth of a second. Where there are no autogroups, nothing is lost.
            if refusal.errno != errno.EAGAIN:
                return
            time.sleep(_AGAIN_S)
        else:
            return
