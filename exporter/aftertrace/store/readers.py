"""The readers of a store: the members of one group, who may read it and write nothing of it.

Who they are the data folder itself tells, whatever the configuration of whoever looks: it belongs to their group, which
may read it, and what is made in it gets that group (the set-group-ID bit)::

    02750 0640   what questions are answered from: tables, derived answers, ledger, comments, who read what
    01730        reads/new: they leave there what they read; they see nothing of it, and change nothing of others
    0700 0600    all else: keys, sealer, blobs, the requests in WALs, and locks, which whoever may open may hold

Under `UMASK` new files get these modes by themselves, since what is not for readers is always made with a mode of its
own. Every path is opened before it is changed, and no link is followed.
"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from aftertrace.store import durable
from aftertrace.store.errors import Invalid
from aftertrace.store.layout import Layout, is_for_readers

UMASK: Final = 0o027
"""What whoever writes to a store with readers leaves to others."""
_FOLDER: Final = stat.S_ISGID | 0o750
_DROP_BOX: Final = stat.S_ISVTX | 0o730
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_Mode: TypeAlias = Callable[[tuple[str, ...], os.stat_result], tuple[int, int]]
"""From the parts of a path below the data folder, and how it is, to its group and mode as they are to be."""


def gid_of(group: str) -> int:
    """The number of a group, given by name or number.

    Raises:
        Invalid: this machine has no such group.
    """
    if group.isascii() and group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise Invalid(
            f"configure store.readers: no group {group!r} on this machine, expected one; make it "
            f"(groupadd --system {group}), or name another"
        ) from None


def group_of(layout: Layout) -> int | None:
    """The number of the group whose members may read a store; None: nobody but its owner, as far as this made it."""
    try:
        found, dropped = layout.data.stat(), layout.reads_new.stat()
    except OSError:
        return None
    # Somebody may have given the folder these modes by hand: nobody gives that one them by chance.
    is_so = stat.S_IMODE(found.st_mode) == _FOLDER and _is_so(dropped, found.st_gid, _DROP_BOX)
    return found.st_gid if is_so else None


def admit(layout: Layout, gid: int) -> int:
    """Let the members of a group read a store, and nobody else but its owner.

    Returns:
        How many files and folders had another group or mode.

    Raises:
        Invalid: this account may not do that, or other data folders share the lake.
        OSError: the disk does not take it.
    """
    if others := _others(layout):
        raise Invalid(
            f"let others read {layout.tables_folder.resolve()}: {others[0]!r} of another data folder stores in it too, "
            "expected a lake of this folder alone; give the lake to the group by hand, or leave store.readers empty"
        )
    durable.make_folder(layout.reads_new)
    changed = sum(_changed(layout, lambda parts, found: _admitted(parts, found, gid)))
    # Last: until then nobody gets in, and a walk that was stopped is begun anew.
    return changed + _set_folder(layout.data, gid, _FOLDER)


def dismiss(layout: Layout) -> int:
    """Let nobody but its owner read a store. Returns and raises as `admit`."""
    gid = os.getegid()
    changed = _set_folder(layout.data, gid, 0o700)
    return changed + sum(_changed(layout, lambda _, found: (gid, stat.S_IMODE(found.st_mode) & 0o700)))


def _admitted(parts: tuple[str, ...], found: os.stat_result, gid: int) -> tuple[int, int]:
    mode = stat.S_IMODE(found.st_mode)
    if not is_for_readers(parts):
        return found.st_gid, mode & ~0o077
    if not stat.S_ISDIR(found.st_mode):
        return gid, mode & 0o700 | (mode & stat.S_IRUSR) >> 3
    return gid, _DROP_BOX if parts == ("reads", "new") else _FOLDER


def _changed(layout: Layout, wanted: _Mode) -> Iterator[bool]:
    """Each path of a store that is a file or folder: whether it was changed. The data folder itself is not among them,
    and the lake is, where that is another folder, and of nobody else.
    """
    yield from _walked(layout.data, (), wanted)
    if layout.tables_folder.is_symlink() and not _others(layout):
        lake = layout.tables_folder.resolve()
        yield from _walked(lake, ("tables",), wanted)
        fd = os.open(lake, _OPEN | os.O_DIRECTORY)
        try:
            yield _set(fd, lake, ("tables",), wanted)
        finally:
            os.close(fd)


def _others(layout: Layout) -> list[str]:
    """Receivers of other data folders that have joined the lake, where that is a folder."""
    if not layout.tables_folder.is_symlink():
        return []
    try:
        joined = {each.name for each in (layout.tables_folder / "_receivers").iterdir()}
    except FileNotFoundError:
        return []
    return sorted(joined.difference(layout.receivers()))


def _walked(top: Path, above: tuple[str, ...], wanted: _Mode) -> Iterator[bool]:
    for folder, folders, files, folder_fd in os.fwalk(top, onerror=_refuse):
        path = Path(folder)
        parts = (*above, *path.relative_to(top).parts)
        if path != top:
            yield _set(folder_fd, path, parts, wanted)
        if parts == ("reads", "new") or (parts and not is_for_readers(parts)):
            # What readers left is theirs; and nobody gets into a folder that is closed.
            folders.clear()
            continue
        for name in files:
            # Gone by now, as drafts go.
            with suppress(FileNotFoundError):
                yield _set_file(folder_fd, path / name, (*parts, name), wanted)


def _set_file(folder_fd: int, path: Path, parts: tuple[str, ...], wanted: _Mode) -> bool:
    found = os.stat(path.name, dir_fd=folder_fd, follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode) or _is_so(found, *wanted(parts, found)):
        return False
    try:
        fd = os.open(path.name, _OPEN, dir_fd=folder_fd)
    except PermissionError as error:
        raise _refused(path, error) from error
    try:
        return _set(fd, path, parts, wanted)
    finally:
        os.close(fd)


def _set_folder(path: Path, gid: int, mode: int) -> int:
    fd = os.open(path, _OPEN | os.O_DIRECTORY)
    try:
        return _set(fd, path, (), lambda *_: (gid, mode))
    finally:
        os.close(fd)


def _set(fd: int, path: Path, parts: tuple[str, ...], wanted: _Mode) -> bool:
    found = os.fstat(fd)
    gid, mode = wanted(parts, found)
    if _is_so(found, gid, mode):
        return False
    try:
        if found.st_gid != gid:
            os.fchown(fd, -1, gid)
        os.fchmod(fd, mode)
    except PermissionError as error:
        raise _refused(path, error) from error
    if not _is_so(os.fstat(fd), gid, mode):
        # The system drops the set-group-ID bit, and says nothing, where it is of a group that one is not in.
        raise _refused(path, None)
    return True


def _is_so(found: os.stat_result, gid: int, mode: int) -> bool:
    return (found.st_gid, stat.S_IMODE(found.st_mode)) == (gid, mode)


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):
        return
    if isinstance(error, PermissionError):
        raise _refused(Path(str(error.filename)), error) from error
    raise error


def _refused(path: Path, error: OSError | None) -> Invalid:
    why = "Operation not permitted" if error is None else error.strerror
    return Invalid(
        f"let others read {path}: {why} for uid {os.geteuid()}, expected its owner, and a member of the group of "
        "store.readers; put the account into it and start anew, or run `aftertrace readers` as root"
    )
