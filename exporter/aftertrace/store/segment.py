"""A segment: one file of a WAL, a header and then frames. Byte for byte in `exporter/FORMAT.md`.

::

     0  magic 89 "atsegmt"        8 bytes
     8  version 1                 u16     10  zero, 6 bytes
    16  first seq                 u64
    24  previous digest           32 bytes: what the first frame names as the digest of the frame before it
    56  digest                    32 bytes: SHA-256 of bytes 0..55
    88  frames, then zeros up to the reserved length

Where two segments hold the same seq (a write failed and was repeated in the next segment) the frames are the same.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftertrace.store import durable, frame, spares
from aftertrace.store.errors import Corrupt
from aftertrace.store.frame import Frame
from aftertrace.store.layout import SegmentName, segments

MAGIC: Final = b"\x89atsegmt"
VERSION: Final = 1
HEADER_BYTES: Final = 88
SEGMENT_BYTES: Final = 64 << 20
"""Disk space that a segment reserves; one for a longer group of frames is longer."""
_PREFIX: Final = struct.Struct("<8sH6sQ32s")
_SCAN_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Where in the chain of frames a segment begins."""

    first_seq: int
    previous: bytes

    def encode(self) -> bytes:
        """The 88 bytes; `parse_segment_header` is the inverse."""
        prefix = _PREFIX.pack(MAGIC, VERSION, bytes(6), self.first_seq, self.previous)
        return prefix + hashlib.sha256(prefix).digest()


def parse_segment_header(content: bytes) -> SegmentHeader:
    """Read the beginning of a segment.

    Raises:
        Corrupt: it is not one that was written.
    """
    if len(content) < HEADER_BYTES:
        raise Corrupt(f"read segment: {len(content)} bytes, expected a header of {HEADER_BYTES}")
    prefix = content[: _PREFIX.size]
    magic, version, zeros, first_seq, previous = _PREFIX.unpack(prefix)
    if magic != MAGIC or version != VERSION or any(zeros):
        raise Corrupt(f"read segment: no segment begins here, expected magic and version {VERSION}")
    if hashlib.sha256(prefix).digest() != content[_PREFIX.size : HEADER_BYTES]:
        raise Corrupt("read segment: digest of the header differs from the one that was written")
    return SegmentHeader(first_seq, previous)


