"""What batches of reads are that no entry of the ledger tells of, beside those that were entered."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Literal, TypeAlias

from aftertrace.store import reads
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.reads import Read

Standing: TypeAlias = Literal["new", "known", "otherwise", "none"]
"""It has reads that no other has; others that were entered have all of them; they have one otherwise; it has none."""


def standing(layout: Layout, left: Iterable[str], entered: Collection[str]) -> dict[str, Standing]:
    """What batches are.

    Args:
        layout: of the store.
        left: ids of those that no entry tells of.
        entered: ids of the others.

    Raises:
        OSError: one cannot be read.
    """
    told: dict[str, dict[str, set[Read]]] = {}
    for ident in left:
        told[ident] = {}
        for read in _in(layout, ident):
            told[ident].setdefault(read.id, set()).add(read)
    unknown = {ident: set(found) for ident, found in told.items()}
    otherwise = set()
    # Each is read once, and none kept: there may be those of years.
    for known in entered if any(told.values()) else ():
        for read in _in(layout, known):
            for ident, found in told.items():
                if read.id in found:
                    unknown[ident].discard(read.id)
                    if found[read.id] != {read}:
                        otherwise.add(ident)
    return {
        ident: "none" if not found else "otherwise" if ident in otherwise else "new" if unknown[ident] else "known"
        for ident, found in told.items()
    }


def _in(layout: Layout, ident: str) -> tuple[Read, ...]:
    """The reads of a batch; none where it is gone, damaged, or no file of its own."""
    path = layout.reads / f"{ident}.jsonl"
    with suppress(Corrupt, FileNotFoundError, RecursionError):
        return reads.of_batch(layout, ident) if path.is_file() and not path.is_symlink() else ()
    return ()
