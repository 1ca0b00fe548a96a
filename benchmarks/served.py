"""A real `aftertrace serve` on a scratch folder, and what it uses of the machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final, Self

from benchmarks.processes import Meter, Roles, arguments, children, end, tree

_READY: Final = re.compile(r"ready .*?http=http://127\.0\.0\.1:(\d+).*?grpc=\S*?:(\d+)")
_STOP_LIMIT_S: Final = 90.0


class Served:
    """A context manager: started and ready inside, ended by SIGTERM after. Its log is in the scratch folder."""

    def __init__(self, scratch: Path) -> None:
        """Prepare to serve `scratch/data`."""
        self.data = scratch / "data"
        self.http_port = 0
        self.grpc_port = 0
        self.meter = Meter(self._roles)
        """Of the receiver, of the drain with the readers that it started, and of the others: what seals and derives."""
        self._scratch = scratch

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
            end(self._process, 0)
            raise SystemExit(f"serve did not start:\n{(self._scratch / 'serve.log').read_text()}")
        self.http_port, self.grpc_port = int(ready[1]), int(ready[2])
        self.meter.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, with everything stored that was acknowledged."""
        self.stop(_STOP_LIMIT_S)

    def stop(self, within_s: float) -> None:
        """End it; with no time to end in, nothing more is stored."""
        if self._process.returncode is None:
            self.meter.__exit__()
            end(self._process, within_s)
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _roles(self) -> Roles:
        of = self._process.pid
        started = {child: tree(child) for child in children(of)}
        drains = {child for child in started if "drain" in arguments(child)}
        return {
            "receiver": [of],
            # What reads for it is below it.
            "drain": [each for child in drains for each in started[child]],
            "others": [each for child in started.keys() - drains for each in started[child]],
        }
