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
    """The entry of what was left since the last batch, if anything was; once it is in, the batch is to be cleared.

    Raises:
        OSError: the disk does not take it.
    """
    last = next((each.act.id for each in reversed(known) if isinstance(each.act, Reads)), None)
    batch = reads.gather(layout, last)
    if batch is not None:
        digest = text_of(sha256(batch.content).digest())
        yield Reads(id=batch.id, uid=os.getuid(), reads=batch.reads, digest=digest), batch
