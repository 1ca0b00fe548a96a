"""The rows of a file against what ledgers expect of their requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from itertools import groupby
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store import commits, lookup, parquet
from aftertrace.store.digest import origin_digest
from aftertrace.store.errors import Corrupt
from aftertrace.store.frame import SALT_BYTES
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.erased import Erased, places_of
from aftertrace.store.ledger.leaves import SALT, leaves_of
from aftertrace.store.objects import Objects
from aftertrace.store.schema import TABLES
from aftertrace.store.verify.contents import References
from aftertrace.store.verify.expected import Expected, Slot
from aftertrace.store.verify.history import Live
from aftertrace.store.verify.report import Findings
from aftertrace.store.wire_keys import KEYED
from aftertrace.tlog.merkle import root_of

Request: TypeAlias = tuple[str, int]
"""Receiver and seq."""
_Stretch: TypeAlias = tuple[Request, int, int]
"""A request, and which rows are its own: the first, and the one behind the last."""
ORIGINS: Final[Mapping[str, str]] = {"resources": "resource_digest", "scopes": "scope_digest"}
"""Tables of what records have in common, and the column of `evidence` that names a row of each."""
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

    def __init__(self, layout: Layout, objects: Objects, standing: Standing, findings: Findings) -> None:
        """Nothing is read yet."""
        self._layout = layout
        self._objects = objects
        self._standing = standing
        self._findings = findings
        self.counts = Counts()
        self.references = References(layout, findings)
        self._named: dict[str, set[bytes]] = {table: set() for table in ORIGINS}
        """Digests of origins that evidence names and that were not found yet: few, as processes are beside records."""

    def file(self, table: str, file: Live, version: int) -> int:
        """Compare a file of a version of a table; returns how many bytes it has.

        Raises:
            OSError: it cannot be reached, which says nothing of what is in it.
        """
        where = f"tables/{table}/{file.path}"
        try:
            content = self._objects.get(f"{table}/{file.path}")
        except FileNotFoundError:
            if self._is_replaced(table, file.path, version):
                self._findings.add("unchecked", where, "replaced by a larger file while it was verified; verify again")
                self.counts.replaced.add(table)
            else:
                self._findings.add("file_missing", where, "no file, expected the one that was committed")
                self._lost(table)
            return 0
        self.counts.files += 1
        if file.recorded is None or f"sha256:{sha256(content).hexdigest()}" != file.recorded[0]:
            self._findings.add("file_digest", where, "bytes differ from those that were committed")
        try:
            rows = parquet.read(pa.BufferReader(content), file.day, TABLES[table].schema)
            if table in ORIGINS:
                self._origins(table, rows)
            else:
                self._rows(table, rows)
                self._lookup(table, file.path, rows)
        except Corrupt as damage:
            self._findings.add("rows_differ", where, str(damage))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as refusal:
            if isinstance(refusal, ConnectionError | TimeoutError):
                raise
            self._findings.add(
                "file_unreadable", where, f"{type(refusal).__name__}, expected rows as they were written"
            )
            self._lost(table)
        return len(content)

    def _is_replaced(self, table: str, path: str, version: int) -> bool:
        """Whether a file has been folded since a version."""
        later = commits.after(commits.log_of(self._layout, table), version)
        return any(path in commit.removed for commit in later)

    def _lost(self, table: str) -> None:
        self.counts.unread[table] = self.counts.unread.get(table, 0) + 1

    def _origins(self, table: str, rows: pa.Table) -> None:
        told = (rows.column(name).to_pylist() for name in ("digest", "bytes", "schema_url"))
        for digest, message, url in zip(*told, strict=True):
            if origin_digest(message or b"", url or "") != digest:
                self._findings.add("origin_differs", f"{table} {digest}", "not the bytes that have this digest")
            elif digest is not None:
                self._named[table].discard(_digest_bytes(digest))

    def missing_origins(self, table: str, version: int) -> None:
        """Tell of resources or scopes that records name and that are nowhere, after all files of a version.

        Raises:
            OSError: a later commit cannot be read.
        """
        if self._named[table]:
            # They are committed before the evidence that names them, but the table was pinned before that was.
            for commit in commits.after(commits.log_of(self._layout, table), version):
                for added in commit.added:
                    live = Live(added.path, added.day, commit.digests.get(added.path), {})
                    self.file(table, live, commit.version)
        for digest in sorted(self._named[table]):
            self._findings.add("origin_missing", f"{table} sha256:{digest.hex()}", "nowhere, and records name it")

    def _lookup(self, table: str, path: str, rows: pa.Table) -> None:
        """What finds rows by id must find all of them. One that is missing is made again from the rows when read."""
        if table in KEYED:
            found, where = lookup.read(self._layout, table, path), f"tables/{lookup.key_of(table, path)}"
            if found is None:
                self._findings.add("lookup_missing", where, "missing or damaged: its data file is read whole instead")
            elif lookup.made(table, rows.select(lookup.columns_read(table))) != found:
                self._findings.add(
                    "lookup_differs", where, "hides or invents rows; `aftertrace fsck --repair` mends it"
                )

    def _rows(self, table: str, rows: pa.Table) -> None:
        if self._standing.chosen is not None:
            seqs = pa.array(sorted({seq for _, seq in self._standing.chosen}), pa.int64())
            rows = rows.filter(pc.is_in(rows.column("seq"), seqs))
        keys = [(name, "ascending") for name in ("receiver", "seq", "index", "ordinal") if name in rows.column_names]
        # Folded rows stand by conversation; a request's are in order of their index.
        rows = rows.take(pc.sort_indices(rows, keys))
        whose = list(zip(rows.column("receiver").to_pylist(), rows.column("seq").to_pylist(), strict=True))
        start = 0
        stretches: list[_Stretch] = []
        for request, found in groupby(whose):
            end = start + sum(1 for _ in found)
            stretches.append((request, start, end))
            start = end
        slots = {request: self._slot(request) for request, _, _ in stretches}
        salts = self._salts(table, rows, slots, stretches)
        leaves = list(leaves_of(table, rows, salts))
        places = places_of(rows)
        sizes = pc.sum(pc.binary_length(rows.column("record"))).as_py() if table == "evidence" else 0
        self.counts.evidence_bytes += sizes or 0
        if table == "evidence":
            self.references.take(rows)
            for origins, column in ORIGINS.items():
                named = pc.unique(rows.column(column)).drop_null().to_pylist()
                self._named[origins].update(_digest_bytes(digest) for digest in named)
        for request, first, end in stretches:
            if self._standing.chosen is None or request in self._standing.chosen:
                own = slice(first, end)
                told, _ = self._standing.erased.merged(table, request, places[own], leaves[own])
                if there := self._standing.erased.there(request, places[own]):
                    self._there(table, request, there)
                self._compare(table, request, slots[request], told, salts[first], end - first)

    def _slot(self, request: Request) -> Slot | None:
        receiver, seq = request
        expected = self._standing.receivers.get(receiver) if receiver is not None else None
        return None if expected is None or seq is None else expected.slot(seq)

    def _salts(
        self,
        table: str,
        rows: pa.Table,
        slots: Mapping[Request, Slot | None],
        stretches: list[_Stretch],
    ) -> list[bytes | None]:
        if table == "evidence":
            salts: list[bytes | None] = rows.column(SALT).to_pylist()
            return salts
        found: list[bytes | None] = []
        for request, first, end in stretches:
            slot = slots[request]
            found += [slot.salt if slot is not None else None] * (end - first)
        return found

    def _compare(
        self, table: str, request: Request, slot: Slot | None, leaves: list[bytes], salt: bytes | None, there: int
    ) -> None:
        """Compare the hashes of all rows of a request, of which some are there."""
        receiver, seq = request
        where = f"{table} {receiver}/{seq}"
        if slot is None:
            self._strange(table, receiver, seq, len(leaves))
            return
        count, root = slot.rows[table]
        expected = self._standing.receivers[receiver]
        if slot.has_seen(table):
            self._findings.add("rows_added", where, f"rows of this request stand in more than one file of {table}")
            return
        if slot.is_destroyed:
            self._there(table, request, len(leaves))
        is_right = len(leaves) == count and root_of(leaves) == root
        expected.saw(seq, slot, table, salt if table == "evidence" and is_right else None)
        if is_right:
            self.counts.rows += there
            if table == "evidence":
                self.counts.requests += 1
                self.counts.records += there
        elif len(leaves) < count:
            self._findings.add("rows_missing", where, f"{len(leaves)} rows, expected {count}")
        elif len(leaves) > count:
            self._findings.add("rows_added", where, f"{len(leaves)} rows, expected {count}")
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
        else:
            last = expected.last_seq
            self._findings.add("unledgered", where, f"behind {last}, the last that the ledger has, and not in the WAL")

    def _may_come(self, receiver: str, seq: int) -> bool:
        first, last = self._standing.waiting.get(receiver, (0, -1))
        return seq <= self._standing.tail.get(receiver, 0) or first <= seq <= last


def _digest_bytes(tagged: str) -> bytes:
    """A tagged digest, short. What is none stays what it is, and is found nowhere."""
    try:
        return bytes.fromhex(tagged.removeprefix("sha256:"))
    except ValueError:
        return tagged.encode()


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
