"""The drain: frames of the WALs become rows of the tables. The only loop; recovery is one more turn of it.

One turn, for some frames of one receiver::

    sync the WAL                       no table may know of a frame that a power cut could still take
    put aside what is damaged          so that nothing is passed over silently
    resources, scopes                  by digest: a row too many does no harm
    evidence, spans, events            each commit says up to which seq it holds everything
    ledger                             what these hold of each frame (`store.ledger.covering`)
    retire WAL segments                only what all three tables hold and the ledger has, durably

A crash between any two leaves tables at different seqs. The next turn reads from the lowest and offers each table only
what it lacks, so every record ends up in each table once, and in the ledger as the tables have it. Readers see no row
beyond the lowest (`store.snapshot`).

Small files are folded beside this (`ingest.folding`).

Other drains may commit to the same tables, for receivers of their own. What they store in `evidence` between the
reading and the commit of a batch is looked through for copies of its records; if it has any, the batch is read again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import polars as pl
import pyarrow as pa
from deltalake.exceptions import DeltaError

from aftertrace.ingest import others
from aftertrace.ingest.batch import Batch, Known, read_batch
from aftertrace.ingest.by_reference import GivingBack
from aftertrace.ingest.drain_report import DrainReport
from aftertrace.ingest.evidence import Evidence
from aftertrace.ingest.folding import Folding
from aftertrace.ingest.opened import Collected, Opened
from aftertrace.ingest.origins import KNOWN_ORIGINS, ORIGINS, origin_rows, stored_digests
from aftertrace.ingest.readers import Readers
from aftertrace.store import folder, lake, quarantine, wal_reader
from aftertrace.store.commits import SEQUENCED, Commit
from aftertrace.store.compaction import FOLD_AT, KEEP_S, vacuum
from aftertrace.store.errors import Unavailable
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.covering import Ledger, PutAside, Written
from aftertrace.store.lock import Lock
from aftertrace.store.retention.comparing import Comparing, Telling
from aftertrace.store.retention.contents import DestroyingContents
from aftertrace.store.retention.destroying import Destroying
from aftertrace.store.schema import TABLES
from aftertrace.store.tables import TableWriter
from aftertrace.store.wal_reader import Damage, WalReader
from aftertrace.verifier.verdicts import Finding

_log = logging.getLogger(__name__)

_LOOK_S: Final = 5.0
"""How often a drain that has nothing to do looks for what others stored, so that it is soon ready to go on."""


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """How much a drain does at once."""

    batch_bytes: int = 16 << 20
    """Payload of one commit at most: only a backlog fills it, and is stored sooner in fewer and larger files."""
    linger_s: float = 0.25
    """How long `follow` collects after the first frame of a batch, so that commits are not tiny."""
    fold_at: int = FOLD_AT
    """A partition with more small files is folded; with twice as many, what comes waits for it."""
    readers: int = 0
    """Processes that read records beside the drain's own."""
    vacuum_s: float = 3600.0
    """How often `follow` looks for files that nobody needs."""
    grace_s: float = KEEP_S
    """So long, files that retention took away stay for whoever is reading them."""
    telling: Telling | None = None
    """Which requests holds of runs and agents keep. Without it, orders wait while there are such."""


