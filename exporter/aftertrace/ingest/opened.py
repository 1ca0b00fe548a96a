"""Frames on their way into the tables: split into records, whose reading begins before their turn has come.

What a record gives depends on nothing but the record, so that readers are at work while the drain stores what came
before. Only where it turns out to be a copy, or to have the id of another, is it left out or read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from aftertrace.ingest.by_reference import Apart
from aftertrace.ingest.items import Item, items_of
from aftertrace.ingest.readers import BegunReading, Readers
from aftertrace.ingest.reading import Source
from aftertrace.ingest.rows import EVENTS_PER_RECORD, EVENTS_PER_REQUEST
from aftertrace.store.errors import Invalid
from aftertrace.store.frame import Frame
from aftertrace.store.wal_reader import Damage
from aftertrace.verifier.verdicts import Finding

STRETCH_RECORDS: Final = 512
"""How many records are read at a time. What is made of them stays in the processor's caches: of eight times as many,
each takes half as long again."""
MOST_RECORDS: Final = 100_000
"""Of a batch: the smallest take two bytes on the wire, and hundreds in memory."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records that are read at a time."""

    items: list[Item]
    reading: BegunReading


class Opened:
    """Frames of one receiver, in order."""

    def __init__(
        self, receiver: str, key: bytes, readers: Readers, apart: Callable[[bytes], tuple[Apart, ...]]
    ) -> None:
        """None yet.

        Args:
            receiver: whose frames these are.
            key: the store's secret.
            readers: what reads the records.
            apart: what a record refers to.
        """
        self.receiver = receiver
        self.key = key
        self.readers = readers
        self.last_seq = 0
        self.apart_characters = 0
        """Of contents that records refer to, and that are in memory with them."""
        self.items: list[Item] = []
        self.findings: list[tuple[Finding, bytes]] = []
        """Frames that are not as they should be, with what is to be put aside."""
        self.apart = apart
        self._begun: list[Stretch] = []
        self._rest: list[Item] = []
        """Too few for a stretch: what comes next may fill it."""

    def add(self, frames: Iterable[Frame]) -> None:
        """Split more frames, and begin to read their records.

        Raises:
            Unavailable: what a record refers to cannot be read now.
        """
        for frame in frames:
            self.last_seq = frame.seq
            items = self._split(frame)
            self.items += items
            if frame.signal != "metrics":
                self._rest += items
            while len(self._rest) >= STRETCH_RECORDS:
                self._begun.append(self.begin(self._rest[:STRETCH_RECORDS]))
                del self._rest[:STRETCH_RECORDS]

    def begin(self, items: Sequence[Item]) -> Stretch:
        """Begin to read some records, by what is known of them now."""
        sources = [_source(item, self.apart) for item in items]
        self.apart_characters += sum(len(each.text) for source in sources for each in source.apart)
        return Stretch(list(items), self.readers.begin(sources))

    def stretches(self) -> list[Stretch]:
        """All records that are to be read, in order."""
        if self._rest:
            self._begun.append(self.begin(self._rest))
            self._rest = []
        return self._begun

    def _split(self, frame: Frame) -> list[Item]:
        try:
            found = list(items_of(self.receiver, frame, self.key))
        except Invalid as error:
            # What `prepare` takes can be split, so the fault is ours: the frame is kept and told of.
            self._set_aside("frame_unreadable", frame, str(error))
            return []
        if len(found) != frame.records:
            self._set_aside("record_count", frame, f"{len(found)} records, expected {frame.records}")
        return found

    def _set_aside(self, code: str, frame: Frame, message: str) -> None:
        finding = Finding(code, "error", f"evidence {self.receiver}/{frame.seq}", message)
        self.findings.append((finding, frame.payload))


@dataclass(slots=True)
class Collected:
    """What was read from a WAL for one batch, in order."""

    opened: Opened
    """The frames of it."""
    at_most_bytes: int
    """Of payload, and of what it refers to."""
    found: list[Frame | Damage] = field(default_factory=list)
    _payload_bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be taken."""
        held = self._payload_bytes + self.opened.apart_characters
        return held >= self.at_most_bytes or len(self.opened.items) >= MOST_RECORDS

    def take(self, items: Iterator[Frame | Damage]) -> None:
        """Take more, until it is full. Raises `Unavailable` as `Opened.add` does."""
        while not self.is_full and (item := next(items, None)) is not None:
            self.found.append(item)
            if isinstance(item, Frame):
                self._payload_bytes += len(item.payload)
                self.opened.add([item])

    def opened_anew(self) -> Opened:
        """The frames, with nothing known of their records. Raises `Unavailable` as `Opened.add` does."""
        opened = Opened(self.opened.receiver, self.opened.key, self.opened.readers, self.opened.apart)
        opened.add(self.frames())
        return opened

    def frames(self) -> list[Frame]:
        """Without what is damaged."""
        return [item for item in self.found if isinstance(item, Frame)]


def _source(item: Item, apart: Callable[[bytes], tuple[Apart, ...]]) -> Source:
    part = item.slice
    # By what the request alone says, so that a replay cuts where the first time did, whatever is read beside it.
    share = EVENTS_PER_REQUEST * len(part.record) // len(item.frame.payload)
    return Source(
        item.pointer,
        item.tenant,
        item.frame.signal,
        part.resource,
        part.scope,
        part.record,
        item.relations,
        max(EVENTS_PER_RECORD, share),
        # Where nothing was replaced, its sender says so itself.
        apart(part.record) if item.frame.redactions else (),
    )
