"""fsck: is what is stored what was received, and is all of it there? Compares WAL, tables, evidence, large contents and
reads with each other.

`fsck` changes nothing and needs no lock: while `serve` runs it looks at one version of each table and at the WAL as it
is. It finds damage and loss by accident. Somebody who may write to the folder can make digests fit again.
"""

from __future__ import annotations

from dataclasses import dataclass

from aftertrace.store import quarantine
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.folder import check_format
from aftertrace.store.fsck.contents import check_contents
from aftertrace.store.fsck.files import check_files
from aftertrace.store.fsck.lookups import check_lookups, repair_lookups
from aftertrace.store.fsck.reads import check_reads, repair_reads
from aftertrace.store.fsck.rows import check_rows
from aftertrace.store.fsck.wal import check_wal
from aftertrace.store.layout import Layout
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.verifier.verdicts import Finding

__all__ = ["Repaired", "fsck", "repair"]


def fsck(layout: Layout) -> list[Finding]:
    """Check a whole store.

    Returns:
        What is not as it was written, most severe first; empty for a sound store.

    Raises:
        Invalid: the folder holds no store, or one of a later version.
        Unavailable: its tables are in a bucket that cannot be reached.
    """
    check_format(layout)
    try:
        return _compared(layout)
    except ConnectionError as error:
        raise Unavailable(f"check {layout.data}: {error}; its tables cannot be reached: try again", 1.0) from error


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did."""

    lookups: int
    """Lookup files that were made again."""
    reads: int
    """Batches of reads that were removed: a crash had left them, and others have what is in them."""


def repair(layout: Layout) -> Repaired:
    """Make again what is derived and missing or wrong, and remove what is there twice. Evidence is never touched.

    Needs no lock: lookup files are replaced whole, and a drain makes others.

    Raises:
        Invalid: the folder holds no store, or one of a later version.
        Corrupt: a table's log cannot be read.
        Unavailable: the disk does not take a file.
    """
    check_format(layout)
    try:
        return Repaired(repair_lookups(Snapshot.of(layout.data)), repair_reads(layout))
    except OSError as error:
        raise Unavailable(f"repair {layout.data}: {error}; free disk space, or see to its permissions", 1.0) from error


def _compared(layout: Layout) -> list[Finding]:
    try:
        snapshot = Snapshot.of(layout.data)
    except Corrupt as damage:
        # Nothing can be compared with tables that cannot be read.
        return [Finding("commit_damaged", "error", "tables", str(damage)), *quarantine.kept(layout)]
    findings: list[Finding] = []
    unsound: set[str] = set()
    for table in TABLES:
        found = check_files(layout, table, dict(snapshot.versions).get(table))
        if any(finding.severity == "error" for finding in found):
            unsound.add(table)
        findings += found
    findings += check_wal(layout, snapshot, unsound)
    findings += check_rows(layout, snapshot, unsound)
    findings += check_lookups(snapshot, unsound)
    findings += check_contents(layout, snapshot, unsound)
    findings += check_reads(layout)
    known = {(finding.code, finding.where) for finding in findings}
    findings += [found for found in quarantine.kept(layout) if (found.code, found.where) not in known]
    return sorted(findings, key=lambda found: (("error", "warning", "info").index(found.severity), found.where))
