"""What the entries of a ledger add up to: its requests and commits, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from msgspec import UNSET, UnsetType

from aftertrace.store.ledger.acts import newest
from aftertrace.store.ledger.entries import Batch, Begin, Entry, Gap, Quarantine, Reads, Refusal, Restored, digest_of
from aftertrace.store.ledger.state import Act
from aftertrace.store.refusals import Refusals
from aftertrace.store.verify.expected import Claims, Expected, told_of
from aftertrace.store.verify.orders import Orders
from aftertrace.store.verify.report import Findings


@dataclass(slots=True)
class Account:
    """What one ledger says, entry by entry."""

    name: str
    receivers: dict[str, Expected] = field(default_factory=dict)
    claims: dict[str, Claims] = field(default_factory=dict)
    """By table."""
    required: dict[str, dict[str, int]] = field(default_factory=dict)
    """Last seq of each receiver that each table has to have, as of the versions that are verified."""
    put_aside: dict[tuple[str, str], Quarantine] = field(default_factory=dict)
    """Damage that it tells of, by code and place."""
    refused: dict[str, dict[Refusals, int]] = field(default_factory=dict)
    """By receiver, how many requests of each kind it refused."""
    reads: dict[str, str] = field(default_factory=dict)
    """By id, the digest of each batch of reads."""
    is_alone: bool = False
    """Whether no other data folder stored in the same tables when it began."""
    orders: Orders = field(init=False)
    """What it says of holds, and of what was to be destroyed."""
    _upto: dict[str, int] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)
    _restored_seqs: dict[str, int] = field(default_factory=dict)
    """Last seq of each receiver that had been told when tables were found put back the last time."""
    _last_act: int | UnsetType = UNSET
    """Number of the last act."""
    _has_lost: bool = False
    """Whether any entry could not be read."""
    _lost: bool = False
    """Whether an entry before could not be read."""

    def __post_init__(self) -> None:
        """Nothing is ordered yet."""
        self.orders = Orders(self.receivers)

    def take(self, entries: Iterable[Entry | None], versions: Mapping[str, int], findings: Findings) -> None:
        """Add entries, in order; None for one that could not be read. `versions` of the tables are verified."""
        for number, entry in enumerate(entries):
            if entry is None:
                self._lost = self._has_lost = True
                continue
            where = f"{self.name} entry {number}"
            if self._lost:
                self._find_again(entry)
            self.orders.heed(entry, findings)
            self._take(number, entry, where, findings)
            if (entry.upto, entry.versions, entry.last_act) != (self._upto, self._versions, self._last_act):
                findings.add("ledger_contradicts", where, "does not say what the entries before it add up to")
                self._upto, self._versions = dict(entry.upto), dict(entry.versions)
            self._last_act = newest(number, entry)
            for table, version in entry.versions.items():
                # One that is not there has to have all.
                if version <= versions.get(table, version):
                    self.required[table] = self._upto
        self.orders.tell(findings)

    def close(self) -> None:
        """Let the files go."""
        for expected in self.receivers.values():
            expected.close()
        for claims in self.claims.values():
            claims.close()

    def _take(self, number: int, entry: Entry, where: str, findings: Findings) -> None:
        if isinstance(entry, Begin):
            self._begin(entry, where, findings)
        elif isinstance(entry, Batch):
            self._batch(entry, where, findings)
        elif isinstance(entry, Gap):
            self._gap(entry, where, findings)
        elif isinstance(entry, Quarantine):
            self.put_aside[entry.code, entry.where] = entry
            findings.add("put_aside", entry.where, f"{entry.code}: recorded in {where}; its bytes are in quarantine")
        elif isinstance(entry, Restored):
            self._restored(entry, where, findings)
        elif isinstance(entry, Reads):
            if self.reads.setdefault(entry.id, entry.digest) != entry.digest:
                findings.add("ledger_contradicts", where, f"tells of reads {entry.id} otherwise than an entry before")
        elif isinstance(entry, Refusal):
            counted = self.refused.setdefault(entry.receiver, {})
            for source, signal, status, requests in entry.refused:
                kind = Refusals(entry.day, source, signal, status, 0)
                # They only grow, whatever an entry says that comes later.
                counted[kind] = max(requests, counted.get(kind, 0))
        elif isinstance(entry, Act):
            self.orders.take(number, entry, where, findings, is_whole=not self._has_lost)
        for table, commits in entry.commits.items():
            if commits.first <= self._versions.get(table, -1):
                findings.add("ledger_contradicts", where, f"tells of version {commits.first} of {table} once more")
            if table not in self.claims:
                self.claims[table] = Claims()
            self.claims[table].add(commits.first, commits.last, digest_of(commits.digest))
            self._versions[table] = commits.last

    def _begin(self, entry: Begin, where: str, findings: Findings) -> None:
        self.is_alone |= entry.shared is False
        expected = self.receivers.get(entry.receiver)
        if expected is None:
            expected = self.receivers[entry.receiver] = Expected(entry.after_seq)
        elif entry.after_seq < expected.last_seq:
            findings.add("ledger_contradicts", where, f"begins at {entry.after_seq} of {entry.receiver} once more")
            return
        self._reach(entry.receiver, expected, entry.after_seq)

    def _batch(self, entry: Batch, where: str, findings: Findings) -> None:
        expected = self.receivers.get(entry.receiver)
        first, last = entry.frames[0].seq, entry.frames[-1].seq
        if expected is None:
            findings.add("ledger_contradicts", where, f"requests of {entry.receiver}, which was not begun")
            return
        if first > expected.last_seq + 1 or last - first + 1 != len(entry.frames):
            findings.add("ledger_contradicts", where, f"requests of {entry.receiver} are left out before {last}")
        day = date.fromisoformat(entry.day)
        for frame in entry.frames:
            # A table that was put back from a backup gets what its WAL still has once more: the very same requests.
            known = expected.slot(frame.seq) if frame.seq <= expected.last_seq else None
            # So is their day: by another one it would be kept by no hold of days, and its term be over.
            if known is not None and (known.digest, known.day) != (digest_of(frame.digest), day):
                findings.add(
                    "ledger_contradicts", where, f"request {entry.receiver}/{frame.seq} is another than before"
                )
            elif known is not None and known.rows != told_of(frame):
                is_restored = frame.seq <= self._restored_seqs.get(entry.receiver, 0)
                since = "since tables were put back, as whoever has the key allowed" if is_restored else "replaced"
                message = f"{where} has other rows of it than the entry before: {since}"
                code = "restored_otherwise" if is_restored else "told_again"
                findings.add(code, f"{entry.receiver}/{frame.seq}", message)
        expected.put(day, entry.frames)
        self._reach(entry.receiver, expected, max(last, expected.last_seq))

    def _gap(self, entry: Gap, where: str, findings: Findings) -> None:
        expected = self.receivers.get(entry.receiver)
        if expected is None or entry.first_seq != expected.last_seq + 1:
            findings.add("ledger_contradicts", where, f"a gap of {entry.receiver} that does not follow what is before")
            return
        expected.gaps.append((entry.first_seq, entry.last_seq))
        self._reach(entry.receiver, expected, entry.last_seq)
        lost = f"{entry.receiver}/{entry.first_seq}"
        if entry.last_seq > entry.first_seq:
            lost += f" to {entry.last_seq}"
        findings.add("gap", f"evidence {lost}", f"accepted and lost before it was stored, recorded in {where}")

    def _restored(self, entry: Restored, where: str, findings: Findings) -> None:
        self._restored_seqs = self._upto
        for table, version in sorted(entry.back.items()):
            before = self._versions.get(table, -1)
            if version >= before:
                findings.add(
                    "ledger_contradicts", where, f"puts {table} back to version {version}, which is none before"
                )
                continue
            message = f"put back to version {version}, with {before} told before: recorded in {where}"
            findings.add("restored", f"tables/{table}", message)
            self._versions[table] = version
            if table in self.claims:
                self.claims[table].put_back(version)

    def _reach(self, receiver: str, expected: Expected, seq: int) -> None:
        expected.last_seq = seq
        # Another object than before: what was required stays what it was.
        self._upto = {**self._upto, receiver: seq}

    def _find_again(self, entry: Entry) -> None:
        """Go on behind entries that could not be read: what they said of is not known."""
        self._lost = False
        self._last_act = entry.last_act
        before, upto = dict(entry.upto), dict(self._upto)
        if isinstance(entry, Batch):
            before[entry.receiver] = entry.frames[0].seq - 1
        elif isinstance(entry, Gap):
            before[entry.receiver] = entry.first_seq - 1
        for receiver, seq in before.items():
            expected = self.receivers.get(receiver)
            if expected is None:
                expected = self.receivers[receiver] = Expected(0)
            expected.last_seq = max(expected.last_seq, seq)
            upto[receiver] = expected.last_seq
        self._upto = upto
        self._versions = {
            table: entry.commits[table].first - 1 if table in entry.commits else version
            for table, version in entry.versions.items()
        }
