"""Spare segments: the disk space of retired ones, zeroed, which the writer of the log uses again.

A sync of frames in space that was written before has nothing to write down but the frames. In space that is only
reserved it also has to say which parts of it are in use now: `python -m benchmarks.segments` measures what that costs.

A segment becomes a spare in this order; a crash in between leaves a draft, which `clear` removes later::

    rename to a draft, and sync the folder     after a power cut nobody takes zeros for a segment of frames
    write zeros over all of it, and sync       old frames must not stand behind new ones
    rename to `<its name>.spare`
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Final

from aftertrace.store import durable
from aftertrace.store.layout import SPARE_SUFFIX

MOST: Final = 2
"""Spares of one log; more would be disk space for nothing."""
FREE_BYTES: Final = 2 << 30
"""With less than this free, a disk has better use for the space."""
_DRAFT_SUFFIX: Final = f"{SPARE_SUFFIX}.new"
_STEP_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(_STEP_BYTES)


def keep(segment: Path) -> bool:
    """Make a spare of a segment that is needed no more, unless there are enough of them or somebody reads it.

    Only whoever holds the drain's lock may call this.

    Returns:
        Whether the segment is gone.

    Raises:
        OSError: the disk fails.
    """
    folder = segment.parent
    clear(folder)
    if len(list(folder.glob(f"*{SPARE_SUFFIX}"))) >= MOST or shutil.disk_usage(folder).free < FREE_BYTES:
        return False
    fd = os.open(segment, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        draft = folder / f".{segment.name}{_DRAFT_SUFFIX}"
        segment.rename(draft)
        durable.sync_folder(folder)
        _write_zeros(fd)
        draft.rename(folder / f"{segment.name}{SPARE_SUFFIX}")
    finally:
        os.close(fd)
    return True


def clear(folder: Path) -> None:
    """Remove the drafts that a crash left, which may hold frames. Only whoever holds the drain's lock may call this."""
    for left in folder.glob(f".*{_DRAFT_SUFFIX}"):
        left.unlink()


def take(folder: Path, target: Path, length_bytes: int) -> int | None:
    """Give a spare of at least this length another name, and open it; None where there is none.

    A shorter one is removed: the writer wants longer segments now.

    Raises:
        OSError: the disk fails.
    """
    for spare in sorted(folder.glob(f"*{SPARE_SUFFIX}")):
        spare.rename(target)
        fd = os.open(target, os.O_RDWR | os.O_CLOEXEC)
        if os.fstat(fd).st_size >= length_bytes:
            return fd
        os.close(fd)
        target.unlink()
    return None


def open_to_read(segment: Path) -> int:
    """Open a segment so that it is no spare as long as it is open.

    Raises:
        FileNotFoundError: it is gone; it may have become one a moment ago.
    """
    fd = os.open(segment, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        if not os.path.samestat(os.fstat(fd), segment.stat()):
            raise FileNotFoundError(f"open {segment}: it became a spare")
    except OSError:
        os.close(fd)
        raise
    return fd


def _write_zeros(fd: int) -> None:
    length_bytes = os.fstat(fd).st_size
    for offset in range(0, length_bytes, _STEP_BYTES):
        durable.write_all(fd, _ZEROS[: length_bytes - offset], offset)
    durable.sync_data(fd)