class OpenSegment:
    """A segment that is being written. One thread uses it."""

    def __init__(self, folder: Path, first_seq: int, previous: bytes, length_bytes: int) -> None:
        """Make a segment with all its disk space, so that a full disk refuses it here and not a frame later. Of a spare
        if there is one.

        The file gets its name last: a crash before that leaves a draft that nobody reads.

        Raises:
            OSError: the disk is full or broken; nothing is left behind that a reader would see.
        """
        taken = [SegmentName.parse(path.name) for path in segments(folder)]
        generation = sum(1 for name in taken if name is not None and name.first_seq == first_seq)
        self.path = folder / str(SegmentName(first_seq, generation))
        draft = folder / f".{self.path.name}.new"
        # The WAL's lock is held, so a draft of this name is left from a crash.
        draft.unlink(missing_ok=True)
        spare = spares.take(folder, draft, length_bytes)
        self._fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600) if spare is None else spare
        try:
            if spare is None:
                durable.reserve(self._fd, length_bytes)
            durable.write_all(self._fd, SegmentHeader(first_seq, previous).encode(), 0)
            os.fsync(self._fd)
            draft.rename(self.path)
            durable.sync_folder(folder)
        except OSError:
            os.close(self._fd)
            draft.unlink(missing_ok=True)
            raise
        self._end = HEADER_BYTES
        self._length_bytes = os.fstat(self._fd).st_size

    def has_room(self, length_bytes: int) -> bool:
        """Whether so many bytes fit into the reserved space."""
        return self._end + length_bytes <= self._length_bytes

    def write(self, content: bytes) -> None:
        """Write frames after the last. They are not durable before `sync`."""
        durable.write_all(self._fd, content, self._end)
        self._end += len(content)

    def sync(self) -> None:
        """Bring what was written to stable storage.

        Raises:
            OSError: it may not be there. Never call this again to find out: the second call can succeed for nothing.
        """
        durable.sync_data(self._fd)

    def finish(self) -> None:
        """Give back the space that was reserved and not used, and close."""
        try:
            os.ftruncate(self._fd, self._end)
            os.fsync(self._fd)
        finally:
            os.close(self._fd)

    def close(self) -> None:
        """Close one that is full, or that failed. The file stays as it is."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment that is being read, perhaps while it is written."""

    path: Path
    fd: int

    def header(self) -> SegmentHeader:
        """Where it begins. Raises `Corrupt` when its header is damaged."""
        return parse_segment_header(os.pread(self.fd, HEADER_BYTES, 0))

    def length_bytes(self) -> int:
        """Length of the file now, reserved space included."""
        return os.fstat(self.fd).st_size

    def frame_at(self, offset: int) -> Frame:
        """The frame that begins at `offset`. Raises `Corrupt` when none does."""
        header = frame.parse_header(os.pread(self.fd, frame.HEADER_BYTES, offset))
        return frame.decode(header, os.pread(self.fd, header.body_bytes, offset + frame.HEADER_BYTES))

    def next_frame(self, offset: int) -> int | None:
        """Offset of the first whole frame at or after `offset`, or None. Reads the whole rest."""
        for candidate in self._magics(offset):
            try:
                self.frame_at(candidate)
            except Corrupt:
                continue
            return candidate
        return None

    def written_end(self, offset: int) -> int:
        """Offset behind the last byte at or after `offset` that is not zero; `offset` when all are."""
        end = offset
        for start, block in self._blocks(offset, 0):
            kept = len(block.rstrip(b"\0"))
            if kept:
                end = start + kept
        return end

    def _magics(self, offset: int) -> Iterator[int]:
        for start, block in self._blocks(offset, len(frame.MAGIC) - 1):
            found = block.find(frame.MAGIC)
            while found >= 0:
                yield start + found
                found = block.find(frame.MAGIC, found + 1)

    def _blocks(self, offset: int, overlap_bytes: int) -> Iterator[tuple[int, bytes]]:
        """The rest of the file in blocks, each beginning `overlap_bytes` before the end of the one before."""
        while True:
            block = os.pread(self.fd, _SCAN_BYTES, offset)
            if len(block) <= overlap_bytes:
                return
            yield offset, block
            offset += len(block) - overlap_bytes


@contextmanager
def opened(path: Path) -> Iterator[SegmentFile]:
    """Open a segment for reading. Raises `FileNotFoundError` where a drain has just retired it."""
    fd = spares.open_to_read(path)
    try:
        yield SegmentFile(path, fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the chain of frames ends."""

    seq: int
    digest: bytes


def tail(folder: Path, receiver: str) -> Tail:
    """The last whole frame of a WAL; seq 0 and the genesis digest when it never held one.

    A segment that cannot be read at all is passed over, but the seqs that its name says were used stay used.
    """
    used_seq = 0
    for path in reversed(segments(folder)):
        with opened(path) as file:
            last = _last_frame(file)
            if last is not None:
                return Tail(max(last.seq, used_seq), last.digest)
            try:
                header = file.header()
            except Corrupt:
                name = SegmentName.parse(path.name)
                used_seq = max(used_seq, name.first_seq - 1 if name else 0)
                continue
            return Tail(max(header.first_seq - 1, used_seq), header.previous)
    return Tail(used_seq, frame.genesis(receiver))


def _last_frame(file: SegmentFile) -> Frame | None:
    last: Frame | None = None
    offset: int | None = HEADER_BYTES
    while offset is not None:
        try:
            last = file.frame_at(offset)
            offset += last.length_bytes
        except Corrupt:
            offset = file.next_frame(offset + 1)
    return last
