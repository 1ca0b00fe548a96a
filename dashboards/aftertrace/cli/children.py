"""The processes that `serve` starts beside itself, each ended by its own process id.

A child gets a pipe as standard input that nothing is ever written to. When `serve` is killed, the system closes the
pipe, the child reads its end and goes too: no drain keeps the store's lock, no page keeps its port.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aftertrace.store.errors import Unavailable

_RESTARTS: Final = 5
"""How many times a child may end within `_PERIOD_S` before `serve` gives up."""
_PERIOD_S: Final = 60.0
_PAUSE_S: Final = 0.5
"""Between the end of a child and the next attempt."""
_HELPLESS_PAUSE_S: Final = 30.0
"""The same when a person must act first."""


@dataclass(slots=True)
class Child:
    """A process that should run as long as `serve` does."""

    name: str
    arguments: Sequence[str]
    """What follows the Python interpreter's name."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it is told beside this process's environment."""
    output: int | None = None
    """File descriptor for its standard output; None sends it to this process's standard error."""
    helpless_code: int | None = None
    """Exit code by which it says that a person must act first. It is then tried again for ever, slowly."""
    is_spare: bool = False
    """Nobody waits for what it does: however it ends, it is tried again like one that says so."""
    process: subprocess.Popen[bytes] | None = None
    retry_at_s: float | None = None
    """When a helpless one is tried again, by the monotonic clock."""
    ended: list[float] = field(default_factory=list)
    """When it ended unasked, by the monotonic clock."""

    def start(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=self.output if self.output is not None else sys.stderr.fileno(),
            env={**os.environ, **self.environment},
            # Ctrl-C in a terminal goes to the whole group: only `serve` may hear it, and ends its children in order.
            start_new_session=True,
        )

    def stop(self, patience_s: float) -> None:
        """Ask it to end by closing its pipe, wait, and end it by force when it does not.

        SIGTERM would kill a drain that is still starting, with what it should have stored left in the log.
        """
        if self.process is None:
            return
        self._close_pipe()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def revive(self) -> str | None:
        """Start it again if it has ended, a helpless one after a while.

        Returns:
            What happened, to be told; None if nothing did.

        Raises:
            Unavailable: it ends again and again.
        """
        if self.process is None or self.process.poll() is None:
            return None
        code, now = self.process.returncode, time.monotonic()
        self._close_pipe()
        if self.is_spare or code == self.helpless_code:
            return self._retry(now)
        self.ended = [moment for moment in self.ended if now - moment < _PERIOD_S] + [now]
        if len(self.ended) > _RESTARTS:
            raise Unavailable(
                f"run {self.name}: it ended {len(self.ended)} times in {_PERIOD_S:.0f} s, the last time with exit code "
                f"{code}; read what it wrote above"
            )
        time.sleep(_PAUSE_S)
        self.start()
        return f"{self.name} ended with exit code {code}; started again"

    def _retry(self, now: float) -> str | None:
        if self.retry_at_s is None:
            self.retry_at_s = now + _HELPLESS_PAUSE_S
            return (
                f"{self.name} cannot go on until somebody mends what it wrote above; the rest of `serve` goes on, and "
                f"{self.name} is tried again every {_HELPLESS_PAUSE_S:.0f} s"
            )
        if now < self.retry_at_s:
            return None
        self.retry_at_s = None
        self.start()
        return f"{self.name} is tried again"

    def _close_pipe(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()


def when_parent_ends(act: Callable[[], object]) -> None:
    """In a child: act when the parent is gone, which closes the pipe that is standard input."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        act()

    threading.Thread(target=watch, name="parent", daemon=True).start()
