"""Whether a drain has anything to do: whoever only reads need not begin one, which opens every table to write to it."""

from __future__ import annotations

from aftertrace.store.delta_checkpoints import torn
from aftertrace.store.layout import Layout
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal_reader import WalReader


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


def _goes_on(layout: Layout, receiver: str, after_seq: int) -> bool:
    """Whether a receiver's WAL holds anything behind a seq, damage too."""
    log = WalReader(layout, receiver, after_seq)
    try:
        return next(log.poll(), None) is not None
    finally:
        log.close()
