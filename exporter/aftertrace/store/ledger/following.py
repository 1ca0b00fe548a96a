"""What an entry may say after those before it: the log speaks of each request and each commit once, and goes on.

Whoever may write to the ledger's files can put an entry there that is written as it should be. The sealer signs none
that takes back what was signed, or tells it otherwise. What is told for the first time it cannot judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from aftertrace.store.errors import Corrupt
from aftertrace.store.ledger.acts import newest
from aftertrace.store.ledger.entries import Batch, Begin, Entry, FrameEntry, Gap, Restored


@dataclass(slots=True)
class ToldBefore:
    """What entries say of the requests of a receiver."""

    frames: dict[int, tuple[str, FrameEntry]]
    """By seq, its day and what the last entry says that speaks of it."""
    restored_seq: int = 0
    """The last seq that they had told when tables were found put back the last time; 0 if they never were."""


Told: TypeAlias = Callable[[str, int, int], ToldBefore]
"""From a receiver, a seq and a number to what so many entries say of its requests from that seq on."""


@dataclass(slots=True)
class Following:
    """What the entries so far add up to."""

    told: Told
    is_restored: bool = False
    """Whether requests may be told otherwise since tables were put back: only somebody with the key can allow it."""
    retold: list[str] = field(default_factory=list)
    """Requests that were, `receiver/seq`."""
    number: int = 0
    """How many there are."""
    upto: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    last_act: int | UnsetType = UNSET
    _known: dict[str, tuple[int, ToldBefore]] = field(default_factory=dict)
    """By receiver that told requests once more, since when, and what is said of them by now."""

    @classmethod
    def behind(cls, number: int, last: Entry | None, told: Told) -> Following:
        """Behind so many entries, with the last of them."""
        if last is None:
            return cls(told)
        upto, versions = dict(last.upto), dict(last.versions)
        return cls(told, number=number, upto=upto, versions=versions, last_act=newest(number - 1, last))

    def copied(self, *, is_restored: bool = False) -> Following:
        """Another one that goes on from here, while this one stays."""
        upto, versions = {**self.upto}, {**self.versions}
        return Following(
            self.told, is_restored, number=self.number, upto=upto, versions=versions, last_act=self.last_act
        )

    def take(self, entry: Entry) -> None:
        """Go on by an entry.

        Raises:
            Corrupt: it takes back what those before it say, or does not say what they add up to.
        """
        if isinstance(entry, Begin):
            self._begin(entry)
        elif isinstance(entry, Batch):
            self._batch(entry)
        elif isinstance(entry, Gap):
            self._gap(entry)
        elif isinstance(entry, Restored):
            self._restored(entry)
        for table, commits in entry.commits.items():
            if commits.first <= self.versions.get(table, -1):
                raise self._refusal(f"tells of version {commits.first} of {table} once more")
            self.versions[table] = commits.last
        if (entry.upto, entry.versions, entry.last_act) != (self.upto, self.versions, self.last_act):
            raise self._refusal("does not say what the entries before it add up to")
        self.last_act = newest(self.number, entry)
        self.number += 1

    def _begin(self, entry: Begin) -> None:
        if entry.after_seq < self.upto.get(entry.receiver, 0):
            raise self._refusal(f"begins at {entry.after_seq} of {entry.receiver} once more")
        self.upto[entry.receiver] = entry.after_seq

    def _batch(self, entry: Batch) -> None:
        receiver, first, last = entry.receiver, entry.frames[0].seq, entry.frames[-1].seq
        before = self.upto.get(receiver)
        if before is None:
            raise self._refusal(f"has requests of {receiver}, which was not begun")
        if first > before + 1 or last - first + 1 != len(entry.frames):
            raise self._refusal(f"leaves out requests of {receiver} before {last}")
        if first <= before:
            known = self._before(receiver, first)
            for frame in entry.frames:
                self._once_more(entry, frame, known)
        if receiver in self._known:
            self._known[receiver][1].frames.update((frame.seq, (entry.day, frame)) for frame in entry.frames)
        self.upto[receiver] = max(before, last)

    def _once_more(self, entry: Batch, frame: FrameEntry, known: ToldBefore) -> None:
        """Tables that were put back get what the WAL still has once more: the very same rows, as a rule."""
        receiver = entry.receiver
        day, before = known.frames.get(frame.seq, (entry.day, frame))
        if before.digest != frame.digest or day != entry.day:
            # Its frame says when it was received: by the day it is held, and its term is over.
            raise self._refusal(f"tells of another request as {receiver}/{frame.seq} than before")
        if before == frame:
            return
        told = f"tells request {receiver}/{frame.seq} otherwise than before"
        if frame.seq > known.restored_seq:
            raise self._refusal(told)
        if not self.is_restored:
            raise Corrupt(
                f"seal ledger: entry {self.number} {told}, expected the same rows; nothing more is signed: if you put "
                "back tables from a backup, `aftertrace seal --restore` signs it and names it; else run `aftertrace "
                "verify`, and put ledger/ back from a backup"
            )
        self.retold.append(f"{receiver}/{frame.seq}")

    def _before(self, receiver: str, first_seq: int) -> ToldBefore:
        since, known = self._known.get(receiver, (first_seq, None))
        if known is None or first_seq < since:
            known = self.told(receiver, first_seq, self.number)
            self._known[receiver] = first_seq, known
        return known

    def _gap(self, entry: Gap) -> None:
        if entry.receiver not in self.upto or entry.first_seq != self.upto[entry.receiver] + 1:
            raise self._refusal(f"has a gap of {entry.receiver} that does not follow what is before")
        self.upto[entry.receiver] = entry.last_seq

    def _restored(self, entry: Restored) -> None:
        for table, version in entry.back.items():
            if version >= self.versions.get(table, -1):
                raise self._refusal(f"puts {table} back to version {version}, which is none before")
            self.versions[table] = version
        for receiver, (_, known) in self._known.items():
            known.restored_seq = self.upto[receiver]

    def _refusal(self, what: str) -> Corrupt:
        return Corrupt(
            f"seal ledger: entry {self.number} {what}, expected that it goes on from what was signed; nothing more is "
            "signed: run `aftertrace verify`, and put ledger/ back from a backup"
        )
