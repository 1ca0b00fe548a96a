"""The batches of reads against what the ledger has of them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import text_of
from aftertrace.store.verify.report import Findings


def check_reads(layout: Layout, told: Mapping[str, str], findings: Findings) -> None:
    """Compare each file with its digest.

    Args:
        layout: of the store.
        told: by id of a batch, the digest that the ledger has.
        findings: what is wrong.

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
