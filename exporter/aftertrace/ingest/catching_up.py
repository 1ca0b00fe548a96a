"""Storing what waits before somebody reads, and signing it."""

from __future__ import annotations

from pathlib import Path

from aftertrace.ingest.drain import Drain
from aftertrace.store import folder
from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal


def catch_up(data: Path) -> None:
    """Store what the WALs hold, so that a reader sees it, unless a drain does so already or the folder is read-only.

    Raises:
        Invalid: `data` holds no store.
    """
    layout = Layout(data)
    folder.check_format(layout)
    try:
        with Drain(layout) as drain:
            done = drain.once()
        if done.frames:
            seal(layout)
    except (Unavailable, PermissionError):
        # `serve` drains, or this user may only read: the tables show what is stored so far.
        return
