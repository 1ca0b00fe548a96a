"""The rows of a file against what ledgers expect of their requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from aftertrace.store import commits, lookup
from aftertrace.store.frame import SALT_BYTES
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.erased import Erased
from aftertrace.store.processes import Processes, spare_cores
from aftertrace.store.verify.contents import References
from aftertrace.store.verify.expected import Expected, Slot
from aftertrace.store.verify.hashing import ORIGINS, Hashed, Piece, Request, Stretch, hashed
from aftertrace.store.verify.history import Live
from aftertrace.store.verify.report import Findings
from aftertrace.store.verify.store_key import StoreKey
from aftertrace.tlog.merkle import root_of

WORTH_BYTES: Final = 32 << 20
"""Of files of a table: of less, all is read when the first of other processes has started."""
_UNKNOWN: Final = bytes(SALT_BYTES)


@dataclass(slots=True)
class Standing:
    """What stands beside a ledger while rows are compared with it."""

    receivers: Mapping[str, Expected]
    """What is expected, by receiver."""
    tail: Mapping[str, int]
    """Up to which seq entries speak of a receiver that are not signed."""
    waiting: Mapping[str, tuple[int, int]]
    """First and last seq of the frames that a receiver's WAL has behind the ledger."""
    unread: Collection[str]
    """Receivers whose WAL this account may not read."""
    is_whole: bool
    """Whether all entries could be read."""
    own: Collection[str] | None
    """Receivers of this data folder, where others store in the same tables; None: there are no others."""
    chosen: Collection[Request] | None
    """The requests in question; None: all."""
    is_in: Callable[[date], bool]
    """Whether a day of receipt is in question."""
    erased: Erased = field(default_factory=Erased)
    """Rows that were erased."""

    def is_foreign(self, receiver: str) -> bool:
        """Whether a receiver is that of another data folder."""
        return self.own is not None and receiver not in self.own

    def may_have(self, file: Live) -> bool:
        """Whether a file can have rows of the requests in question, by the bounds that its commit has."""
        try:
            first, last = (file.statistics[bound]["seq"] for bound in ("minValues", "maxValues"))
        except (KeyError, TypeError):
            return True
        return self.chosen is None or any(first <= seq <= last for _, seq in self.chosen)


@dataclass(slots=True)
class Counts:
    """How much was compared."""

    requests: int = 0
    records: int = 0
    rows: int = 0
    files: int = 0
    uncovered: int = 0
    evidence_bytes: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    """Files that could not be read, by table."""
    replaced: set[str] = field(default_factory=set)
    """Tables of which a file was folded and removed while they were verified."""
    apart: dict[tuple[str, str, str], tuple[int, int, int]] = field(default_factory=dict)
    """First and last seq and number of rows that no signed entry speaks of, by code, table and receiver."""

    def set_apart(self, code: str, table: str, receiver: str, seq: int, rows: int) -> None:
        """Count rows of a request that no signed entry speaks of."""
        first, last, known = self.apart.get((code, table, receiver), (seq, seq, 0))
        self.apart[code, table, receiver] = min(first, seq), max(last, seq), known + rows
        self.uncovered += rows


