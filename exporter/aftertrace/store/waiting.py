"""What waits for a drain, and since when. Whoever only reads need not begin one for nothing: it opens every table to
write to it. And what can be done later is done when the drain is not behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from aftertrace.store.delta_checkpoints import torn
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal_reader import Damage, WalReader


def waits(layout: Layout) -> bool:
    """Whether something that was accepted is not in all tables, or a power cut left of a table what keeps readers out.

    Raises:
        Invalid: there is no store.
        Corrupt: a table's log is damaged.
        Unavailable: the tables cannot be reached.
        PermissionError: this user may not read what was accepted.
    """
    stored = dict(Snapshot.of(layout.data).watermarks)
    if any(_goes_on(layout, receiver, stored.get(receiver, 0)) for receiver in layout.receivers()):
        return True
    folder = objects_of(layout).folder
    return folder is not None and any(torn(folder, name) for name in TABLES)


def oldest_ns(layout: Layout) -> int | None:
    """When what waits longest was received, by the clock of its receiver; None: nothing waits. Errors as of `waits`."""
    stored = dict(Snapshot.of(layout.data).watermarks)
    received: list[int] = []
    for receiver in layout.receivers():
        with _ahead(layout, receiver, stored.get(receiver, 0)) as ahead:
            received += islice((each.received_ns for each in ahead if isinstance(each, Frame)), 1)
    return min(received, default=None)


def _goes_on(layout: Layout, receiver: str, after_seq: int) -> bool:
    """Whether a receiver's WAL holds anything behind a seq, damage too."""
    with _ahead(layout, receiver, after_seq) as ahead:
        return next(ahead, None) is not None


@contextmanager
def _ahead(layout: Layout, receiver: str, after_seq: int) -> Iterator[Iterator[Frame | Damage]]:
    """What a receiver's WAL holds behind a seq."""
    log = WalReader(layout, receiver, after_seq)
    try:
        yield log.poll()
    finally:
        log.close()
