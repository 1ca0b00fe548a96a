"""File operations that survive power loss.

A file is durable when its bytes *and* its name are: `fsync` of the file, then `fsync` of the folder that names it, and
for a new folder of its parent too. The happy path of `write_file`, as the system sees it::

    openat(".name.new", O_CREAT|O_WRONLY|O_EXCL) = 3
    write(3, …)
    fsync(3)                          bytes are down
    rename(".name.new", "name")       atomic: a reader sees the old file or the whole new one
    openat("folder", O_DIRECTORY) = 3
    fsync(3)                          the name is down

An error from `fsync` means that bytes may be gone although a second call would report success (the kernel marks the
pages clean). So nobody here tries again on the same file: the error reaches the caller, who writes elsewhere or gives
up. https://www.usenix.org/conference/atc20/presentation/rebello

BUG: a disk that acknowledges a flush before it is done loses data, and nothing here can see it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

if sys.platform == "darwin":
    import fcntl

    def _sync(fd: int) -> None:
        # fsync on macOS stops at the drive's cache.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

else:

    def _sync(fd: int) -> None:
        os.fsync(fd)


_ZEROS: Final = bytes(1 << 20)


def sync_data(fd: int) -> None:
    """Bring a file's bytes to stable storage, and what is needed to read them back; not its times."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        _sync(fd)


def sync_file(path: Path) -> None:
    """Bring a file's bytes to stable storage, whoever wrote them."""
    fd = os.open(path, os.O_RDONLY)
    try:
        _sync(fd)
    finally:
        os.close(fd)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to stable storage."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _sync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder and its parents, each durably named; no harm if it is there."""
    if path.is_dir():
        # Whoever made it may have been killed before its own sync. A parent that this user may not even list was
        # made by somebody else, long ago.
        with suppress(PermissionError):
            sync_folder(path.parent)
        return
    make_folder(path.parent)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole, replacing an older one. A crash leaves the old file or the new one, never a part."""
    draft = _draft(path, content, mode)
    draft.replace(path)
    sync_folder(path.parent)


def create_file(path: Path, content: bytes, mode: int = 0o644) -> bool:
    """Write a file whole unless there is one. Of several callers at once exactly one gets True."""
    draft = _draft(path, content, mode)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    sync_folder(path.parent)
    return True


def create_files(folder: Path, files: Iterable[tuple[Path, bytes]], mode: int = 0o644) -> None:
    """Write files of a folder, each whole unless there is one. When it returns, all names in the folder are down."""
    for path, content in files:
        draft = _draft(path, content, mode)
        try:
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    sync_folder(folder)


def move(source: Path, target: Path) -> None:
    """Rename a file within a file system, durably on both sides."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove(path: Path) -> None:
    """Remove a file durably."""
    path.unlink()
    sync_folder(path.parent)


def reserve(fd: int, length_bytes: int) -> None:
    """Give a new, empty file its full length, so that a full disk is met now and not at a later write."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, length_bytes)
        return
    for offset in range(0, length_bytes, len(_ZEROS)):
        write_all(fd, _ZEROS[: length_bytes - offset], offset)


def write_all(fd: int, content: bytes, offset: int) -> None:
    """Write all of `content` at `offset`; `pwrite` alone may write less."""
    view = memoryview(content)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def _draft(path: Path, content: bytes, mode: int) -> Path:
    """A synced file beside `path` that nobody reads yet; a crash leaves it behind, harmless."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        write_all(fd, content, 0)
        _sync(fd)
    finally:
        os.close(fd)
    return draft