class Drain:
    """The one drain of a store, from the making of the object to `close`."""

    def __init__(self, layout: Layout, options: DrainOptions | None = None) -> None:
        """Take the lock and open the tables.

        Raises:
            Held: another drain runs.
            Unavailable: the disk takes no new table, or the lake is not there.
            Corrupt: a table's log or the store's key is damaged.
        """
        self._layout = layout
        self._options = options or DrainOptions()
        self._others: list[Commit] = []
        """Commits of other drains to `evidence` whose rows `_before` does not know yet."""
        self._aside: list[PutAside] = []
        """Damage that the ledger does not have yet."""
        self._looked_s = time.monotonic()
        self._lock = Lock(layout.drain_lock, "drains this store")
        try:
            self._key = folder.store_key(layout)
            self._open_tables()
        except OSError as error:
            self._lock.release()
            raise Unavailable(f"open {layout.data}: {error}; free disk space", 1.0) from error
        except BaseException:
            self._lock.release()
            raise
        self._evidence = Evidence(self._scan)
        self._blobs = GivingBack(layout, self._key)
        self._before = self._known_before()
        self._readers = Readers(self._options.readers)
        self._ahead: dict[str, Collected] = {}
        """Of receivers, what comes after that which is being stored."""
        self._logs: dict[str, WalReader] = {}
        self._folding = Folding(layout, self._options.fold_at)
        self._destroying = Destroying(layout, self._options.grace_s)
        self._contents = DestroyingContents(layout)
        self._vacuumed_s = time.monotonic()

    def once(self) -> DrainReport:
        """Store everything that the WALs hold now. What is received meanwhile is left to the next call: a drain that is
        about to end must not be kept by a receiver that goes on.

        Raises:
            Unavailable: the disk did not take it; what was not stored is read again by the next call.
            Corrupt: evidence that duplicates are looked for in is damaged; nothing is stored before it is mended.
        """
        report = DrainReport()
        called_ns = time.time_ns()
        for receiver in self._layout.receivers():
            while (collected := self._collect(receiver)).found:
                report.add(self._store(receiver, collected))
                if any(frame.received_ns > called_ns for frame in collected.frames()):
                    break
        with self._starting_over("small files"):
            self._folding.finish(self._tables)
            self._settle()
        return report

    def follow(self, stop: threading.Event, poll_s: float = 0.05) -> DrainReport:
        """Store what comes until `stop` is set, then what is left. A full disk is waited out.

        Raises:
            Corrupt: as `once`.
        """
        report = DrainReport()
        while not stop.wait(poll_s):
            try:
                idle = True
                for receiver in self._layout.receivers():
                    if (collected := self._collect(receiver)).found:
                        idle = False
                        if not collected.is_full:
                            stop.wait(self._options.linger_s)
                            self._collect_more(receiver, collected)
                        report.add(self._store(receiver, collected))
                with self._starting_over("small files"):
                    self._folding.go_on(self._tables)
                    self._settle()
                is_time = time.monotonic() - self._looked_s >= _LOOK_S
                if idle and is_time and self._tables and self._layout.is_shared:
                    with self._starting_over("what others stored"):
                        for table in self._tables.values():
                            table.refresh()
                        self._know_others()
                if time.monotonic() - self._vacuumed_s >= self._options.vacuum_s:
                    self.tidy()
            except Unavailable as refusal:
                _log.warning("%s", refusal)
                stop.wait(refusal.retry_after_s)
        report.add(self.once())
        return report

    def tidy(self) -> None:
        """Remove files that were replaced more than an hour ago."""
        with self._starting_over("old files"):
            for table in self._tables.values():
                vacuum(self._layout, table)
        self._vacuumed_s = time.monotonic()

    def close(self) -> None:
        """Let go of the lock. What was read and not committed is read again by the next drain."""
        for log in self._logs.values():
            log.close()
        self._readers.close()
        self._folding.close()
        if self._tables:
            self._ledger.close()
        self._lock.release()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def stored_seq(self, receiver: str) -> int:
        """The last seq that all tables hold and the ledger has."""
        stored_seq = min(self._tables[name].last_seq(receiver) for name in SEQUENCED)
        return min(stored_seq, self._ledger.covered_seq(receiver))

    def _collect(self, receiver: str) -> Collected:
        """What can be read now, up to the bytes of one batch. Its reading has begun."""
        collected = self._ahead.pop(receiver, None) or self._nothing(receiver)
        self._collect_more(receiver, collected)
        return collected

    def _collect_more(self, receiver: str, collected: Collected) -> None:
        """The same, as far as there is room in the batch."""
        if not self._tables:
            self._open_tables()
        if receiver not in self._logs:
            self._logs[receiver] = WalReader(self._layout, receiver, self.stored_seq(receiver))
        with self._starting_over(receiver):
            collected.take(self._logs[receiver].poll())

    def _look_ahead(self, receiver: str) -> None:
        """Have readers, where there are some, go on with what comes next."""
        collected = self._nothing(receiver)
        try:
            if self._options.readers:
                collected.take(self._logs[receiver].poll())
                self._ahead[receiver] = collected
        except (OSError, Unavailable):
            # Told of when its turn comes; what is ready is stored before.
            self._logs.pop(receiver).close()
            self._readers.forget()

    def _nothing(self, receiver: str) -> Collected:
        return Collected(Opened(receiver, self._key, self._readers, self._blobs.of), self._options.batch_bytes)

    def _store(self, receiver: str, collected: Collected) -> DrainReport:
        with self._starting_over(receiver):
            return self._turn(receiver, collected)

    @contextmanager
    def _starting_over(self, receiver: str) -> Iterator[None]:
        """When the disk fails, forget what was read and not stored.

        The next call then begins from what the tables say, as after a crash.
        """
        try:
            yield
        except (OSError, DeltaError, Unavailable) as error:
            for log in self._logs.values():
                log.close()
            self._logs.clear()
            self._ahead.clear()
            self._readers.forget()
            if self._tables:
                self._ledger.close()
            self._tables.clear()
            self._aside.clear()
            self._folding.forget()
            self._before = self._known_before()
            raise Unavailable(f"drain {receiver}: {error}; free disk space, or see to the tables", 1.0) from error

    def _open_tables(self) -> None:
        # Before a table is made: in an empty folder where the lake is not mounted, all of them would be.
        lake.check_there(self._layout)
        try:
            self._others.clear()
            tables = {
                name: TableWriter(self._layout, name, self._others.append if name == "evidence" else None)
                for name in TABLES
            }
            self._ledger = Ledger(self._layout, tables, Comparing(tables["evidence"], self._options.telling, self._key))
            self._ledger.settle()
            # After an error of the disk as at the start: retention may have taken some away before it.
            self._known = {name: stored_digests(tables[name]) for name in ORIGINS}
            self._tables = tables
        except (OSError, DeltaError) as error:
            raise Unavailable(f"open tables: {error}; free disk space, or see to their place", 1.0) from error

    def _turn(self, receiver: str, collected: Collected) -> DrainReport:
        self._logs[receiver].sync()
        frames = collected.frames()
        report = DrainReport(frames=len(frames))
        self._ledger.begin(receiver)
        for item in collected.found:
            if isinstance(item, Damage):
                self._put_aside(report, item.finding, item.content())
        written: dict[str, Written] = {}
        if frames:
            batch = self._read(collected.opened, frames, report)
            self._look_ahead(receiver)
            while not self._store_rows(batch, report, written):
                batch = self._read(collected.opened_anew(), frames, report)
            self._before.keep()
            report.records = len(batch.items)
            report.duplicates = sum(item.duplicate_of is not None for item in batch.items)
        self._ledger.cover(receiver, frames, written, self._aside)
        self._aside.clear()
        wal_reader.retire(self._layout, receiver, self.stored_seq(receiver))
        return report

    def _read(self, opened: Opened, frames: list[Frame], report: DrainReport) -> Batch:
        """What frames become, knowing all that is in `evidence`."""
        self._know_others()
        evidence, receiver = self._tables["evidence"], opened.receiver
        first_seq = frames[0].seq
        stored_seq = min(frames[-1].seq, evidence.last_seq(receiver))
        settled = self._evidence.settled(receiver, first_seq, stored_seq) if first_seq <= stored_seq else {}
        batch = read_batch(opened, self._before, settled)
        for finding, content in batch.findings:
            self._put_aside(report, finding, content)
        self._store_origins(batch)
        return batch

    def _know_others(self) -> None:
        """Take in what other receivers have stored in `evidence`, and forget what was read and not stored."""
        self._looked_s = time.monotonic()
        # Origins last: those of what others stored are in before it is.
        for name in ("evidence", *ORIGINS):
            self._tables[name].refresh()
        self._before.back()
        try:
            self._before.take_in(others.stored(self._layout, self._others))
        except FileNotFoundError:
            # Folded, and gone since: what is there now is read instead.
            self._before = self._known_before()
        self._before.keep()
        self._others.clear()

    def _is_overtaken(self, batch: Batch) -> bool:
        """Whether other receivers have stored records of a batch since it was read."""
        try:
            return others.meet(batch, others.stored(self._layout, self._others))
        except FileNotFoundError:
            return True

    def _store_origins(self, batch: Batch) -> None:
        for name in ORIGINS:
            known = self._known[name]
            rows = origin_rows(batch, name)
            fresh = [row for digest, row in rows.items() if digest not in known]
            if fresh:
                self._tables[name].append(pa.Table.from_pylist(fresh, TABLES[name].schema), batch.receiver)
                self._folding.grew(self._tables, name)
            known.update(dict.fromkeys(rows))
            for digest in list(known)[: max(0, len(known) - KNOWN_ORIGINS)]:
                del known[digest]

    def _store_rows(self, batch: Batch, report: DrainReport, written: dict[str, Written]) -> bool:
        """Commit the rows of a batch; False, and nothing, where it has to be read again."""
        for name in SEQUENCED:
            table = self._tables[name]
            after_seq = table.last_seq(batch.receiver)
            if after_seq >= batch.last_seq:
                continue
            rows = batch.rows(name, after_seq)
            # Committed without rows too: the seq in the commit is what readers and the next turn go by.
            unless = partial(self._is_overtaken, batch) if name == "evidence" else None
            if not table.append(rows, batch.receiver, batch.last_seq, unless):
                return False
            written[name] = Written(after_seq, rows)
            self._folding.grew(self._tables, name)
            if name == "spans":
                report.spans = rows.num_rows
            elif name == "events":
                report.events = rows.num_rows
        return True

    def _put_aside(self, report: DrainReport, finding: Finding, content: bytes) -> None:
        name = quarantine.keep(self._layout, finding, content)
        if finding.severity == "error":
            self._aside.append(PutAside(finding, content, name))
        if finding not in report.findings:
            report.findings.append(finding)

    def _settle(self) -> None:
        """Have the ledger know of acts, and of commits that stored nothing; and carry out what acts order."""
        if not self._tables:
            return
        self._ledger.settle()
        self._contents.go_on(self._ledger)
        if self._destroying.go_on(self._tables, self._ledger):
            self._ledger.settle()
            # What comes again is new, and origins that nothing named any more are gone.
            self._known = {name: stored_digests(self._tables[name]) for name in ORIGINS}
            self._before = self._known_before()

    def _known_before(self) -> Known:
        return self._evidence.known(self._layout.data)

    def _scan(self, name: str) -> pl.LazyFrame:
        return self._tables[name].scan()
