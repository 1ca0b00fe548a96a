"""What the drain tells the ledger: each request once its rows are in all tables, and what else it did.

Between the last commit of a batch and its entries a crash can come. The frames are in the WAL until the ledger has
them, so the next turn comes to them again. Rows that it does not write then are read back, of a whole stretch of
frames at a time: as they are in the table, with the salts that they have there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import Final, TypeVar

import msgspec
import polars as pl
import pyarrow as pa

from aftertrace.store import durable, reads
from aftertrace.store.commits import SEQUENCED
from aftertrace.store.errors import Corrupt
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, clock, exports, read_batches, refused, rotating, shared_holds
from aftertrace.store.ledger.batches import batches
from aftertrace.store.ledger.claims import Claim
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import (
    AnyAct,
    Batch,
    Begin,
    Entry,
    FrameEntry,
    Gap,
    Hold,
    Quarantine,
    Restored,
    Retention,
    Rotation,
    Rows,
    Tables,
    rows_of,
    text_of,
)
from aftertrace.store.ledger.leaves import SALT, leaves_of
from aftertrace.store.ledger.log import LedgerLog
from aftertrace.store.ledger.orders import AnyOrder, Compare, Compared, contradictions, sources_of
from aftertrace.store.ledger.state import Act, CommitRange
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import collected
from aftertrace.store.tables import TableWriter
from aftertrace.verifier.verdicts import Finding

_Entry = TypeVar("_Entry", bound=Entry)
_NONE: Final = rows_of([])
_LOOK_EVERY_S: Final = 60.0
"""Between two looks at what was refused."""
_GATHER_EVERY_S: Final = 60.0
"""Between two batches of reads."""


@dataclass(frozen=True, slots=True)
class Written:
    """Rows that were committed to a table a moment ago."""

    after_seq: int
    """All of the frames behind it, up to the last of the batch."""
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class PutAside:
    """Damage that was put in quarantine."""

    finding: Finding
    content: bytes
    name: str


class Ledger:
    """The ledger as the drain writes it. After an error of the disk, make another one."""

    def __init__(self, layout: Layout, tables: Mapping[str, TableWriter], compare: Compare) -> None:
        """Open it, and know the commits that it does not have yet.

        Args:
            layout: of the store.
            tables: by name.
            compare: orders with what is held.

        Raises:
            Corrupt: what was signed of it is gone, or an entry or a commit is damaged.
            OSError: the disk fails.
        """
        self._layout = layout
        self._tables = tables
        self._compare = compare
        self.unread: str | None = None
        """Why not all holds of a shared lake could be read."""
        self._shared_s = -math.inf
        self._log = LedgerLog(layout)
        known = self._log.versions
        back = {name: table.version for name, table in tables.items() if table.version < known.get(name, -1)}
        if back:
            entry = _with(Restored(back=back), self._log.upto, {**known, **back}, {})
            self._log.append([msgspec.structs.replace(entry, last_act=self._log.last_act)])
        self._claims = {name: Claim(table, self._log.versions.get(name)) for name, table in tables.items()}
        self.acts = list(acts.recorded(layout))
        """All that were entered, in order."""
        self._exports = exports.Exports(layout)
        self._unentered = reads.Unentered(layout)
        self._looked_s = self._gathered_s = -math.inf
        self._known = {_identity(entry) for entry in self._log.recent if isinstance(entry, Quarantine)}

    def covered_seq(self, receiver: str) -> int:
        """The last seq of a receiver whose rows the ledger has; what was stored before it began counts as that."""
        begun = self._log.upto.get(receiver)
        return self._stored_seq(receiver) if begun is None else begun

    def begin(self, receiver: str) -> None:
        """Say where the ledger begins for a receiver, before anything of it is stored. Nothing if it has begun.

        Raises:
            OSError: the disk does not take it.
        """
        if receiver not in self._log.upto:
            self._append([self._begin(receiver, self._stored_seq(receiver))])

    def cover(
        self, receiver: str, frames: Sequence[Frame], written: Mapping[str, Written], aside: Sequence[PutAside]
    ) -> None:
        """Add frames of a receiver that all tables hold, and what was put aside. Durable when this returns.

        Args:
            receiver: whose they are.
            frames: in order.
            written: what was committed of them just now, by table; of other tables they are read back.
            aside: what was found damaged.

        Raises:
            Corrupt: a table is damaged where rows have to be read back.
            OSError: the disk does not take it.
        """
        entries: list[Entry] = [*self._put_aside(receiver, aside)]
        last = self._log.upto.get(receiver, 0)
        # Frames that a table has got again, since it was put back from a backup, are told again as they are now.
        rewritten = min((each.after_seq for each in written.values()), default=last)
        fresh = [frame for frame in frames if frame.seq > min(last, rewritten)]
        if fresh:
            stored = min(
                written[name].after_seq if name in written else self._tables[name].last_seq(receiver)
                for name in SEQUENCED
            )
            entries += self._of_frames(receiver, fresh, self._rows(receiver, fresh, written), last, stored)
        self._append(entries)

    def settle(self) -> None:
        """Add acts that wait, what was refused on days that are over, what was read, and commits that stored no
        request, if there are.

        Raises:
            OSError: the disk does not take it.
        """
        if time.monotonic() - self._shared_s >= _LOOK_EVERY_S:
            self.take_over()
        for each in list(acts.waiting(self._layout)):
            entered = len(acts.entered(self.acts, each.entries[0].id, (type(each.entries[0]),)))
            entries = self._checked(each, is_begun=entered > 0)
            if entries is None:
                # A drain that can tell what is held comes to it.
                continue
            if isinstance(entries, str):
                acts.refuse(each, entries)
                continue
            self.record(entries[entered:])
            shared_holds.publish(self._layout, entries)
            durable.remove(each.path)
        made = self._exports.untaken(self.acts)
        self.record(list(made.values()))
        for left in made:
            left.unlink(missing_ok=True)
        if time.monotonic() - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            self.record(list(refused.untold(self._layout, self.acts, datetime.now(UTC).date().isoformat())))
        if time.monotonic() - self._gathered_s >= _GATHER_EVERY_S:
            for told, done in read_batches.untaken(self._layout, self._unentered, self.acts):
                self.record(told)
                for batch in done:
                    batch.clear()
            if self._unentered.is_over:
                self._gathered_s = time.monotonic()
        if any(claim.is_due for claim in self._claims.values()):
            self._append([Tables()])

    def take_over(self) -> None:
        """Add holds and releases that others set in a shared lake.

        Raises:
            OSError: the disk does not take it, or the lake is not there.
        """
        self._shared_s = time.monotonic()
        self.unread = None
        try:
            self.record(list(shared_holds.untaken(self._layout, self.acts)))
        except Corrupt as damage:
            self.unread = str(damage)

    def compare(self, orders: Sequence[AnyOrder], holds: Sequence[Hold]) -> Compared | None:
        """Orders with what is held, as `orders.Compare`."""
        return self._compare(orders, holds) if self.unread is None else Compared((), untold=self.unread)

    def _checked(self, waiting: acts.Waiting, *, is_begun: bool) -> Sequence[AnyAct] | str | None:
        """The entries of an act; why it must not be entered; None where nobody here can tell."""
        if isinstance(first := waiting.entries[0], Rotation) and not is_begun:
            return rotating.fault(self._layout, first, self.acts) or waiting.entries
        asked = [entry for entry in waiting.entries if isinstance(entry, AnyOrder)]
        if not asked:
            return waiting.entries
        self.take_over()
        last, holds = acts.last_hold(self.acts), acts.holds(self.acts)
        if not is_begun and waiting.after not in (None, last):
            return "a hold was set or released since it was planned; plan it again"
        is_by_term = any(isinstance(order, Retention | ContentRetention) for order in asked)
        days = (day for *_, day in self._tables["evidence"].files())
        if is_by_term and (why := clock.refusal(waiting.today, days, acts.entered_ns(self.acts), time.time_ns())):
            return why
        if (found := self.compare(asked, holds)) is None:
            return None
        if found.untold is not None:
            return f"what is held could not be told: {found.untold}"
        if found.keeps is not None:
            return f"hold {found.keeps.id} of {found.keeps.of} {found.keeps.name} keeps some of it; plan it again"
        told = [
            msgspec.structs.replace(order, compared=last)
            if isinstance(order, ContentRetention)
            else msgspec.structs.replace(order, sources=sources_of(sources), compared=last)
            for order, sources in zip(asked, found.sources, strict=True)
        ]
        today = datetime.now(UTC).date()
        faults = (what for order in told for what in contradictions(order, self._log.upto, holds, last, today))
        why = next((f"it {what}; see to the clock, and plan it again" for what in faults), None)
        return told if is_begun or why is None else why

    def record(self, entries: Sequence[AnyAct]) -> None:
        """Add acts. Durable when this returns.

        Raises:
            OSError: the disk does not take it.
        """
        self._append(entries)

    def close(self) -> None:
        """Let go of its file."""
        self._log.close()

    def _begin(self, receiver: str, after_seq: int) -> Begin:
        return Begin(receiver=receiver, after_seq=after_seq, shared=self._layout.is_shared)

    def _stored_seq(self, receiver: str) -> int:
        return max(self._tables[name].last_seq(receiver) for name in SEQUENCED)

    def _append(self, entries: Sequence[Entry]) -> None:
        """Add entries, each with what the log then speaks of; the first one tells of the commits, so that none speaks
        of a request before its commits.
        """
        if not entries:
            return
        upto, versions, size = dict(self._log.upto), dict(self._log.versions), self._log.size
        told = {name: claim for name, claim in self._claims.items() if claim.count}
        made: list[Entry] = []
        last_act = self._log.last_act
        for number, entry in enumerate(entries):
            # Requests that are told once more take nothing back.
            upto |= {receiver: max(seq, upto.get(receiver, 0)) for receiver, seq in reached(entry).items()}
            commits = {name: claim.range() for name, claim in told.items()} if number == 0 else {}
            versions |= {name: each.last for name, each in commits.items()}
            made.append(msgspec.structs.replace(_with(entry, upto, versions, commits), last_act=last_act))
            last_act = acts.newest(size + number, made[-1])
        self._log.append(made)
        self.acts += [acts.Recorded(size + n, entry) for n, entry in enumerate(made) if isinstance(entry, Act)]
        for claim in told.values():
            claim.told()

    def _put_aside(self, receiver: str, aside: Iterable[PutAside]) -> Iterator[Quarantine]:
        for each in aside:
            found = each.finding
            digest = text_of(sha256(each.content).digest())
            entry = Quarantine(
                receiver=receiver,
                code=found.code,
                where=found.where,
                digest=digest,
                name=each.name,
            )
            # It is found again at each start until a frame behind it is stored.
            if _identity(entry) not in self._known:
                self._known.add(_identity(entry))
                yield entry

    def _of_frames(
        self, receiver: str, frames: Sequence[Frame], rows: Mapping[str, Mapping[int, Rows]], last: int, stored: int
    ) -> Iterator[Entry]:
        """Entries for frames, of which tables held what is before a seq already."""
        run: list[tuple[str, FrameEntry]] = []
        for frame in frames:
            if run and frame.seq != run[-1][1].seq + 1:
                yield from batches(receiver, run)
                run = []
            if frame.seq > last + 1:
                if frame.seq - 1 <= stored:
                    # Stored by an aftertrace without a ledger, or beside a ledger that was put back from a backup.
                    yield self._begin(receiver, frame.seq - 1)
                else:
                    yield Gap(receiver=receiver, first_seq=last + 1, last_seq=frame.seq - 1)
            last = max(last, frame.seq)
            day = frame.received_date.isoformat()
            run.append((day, _frame_entry(frame, {name: rows[name].get(frame.seq, _NONE) for name in SEQUENCED})))
        yield from batches(receiver, run)

    def _rows(
        self, receiver: str, frames: Sequence[Frame], written: Mapping[str, Written]
    ) -> dict[str, Mapping[int, Rows]]:
        """What entries say of the rows of each table, by seq."""
        first, last = frames[0].seq, frames[-1].seq
        held = {
            name: written[name].rows
            if name in written and written[name].after_seq < first
            else self._read_back(name, receiver, first, last)
            for name in SEQUENCED
        }
        salts = salts_of(held["evidence"])
        return {name: roots_of(name, held[name], salts) for name in SEQUENCED}

    def _read_back(self, table: str, receiver: str, first_seq: int, last_seq: int) -> pa.Table:
        of_frames = (
            self._tables[table]
            .scan()
            .filter(pl.col("receiver") == receiver, pl.col("seq").is_between(first_seq, last_seq))
        )
        order = [name for name in ("seq", "index", "ordinal") if name in TABLES[table].schema.names]
        (rows,) = collected(of_frames.sort(order))
        schema = TABLES[table].schema
        return rows.select(schema.names).to_arrow().cast(schema)


def salts_of(evidence: pa.Table) -> dict[int, bytes]:
    """The salt of each request, by seq, in rows of `evidence` of one receiver."""
    return dict(zip(evidence.column("seq").to_pylist(), evidence.column(SALT).to_pylist(), strict=True))


def roots_of(table: str, rows: pa.Table, salts: Mapping[int, bytes]) -> dict[int, Rows]:
    """What an entry says of the rows of each request, by seq; of rows of one receiver, in order.

    Raises:
        Corrupt: a row does not say which one it is.
    """
    seqs = rows.column("seq").to_pylist()
    leaves = leaves_of(table, rows, [salts.get(seq) for seq in seqs])
    return {
        seq: rows_of([leaf for _, leaf in found])
        for seq, found in groupby(zip(seqs, leaves, strict=True), key=lambda each: each[0])
    }


def _frame_entry(frame: Frame, rows: Mapping[str, Rows]) -> FrameEntry:
    return FrameEntry(
        seq=frame.seq,
        digest=text_of(frame.digest),
        evidence=rows["evidence"],
        spans=rows["spans"],
        events=rows["events"],
    )


def reached(entry: Entry) -> dict[str, int]:
    """How far the log speaks of a receiver with an entry."""
    if isinstance(entry, Begin):
        return {entry.receiver: entry.after_seq}
    if isinstance(entry, Gap):
        return {entry.receiver: entry.last_seq}
    if isinstance(entry, Batch):
        return {entry.receiver: entry.frames[-1].seq}
    return {}


def _with(
    entry: _Entry, upto: Mapping[str, int], versions: Mapping[str, int], commits: Mapping[str, CommitRange]
) -> _Entry:
    now = str(time.time_ns())
    return msgspec.structs.replace(entry, time_ns=now, upto={**upto}, versions={**versions}, commits={**commits})


def _identity(entry: Quarantine) -> tuple[str, str, str]:
    return entry.code, entry.where, entry.digest
