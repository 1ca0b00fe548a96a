"""Sizes of a served store, for `/metrics`: how far the tables are behind, and what the disk has left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from shutil import disk_usage
from typing import TYPE_CHECKING, Final

from aftertrace.store import commits
from aftertrace.store.backlog import backlog_bytes
from aftertrace.store.errors import Corrupt

if TYPE_CHECKING:
    from aftertrace.store.layout import Layout

_LAST: Final = commits.SEQUENCED[-1]
"""The table that a drain commits to last."""


def gauges(layout: Layout, receiver: str, accepted_seq: int) -> Mapping[str, tuple[str, float]]:
    """By name of the metric: what it is, and its value now.

    Args:
        layout: of the store.
        receiver: which writes its log.
        accepted_seq: the last seq in that log.
    """
    found = {
        "aftertrace_backlog_bytes": (
            "Length of the write-ahead log, with the space it reserves.",
            float(backlog_bytes(layout.wal(receiver))),
        ),
        "aftertrace_disk_free_bytes": ("Of the disk that the store is on.", float(disk_usage(layout.data).free)),
        "aftertrace_accepted_seq": ("Requests that were accepted since the store was made.", float(accepted_seq)),
    }
    try:
        last = commits.newest(commits.log_of(layout, _LAST))
    except (Corrupt, OSError):
        # The drain and `fsck` say so; the rest can still be told.
        return found
    stored_seq = 0 if last is None else last.stored.get(receiver, 0)
    found["aftertrace_waiting_requests"] = (
        "Accepted requests that are not in the tables yet.",
        float(max(accepted_seq - stored_seq, 0)),
    )
    if last is not None:
        age_s = max(time.time() - last.timestamp_ms / 1000, 0.0)
        found["aftertrace_last_commit_age_seconds"] = ("Since the tables last grew.", round(age_s, 3))
    return found
