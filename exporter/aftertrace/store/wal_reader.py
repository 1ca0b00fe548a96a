"""Reading a WAL: frames in order, and what is wrong with them. Works while the WAL is written."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aftertrace.store import durable, frame, spares
from aftertrace.store.errors import Corrupt
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout, SegmentName, segments
from aftertrace.store.segment import HEADER_BYTES, SEGMENT_BYTES, SegmentFile
from aftertrace.verifier.verdicts import Finding


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that holds no frame where one was expected, or a break in the chain of frames."""

    finding: Finding
    path: Path
    offset: int
    length_bytes: int
    """0 where no bytes are bad: the frames on both sides are whole, but do not follow each other."""

    def content(self) -> bytes:
        """The bytes in question."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length_bytes)


@dataclass(slots=True)
class Position:
    """Where a reader stands."""

    file: SegmentFile
    offset: int = HEADER_BYTES
    searched: bool = False
    """Whether the rest of the segment was searched for frames; done once, since it reads all of it."""

    def frame(self) -> Frame | None:
        """The frame that begins here, if one does."""
        try:
            return self.file.frame_at(self.offset)
        except Corrupt:
            return None


class WalReader:
    """Reads the frames after a seq, in order, each once. `poll` as often as you like; one thread uses it.

    A tail is torn only if no whole frame follows it in its segment and the next segment, if there is one, goes on with
    the very seq that was expected. Anything else that is not a frame is damage: it is reported, and reading goes on
    behind it.
    """

    def __init__(self, layout: Layout, receiver: str, after_seq: int = 0) -> None:
        """Prepare to read; nothing is opened before the first `poll`."""
        self._layout = layout
        self._receiver = receiver
        self._folder = layout.wal(receiver)
        self._after_seq = after_seq
        self._at: Position | None = None
        self._last_seq: int | None = None
        self._last_digest: bytes | None = None
        self._unsynced: set[Path] = set()
        self._ready: deque[Frame | Damage] = deque()
        """Read and not handed out yet: the caller may stop at any item and come back."""

    def poll(self) -> Iterator[Frame | Damage]:
        """What can be read now. Ends at the end of what was written; stop and call again as you like."""
        while self._ready or self._advance():
            while self._ready:
                yield self._ready.popleft()

    def _advance(self) -> bool:
        """Go over the next frame, or what stands in its place. False at the end of what was written."""
        at = self._at or self._open_next()
        if at is None:
            return False
        found = at.frame()
        if found is None:
            following = self._following(at)
            # The writer may have gone on in this segment before it began the next one.
            found = at.frame()
        if found is not None:
            self._accept(at, found)
            return True
        if following is None and at.searched:
            return False
        resume = at.file.next_frame(at.offset + 1)
        at.searched = True
        if resume is not None:
            # Once more, since the frame may have been half written at the first look.
            if at.frame() is None:
                self._ready.append(self._damage(at, resume))
                at.offset = resume
        elif following is None:
            return False
        else:
            self._leave(at, following)
            self._open_next()
        return True

    def sync(self) -> None:
        """Bring the segments that were read from to stable storage.

        A frame can be read before its writer has synced it. Whoever stores what it says first calls this, so that the
        tables never know of a frame that a power cut took from the WAL.

        Raises:
            OSError: it may not be there.
        """
        for path in list(self._unsynced):
            durable.sync_file(path)
            self._unsynced.discard(path)

    def close(self) -> None:
        """Close the segment that is being read."""
        if self._at is not None:
            os.close(self._at.file.fd)
            self._at = None

    def _open_next(self) -> Position | None:
        """Go to the segment behind the current one, or to the first that is needed. None when there is none."""
        while paths := self._paths_ahead():
            try:
                file = SegmentFile(paths[0], spares.open_to_read(paths[0]))
                break
            except FileNotFoundError:
                # A drain has just retired it.
                continue
        else:
            return None
        self.close()
        self._at = Position(file)
        if self._last_seq is None:
            self._begin_chain(file)
        return self._at

    def _paths_ahead(self) -> list[Path]:
        paths = segments(self._folder)
        if self._at is not None:
            return [path for path in paths if _order(path) > _order(self._at.file.path)]
        # All generations of the last segment that begins in time: an early one may end in a torn tail to tell of.
        starts = [_order(path).first_seq for path in paths if _order(path).first_seq <= self._after_seq + 1]
        return [path for path in paths if not starts or _order(path).first_seq >= starts[-1]]

    def _begin_chain(self, file: SegmentFile) -> None:
        try:
            header = file.header()
        except Corrupt:
            return
        self._last_seq, self._last_digest = header.first_seq - 1, header.previous
        if header.first_seq == 1:
            self._last_digest = frame.genesis(self._receiver)

    def _following(self, at: Position) -> Path | None:
        order = _order(at.file.path)
        return next((path for path in segments(self._folder) if _order(path) > order), None)

    def _accept(self, at: Position, found: Frame) -> None:
        """Take a whole frame: hand it out unless it was before, and check that it follows the last."""
        offset = at.offset
        at.offset += found.length_bytes
        self._unsynced.add(at.file.path)
        if found.receiver not in ("", self._receiver):
            # It counts for nothing here: a frame of this receiver that has its seq would be passed over.
            if found.seq <= self._after_seq:
                return
            # Stored under another name it would be counted with the frames of that; its bytes are kept.
            message = f"a frame of {found.receiver!r}, expected one of {self._receiver!r}; was its WAL renamed?"
            finding = Finding("frame_foreign", "error", self._where(at, offset), message)
            self._ready.append(Damage(finding, at.file.path, offset, found.length_bytes))
            return
        if self._last_seq is not None and found.seq <= self._last_seq:
            return
        if self._last_seq is not None and found.seq > self._last_seq + 1:
            message = f"frame {found.seq} follows frame {self._last_seq}, expected {self._last_seq + 1}"
            self._ready.append(self._broken("sequence_gap", at, offset, message))
        elif self._last_digest is not None and found.previous != self._last_digest:
            message = f"frame {found.seq} does not name the digest of the frame before it"
            self._ready.append(self._broken("chain_broken", at, offset, message))
        self._last_seq, self._last_digest = found.seq, found.digest
        if found.seq > self._after_seq:
            self._ready.append(found)

    def _leave(self, at: Position, following: Path) -> None:
        """Report what stands behind the last frame of a segment that is no longer written."""
        end = at.file.written_end(at.offset)
        lost = self._last_seq is not None and _order(following).first_seq > self._last_seq + 1
        if end > at.offset:
            self._ready.append(self._damage(at, end, torn=not lost))
        elif lost:
            message = f"the segment ends at frame {self._last_seq}, and {following.name} does not begin with the next"
            self._ready.append(self._broken("frames_missing", at, at.offset, message))

    def _damage(self, at: Position, end: int, *, torn: bool = False) -> Damage:
        length_bytes = end - at.offset
        why = "written as the writer was stopped, never acknowledged" if torn else "expected one"
        finding = Finding(
            "torn_tail" if torn else "frame_damaged",
            "info" if torn else "error",
            self._where(at, at.offset),
            f"{length_bytes} bytes are no frame: {why}",
        )
        return Damage(finding, at.file.path, at.offset, length_bytes)

    def _broken(self, code: str, at: Position, offset: int, message: str) -> Damage:
        return Damage(Finding(code, "error", self._where(at, offset), message), at.file.path, offset, 0)

    def _where(self, at: Position, offset: int) -> str:
        return f"{at.file.path.relative_to(self._layout.data)} at byte {offset}"


def _order(path: Path) -> SegmentName:
    name = SegmentName.parse(path.name)
    if name is None:
        raise ValueError(f"{path.name!r} is no segment; segments() lists nothing else")
    return name


def retire(layout: Layout, receiver: str, stored_seq: int, spare_bytes: int = SEGMENT_BYTES) -> list[Path]:
    """Remove the segments whose frames are all stored elsewhere, up to `stored_seq` and durably.

    The newest segment always stays: it carries the last seq and the digest that the next frame names. A crash in
    between leaves segments that the next call removes. Those of `spare_bytes` become spares where these are wanted.
    """
    folder = layout.wal(receiver)
    paths = segments(folder)
    retired = [path for path, following in itertools.pairwise(paths) if _order(following).first_seq - 1 <= stored_seq]
    for path in retired:
        if path.stat().st_size != spare_bytes or not spares.keep(path):
            path.unlink()
    if retired:
        durable.sync_folder(folder)
    return retired
