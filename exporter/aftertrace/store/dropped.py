"""Files that somebody else left, looked at as they are: no link is followed, and nothing is waited for.

What is no file that can be read is told apart from a look that failed: a file is thrown away for what it is, and never
because there were too many open files, or the disk could not read it for a moment.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FILE: Final = frozenset({errno.ELOOP, errno.ENXIO, errno.ENOENT, errno.EACCES, errno.EWOULDBLOCK})
"""A link, a socket, one that is gone, one that its owner hides, and one that its owner holds by a lease: whoever leaves
a file can bring these about, and must not stop whoever looks.
"""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file as it was found."""

    content: bytes
    """As far as it was asked for."""
    uid: int
    """The account that it belongs to."""
    names: int
    """How many it has: with a second one (hard link) it may be that of somebody else."""


def look(path: Path, most_bytes: int | None = None) -> Dropped | None:
    """A file, as far as so many bytes, all without; None for what is none that this account can read.

    Raises:
        OSError: it could not be looked at now.
    """
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None
        with os.fdopen(fd, "rb", closefd=False) as file:
            return Dropped(file.read(-1 if most_bytes is None else most_bytes), found.st_uid, found.st_nlink)
    finally:
        os.close(fd)
