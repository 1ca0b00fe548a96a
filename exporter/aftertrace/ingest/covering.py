"""What the drain stores in `evidence` becomes entries of the ledger: the roots of frames, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import polars as pl
import pyarrow as pa

from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt
from aftertrace.store.finding import Finding
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import FrameSeal, Gap, of_frames
from aftertrace.store.ledger.log import LedgerLog
from aftertrace.store.snapshot import collected
from aftertrace.tlog.merkle import root_of

_SOURCE_BYTES: Final = 16


class Covering:
    """The ledger as the drain adds to it. After an error of the disk, make another one."""

    def __init__(self, layout: Layout, key: bytes, scan: Callable[[str], pl.LazyFrame]) -> None:
        """Prepare to add; nothing is read before it is asked for.

        Args:
            layout: of the store.
            key: the store's secret.
            scan: a table by name.
        """
        self._layout = layout
        self._key = key
        self._scan = scan
        self._opened: LedgerLog | None = None
        self._begun: dict[str, int] = {}
        """Where the ledger is to begin for receivers that it has nothing of yet: the seq before."""
        self._leaves: dict[int, list[bytes]] = {}
        """Leaves of frames that were just stored, by seq."""

    def last_seq(self, receiver: str) -> int:
        """The last seq of a receiver that is covered. What was stored before there was a ledger counts as that.

        Raises:
            Corrupt: the last entry is damaged.
            OSError: it cannot be read.
        """
        last_seq = self._log.last_seq(receiver)
        if last_seq is not None:
            return last_seq
        if receiver not in self._begun:
            self._begun[receiver] = self._before(receiver)
        return self._begun[receiver]

    def stored(self, rows: pa.Table) -> None:
        """Rows that are in `evidence` now."""
        for seq, leaf in zip(rows.column("seq").to_pylist(), rows.column("leaf").to_pylist(), strict=True):
            self._leaves.setdefault(seq, []).append(leaf)

    def cover(self, receiver: str, frames: Sequence[Frame]) -> None:
        """Add what frames of a receiver became in `evidence`, all of which it holds. Durable when this returns.

        Raises:
            Corrupt: `evidence`, or the last entry, is damaged.
            OSError: the disk does not take it.
        """
        last_seq = self.last_seq(receiver)
        fresh = [frame for frame in frames if frame.seq > last_seq]
        # What a crash left in `evidence` alone is read back: its salts are nowhere else.
        if earlier := [frame.seq for frame in fresh if frame.seq not in self._leaves and frame.records]:
            self._read_back(receiver, earlier[0], earlier[-1])
        seals = [(frame.policy, self._seal(frame)) for frame in fresh]
        self._log.append(list(of_frames(receiver, seals, self._log.stored)))
        self._leaves.clear()

    def gap(self, receiver: str, finding: Finding, content: bytes) -> None:
        """Add that a stretch of a receiver's WAL could not be read. Durable when this returns.

        Raises:
            Corrupt: the last entry is damaged.
            OSError: the disk does not take it.
        """
        self._log.append([Gap(receiver, finding.code, finding.where, tagged(content), self._log.stored)])

    @property
    def _log(self) -> LedgerLog:
        if self._opened is None:
            self._opened = LedgerLog(self._layout)
        return self._opened

    def _before(self, receiver: str) -> int:
        rows = self._scan("evidence").filter(pl.col("receiver") == receiver)
        leaved = pl.col("leaf").is_not_null()
        (found,) = collected(rows.select(first=pl.col("seq").filter(leaved).min(), last=pl.col("seq").max()))
        first, last = found.row(0)
        return (first - 1) if first is not None else (last or 0)

    def _read_back(self, receiver: str, first_seq: int, last_seq: int) -> None:
        rows = self._scan("evidence").filter(
            pl.col("receiver") == receiver, pl.col("seq").is_between(first_seq, last_seq)
        )
        (found,) = collected(rows.select("seq", "index", "leaf").sort("seq", "index"))
        for seq, index, leaf in found.iter_rows():
            if leaf is None:
                where = f"evidence {receiver}/{seq}/{index}"
                raise Corrupt(f"read {where}: no leaf, expected the one it was stored with; restore it from a backup")
            self._leaves.setdefault(seq, []).append(leaf)

    def _seal(self, frame: Frame) -> FrameSeal:
        leaves = self._leaves.get(frame.seq, [])
        return FrameSeal(
            seq=frame.seq,
            digest=frame.digest.hex(),
            received_ns=frame.received_ns,
            source=source_digest(self._key, frame.source),
            records=len(leaves),
            root=root_of(leaves).hex(),
        )


def source_digest(key: bytes, source: str) -> str:
    """The keyed digest by which entries name who sent a frame. `key` is the store's secret."""
    return hashlib.blake2b(b"source\n" + source.encode(), digest_size=_SOURCE_BYTES, key=key).hexdigest()
