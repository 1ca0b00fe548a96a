"""What processes use of the machine: a process and all that it started, seen from outside (Linux)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

LOOK_S: Final = 0.25
"""How often a meter looks. A peak between two looks is not seen."""

Roles: TypeAlias = Mapping[str, Iterable[int]]
"""Process ids, by what the processes are."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_GONE: Final = (FileNotFoundError, ProcessLookupError)


def tree(root: int) -> list[int]:
    """A process and everything below it, parents first. Empty once it is gone."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(*_GONE):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [root] if Path(f"/proc/{root}").exists() else []
    for process_id in found:
        found += children.get(process_id, [])
    return found


def children(process_id: int) -> list[int]:
    """What a process started itself, oldest first."""
    listed: list[int] = []
    for task in Path(f"/proc/{process_id}/task").iterdir():
        listed += map(int, (task / "children").read_text().split())
    return sorted(listed)


def arguments(process_id: int) -> list[str]:
    """The command that a process was started with; empty once it is gone."""
    with suppress(*_GONE):
        return Path(f"/proc/{process_id}/cmdline").read_text().split("\0")
    return []


def end(process: subprocess.Popen[Any], within_s: float) -> None:
    """End a process by SIGTERM, and what is left of it and of all that it started after so long by SIGKILL."""
    started = {process_id: _born(process_id) for process_id in tree(process.pid)}
    if within_s > 0:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(within_s)
    for process_id, born in started.items():
        with suppress(*_GONE):
            # The same number may be another process by now.
            if _born(process_id) == born:
                os.kill(process_id, signal.SIGKILL)
    process.wait()


def end_in_order() -> None:
    """Let SIGTERM end this process as an exception does, so that what it started is ended too."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def cpu_s(process_id: int) -> float:
    """Processor seconds that a process used so far, without its children."""
    fields = _stat(process_id)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(process_id: int) -> int:
    """Memory of a process; pages that several processes share count in each."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text())
    return 0 if found is None else int(found[1]) * 1024


def _stat(process_id: int) -> list[str]:
    """What is after the name: state, parent, ..."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()


def _born(process_id: int) -> str:
    """When a process began, in ticks since the machine did."""
    return _stat(process_id)[19]


class Meter:
    """Looks at processes again and again while it is open."""

    def __init__(self, roles: Callable[[], Roles]) -> None:
        """Watch what `roles` names; it is asked each time, since processes come and go."""
        self.peak_bytes: dict[str, int] = {}
        """The most memory that was seen, by role: the sum over its processes at one look."""
        self.most_processes = 0
        """The most that were there at one look."""
        self._roles = roles
        self._used_s: dict[str, dict[int, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds so far, by role; of a process that ended, until it was last seen."""
        self.look()
        return {role: sum(used.values()) for role, used in self._used_s.items()}

    def look(self) -> dict[str, int]:
        """Memory now, by role."""
        now_bytes: dict[str, int] = {}
        processes = 0
        for role, process_ids in self._roles().items():
            now_bytes[role] = 0
            for process_id in process_ids:
                with suppress(*_GONE):
                    now_bytes[role] += resident_bytes(process_id)
                    self._used_s.setdefault(role, {})[process_id] = cpu_s(process_id)
                    processes += 1
        self.most_processes = max(self.most_processes, processes)
        for role, size_bytes in now_bytes.items():
            self.peak_bytes[role] = max(self.peak_bytes.get(role, 0), size_bytes)
        return now_bytes

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.perf_counter()
            with suppress(*_GONE):
                self.look()
            self._stop.wait(max(0.0, LOOK_S - (time.perf_counter() - began_s)))
