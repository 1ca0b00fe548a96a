"""What the ledger expects of each request, in an unnamed file: so that memory does not grow with the store."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import IO, Final

from aftertrace.store.commits import SEQUENCED
from aftertrace.store.ledger.entries import FrameEntry, digest_of

_SLOT: Final = struct.Struct("<BBiI32sI32sI32s32s16s")
_KNOWN: Final = 1
_SEEN_AT: Final = 1
_SALT_AT: Final = _SLOT.size - 16
_READ_SLOTS: Final = 4096
_ORDERED_AT: Final = 3
"""First of the bits that say of which tables rows are to be destroyed."""
_DESTROYED: Final = 1 << 7


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of a request."""

    day: date
    """Of receipt."""
    seen: int
    """Bit by table: whether its rows were found, and whether the ledger orders that they go; and if all are gone."""
    rows: dict[str, tuple[int, bytes]]
    """How many in each table, and the root over their leaves."""
    digest: bytes
    """Of its frame."""
    salt: bytes

    def is_ordered(self, table: str) -> bool:
        """Whether the ledger orders that its rows in a table are destroyed."""
        return bool(self.seen & _ordered([table]))

    @property
    def is_destroyed(self) -> bool:
        """Whether the ledger says that they are."""
        return bool(self.seen & _DESTROYED)

    def has_seen(self, table: str) -> bool:
        """Whether rows of it in a table were found."""
        return bool(self.seen & _bit(table))


@dataclass(frozen=True, slots=True)
class Slots:
    """Where what is known of a receiver's requests can be read, by every process that has the file open."""

    fd: int
    after_seq: int
    last_seq: int

    def slot(self, seq: int) -> Slot | None:
        """What is known of a request; None where nothing is."""
        if not self.after_seq < seq <= self.last_seq:
            return None
        content = os.pread(self.fd, _SLOT.size, (seq - self.after_seq - 1) * _SLOT.size)
        return _slot(content) if len(content) == _SLOT.size and content[0] == _KNOWN else None