class Comparing:
    """Compares the files of the tables, `evidence` first: it has the salts."""

    def __init__(self, layout: Layout, standing: Standing, findings: Findings, readers: int | None) -> None:
        """Nothing is read yet; parameters as for `verify`."""
        self._layout = layout
        self._standing = standing
        self._findings = findings
        self.counts = Counts()
        self.references = References(layout, findings)
        self.store_key = StoreKey(layout, findings)
        self._named: dict[str, set[bytes]] = {table: set() for table in ORIGINS}
        """Digests of origins that evidence names and that were not found yet: few, as processes are beside records."""
        self._is_shared = readers is not None
        self._salts = {receiver: expected.slots for receiver, expected in standing.receivers.items()}
        self._hashed = Processes[Piece, Hashed](
            "aftertrace.store.verify",
            hashed,
            spare_cores() if readers is None else readers,
            files=[each.fd for each in self._salts.values()],
        )

    def close(self) -> None:
        """End what reads beside this process."""
        self._hashed.close()

    def files(self, table: str, files: Iterable[Live], version: int) -> Iterator[int]:
        """Compare files of a version of a table; gives how many bytes each has, when it is compared.

        Raises:
            OSError: one cannot be reached, which says nothing of what is in it.
        """
        listed = list(files)
        sizes_bytes = sum(file.recorded[1] for file in listed if file.recorded is not None)
        of_all = self._layout, table, self._salts, self._standing.chosen, self._standing.erased.requests(table)
        pieces = (Piece(*of_all, file.path, file.day, file.recorded and file.recorded[0]) for file in listed)
        self._is_shared |= sizes_bytes >= WORTH_BYTES
        read = self._hashed(pieces) if self._is_shared else map(hashed, pieces)
        for file, told in zip(listed, read, strict=True):
            self._file(table, file, version, told)
            yield told.size_bytes

    def _file(self, table: str, file: Live, version: int, told: Hashed) -> None:
        where = f"tables/{table}/{file.path}"
        if told.failure is not None:
            raise told.failure
        if not told.is_there:
            if self._is_replaced(table, file.path, version):
                self._findings.add("unchecked", where, "replaced by a larger file while it was verified; verify again")
                self.counts.replaced.add(table)
            else:
                self._findings.add("file_missing", where, "no file, expected the one that was committed")
                self._lost(table)
            return
        self.counts.files += 1
        found_before = sum(self._findings.counts.values())
        if not told.is_as_committed:
            self._findings.add("file_digest", where, "bytes differ from those that were committed")
        for strange in told.strange_origins:
            self._findings.add("origin_differs", strange, "not the bytes that have this digest")
        if table in ORIGINS:
            self._named[table] -= told.origins
        for origins, digests in (told.named or {}).items():
            self._named[origins] |= digests
        self.counts.evidence_bytes += told.record_bytes
        self.references.take(told.referred)
        for stretch in told.stretches:
            self._stretch(table, stretch, file.day)
        if sum(self._findings.counts.values()) == found_before:
            self.store_key.take(told.sample, told.referred)
        self._read_well(table, file, told)

    def _read_well(self, table: str, file: Live, told: Hashed) -> None:
        """Tell of what could not be read of a file, and of what finds its rows by id, which must find all of them."""
        where, lookup_where = f"tables/{table}/{file.path}", f"tables/{lookup.key_of(table, file.path)}"
        if told.corrupt is not None:
            self._findings.add("rows_differ", where, told.corrupt)
        if told.unreadable is not None:
            self._findings.add("file_unreadable", where, f"{told.unreadable}, expected rows as they were written")
            self._lost(table)
        if not told.is_lookup_there:
            # It is made again from the rows when they are read.
            message = "missing or damaged: its data file is read whole instead"
            self._findings.add("lookup_missing", lookup_where, message)
        elif not told.is_lookup_right:
            message = "hides or invents rows; `aftertrace fsck --repair` mends it"
            self._findings.add("lookup_differs", lookup_where, message)

    def _is_replaced(self, table: str, path: str, version: int) -> bool:
        """Whether a file has been folded since a version."""
        later = commits.after(commits.log_of(self._layout, table), version)
        return any(path in commit.removed for commit in later)

    def _lost(self, table: str) -> None:
        self.counts.unread[table] = self.counts.unread.get(table, 0) + 1

    def missing_origins(self, table: str, version: int) -> None:
        """Tell of resources or scopes that records name and that are nowhere, after all files of a version.

        Raises:
            OSError: a later commit cannot be read.
        """
        if self._named[table]:
            # They are committed before the evidence that names them, but the table was pinned before that was.
            for commit in commits.after(commits.log_of(self._layout, table), version):
                added = (Live(each.path, each.day, commit.digests.get(each.path), {}) for each in commit.added)
                for _ in self.files(table, added, commit.version):
                    pass
        for digest in sorted(self._named[table]):
            self._findings.add("origin_missing", f"{table} sha256:{digest.hex()}", "nowhere, and records name it")

    def _stretch(self, table: str, stretch: Stretch, day: date) -> None:
        """Compare the rows of a request in a file of a day."""
        request, erased = stretch.request, self._standing.erased
        count, root = stretch.count, stretch.root
        if stretch.places:
            merged, _ = erased.merged(table, request, stretch.places, stretch.leaves)
            count, root = len(merged), root_of(merged)
            if there := erased.there(request, stretch.places):
                self._there(table, request, there)
        self._compare(table, stretch, day, self._slot(request), count, root)

    def _slot(self, request: Request) -> Slot | None:
        receiver, seq = request
        expected = self._standing.receivers.get(receiver) if receiver is not None else None
        return None if expected is None or seq is None else expected.slot(seq)

    def _compare(self, table: str, stretch: Stretch, day: date, slot: Slot | None, has: int, has_root: bytes) -> None:
        """Compare what a request has in a table, with the rows that were erased, of which some are there."""
        receiver, seq = stretch.request
        where = f"{table} {receiver}/{seq}"
        if slot is None:
            self._strange(table, receiver, seq, has)
            return
        count, root = slot.rows[table]
        expected = self._standing.receivers[receiver]
        if slot.has_seen(table):
            self._findings.add("rows_added", where, f"rows of this request stand in more than one file of {table}")
            return
        if slot.is_destroyed:
            self._there(table, stretch.request, has)
        is_right = (has, has_root) == (count, root)
        expected.saw(seq, slot, table, stretch.salt if table == "evidence" and is_right else None)
        if is_right and day != slot.day:
            # Rows say their own day, and the root is over that too; its entry told of another.
            self._findings.add("rows_differ", where, f"rows of {day}, expected those of {slot.day}")
        elif is_right:
            self.counts.rows += stretch.count
            if table == "evidence":
                self.counts.requests += 1
                self.counts.records += stretch.count
        elif has < count:
            self._findings.add("rows_missing", where, f"{has} rows, expected {count}")
        elif has > count:
            self._findings.add("rows_added", where, f"{has} rows, expected {count}")
        elif table != "evidence" and slot.salt == _UNKNOWN:
            self._findings.add(
                "unchecked", where, "its rows of evidence are not those of the ledger, so it has no salt"
            )
        else:
            self._findings.add("rows_differ", where, "not the rows that the ledger has: one was changed")

    def _there(self, table: str, request: Request, rows: int) -> None:
        message = f"{rows} rows that the ledger has as destroyed"
        self._findings.add("destroyed_there", f"{table} {request[0]}/{request[1]}", message)

    def erased_whole(self, table: str) -> None:
        """Know of requests of which all rows of a table are erased, after all of its files: their hashes are left."""
        for (receiver, seq), leaves in self._standing.erased.leaves.get(table, {}).items():
            expected = self._standing.receivers.get(receiver)
            slot = expected.slot(seq) if expected is not None else None
            if expected is None or slot is None or slot.has_seen(table):
                continue
            told = [leaves[place] for place in sorted(leaves)]
            if slot.rows[table] == (len(told), root_of(told)):
                expected.saw(seq, slot, table)

    def _strange(self, table: str, receiver: str | None, seq: int | None, count: int) -> None:
        """Rows of a request that no entry tells of."""
        standing, where = self._standing, f"{table} {receiver}/{seq}"
        expected = standing.receivers.get(receiver) if receiver is not None else None
        if receiver is None or seq is None or seq < 1:
            self._findings.add("rows_added", where, "rows without a request, expected none")
        elif not standing.is_whole:
            self._findings.add("unchecked", where, "the entries that may speak of it cannot be read")
        elif expected is not None and seq <= expected.last_seq:
            if expected.is_lost(seq):
                self._findings.add("rows_added", where, "rows of a request that was lost before it was stored")
            else:
                self.counts.set_apart("uncovered", table, receiver, seq, count)
        elif self._may_come(receiver, seq):
            self.counts.set_apart("unsealed", table, receiver, seq, count)
        elif standing.is_foreign(receiver):
            self.counts.set_apart("receiver_uncovered", table, receiver, seq, count)
        elif expected is None:
            self._findings.add("receiver_unknown", where, f"no ledger speaks of {receiver}, expected it")
        elif receiver in standing.unread:
            self._findings.add("unchecked", where, f"behind {expected.last_seq}, and the WAL cannot be read")
        else:
            last = expected.last_seq
            self._findings.add("unledgered", where, f"behind {last}, the last that the ledger has, and not in the WAL")

    def _may_come(self, receiver: str, seq: int) -> bool:
        first, last = self._standing.waiting.get(receiver, (0, -1))
        return seq <= self._standing.tail.get(receiver, 0) or first <= seq <= last


