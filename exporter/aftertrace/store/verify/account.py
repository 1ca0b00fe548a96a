"""What the entries of a ledger add up to: its requests and commits, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from msgspec import UNSET, UnsetType

from aftertrace.store.ledger.acts import newest
from aftertrace.store.ledger.entries import (
    Batch,
    Begin,
    Entry,
    Erasure,
    Gap,
    Hold,
    Quarantine,
    Refusal,
    Release,
    Restored,
    Retained,
    Retention,
    digest_of,
)
from aftertrace.store.ledger.erased import Erased
from aftertrace.store.ledger.orders import contradictions, last_seq
from aftertrace.store.refusals import Refusals
from aftertrace.store.verify.expected import Claims, Expected, told_of
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
    erased: Erased = field(default_factory=Erased)
    """Rows that were erased."""
    refused: dict[str, dict[Refusals, int]] = field(default_factory=dict)
    """By receiver, how many requests of each kind it refused."""
    is_alone: bool = False
    """Whether no other data folder stored in the same tables when it began."""
    _upto: dict[str, int] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)
    _restored_seqs: dict[str, int] = field(default_factory=dict)
    """Last seq of each receiver that had been told when tables were found put back the last time."""
    _holds: dict[str, Hold] = field(default_factory=dict)
    """By id, what holds."""
    _ordered: dict[str, list[Retention]] = field(default_factory=dict)
    """By id, what is to be destroyed and is not yet."""
    _last_act: int | UnsetType = UNSET
    """Number of the last act."""
    _has_lost: bool = False
    """Whether any entry could not be read."""
    _lost: bool = False
    """Whether an entry before could not be read."""

    def take(self, entries: Iterable[Entry | None], versions: Mapping[str, int], findings: Findings) -> None:
        """Add entries, in order; None for one that could not be read. `versions` of the tables are verified."""
        for number, entry in enumerate(entries):
            if entry is None:
                self._lost = self._has_lost = True
                continue
            where = f"{self.name} entry {number}"
            if self._lost:
                self._find_again(entry)
            self._take(entry, where, findings)
            if (entry.upto, entry.versions, entry.last_act) != (self._upto, self._versions, self._last_act):
                findings.add("ledger_contradicts", where, "does not say what the entries before it add up to")
                self._upto, self._versions = dict(entry.upto), dict(entry.versions)
            self._last_act = newest(number, entry)
            for table, version in entry.versions.items():
                # One that is not there has to have all.
                if version <= versions.get(table, version):
                    self.required[table] = self._upto

    def close(self) -> None:
        """Let the files go."""
        for expected in self.receivers.values():
            expected.close()
        for claims in self.claims.values():
            claims.close()

    def _take(self, entry: Entry, where: str, findings: Findings) -> None:
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
        elif isinstance(entry, Hold):
            self._holds[entry.id] = entry
        elif isinstance(entry, Release):
            if self._holds.pop(entry.hold, None) is None and not self._has_lost:
                findings.add("ledger_contradicts", where, f"releases {entry.hold}, which does not hold")
        elif isinstance(entry, Retention):
            self._retention(entry, where, findings)
        elif isinstance(entry, Erasure):
            self._erasure(entry, where, findings)
        elif isinstance(entry, Refusal):
            counted = self.refused.setdefault(entry.receiver, {})
            for source, signal, status, requests in entry.refused:
                counted[Refusals(entry.day, source, signal, status, 0)] = requests
        elif isinstance(entry, Retained):
            self._retained(entry)
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
        for frame in entry.frames:
            # A table that was put back from a backup gets what its WAL still has once more: the very same requests.
            known = expected.slot(frame.seq) if frame.seq <= expected.last_seq else None
            if known is not None and known.digest != digest_of(frame.digest):
                findings.add(
                    "ledger_contradicts", where, f"request {entry.receiver}/{frame.seq} is another than before"
                )
            elif known is not None and known.rows != told_of(frame):
                is_restored = frame.seq <= self._restored_seqs.get(entry.receiver, 0)
                since = "since tables were put back, as whoever has the key allowed" if is_restored else "replaced"
                message = f"{where} has other rows of it than the entry before: {since}"
                code = "restored_otherwise" if is_restored else "told_again"
                findings.add(code, f"{entry.receiver}/{frame.seq}", message)
        expected.put(date.fromisoformat(entry.day), entry.frames)
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

    def _retention(self, entry: Retention, where: str, findings: Findings) -> None:
        expected, day = self._of_order(entry, where, findings), date.fromisoformat(entry.day)
        if expected is None:
            return
        strange = sum(expected.mark(first, last, day, is_done=False) for first, last in entry.requests)
        if strange:
            findings.add("ledger_contradicts", where, f"destroys {strange} requests that are not of {entry.day}")
        self._ordered.setdefault(entry.id, []).append(entry)
        counted = sum(last - first + 1 for first, last in entry.requests)
        message = f"{counted} requests destroyed by retention, recorded in {where}: {entry.by}, {entry.why}"
        findings.add("destroyed", f"{entry.receiver} {entry.day}", message)

    def _erasure(self, entry: Erasure, where: str, findings: Findings) -> None:
        if self._of_order(entry, where, findings) is None:
            return
        rows = [row for found in entry.rows.values() for row in found]
        self.erased.order(entry)
        message = f"{len(rows)} rows erased, recorded in {where}: {entry.by}, {entry.why}"
        findings.add("erased", f"{entry.receiver} {entry.day}", message)

    def _of_order(self, entry: Retention | Erasure, where: str, findings: Findings) -> Expected | None:
        """What is known of the receiver that an order is for; None where it is for what was not stored."""
        expected = self.receivers.get(entry.receiver)
        upto = {} if expected is None else {entry.receiver: expected.last_seq}
        ordered_on = datetime.fromtimestamp(int(entry.time_ns) / 1e9, UTC).date()
        for what in contradictions(entry, upto, self._holds.values(), ordered_on):
            findings.add("ledger_contradicts", where, what)
        return expected if expected is not None and last_seq(entry) <= expected.last_seq else None

    def _retained(self, entry: Retained) -> None:
        self.erased.finish(entry.id)
        for ordered in self._ordered.pop(entry.id, ()):
            expected = self.receivers[ordered.receiver]
            for first, last in ordered.requests:
                expected.mark(first, last, date.fromisoformat(ordered.day), is_done=True)

    def _reach(self, receiver: str, expected: Expected, seq: int) -> None:
        expected.last_seq = seq
        # Another object than before: what was required stays what it was.
        self._upto = {**self._upto, receiver: seq}

    def _find_again(self, entry: Entry) -> None:
        """Go on behind entries that could not be read: what they said of is not known."""
        self._lost = False
        self._last_act = entry.last_act
        before = dict(entry.upto)
        if isinstance(entry, Batch):
            before[entry.receiver] = entry.frames[0].seq - 1
        elif isinstance(entry, Gap):
            before[entry.receiver] = entry.first_seq - 1
        for receiver, seq in before.items():
            expected = self.receivers.get(receiver)
            if expected is None:
                expected = self.receivers[receiver] = Expected(0)
            expected.last_seq = max(expected.last_seq, seq)
            self._upto[receiver] = expected.last_seq
        self._versions = {
            table: entry.commits[table].first - 1 if table in entry.commits else version
            for table, version in entry.versions.items()
        }
