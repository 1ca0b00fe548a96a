"""The batches of reads against what the ledger has of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from aftertrace.store import reads
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import text_of
from aftertrace.store.told_reads import Standing, standing
from aftertrace.store.verify.report import Findings

_ENTERED_WITHIN_S: Final = 60.0
"""The drain enters a batch as soon as it is written; so young a file is not missed in the ledger."""
_LEFT: Final[Mapping[Standing, str]] = {
    "new": ": the drain enters it, if it is written as batches are; or it was made up",
    "known": ", and others have all of it: `aftertrace fsck --repair` removes it",
    "none": ", and it holds no reads: nothing enters or removes it",
    "otherwise": ", and it tells of reads otherwise than they were entered: keep it, and see who may write there",
}


def check_reads(
    layout: Layout, told: Mapping[str, str], tail: Collection[str], findings: Findings, *, is_whole: bool
) -> None:
    """Compare each file with its digest, and look for others.

    Args:
        layout: of the store.
        told: by id of a batch, the digest that the ledger has.
        tail: ids of batches that entries tell of which are not signed yet.
        findings: what is wrong.
        is_whole: whether all that the ledger has of them could be read.

    Raises:
        OSError: a file cannot be read.
    """
    for ident, digest in told.items():
        where = f"reads/{ident}.jsonl"
        try:
            content = (layout.reads / f"{ident}.jsonl").read_bytes()
        except FileNotFoundError:
            findings.add("reads_missing", where, "no file, expected a batch of reads")
            continue
        if text_of(sha256(content).digest()) != digest:
            findings.add("reads_differ", where, "other reads than were entered")
    entered = told.keys() | set(tail)
    left = [ident for ident in reads.batches(layout) if ident not in entered] if is_whole else []
    old = [ident for ident in left if not _is_young(layout.reads / f"{ident}.jsonl")]
    for ident, is_what in standing(layout, old, entered).items():
        code = "reads_otherwise" if is_what == "otherwise" else "reads_uncovered"
        findings.add(code, f"reads/{ident}.jsonl", f"no entry tells of it{_LEFT[is_what]}")


def _is_young(path: Path) -> bool:
    try:
        return abs(time.time() - path.lstat().st_mtime) < _ENTERED_WITHIN_S
    except FileNotFoundError:
        # It was entered before, as a part of others.
        return True
