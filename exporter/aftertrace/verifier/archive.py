"""A packet as one file: a ZIP archive without compression, of which every byte follows from the files in it.

Any tool unpacks it. It is read in the one form in which it is written, so nothing can stand between its files, no file
can be told twice in two ways, and nothing can grow when it is unpacked: what was zipped by another tool is unpacked by
that tool and given as a folder.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from aftertrace.tlog.errors import Invalid
from aftertrace.verifier.members import MAX_MEMBERS, checked_name

BASE: Final = "packet/"
"""The folder that all files are in: RFC 8493 has a bag in one."""
SUFFIX: Final = ".zip"
MAX_BYTES: Final = (1 << 32) - 1
"""Length of the longest archive: of longer ones the format has another form."""

# Unix, 2.0; no flags, stored, and the first time that the format can tell.
_MADE_BY, _NEEDS, _FLAGS, _STORED, _TIME, _DATE = 0x0314, 20, 0, 0, 0, 0x0021
_MODE: Final = 0o100644 << 16
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Member:
    offset: int
    crc: int
    size: int

    def local(self, name: bytes) -> bytes:
        """What stands before its bytes."""
        sizes = (self.crc, self.size, self.size, len(name), 0)
        return _LOCAL.pack(b"PK\x03\x04", _NEEDS, _FLAGS, _STORED, _TIME, _DATE, *sizes) + name

    def central(self, name: bytes) -> bytes:
        """What stands of it at the end."""
        sizes = (self.crc, self.size, self.size, len(name), 0, 0, 0, 0, _MODE, self.offset)
        return _CENTRAL.pack(b"PK\x01\x02", _MADE_BY, _NEEDS, _FLAGS, _STORED, _TIME, _DATE, *sizes) + name


def write(file: IO[bytes], members: Iterable[tuple[str, Callable[[], Iterator[bytes]]]]) -> None:
    """Write files, given by name and what gives their bytes, which is asked twice, in order of their names.

    Raises:
        Invalid: a name is none, names are not in order, or it is all too long for one file.
        OSError: the disk does not take it.
    """
    central: list[bytes] = []
    offset, before = 0, ""
    for name, chunks in members:
        if checked_name(name) <= before:
            raise Invalid(f"write archive: {name} behind {before}, expected names in order")
        crc = size = 0
        for chunk in chunks():
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        written = (BASE + name).encode()
        if offset + _LOCAL.size + len(written) + size > MAX_BYTES or len(central) == MAX_MEMBERS:
            raise Invalid("write archive: too much for one file; name a folder instead")
        member = _Member(offset, crc, size)
        file.write(member.local(written))
        for chunk in chunks():
            file.write(chunk)
        central.append(member.central(written))
        offset, before = offset + _LOCAL.size + len(written) + size, name
    file.write(_end_of(central, offset))


class Archive:
    """A packet in one file."""

    def __init__(self, path: Path) -> None:
        """Read it once, from the beginning to the end.

        Raises:
            Invalid: it is not written as `write` writes it.
            OSError: it cannot be read.
        """
        self._path = path
        self._members: dict[str, _Member] = {}
        with path.open("rb") as file:
            self._read(file, path.stat().st_size)
        self.sizes = {name: member.size for name, member in self._members.items()}

    def chunks(self, name: str) -> Iterator[bytes]:
        """See `Members`."""
        member = self._members[name]
        try:
            with self._path.open("rb") as file:
                file.seek(member.offset + _LOCAL.size + len(BASE) + len(name))
                yield from _chunks(file, member.size)
        except OSError as failure:
            raise Invalid(f"read {name}: {failure.strerror}") from None

    def _read(self, file: IO[bytes], length: int) -> None:
        if length > MAX_BYTES:
            raise _none(f"{length} bytes")
        central: list[bytes] = []
        offset, before = 0, ""
        while (head := file.read(_LOCAL.size))[:4] == b"PK\x03\x04":
            if len(head) < _LOCAL.size:
                raise _none("a header that is cut off")
            *_, crc, size, _, name_bytes, _ = _LOCAL.unpack(head)
            written = file.read(name_bytes)
            name = _name(written)
            member = _Member(offset, crc, size)
            if head + written != member.local(written) or name <= before:
                raise _none("a header of another form")
            found = 0
            for chunk in _chunks(file, size):
                found = zlib.crc32(chunk, found)
            if found != crc:
                raise Invalid(f"read archive: {name} has other bytes than its checksum")
            central.append(member.central(written))
            self._members[name] = member
            if len(central) > MAX_MEMBERS:
                raise _none("too many files")
            offset, before = offset + len(head) + len(written) + size, name
        end = _end_of(central, offset)
        if not central or head + file.read(len(end) + 1) != end:
            raise _none("other bytes behind its files")


def _end_of(central: list[bytes], offset: int) -> bytes:
    directory = b"".join(central)
    return directory + _END.pack(b"PK\x05\x06", 0, 0, len(central), len(central), len(directory), offset, 0)


def _chunks(file: IO[bytes], left: int) -> Iterator[bytes]:
    while left:
        chunk = file.read(min(_READ_BYTES, left))
        if not chunk:
            raise _none("a file that is cut off")
        left -= len(chunk)
        yield chunk


def _name(written: bytes) -> str:
    try:
        name = written.decode("ascii")
    except UnicodeDecodeError:
        raise _none("a name that is not ASCII") from None
    if not name.startswith(BASE):
        raise _none(f"a file outside of {BASE}")
    return checked_name(name.removeprefix(BASE))


def _none(found: str) -> Invalid:
    return Invalid(
        f"read archive: {found}, expected a packet as aftertrace writes it; if another tool zipped it, unpack it and "
        "give the folder"
    )
