"""Sharing out work among processes: Python uses one core of a process.

A reader is a process that gets pieces of work through a pipe and sends back what came of each. It keeps nothing between
two of them, and ends with whoever started it, also where that is killed: then the other end of its pipe is closed.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Final, Generic, TypeVar

from aftertrace.store import memory

_log = logging.getLogger(__name__)

MOST: Final = 3
"""Readers where nobody says how many: more would wait for the work that is not shared out."""
AHEAD: Final = 16
"""So many pieces are begun before the oldest of them is done: what comes of others waits for it in memory."""
_RESTARTS: Final = 5
"""Readers that may end unasked, or not start, before it goes on without them."""
_PATIENCE_S: Final = 10.0
"""A reader ends within a piece of its pipe; one that does not is killed."""
_READY: Final = "ready"
_GONE: Final = (OSError, EOFError)
"""What a pipe raises when nobody is at its other end."""

_Piece = TypeVar("_Piece")
_Told = TypeVar("_Told")


def spare_cores() -> int:
    """How many readers this machine has cores for, beside this process."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(0, min(MOST, cores - 1))


@dataclass(slots=True, eq=False)
class _Reader(Generic[_Piece]):
    process: subprocess.Popen[bytes]
    pipe: Connection
    is_ready: bool = False
    given: tuple[int, _Piece] | None = None
    """What it works on now: never more than one piece, so that nobody writes into a pipe that nobody empties."""


class Processes(Generic[_Piece, _Told]):
    """Up to `count` readers, started when there is something to share. With none of them, this process does all."""

    def __init__(
        self, module: str, work: Callable[[_Piece], _Told], count: int, *, worth: int = 1, files: Sequence[int] = ()
    ) -> None:
        """Start nothing yet.

        Args:
            module: run as a reader; it calls `serve` with the same `work`.
            work: makes of a piece what is to be told of it; both can be pickled.
            count: of readers.
            worth: with fewer pieces than this, none is started.
            files: open ones that readers have under the same numbers.
        """
        self._module = module
        self._work = work
        self._count = count
        self._worth = worth
        self._files = files
        self._ended = 0
        self._readers: list[_Reader[_Piece]] = []

    def __call__(self, pieces: Iterable[_Piece]) -> Iterator[_Told]:
        """What came of each piece, in order, as soon as it is there.

        This process works too, and what was given to a reader that ended is done again.
        """
        for reader in [reader for reader in self._readers if reader.given is not None]:
            # The last turn was interrupted: nobody waits for what is still being done of it.
            self._forget(reader)
        coming = enumerate(pieces)
        waiting: deque[tuple[int, _Piece]] = deque()
        done: dict[int, _Told] = {}
        told = 0
        while True:
            while (begun := told + len(waiting) + len(done) + self._many_given()) < told + AHEAD:
                piece = next(coming, None)
                if piece is None:
                    break
                waiting.append(piece)
            if begun == told:
                return
            if begun >= self._worth:
                self._start()
            self._collect(waiting, done, is_idle=not waiting and told not in done)
            for reader in list(self._readers):
                # The last one is done here: to send it away would be to wait for it.
                if reader.is_ready and reader.given is None and len(waiting) > 1:
                    self._give(reader, waiting)
            if waiting and told not in done:
                position, piece_here = waiting.popleft()
                done[position] = self._work(piece_here)
            while told in done:
                yield done.pop(told)
                told += 1

    def close(self) -> None:
        """End the readers."""
        for reader in self._readers:
            reader.pipe.close()
        for reader in self._readers:
            try:
                reader.process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                reader.process.kill()
                reader.process.wait()
        self._readers.clear()

    def _many_given(self) -> int:
        return sum(reader.given is not None for reader in self._readers)

    def _start(self) -> None:
        while len(self._readers) < self._count and self._ended < _RESTARTS:
            try:
                self._readers.append(self._started())
            except OSError as error:
                self._ended += 1
                _log.warning("a reader did not start: %s; it goes on without it", error.strerror)
                break

    def _started(self) -> _Reader[_Piece]:
        """A new reader. Raises `OSError` where the system has no room for a process."""
        mine, its = Pipe()
        try:
            # -P: what lies in the folder that this was started in is nothing to import.
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its.fileno(), *self._files],
            )
        except OSError:
            mine.close()
            raise
        finally:
            its.close()
        return _Reader(process, mine)

    def _collect(self, waiting: deque[tuple[int, _Piece]], done: dict[int, _Told], *, is_idle: bool) -> None:
        """Take what readers have ready; where nothing else is to be done, wait for one."""
        asked = {reader.pipe: reader for reader in self._readers if reader.given is not None or not reader.is_ready}
        if is_idle:
            asked = {pipe: reader for pipe, reader in asked.items() if reader.given is not None}
        for pipe in wait(list(asked), None if is_idle else 0):
            reader = asked[pipe]  # type: ignore[index] # what was asked for
            try:
                answer = reader.pipe.recv()
            except _GONE:
                self._lost(reader, waiting)
                continue
            if reader.given is not None:
                done[reader.given[0]] = answer
            reader.is_ready, reader.given = True, None

    def _give(self, reader: _Reader[_Piece], waiting: deque[tuple[int, _Piece]]) -> None:
        reader.given = waiting.popleft()
        try:
            reader.pipe.send(reader.given[1])
        except _GONE:
            self._lost(reader, waiting)

    def _lost(self, reader: _Reader[_Piece], waiting: deque[tuple[int, _Piece]]) -> None:
        if reader.given is not None:
            waiting.appendleft(reader.given)
        self._forget(reader)
        self._ended += 1
        _log.warning("a reader ended with exit code %s; what it was given is done again", reader.process.returncode)

    def _forget(self, reader: _Reader[_Piece]) -> None:
        self._readers.remove(reader)
        reader.pipe.close()
        reader.process.kill()
        reader.process.wait()


def serve(work: Callable[[_Piece], _Told], arguments: Sequence[str]) -> None:
    """A reader's whole life; its pipe is the file descriptor that it is told."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Both may go to a whole group of processes: whoever started a reader decides when it ends.
        signal.signal(number, signal.SIG_IGN)
    memory.arrange()
    with Connection(int(arguments[0])) as pipe, suppress(*_GONE):
        pipe.send(_READY)
        while True:
            pipe.send(work(pipe.recv()))
