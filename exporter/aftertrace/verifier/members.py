"""What a packet is kept in: a folder, or one file. Names are checked here, and nothing is ever written."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from aftertrace.tlog.errors import Invalid

MAX_MEMBERS: Final = 65_535
"""Files in a packet at most."""
_MAX_NAME: Final = 240
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*", re.ASCII)
_READ_BYTES: Final = 1 << 20
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Members(Protocol):
    """The files of a packet."""

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each in bytes, by name, in order of names."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of one, piece by piece.

        Raises:
            Invalid: it cannot be read.
        """
        ...


def checked_name(name: str) -> str:
    """The name of a file in a packet.

    Raises:
        Invalid: it is none: it could lead out of the packet, or mean another file on another system.
    """
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        raise Invalid(
            "read packet: a name of other characters than letters, digits, `.`, `_`, `-` and `/`, or too long"
        )
    return name


def content(members: Members, name: str, most_bytes: int) -> bytes:
    """All of a file.

    Raises:
        Invalid: it is not there, is too long, or cannot be read.
    """
    size = members.sizes.get(name)
    if size is None:
        raise Invalid(f"read {name}: not there, expected it in a packet")
    if size > most_bytes:
        raise Invalid(f"read {name}: {size} bytes, expected {most_bytes} at most")
    return b"".join(members.chunks(name))


def lines(members: Members, name: str, most_bytes: int) -> Iterator[bytes]:
    """The lines of a file, each with its end.

    Raises:
        Invalid: it is not there or cannot be read, a line is too long, or the last one has no end.
    """
    if name not in members.sizes:
        raise Invalid(f"read {name}: not there, expected it in a packet")
    held: list[bytes] = []
    held_bytes = 0
    for chunk in members.chunks(name):
        *whole, rest = chunk.split(b"\n")
        for each in whole:
            yield b"".join((*held, each, b"\n"))
            held, held_bytes = [], 0
        held.append(rest)
        held_bytes += len(rest)
        if held_bytes > most_bytes:
            raise Invalid(f"read {name}: a line of more than {most_bytes} bytes")
    if held_bytes:
        raise Invalid(f"read {name}: the last line has no end")


class Folder:
    """A packet in a folder."""

    def __init__(self, path: Path) -> None:
        """List it.

        Raises:
            Invalid: there is something else in it than files and folders with names of a packet's, or too many.
            OSError: it cannot be read.
        """
        self._path = path
        found: dict[str, int] = {}
        for name, size in self._listed(path, ""):
            found[name] = size
            if len(found) > MAX_MEMBERS:
                raise Invalid(f"read packet: more than {MAX_MEMBERS} files")
        self.sizes = dict(sorted(found.items()))

    def chunks(self, name: str) -> Iterator[bytes]:
        """See `Members`."""
        try:
            with os.fdopen(os.open(self._path / name, _FLAGS), "rb") as file:
                left = self.sizes[name]
                while left:
                    chunk = file.read(min(_READ_BYTES, left))
                    if not chunk:
                        raise Invalid(f"read {name}: it became shorter while it was read")
                    left -= len(chunk)
                    yield chunk
        except OSError as failure:
            raise Invalid(f"read {name}: {failure.strerror}") from None

    def _listed(self, folder: Path, before: str) -> Iterator[tuple[str, int]]:
        with os.scandir(folder) as listed:
            found_there = sorted(listed, key=lambda found: found.name)
        for found in found_there:
            name, status = checked_name(before + found.name), found.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                yield from self._listed(folder / found.name, f"{name}/")
            elif stat.S_ISREG(status.st_mode):
                yield name, status.st_size
            else:
                raise Invalid(f"read packet: {name} is neither a file nor a folder; a packet has no links")
