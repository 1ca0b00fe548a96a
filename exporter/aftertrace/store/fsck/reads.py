"""Batches of reads against their digests in the ledger, and what a crash left of one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Reads, text_of
from aftertrace.store.told_reads import Standing, standing
from aftertrace.verifier.verdicts import Finding, Severity

_LEFT_S: Final = 3600.0
"""What was left for so long and is not taken yet, no drain takes."""
_STANDING: Final[Mapping[Standing, tuple[str, Severity, str]]] = {
    "new": ("reads_left", "info", "no entry tells of it: the drain enters it, if it is written as batches are"),
    "known": ("reads_left", "info", "no entry tells of it, and others have all of it: `fsck --repair` removes it"),
    "none": ("reads_left", "info", "no entry tells of it, and it holds no reads: nothing enters or removes it"),
    "otherwise": (
        "reads_otherwise",
        "warning",
        "no entry tells of it, and it tells of reads otherwise than they were entered: keep it, see who may write",
    ),
}


def check_reads(layout: Layout) -> Iterator[Finding]:
    """Each batch that the ledger has, and each that it has not."""
    if not layout.reads.is_dir():
        return
    # Before the ledger: a batch that is entered meanwhile is not known as one that is left over.
    there = {path.stem: path for path in layout.reads.glob("*.jsonl")}
    try:
        entered = _entered(layout)
    except (Corrupt, OSError):
        message = "not compared with the ledger, which cannot be read; run `aftertrace verify`"
        yield Finding("unchecked", "warning", layout.reads.name, message)
        return
    for ident, digest in entered.items():
        where = f"{layout.reads.name}/{ident}.jsonl"
        try:
            content = (layout.reads / f"{ident}.jsonl").read_bytes()
        except FileNotFoundError:
            yield Finding("reads_missing", "error", where, "no file, expected reads; put it back from a backup")
            continue
        if text_of(sha256(content).digest()) != digest:
            yield Finding("reads_differ", "error", where, "other reads than were entered; put it back from a backup")
    left = [ident for ident in sorted(there.keys() - entered.keys()) if _is_old(there[ident])]
    for ident, is_what in standing(layout, left, entered).items():
        code, severity, message = _STANDING[is_what]
        yield Finding(code, severity, f"{layout.reads.name}/{ident}.jsonl", message)
    late = [path for path in layout.reads_new.glob("*") if _is_old(path)]
    if late:
        message = f"{len(late):,} files that no drain has taken: none runs, or they tell of no read"
        yield Finding("reads_left", "info", f"{layout.reads.name}/{layout.reads_new.name}", message)


def repair_reads(layout: Layout) -> int:
    """Remove batches that no entry tells of, where those that are entered have all of their reads.

    Returns:
        How many were removed.

    Raises:
        OSError: the disk does not let one go.
    """
    there = {path.stem: path for path in layout.reads.glob("*.jsonl")}
    try:
        entered = _entered(layout)
    except Corrupt:
        return 0
    # Told otherwise than they were entered, they stay: somebody has to look at them.
    found = standing(layout, sorted(there.keys() - entered.keys()), entered)
    gone = [there[ident] for ident, is_what in found.items() if is_what == "known"]
    for path in gone:
        durable.remove(path)
    return len(gone)


def _entered(layout: Layout) -> dict[str, str]:
    """By id of a batch, its digest."""
    found = (each.act for each in acts.recorded(layout))
    return {act.id: act.digest for act in found if isinstance(act, Reads)}


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime >= _LEFT_S
    except FileNotFoundError:
        return False
