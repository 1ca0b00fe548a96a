"""Verifying a whole store against its ledger: from the signed checkpoint down to every row of evidence.

The ledger is read before the tables, so that no record can seem to be missing that was only not stored yet; records
that are younger than what was read of the ledger are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from deltalake.exceptions import DeltaError

from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.finding import Finding
from aftertrace.store.folder import check_format
from aftertrace.store.fsck.files import check_files
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Entry, Gap, Records
from aftertrace.store.ledger.opening import Opened, open_ledger
from aftertrace.store.ledger.rows import Rows, check_rows
from aftertrace.store.ledger.verdicts import Report, error, warning
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.note import Note


def verify(
    layout: Layout,
    keys: Sequence[VerifierKey] = (),
    kept: Sequence[Note] = (),
    progress: Callable[[int], object] = lambda _: None,
) -> Report:
    """Verify a store. Changes nothing and needs no lock, while `serve` runs too.

    Args:
        layout: of the store.
        keys: those that may have signed its checkpoint, known from elsewhere; without any, the store's own.
        kept: checkpoints that somebody kept elsewhere.
        progress: told how many bytes of evidence have been read.

    Raises:
        Invalid: the folder holds no store, or one of a later version.
        Unavailable: it cannot be read.
    """
    check_format(layout)
    try:
        ledger = open_ledger(layout, keys, kept)
        rows = _compared(layout, ledger, progress)
    except OSError as failure:
        raise Unavailable(f"verify {layout.data}: {failure}; it cannot be read: see to its permissions") from failure
    covering = [entry for entry in ledger.entries if isinstance(entry, Records)]
    return Report(
        origin=ledger.checkpoint.origin if ledger.checkpoint else None,
        key=str(ledger.key) if ledger.key else None,
        key_is_own=ledger.key_is_own,
        checkpoint=str(ledger.checkpoint) if ledger.checkpoint else None,
        signed_entries=ledger.signed,
        entries=len(ledger.entries),
        frames=sum(len(entry.frames) for entry in covering),
        records=rows.records,
        unledgered=rows.unledgered,
        before=rows.before,
        elsewhere=rows.elsewhere,
        findings=(*ledger.findings, *rows.findings),
    )


def _compared(layout: Layout, ledger: Opened, progress: Callable[[int], object]) -> Rows:
    gaps = list(_gaps(ledger.entries))
    try:
        snapshot = Snapshot.of(layout.data)
        frames = [
            (entry.receiver, seal) for entry in ledger.entries if isinstance(entry, Records) for seal in entry.frames
        ]
        rows = check_rows(snapshot, frames, progress)
        for table in TABLES:
            rows.findings += check_files(layout, table, dict(snapshot.versions).get(table))
    except Corrupt as damage:
        rows = Rows(findings=[error("commit_damaged", layout.tables_folder.name, str(damage))])
    except DeltaError:
        message = "the Delta library cannot open it, expected a table's log as it was committed"
        rows = Rows(findings=[error("commit_damaged", f"{layout.tables_folder.name}/evidence", message)])
    rows.findings += gaps
    return rows


def _gaps(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Requests that were accepted and are not in the ledger: told by an entry, or not."""
    last: dict[str, int] = {}
    told: dict[str, Gap] = {}
    for entry in entries:
        if isinstance(entry, Gap):
            told[entry.receiver] = entry
            yield warning("gap", entry.where, f"{entry.code}: could not be read when it was to be stored")
            continue
        for seal in entry.frames:
            expected = last.get(entry.receiver, seal.seq - 1) + 1
            last[entry.receiver] = seal.seq
            if seal.seq == expected:
                continue
            where = f"evidence {entry.receiver}/{expected}"
            if seal.seq < expected:
                yield error("ledger_altered", where, f"request {seal.seq} follows in the ledger, expected {expected}")
            elif told.pop(entry.receiver, None) is None:
                message = f"not in the ledger, nor is anything before {seal.seq}; expected requests without a gap"
                yield error("frame_unledgered", where, message)
