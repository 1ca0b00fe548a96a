"""Locks between processes: a file that one process at a time holds. The system lets go of it when the holder ends.

Whoever may open the file may hold it, if only to read: so it is the account's alone that writes to the store.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aftertrace.store.errors import Held, Unavailable


class Lock:
    """A held lock. `release` it, or let the process end."""

    def __init__(self, path: Path, what: str) -> None:
        """Take the lock at once or not at all.

        Raises:
            Held: another holder has it; `what` names in the message what that holder does.
            Unavailable: the file cannot be opened for writing, as on a read-only file system.
        """
        try:
            self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            way_out = "free disk space" if error.errno == errno.ENOSPC else "make the folder writable"
            raise Unavailable(f"lock {path}: {error.strerror}, expected to write there; {way_out}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise Held(
                f"lock {path}: held, expected it free; another process {what}: wait for it or stop it", 1.0
            ) from None

    def release(self) -> None:
        """Let go. Never call it twice: the number could be another file's by then."""
        os.close(self._fd)


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a lock for the length of a `with` block."""
    lock = Lock(path, what)
    try:
        yield
    finally:
        lock.release()
