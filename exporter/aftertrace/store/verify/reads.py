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
from aftertrace.store.verify.report import Findings

_ENTERED_WITHIN_S: Final = 60.0
"""The drain enters a batch as soon as it is written; so young a file is not missed in the ledger."""


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
    for ident in reads.batches(layout) if is_whole else ():
        if ident not in told and ident not in tail and not _is_young(layout.reads / f"{ident}.jsonl"):
            message = "no entry tells of it: the drain enters it, or `fsck` says what it is; or it was made up"
            findings.add("reads_uncovered", f"reads/{ident}.jsonl", message)


def _is_young(path: Path) -> bool:
    try:
        return abs(time.time() - path.lstat().st_mtime) < _ENTERED_WITHIN_S
    except FileNotFoundError:
        # It was entered before, as a part of others.
        return True