_APART: Final = {
    "uncovered": "stored before the ledger began for this receiver, or without it: nothing is proven of them",
    "unsealed": "stored, and not signed: nothing is proven of them before they are",
    "receiver_uncovered": "of a receiver whose ledger is not here; give it by --ledger",
}


def tell_apart(counts: Counts, findings: Findings) -> None:
    """Tell of rows that no signed entry speaks of."""
    for (code, table, receiver), (first, last, rows) in sorted(counts.apart.items()):
        upto = f" to {last}" if last > first else ""
        findings.add(code, f"{table} {receiver}/{first}{upto}", f"{rows} rows {_APART[code]}")


def missing(table: str, required: Mapping[str, int], standing: Standing, counts: Counts, findings: Findings) -> None:
    """Tell of requests whose rows are nowhere, of those that a table has to have.

    Args:
        table: its name.
        required: up to which seq of each receiver.
        standing: what is expected.
        counts: what could be read.
        findings: what is wrong.
    """
    unread = counts.unread.get(table, 0)
    lost = f"; {unread} files of the table cannot be read" if unread else ""
    code = "unchecked" if table in counts.replaced else "rows_missing"
    for receiver, seq, count in _unseen(table, required, standing):
        findings.add(code, f"{table} {receiver}/{seq}", f"no rows, expected {count}{lost}")


def _unseen(table: str, required: Mapping[str, int], standing: Standing) -> Iterator[tuple[str, int, int]]:
    for receiver, expected in standing.receivers.items():
        if standing.chosen is None:
            for seq, count in expected.unseen(table, required.get(receiver, 0), standing.is_in):
                yield receiver, seq, count
    for receiver, seq in standing.chosen or ():
        chosen = standing.receivers.get(receiver)
        slot = chosen.slot(seq) if chosen is not None else None
        if slot is not None and slot.rows[table][0] and not (slot.has_seen(table) or slot.is_ordered(table)):
            yield receiver, seq, slot.rows[table][0]
