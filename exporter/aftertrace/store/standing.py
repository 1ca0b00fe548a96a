"""How a store stands: how far the tables are behind what was accepted, and what the disk has left."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from aftertrace.store.backlog import backlog_bytes
from aftertrace.store.layout import Layout
from aftertrace.store.quarantine import kept
from aftertrace.store.segment import tail
from aftertrace.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class LogStanding:
    """How one receiver's write-ahead log stands."""

    receiver: str
    accepted_seq: int | None
    """Requests that were accepted since the store was made; None: this account may not read the log."""
    stored_seq: int
    """How many of them every table has."""
    log_bytes: int
    """Length of the log on disk, with the space that its last segment reserves."""

    @property
    def waiting(self) -> int | None:
        """Accepted requests that are not in the tables yet; None: this account may not read the log."""
        return None if self.accepted_seq is None else max(self.accepted_seq - self.stored_seq, 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a store stands now."""

    logs: tuple[LogStanding, ...]
    free_bytes: int
    """Of the disk that the store is on."""
    quarantined: int
    """Findings in the quarantine."""

    @property
    def waiting(self) -> int | None:
        """Accepted requests of all logs that are not in the tables yet; None: this account may not read them."""
        told = [log.waiting for log in self.logs]
        return None if None in told else sum(filter(None, told))


def standing(layout: Layout) -> Standing:
    """How a store stands now; needs no lock.

    Raises:
        Invalid: there is no store.
        Corrupt: a table's log cannot be read.
    """
    # First: what is accepted meanwhile must not look stored and not accepted.
    stored = dict(Snapshot.of(layout.data).watermarks)
    logs = []
    for receiver in layout.receivers():
        folder = layout.wal(receiver)
        stored_seq = stored.get(receiver, 0)
        accepted_seq: int | None
        try:
            accepted_seq = max(tail(folder, receiver).seq, stored_seq)
        except PermissionError:
            accepted_seq = None
        logs.append(LogStanding(receiver, accepted_seq, stored_seq, backlog_bytes(folder)))
    return Standing(tuple(logs), shutil.disk_usage(layout.data).free, len(kept(layout)))
