"""Batches of reads as entries: how many there are, and the digest of the file that tells of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256

from aftertrace.store import reads
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import Reads, text_of


def untaken(
    layout: Layout, unentered: reads.Unentered, known: Sequence[Recorded]
) -> Iterator[tuple[list[Reads], list[reads.Batch]]]:
    """The entries of batches that have none, and of what was left since the last one, if anything was. Once some are
    in, their batches are to be cleared before the next are asked for.

    Raises:
        OSError: the disk does not take it.
    """
    entered = [each.act.id for each in known if isinstance(each.act, Reads)]
    found = unentered.untaken(frozenset(entered))
    yield [_entry(batch) for batch in found if not batch.left], []
    # What was left is looked for in the last batch alone: after a crash no other may have some of it.
    for batch in found:
        if batch.left:
            yield [_entry(batch)], [batch]
    fresh = reads.gather(layout, entered[-1] if entered else None) if unentered.is_over else None
    if fresh is not None:
        yield [_entry(fresh)], [fresh]


def _entry(batch: reads.Batch) -> Reads:
    digest = text_of(sha256(batch.content).digest())
    return Reads(id=batch.id, uid=os.getuid(), reads=batch.reads, digest=digest)
