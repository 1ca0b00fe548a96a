"""The write-ahead log: what makes an OK reply true.

Many threads hand requests to a `WalWriter`; one background thread collects whatever is waiting, writes it at once,
calls `fdatasync` once, and only then resolves the futures. So a resolved future means: on stable storage.

When a write or a sync fails, the segment is given up (its pages may be lost although a second sync would succeed) and
the same frames go to a new segment, before any other frame. If that fails too, the callers get `Unavailable` and the
frames are kept until a later attempt lands them: a request that was refused may still be stored, a seq is never used
twice.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from aftertrace.store import commits, durable, frame, lake
from aftertrace.store.backlog import Backlog
from aftertrace.store.blobs import blobs
from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.frame import Sealed
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.log import last_seq
from aftertrace.store.lock import Lock
from aftertrace.store.request import Prepared, Request
from aftertrace.store.segment import HEADER_BYTES, SEGMENT_BYTES, OpenSegment, Tail, tail

_LOOK_S: Final = 1.0
"""How often a writer that rests looks whether it is to begin another segment."""


@dataclass(frozen=True, slots=True)
class WalOptions:
    """How a WAL is written."""

    segment_bytes: int = SEGMENT_BYTES
    """Disk space that a segment reserves. Longer frames get a longer segment."""
    group_bytes: int = 4 << 20
    """A group that shares one sync is closed when it has so many bytes of payload."""
    waiting_bytes: int = 64 << 20
    """When so many bytes of payload wait to be written, further requests are refused."""
    backlog_bytes: int = 4 << 30
    """How long all segments may be together, with the space that they reserve; further requests are refused until the
    drain has removed some. At least two segments."""
    reserve_bytes: int = 512 << 20
    """How much of the disk stays free for the tables, without which the drain could not make room."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that was handed over and is not durable yet."""

    request: Request
    prepared: Prepared
    future: Future[int]


