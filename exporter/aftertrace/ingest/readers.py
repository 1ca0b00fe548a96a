"""Reading records with several processes: dialects are plain Python, and one process uses one core.

A reader is a process that gets stretches of records through a pipe and sends back what it read. It holds nothing, knows
no store, and ends with the drain, also where that is killed: then the other end of its pipe is closed.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Final, TypeAlias

from aftertrace.ingest import memory
from aftertrace.ingest.reading import Read, Source, read

_log = logging.getLogger(__name__)

MOST: Final = 3
"""Readers where nobody says how many: more would wait for the work of the drain that is not shared out."""
WORTH_STRETCHES: Final = 4
"""With fewer to read, the first reader would start when all is done."""
_RESTARTS: Final = 5
"""Readers that may end unasked, or not start, before the drain goes on without them."""
_PATIENCE_S: Final = 10.0
"""A reader ends within a stretch of its pipe; one that does not is killed."""
_READY: Final = "ready"
_GONE: Final = (OSError, EOFError)
"""What a pipe raises when nobody is at its other end."""

_Numbered: TypeAlias = tuple[int, Sequence[Source]]


def spare_cores() -> int:
    """How many readers this machine has cores for, beside the drain."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(0, min(MOST, cores - 1))


@dataclass(slots=True, eq=False)
class _Reader:
    process: subprocess.Popen[bytes]
    pipe: Connection
    is_ready: bool = False
    given: _Numbered | None = None
    """What it reads now: never more than one stretch, so that nobody writes into a pipe that nobody empties."""


class Readers:
    """Up to `count` readers, started when there is something to share. With none of them, this process reads."""

    def __init__(self, count: int) -> None:
        """Start nothing yet."""
        self._count = count
        self._ended = 0
        self._readers: list[_Reader] = []

    def __call__(self, stretches: Iterable[Sequence[Source]]) -> Iterator[Read]:
        """What was read of each stretch, in order.

        This process reads too, and what was given to a reader that ended is read again.
        """
        for reader in [reader for reader in self._readers if reader.given is not None]:
            # The last turn was interrupted: nobody waits for what is still being read of it.
            self._forget(reader)
        waiting = deque(enumerate(stretches))
        done: dict[int, Read] = {}
        many = len(waiting)
        if many >= WORTH_STRETCHES:
            self._start()
        while len(done) < many:
            self._collect(waiting, done)
            for reader in list(self._readers):
                # The last one is read here: to send it away would be to wait for it.
                if reader.is_ready and reader.given is None and len(waiting) > 1:
                    self._give(reader, waiting)
            if waiting:
                position, stretch = waiting.popleft()
                done[position] = read(stretch)
        return (done[position] for position in range(many))

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

    def _start(self) -> None:
        while len(self._readers) < self._count and self._ended < _RESTARTS:
            try:
                self._readers.append(_started())
            except OSError as error:
                self._ended += 1
                _log.warning("a reader did not start: %s; the drain reads without it", error.strerror)
                break

    def _collect(self, waiting: deque[_Numbered], done: dict[int, Read]) -> None:
        """Take what readers have ready; where nothing else is to be done, wait for one."""
        asked = {reader.pipe: reader for reader in self._readers if reader.given is not None or not reader.is_ready}
        if not waiting:
            asked = {pipe: reader for pipe, reader in asked.items() if reader.given is not None}
        for pipe in wait(list(asked), 0 if waiting else None):
            reader = asked[pipe]  # type: ignore[index] # what was asked for
            try:
                answer = reader.pipe.recv()
            except _GONE:
                self._lost(reader, waiting)
                continue
            if reader.given is not None:
                done[reader.given[0]] = answer
            reader.is_ready, reader.given = True, None

    def _give(self, reader: _Reader, waiting: deque[_Numbered]) -> None:
        reader.given = waiting.popleft()
        try:
            reader.pipe.send(reader.given[1])
        except _GONE:
            self._lost(reader, waiting)

    def _lost(self, reader: _Reader, waiting: deque[_Numbered]) -> None:
        if reader.given is not None:
            waiting.append(reader.given)
        self._forget(reader)
        self._ended += 1
        _log.warning("a reader ended with exit code %s; what it was given is read again", reader.process.returncode)

    def _forget(self, reader: _Reader) -> None:
        self._readers.remove(reader)
        reader.pipe.close()
        reader.process.kill()
        reader.process.wait()


def _started() -> _Reader:
    """A new reader. Raises `OSError` where the system has no room for a process."""
    mine, its = Pipe()
    try:
        # -P: what lies in the folder that this was started in is nothing to import.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "aftertrace.ingest.readers", str(its.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
    except OSError:
        mine.close()
        raise
    finally:
        its.close()
    return _Reader(process, mine)


def serve(pipe: Connection) -> None:
    """Read what comes through a pipe until it is closed."""
    pipe.send(_READY)
    while True:
        pipe.send(read(pipe.recv()))


def main(arguments: Sequence[str]) -> None:
    """A reader's whole life; its pipe is the file descriptor that it is told."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Both may go to a whole group of processes: the drain decides when a reader ends.
        signal.signal(number, signal.SIG_IGN)
    memory.arrange()
    with Connection(int(arguments[0])) as pipe, suppress(*_GONE):
        serve(pipe)


if __name__ == "__main__":
    main(sys.argv[1:])
