"""A real `aftertrace serve` on a scratch folder, and what it uses of the machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, Self

_READY: Final = re.compile(r"ready .*?http=http://127\.0\.0\.1:(\d+)")
_STOP_LIMIT_S: Final = 90.0


class Served:
    """A context manager: started and ready inside, ended by SIGTERM after. Its log is in the scratch folder."""

    def __init__(self, scratch: Path) -> None:
        """Prepare to serve `scratch/data`."""
        self.data = scratch / "data"
        self.http_port = 0
        self.peak_bytes: dict[str, int] = {}
        """Highest resident memory seen of each process, by what it is."""
        self._scratch = scratch
        self._watching = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Start it."""
        command = [sys.executable, "-m", "aftertrace.cli", "serve", "--data", str(self.data), "--no-dashboard"]
        with (self._scratch / "serve.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        ready = _READY.match(self._process.stdout.readline())
        if ready is None:
            self._process.kill()
            raise SystemExit(f"serve did not start:\n{(self._scratch / 'serve.log').read_text()}")
        self.http_port = int(ready[1])
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._watching.set()
        self._watcher.join()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds used so far, by process."""
        ticks = os.sysconf("SC_CLK_TCK")
        used = {}
        for name, process_id in self._processes().items():
            fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
            used[name] = (int(fields[11]) + int(fields[12])) / ticks
        return used

    def _processes(self) -> dict[str, int]:
        of = self._process.pid
        children = Path(f"/proc/{of}/task/{of}/children").read_text().split()
        # Without pages there is one child.
        return {"receiver": of} | dict(zip(("drain",), map(int, children), strict=True))

    def _watch(self) -> None:
        while not self._watching.wait(0.2):
            for name, process_id in self._processes().items():
                status = Path(f"/proc/{process_id}/status").read_text()
                resident = re.search(r"VmRSS:\s+(\d+) kB", status)
                if resident is not None:
                    self.peak_bytes[name] = max(self.peak_bytes.get(name, 0), int(resident[1]) * 1024)


def folder_bytes(folder: Path) -> int:
    """Bytes that a folder takes on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
