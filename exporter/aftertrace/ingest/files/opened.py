"""A file to import, opened: by its path or as standard input, gzip or not, with a first look at its content."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from aftertrace.ingest.files import pieces
from aftertrace.store.errors import Invalid

HEAD_BYTES: Final = 1 << 18
"""So much of a file tells its format."""
STANDARD_INPUT: Final = Path("-")
_GZIP: Final = b"\x1f\x8b"


@dataclass(slots=True)
class Opened:
    """An open file, at its beginning."""

    name: str
    """For messages: its path, or `standard input`."""
    identity: str
    """What tells it from other files: its absolute path; empty for standard input."""
    head: bytes
    """Its first bytes, inflated."""
    file: BinaryIO
    """Its content, inflated."""
    raw: BinaryIO

    def seekable(self) -> BinaryIO:
        """Its content where one can go back and forth, in memory if need be.

        Raises:
            Invalid: it would have to be in memory, and is too long for that.
        """
        return self.file if self.file.seekable() else io.BytesIO(pieces.whole(self.name, self.file))

    def read_bytes(self) -> int:
        """How many of its bytes were read so far, as they lie on the disk: for progress."""
        try:
            return self.raw.tell()
        except OSError:
            return 0


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a file for the time of a `with`.

    Raises:
        Invalid: it cannot be read, or is no whole gzip file; also from the `with`, where it turns out later.
    """
    is_input = path == STANDARD_INPUT
    name = "standard input" if is_input else str(path)
    try:
        # Standard input stays open: it may be named twice, and then has nothing more to give.
        with nullcontext(sys.stdin.buffer) if is_input else path.open("rb") as raw:
            # A gzip file says that one can go back in it, whatever it lies in.
            can_seek = raw.seekable()
            head, file = _looked_at(raw, can_seek)
            if head.startswith(_GZIP):
                head, file = _looked_at(gzip.GzipFile(fileobj=file), can_seek)  # type: ignore[arg-type]  # it reads bytes
            yield Opened(name, "" if is_input else str(path.absolute()), head, file, raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Invalid(f"read {name}: the gzip file is damaged or cut short: {error}") from error
    except OSError as error:
        raise Invalid(f"read {name}: {error.strerror or error}; name a file that can be read") from error


def _looked_at(file: BinaryIO, can_seek: bool) -> tuple[bytes, BinaryIO]:
    head = file.read(HEAD_BYTES)
    if can_seek:
        file.seek(0)
        return head, file
    return head, io.BufferedReader(_Again(head, file))


class _Again(io.RawIOBase):
    """What was read, and then the rest: a pipe cannot be gone back in."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        some = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(some) :]
        buffer[: len(some)] = some
        return len(some)
