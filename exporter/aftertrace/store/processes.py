"""Sharing out work among processes: Python uses one core of a process.

A reader is a process that gets pieces of work through a pipe and sends back what came of each. It keeps nothing between
two of them, and ends with whoever started it, also where that is killed: then the other end of its pipe is closed.

Of each reader a thread of this process gives it the oldest piece that waits. Whoever needs what came of a piece that
still waits does it itself: so with no reader, or with slow ones, the work is done all the same.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
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
class Begun(Generic[_Piece, _Told]):
    """A piece that waits, is being worked on, or is done."""

    piece: _Piece
    told: list[_Told] = field(default_factory=list)
    """What came of it; empty until it is done."""
    is_taken: bool = False
    """Whether somebody works on it, or nobody is to."""


@dataclass(slots=True, eq=False)
class _Reader(Generic[_Piece, _Told]):
    process: subprocess.Popen[bytes]
    pipe: Connection
    given: Begun[_Piece, _Told] | None = None
    """What it works on now: never more than one piece, so that nobody writes into a pipe that nobody empties."""
    thread: threading.Thread = field(init=False)


class Processes(Generic[_Piece, _Told]):
    """Up to `count` readers, started when there is something to share. With none of them, this process does all.

    One thread uses it.
    """

    def __init__(
        self, module: str, work: Callable[[_Piece], _Told], count: int, *, worth: int = 1, files: Sequence[int] = ()
    ) -> None:
        """Start nothing yet.

        Args:
            module: run as a reader; it calls `serve` with the same `work`.
            work: makes of a piece what is to be told of it; both can be pickled.
            count: of readers.
            worth: while fewer pieces than this wait, none is started.
            files: open ones that readers have under the same numbers.
        """
        self._module = module
        self._work = work
        self._count = count
        self._worth = worth
        self._files = files
        self._ended = 0
        self._readers: list[_Reader[_Piece, _Told]] = []
        self._waiting: deque[Begun[_Piece, _Told]] = deque()
        self._changed = threading.Condition()
        """Of `_waiting`, `_ended`, `_readers` and all that was begun."""
        self._closing = False

    def begin(self, piece: _Piece) -> Begun[_Piece, _Told]:
        """Have a piece worked on as soon as a reader is free. It can be forgotten."""
        begun: Begun[_Piece, _Told] = Begun(piece)
        with self._changed:
            # Those that this process took itself.
            while self._waiting and self._waiting[0].is_taken:
                self._waiting.popleft()
            self._waiting.append(begun)
            self._changed.notify_all()
            if len(self._waiting) >= self._worth:
                self._start()
        return begun

    def finish(self, begun: Sequence[Begun[_Piece, _Told]]) -> list[_Told]:
        """What came of pieces, in order, when all are done. This process works on them too."""
        coming = iter(begun)
        for each in begun:
            self._finish(each, coming)
        return [each.told[0] for each in begun]

    def drop(self, begun: Begun[_Piece, _Told]) -> None:
        """Have nobody work on a piece any more: nobody will ask for it."""
        with self._changed:
            begun.is_taken = True

    def forget(self) -> None:
        """Have no reader begin with what waits: most likely nobody asks for it any more."""
        with self._changed:
            self._waiting.clear()

    def __call__(self, pieces: Iterable[_Piece]) -> Iterator[_Told]:
        """What came of each piece, in order, as soon as it is there. Pieces are taken as they are needed."""
        begun: deque[Begun[_Piece, _Told]] = deque()
        try:
            for piece in pieces:
                begun.append(self.begin(piece))
                if len(begun) == AHEAD:
                    yield self._first(begun)
            while begun:
                yield self._first(begun)
        finally:
            # Where it was interrupted, nobody waits for the others.
            self.forget()

    def close(self) -> None:
        """End the readers."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
            readers = list(self._readers)
        for reader in readers:
            reader.thread.join(_PATIENCE_S)
            if reader.thread.is_alive():
                reader.process.kill()
                reader.thread.join()
        self._closing = False

    def _first(self, begun: deque[Begun[_Piece, _Told]]) -> _Told:
        self._finish(begun[0], iter(list(begun)))
        return begun.popleft().told[0]

    def _finish(self, needed: Begun[_Piece, _Told], coming: Iterator[Begun[_Piece, _Told]]) -> None:
        """Return when one is done; work on others as long as a reader works on it."""
        while not needed.told:
            with self._changed:
                mine = needed if not needed.is_taken else next((each for each in coming if not each.is_taken), None)
                if mine is None:
                    # Where its reader ends it is nobody's again.
                    self._changed.wait_for(lambda: needed.told or not needed.is_taken)
                    continue
                mine.is_taken = True
            try:
                mine.told.append(self._work(mine.piece))
            finally:
                mine.is_taken = bool(mine.told)

    def _start(self) -> None:
        while len(self._readers) < self._count and self._ended < _RESTARTS:
            try:
                reader = self._started()
            except OSError as error:
                self._ended += 1
                _log.warning("a reader did not start: %s; it goes on without it", error.strerror)
                break
            reader.thread = threading.Thread(target=self._give, args=(reader,), name="reader", daemon=True)
            self._readers.append(reader)
            try:
                reader.thread.start()
            except RuntimeError as error:
                # Threads count as processes do, where their number is limited.
                self._ended += 1
                _log.warning("a reader did not start: %s; it goes on without it", error)
                self._readers.remove(reader)
                reader.pipe.close()
                reader.process.kill()
                reader.process.wait()
                break

    def _started(self) -> _Reader[_Piece, _Told]:
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

    def _give(self, reader: _Reader[_Piece, _Told]) -> None:
        """The thread of a reader: give it what waits, one piece after the other, and take what comes of it."""
        try:
            reader.pipe.recv()
            while (begun := self._take(reader)) is not None:
                reader.pipe.send(begun.piece)
                told = reader.pipe.recv()
                with self._changed:
                    begun.told.append(told)
                    reader.given = None
                    self._changed.notify_all()
        except _GONE:
            reader.process.kill()
            _log.warning("a reader ended with exit code %s; what it was given is done again", reader.process.wait())
        finally:
            # Whatever it was: nobody may wait for this reader for ever.
            with self._changed:
                self._ended += not self._closing
                self._readers.remove(reader)
                if reader.given is not None:
                    reader.given.is_taken = False
                    self._waiting.appendleft(reader.given)
                self._changed.notify_all()
            reader.pipe.close()
            reader.process.wait()

    def _take(self, reader: _Reader[_Piece, _Told]) -> Begun[_Piece, _Told] | None:
        """Give a reader the oldest piece, once there is one; None when all is to end."""
        with self._changed:
            while not self._closing:
                while self._waiting:
                    begun = self._waiting.popleft()
                    if not begun.is_taken:
                        begun.is_taken = True
                        reader.given = begun
                        return begun
                self._changed.wait()
            return None


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
