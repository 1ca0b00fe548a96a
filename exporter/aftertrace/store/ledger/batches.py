"""Requests as entries hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from aftertrace.store.ledger.entries import Batch, FrameEntry

FRAMES: Final = 200
"""Requests in an entry at most: it has to fit into 65,535 bytes."""


def batches(receiver: str, frames: Sequence[tuple[str, FrameEntry]]) -> Iterator[Batch]:
    """Entries of frames, each given with its day: of one day each, and not too many."""
    for day, group in groupby(frames, key=lambda frame: frame[0]):
        held = tuple(frame for _, frame in group)
        for start in range(0, len(held), FRAMES):
            yield Batch(receiver=receiver, day=day, frames=held[start : start + FRAMES])