class WalWriter:
    """The one writer of a receiver's WAL. Safe to use from any thread."""

    def __init__(self, layout: Layout, receiver: str, options: WalOptions | None = None) -> None:
        """Lock the WAL, find its last frame and begin a segment after it.

        Raises:
            Unavailable: another process writes this WAL, or the disk takes no segment.
            Invalid: the backlog would be shorter than two segments, or another WAL has the name in a shared lake.
        """
        self._options = options or WalOptions()
        if self._options.backlog_bytes < 2 * self._options.segment_bytes:
            raise Invalid(
                f"configure WAL: a backlog of {self._options.backlog_bytes} bytes, expected at least "
                f"{2 * self._options.segment_bytes}, two segments; raise receiver.max_backlog_bytes"
            )
        self._layout = layout
        self._receiver = receiver
        self._folder = layout.wal(receiver)
        self._anew = layout.wal_anew(receiver)
        durable.make_folder(self._folder)
        self._lock = Lock(layout.wal_lock(receiver), f"writes the WAL of {receiver!r}")
        try:
            lake.claim(layout, receiver)
            end = tail(self._folder, receiver)
            stored_seq = max(commits.stored_seq(layout, receiver), last_seq(layout, receiver))
            if end.seq < stored_seq:
                # The WAL was lost or put back from an old copy. A seq that the tables or the ledger have seen must not
                # come again: the drain would pass over it. The chain breaks here, and fsck says so.
                end = Tail(stored_seq, frame.genesis(receiver))
            self._end = end
            self._segment: OpenSegment | None = self._new_segment(end, 0)
        except OSError as error:
            self._lock.release()
            raise Unavailable(f"open {self._folder}: {error.strerror}; free disk space") from error
        except BaseException:
            self._lock.release()
            raise
        self._backlog = Backlog(self._folder, self._options.backlog_bytes, self._options.reserve_bytes)
        self._unsettled: list[Sealed] = []
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._handed_over = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"wal-{receiver}", daemon=True)
        self._thread.start()

    @property
    def seq(self) -> int:
        """Seq of the last frame that was written."""
        return self._end.seq

    def append(self, request: Request, prepared: Prepared) -> Future[int]:
        """Hand over a request.

        Returns:
            Resolves to the frame's seq once the frame is on stable storage; fails with `Full` (the drain has to catch
            up), another `Unavailable` (try again) or `Invalid`. A future that is cancelled before its group is written
            is not stored.
        """
        future: Future[int] = Future()
        waiting = Waiting(request, prepared, future)
        try:
            frame.check(request, prepared)
            if prepared.contents:
                self._put(waiting)
            with self._handed_over:
                self._admit(waiting)
                self._waiting.append(waiting)
                self._waiting_bytes += len(prepared.payload)
                self._handed_over.notify()
        except (Invalid, Unavailable) as error:
            future.set_exception(error)
        return future

    def _put(self, waiting: Waiting) -> None:
        """Store what a request refers to, before its frame is written: by its own thread, so that no other waits."""
        with self._handed_over:
            # What is not let in must not fill the disk.
            self._admit(waiting)
        try:
            blobs.put(self._layout, waiting.prepared.contents)
        except OSError as error:
            raise Unavailable(f"store blobs: {error.strerror}; try again later") from error

    def _admit(self, waiting: Waiting) -> None:
        if self._closing:
            raise Unavailable(f"append to {self._folder.name}: it is closing; try again later")
        if self._waiting_bytes > self._options.waiting_bytes:
            raise Unavailable(f"append to {self._folder.name}: the disk does not keep up; try again later")
        try:
            self._backlog.admit(self._frame_bytes(waiting))
        except OSError as error:
            raise Unavailable(f"append to {self._folder.name}: {error.strerror}; try again later") from error

    def close(self) -> None:
        """Write what is waiting, end the segment and let go of the lock."""
        with self._handed_over:
            if self._closing:
                return
            self._closing = True
            self._handed_over.notify()
        self._thread.join()
        # What was acknowledged is durable already: a failure here costs unused space at most.
        with suppress(OSError):
            if self._segment is not None:
                self._segment.finish()
        self._lock.release()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _run(self) -> None:
        try:
            while group := self._next_group():
                self._commit(group)
        finally:
            # If this thread ends by a fault of ours, nobody may wait for it for ever.
            with self._handed_over:
                self._closing = True
                for waiting in self._waiting:
                    waiting.future.set_exception(Unavailable("append: the WAL writer has ended; restart it"))
                self._waiting.clear()

    def _next_group(self) -> list[Waiting]:
        """What is waiting, up to the bytes of one group; empty when the writer closes and nothing is left."""
        with self._handed_over:
            self._begin_anew()
            while not self._waiting and not self._closing:
                if not self._handed_over.wait(_LOOK_S):
                    self._begin_anew()
            group: list[Waiting] = []
            taken_bytes = 0
            while self._waiting and taken_bytes < self._options.group_bytes:
                waiting = self._waiting.popleft()
                taken_bytes += len(waiting.prepared.payload)
                group.append(waiting)
            self._waiting_bytes -= taken_bytes
            return group

    def _begin_anew(self) -> None:
        """Begin another segment, if somebody asked for it: the one that is written is never removed."""
        if not self._anew.exists() or self._unsettled:
            return
        # A disk that takes none now is met again by the next request.
        with suppress(OSError):
            if self._segment is not None:
                full, self._segment = self._segment, None
                full.finish()
            self._segment = self._new_segment(self._end, 0)
            durable.remove(self._anew)

    def _commit(self, group: list[Waiting]) -> None:
        """Make a group durable, then acknowledge it. The order of these two lines is what an OK reply rests on."""
        running = [waiting for waiting in group if waiting.future.set_running_or_notify_cancel()]
        try:
            sealed = self._persist(running)
        except OSError as error:
            refusal = Unavailable(f"append to {self._folder.name}: {error.strerror}; try again later")
            for waiting in running:
                waiting.future.set_exception(refusal)
            return
        self._acknowledge(running, sealed)

    def _acknowledge(self, group: list[Waiting], sealed: list[Sealed]) -> None:
        for waiting, stored in zip(group, sealed, strict=True):
            waiting.future.set_result(stored.seq)

    def _persist(self, group: list[Waiting]) -> list[Sealed]:
        """Bring a group to stable storage. When this returns, a power cut does not take it.

        Raises:
            OSError: it may be there or not.
        """
        self._settle()
        # Room first: without it no seq is used up, and a full disk leaves no trace.
        segment = self._room(sum(self._frame_bytes(waiting) for waiting in group))
        sealed, end = [], self._end
        for waiting in group:
            stored = frame.seal(self._receiver, end.seq + 1, end.digest, waiting.request, waiting.prepared)
            end = Tail(stored.seq, stored.digest)
            sealed.append(stored)
        self._end = end
        self._unsettled = sealed
        try:
            self._write(segment, sealed)
        except OSError:
            self._settle()
        self._unsettled = []
        return sealed

    def _settle(self) -> None:
        """Repeat the frames of a failed write in a new segment: seqs have no gap, whatever the disk kept."""
        if not self._unsettled:
            return
        before = Tail(self._unsettled[0].seq - 1, self._unsettled[0].previous)
        self._give_up_segment()
        segment = self._segment = self._new_segment(before, sum(len(sealed.content) for sealed in self._unsettled))
        self._write(segment, self._unsettled)
        self._unsettled = []

    def _write(self, segment: OpenSegment, sealed: list[Sealed]) -> None:
        segment.write(b"".join(stored.content for stored in sealed))
        segment.sync()

    def _room(self, length_bytes: int) -> OpenSegment:
        """The segment to write so many bytes to."""
        if self._segment is not None:
            if self._segment.has_room(length_bytes):
                return self._segment
            full, self._segment = self._segment, None
            # All its frames were synced one by one.
            with suppress(OSError):
                full.close()
        self._segment = self._new_segment(self._end, length_bytes)
        return self._segment

    def _new_segment(self, after: Tail, length_bytes: int) -> OpenSegment:
        length_bytes = max(self._options.segment_bytes, HEADER_BYTES + length_bytes)
        return OpenSegment(self._folder, after.seq + 1, after.digest, length_bytes)

    def _give_up_segment(self) -> None:
        if self._segment is not None:
            # Closing can report the error once more; it is known already.
            with suppress(OSError):
                self._segment.close()
            self._segment = None

    def _frame_bytes(self, waiting: Waiting) -> int:
        request, prepared = waiting.request, waiting.prepared
        texts = (self._receiver, request.credential, request.source, prepared.policy)
        return frame.length_bytes(*texts, prepared.keys, prepared.payload)
