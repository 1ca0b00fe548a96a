"""How far a write-ahead log may run ahead of the tables, and how much of the disk it leaves to them.

What is refused here was not written, and its sender tries again. Without this, a sender that outruns the drain fills
the disk; and on a full disk the drain, which is what would free it, cannot write either.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import segments

LOOK_EVERY_S: Final = 0.25
"""How long a look at the disk counts; what is admitted meanwhile is added to it."""
_RETRY_AFTER_S: Final = 5.0
"""The drain frees a segment at a time, some seconds' work."""

_DISK_SHARE: Final = 10
"""A disk that is smaller than the reserve must still take something."""


class Full(Unavailable):
    """The log must not grow now: the tables are too far behind, or the disk is nearly full."""


class Backlog:
    """What waits in one WAL folder. Its one user calls it under a lock."""

    def __init__(
        self, folder: Path, max_bytes: int, reserve_bytes: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Allow segments of `max_bytes` together, and leave `reserve_bytes` of the disk free, a tenth of it at most."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._reserve_bytes = reserve_bytes
        self._clock_s = clock_s
        self._looked_s = float("-inf")
        self._waiting_bytes = 0
        self._free_bytes = 0
        self._kept_bytes = 0

    def admit(self, length_bytes: int) -> None:
        """Let a request of so many bytes through.

        Raises:
            Full: it has to wait until the drain has caught up, or somebody has freed disk space.
            OSError: the folder cannot be looked at.
        """
        now_s = self._clock_s()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._look()
            self._looked_s = now_s
        if self._waiting_bytes + length_bytes > self._max_bytes:
            raise Full(
                f"append to {self._folder.name}: {self._waiting_bytes} bytes wait for the drain, the limit is "
                f"{self._max_bytes}; try again when it has caught up, or raise receiver.max_backlog_bytes",
                _RETRY_AFTER_S,
            )
        if self._free_bytes - length_bytes < self._kept_bytes:
            raise Full(
                f"append to {self._folder.name}: {self._free_bytes} bytes are free on the disk, "
                f"{self._kept_bytes} are kept for the tables; free disk space, or lower receiver.disk_reserve_bytes",
                _RETRY_AFTER_S,
            )
        self._waiting_bytes += length_bytes
        self._free_bytes -= length_bytes

    def _look(self) -> None:
        self._waiting_bytes = backlog_bytes(self._folder)
        disk = shutil.disk_usage(self._folder)
        self._free_bytes = disk.free
        self._kept_bytes = min(self._reserve_bytes, disk.total // _DISK_SHARE)


def backlog_bytes(folder: Path) -> int:
    """Length of all segments of a WAL folder, with the space that the last one reserves."""
    return sum(map(_length_bytes, segments(folder)))


def _length_bytes(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        # The drain has just removed it: it waits no more.
        return 0