class Expected:
    """The requests of one receiver."""

    def __init__(self, after_seq: int) -> None:
        """Nothing yet; none before a seq will come."""
        self._after_seq = after_seq
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by `close`
        self._fd = self._file.fileno()
        self.last_seq = after_seq
        """The last seq that the ledger speaks of."""
        self.gaps: list[tuple[int, int]] = []
        """First and last seq of requests that were lost before they were stored, as the ledger says."""

    def put(self, day: date, frames: Sequence[FrameEntry]) -> None:
        """Expect requests of a day, in order."""
        run: list[bytes] = []
        start = frames[0].seq
        for frame in frames:
            if frame.seq != start + len(run):
                self._write(start, run)
                run, start = [], frame.seq
            told = [part for rows in told_of(frame).values() for part in rows]
            run.append(_SLOT.pack(_KNOWN, 0, day.toordinal(), *told, digest_of(frame.digest), b""))
        self._write(start, run)

    @property
    def slots(self) -> Slots:
        """The same for other processes, as it is now; what is put later is not among it."""
        return Slots(self._fd, self._after_seq, self.last_seq)

    def slot(self, seq: int) -> Slot | None:
        """What is known of a request; None where nothing is."""
        return self.slots.slot(seq)

    def saw(self, seq: int, slot: Slot, table: str, salt: bytes | None = None) -> None:
        """Know that rows of a request were found, and which salt they have."""
        os.pwrite(self._fd, bytes([slot.seen | _bit(table)]), self._at(seq) + _SEEN_AT)
        if salt:
            os.pwrite(self._fd, salt, self._at(seq) + _SALT_AT)

    def unseen(self, table: str, upto_seq: int, is_in: Callable[[date], bool]) -> Iterator[tuple[int, int]]:
        """Requests of some days whose rows in a table were expected and not found, up to a seq, and how many rows."""
        seq = self._after_seq + 1
        last = min(upto_seq, self.last_seq)
        while seq <= last:
            content = os.pread(self._fd, _SLOT.size * min(_READ_SLOTS, last - seq + 1), self._at(seq))
            if not content:
                return
            for place, fields in enumerate(_SLOT.iter_unpack(content[: len(content) // _SLOT.size * _SLOT.size])):
                if fields[0] == _KNOWN and not fields[1] & (_bit(table) | _ordered([table])):
                    count = fields[3 + 2 * SEQUENCED.index(table)]
                    if count and is_in(date.fromordinal(fields[2])):
                        yield seq + place, count
            seq += _READ_SLOTS

    def mark(self, first: int, last: int, day: date, tables: Collection[str] = SEQUENCED, *, is_done: bool) -> int:
        """Know that rows of requests in some tables are to be destroyed, or that all are; returns how many requests are
        of another day.
        """
        strange = 0
        seq = max(first, self._after_seq + 1)
        while seq <= min(last, self.last_seq):
            slots = min(_READ_SLOTS, min(last, self.last_seq) - seq + 1)
            content = bytearray(os.pread(self._fd, _SLOT.size * slots, self._at(seq)))
            for start in range(0, len(content), _SLOT.size):
                if content[start] == _KNOWN:
                    content[start + _SEEN_AT] |= _ordered(tables) | (_DESTROYED if is_done else 0)
                    strange += _SLOT.unpack_from(content, start)[2] != day.toordinal()
            os.pwrite(self._fd, content, self._at(seq))
            seq += slots
        return strange

    def unmark(self, first: int, last: int) -> None:
        """Know that requests are not to be destroyed, unless they are already."""
        for seq in range(max(first, self._after_seq + 1), min(last, self.last_seq) + 1):
            at = self._at(seq) + _SEEN_AT
            (seen,) = os.pread(self._fd, 1, at)
            if not seen & _DESTROYED:
                os.pwrite(self._fd, bytes([seen & ~_ordered(SEQUENCED)]), at)

    def is_lost(self, seq: int) -> bool:
        """Whether the ledger says that a request was lost before it was stored."""
        return any(first <= seq <= last for first, last in self.gaps)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _at(self, seq: int) -> int:
        return (seq - self._after_seq - 1) * _SLOT.size

    def _write(self, start: int, run: Sequence[bytes]) -> None:
        content = memoryview(b"".join(run))
        offset = self._at(start)
        while content:
            written = os.pwrite(self._fd, content, offset)
            content, offset = content[written:], offset + written


def told_of(frame: FrameEntry) -> dict[str, tuple[int, bytes]]:
    """What an entry says of the rows of a request, as `Slot.rows`."""
    return {name: (frame.rows(name).count, digest_of(frame.rows(name).root)) for name in SEQUENCED}


def _slot(content: bytes) -> Slot:
    _, seen, day, *told, digest, salt = _SLOT.unpack(content)
    rows = {name: (told[2 * number], told[2 * number + 1]) for number, name in enumerate(SEQUENCED)}
    return Slot(date.fromordinal(day), seen, rows, digest, salt)


def _ordered(tables: Iterable[str]) -> int:
    return sum(_bit(table) << _ORDERED_AT for table in tables)


def _bit(table: str) -> int:
    return 1 << SEQUENCED.index(table)


_CLAIM: Final = struct.Struct("<qq32s")


@dataclass(slots=True)
class Claims:
    """What one ledger says of the commits of a table, in order."""

    last: int = -1
    """The last version that it speaks of."""
    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def add(self, first: int, last: int, digest: bytes) -> None:
        """Note a range."""
        self._file.write(_CLAIM.pack(first, last, digest))
        self.last = last

    def put_back(self, version: int) -> None:
        """Forget ranges that end behind a version: its commits are others now."""
        left = [told for told in self.ranges() if told[1] <= version]
        self._file.seek(0)
        self._file.truncate()
        for told in left:
            self._file.write(_CLAIM.pack(*told))
        self.last = left[-1][1] if left else -1

    def ranges(self) -> Iterator[tuple[int, int, bytes]]:
        """All, in order."""
        self._file.seek(0)
        while content := self._file.read(_CLAIM.size):
            yield _CLAIM.unpack(content)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
