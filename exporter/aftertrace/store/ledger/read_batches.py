"""Batches of reads as entries: how many there are, and the digest of the file that tells of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256

from aftertrace.store import reads
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import Reads, text_of


def untaken(layout: Layout, known: Sequence[Recorded]) -> Iterator[tuple[Reads, reads.Batch]]:
    """The entries of batches that have none, and of what was left since the last one, if anything was; once one is in,
    its batch is to be cleared before the next one is asked for.

    Raises:
        OSError: the disk does not take it.
    """
    entered = [each.act.id for each in known if isinstance(each.act, Reads)]
    for batch in reads.unentered(layout, frozenset(entered)):
        yield _entry(batch), batch
    fresh = reads.gather(layout, entered[-1] if entered else None)
    if fresh is not None:
        yield _entry(fresh), fresh


def _entry(batch: reads.Batch) -> Reads:
    digest = text_of(sha256(batch.content).digest())
    return Reads(id=batch.id, uid=os.getuid(), reads=batch.reads, digest=digest)
