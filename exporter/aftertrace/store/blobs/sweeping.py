"""Destroying blobs that no stored record refers to any more, while requests come in.

A blob is written, or made young again, before the frame that refers to it. So one that has been there for a while, and
that neither a frame of the WAL nor a row of `evidence` names, is needed by nobody; it is set aside by another name, so
that whoever has the same content from now on writes a new one, and looked for once more before it goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store import durable
from aftertrace.store.blobs import reference
from aftertrace.store.blobs.reference import BEGINS, Reference
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.schema import PARTITION
from aftertrace.store.wal_reader import WalReader

ASIDE: Final = ".going"
"""The end of a blob's name while it is looked for once more; a crash leaves it so."""
OPEN_DAYS: Final = timedelta(days=2)
"""So long after a day something may still be received on it, by a clock that is behind."""
_RECORDS: Final = 4096


class Sweeping:
    """Destroys blobs of days."""

    def __init__(self, layout: Layout, key: bytes, evidence: Callable[[], pl.LazyFrame], grace_s: float) -> None:
        """Of a store.

        Args:
            layout: of the store.
            key: its secret.
            evidence: the rows of `evidence` now.
            grace_s: blobs that are younger stay.
        """
        self._layout = layout
        self._key = key
        self._evidence = evidence
        self._grace_s = grace_s

    def sweep(self, day: date) -> tuple[int, bool]:
        """Destroy blobs of a day that nothing refers to; how many, and whether there are others that are too young.

        Raises:
            OSError: the disk does not let them go.
        """
        folder = self._layout.blobs_of(day)
        if not folder.is_dir():
            return 0, False
        self._come_back(folder)
        unused = self._unused(folder, day)
        young = [path for path in unused if time.time() - path.stat().st_mtime < self._grace_s]
        going = [path.rename(path.with_suffix(ASIDE)) for path in unused if path not in young]
        needed = self._needed(day) if going else set()
        gone = 0
        for path in going:
            # Somebody may have found it a moment before it had another name.
            is_young = time.time() - path.stat().st_mtime < self._grace_s
            if path.stem in needed or is_young:
                path.rename(path.with_suffix(".blob"))
            else:
                path.unlink()
                gone += 1
        self._close(folder, day)
        durable.sync_folder(folder if folder.is_dir() else folder.parent)
        return gone, bool(young)

    def _come_back(self, folder: Path) -> None:
        """What was set aside before a crash."""
        for path in folder.glob(f"*{ASIDE}"):
            path.rename(path.with_suffix(".blob"))

    def _unused(self, folder: Path, day: date) -> list[Path]:
        there = sorted(folder.glob("*.blob"))
        needed = self._needed(day) if there else set()
        drafts = [path for path in folder.glob(".*.new") if time.time() - path.stat().st_mtime >= self._grace_s]
        for path in drafts:
            path.unlink()
        return [path for path in there if path.stem not in needed]

    def _close(self, folder: Path, day: date) -> None:
        """Remove the key of a day of which nothing is left, once nothing more can come."""
        if datetime.now(UTC).date() - day <= OPEN_DAYS:
            return
        with suppress(OSError):
            folder.rmdir()
        if not folder.is_dir():
            with suppress(FileNotFoundError):
                durable.remove(self._layout.blob_key(day))

    def _needed(self, day: date) -> set[str]:
        """Digests that records of a day refer to: in WALs first, since frames go from there into the table."""
        digests = {of.digest for of in waiting(self._layout, self._key) if of.day == day}
        digests.update(digest for digest, _ in referred(self._evidence(), self._key, None, day))
        return digests


def waiting(layout: Layout, key: bytes) -> Iterator[Reference]:
    """What frames that are still in the WALs of a store refer to, of their own days, by its secret."""
    for receiver in layout.receivers():
        reader = WalReader(layout, receiver)
        try:
            for found in reader.poll():
                if isinstance(found, Frame) and found.redactions:
                    text = found.payload.decode("utf-8", "replace")
                    yield from (of for _, of in reference.found(text, key) if of.day == found.received_date)
        finally:
            reader.close()


def referred(
    evidence: pl.LazyFrame, key: bytes, receivers: Sequence[str] | None, day: date
) -> Iterator[tuple[str, Reference]]:
    """What rows of `evidence` of a day refer to, by digest.

    Args:
        evidence: all rows.
        key: the store's secret.
        receivers: whose; None: of all.
        day: of receipt.
    """
    rows = evidence.filter(pl.col(PARTITION) == day, pl.col("redactions") > 0)
    if receivers is not None:
        rows = rows.filter(pl.col("receiver").is_in(receivers))
    for part in rows.select("record").collect_batches(chunk_size=_RECORDS):
        records = part["record"].to_arrow().cast(pa.large_binary())
        for record in records.filter(pc.match_substring(records, BEGINS)).to_pylist():
            for _, of in reference.found(record.decode("utf-8", "replace"), key):
                if of.day == day:
                    yield of.digest, of
