"""The records that came since some were looked at, in the order in which they were received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.derived.touched import COLUMNS
from aftertrace.store.snapshot import Snapshot, collected

_FRAME: Final = ("receiver", "seq")
_FRAMES_AT_FIRST: Final = 1024
"""Of each receiver so many frames are counted, and four times as many where these are not enough."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Some of the records that came since."""

    rows: dict[str, pl.DataFrame]
    """By table, in `touched.COLUMNS` and `received_ns`."""
    upto: dict[str, int]
    """By receiver, the seq of the last frame that they go up to."""
    is_all: bool
    """Whether nothing came after them."""


def fresh(snapshot: Snapshot, upto: dict[str, int], at_most: int | None = None) -> Fresh:
    """Records of frames that came after some, those of whole frames.

    Args:
        snapshot: the version of the store that is read.
        upto: by receiver, the seq of the last frame that was looked at.
        at_most: about so many records, but of one frame at least; None: all.

    Raises:
        Corrupt: a file of a table is damaged or missing.
    """
    newest = dict(snapshot.watermarks)
    until = newest if at_most is None else _until(snapshot, upto, at_most)
    rows = dict(
        zip(
            COLUMNS,
            collected(
                *(
                    snapshot.scan(table).filter(_between(snapshot, upto, until)).select(*columns, "received_ns")
                    for table, columns in COLUMNS.items()
                )
            ),
            strict=True,
        )
    )
    return Fresh(rows, until, until == newest)


def counted(snapshot: Snapshot, upto: dict[str, int], before_ns: int | None = None) -> tuple[int, int]:
    """How many records came after some, and how many there are, received before a time; cheap."""
    had_come = pl.lit(value=True) if before_ns is None else pl.col("received_ns") < before_ns
    counts = [
        rows.filter(had_come).select(pl.len())
        for table in COLUMNS
        for rows in (snapshot.scan(table).filter(_new(snapshot, upto)), snapshot.scan(table))
    ]
    found = [int(frame.item()) for frame in collected(*counts)]
    return sum(found[::2]), sum(found[1::2])


def _after(upto: dict[str, int]) -> pl.Expr:
    """Whether a row is of a frame that came after some."""
    seen = [(pl.col("receiver") == receiver) & (pl.col("seq") <= seq) for receiver, seq in upto.items()]
    return ~pl.any_horizontal(seen) if seen else pl.lit(value=True)


def _new(snapshot: Snapshot, upto: dict[str, int]) -> pl.Expr:
    """The same, so worded that files without such rows are not read: of each its least and greatest seq are told."""
    return (pl.col("seq") > min((upto.get(receiver, 0) for receiver, _ in snapshot.watermarks), default=0)) & _after(
        upto
    )


def _between(snapshot: Snapshot, upto: dict[str, int], until: dict[str, int]) -> pl.Expr:
    """Whether a row came after some, and until others; worded as `_new`."""
    return (pl.col("seq") <= max(until.values(), default=0)) & _new(snapshot, upto) & ~_after(until)


def _until(snapshot: Snapshot, upto: dict[str, int], at_most: int) -> dict[str, int]:
    """By receiver, the seq up to which there are about so many new records: those that were received first."""
    newest, at_once = dict(snapshot.watermarks), _FRAMES_AT_FIRST
    while True:
        seen = {receiver: min(seq, upto.get(receiver, 0) + at_once) for receiver, seq in newest.items()}
        frames = _frames(snapshot, upto, seen)
        records = dict(frames.group_by("receiver").agg(pl.col("len").sum()).iter_rows())
        # What was received first may all be of one receiver.
        if all(seen[receiver] == seq or records.get(receiver, 0) >= at_most for receiver, seq in newest.items()):
            break
        at_once *= 4
    taken = frames.filter(pl.col("before") < at_most)
    if taken.height == frames.height and seen == newest:
        return newest
    reached = dict(taken.group_by("receiver").agg(pl.col("seq").max()).iter_rows())
    return {receiver: reached.get(receiver, upto.get(receiver, 0)) for receiver in newest}


def _frames(snapshot: Snapshot, upto: dict[str, int], until: dict[str, int]) -> pl.DataFrame:
    """Frames that came after some, and until others, in the order in which they were received: `receiver`, `seq`,
    the number of its records `len`, and of those `before`.
    """
    counted = collected(
        *(
            snapshot.scan(table)
            .filter(_between(snapshot, upto, until))
            .group_by(_FRAME)
            .agg(pl.len(), pl.col("received_ns").min())
            for table in COLUMNS
        )
    )
    return (
        pl.concat(counted)
        .group_by(_FRAME)
        .agg(pl.col("len").sum(), pl.col("received_ns").min())
        # A clock that was put back does not put frames before those that came earlier.
        .sort(_FRAME)
        .with_columns(pl.col("received_ns").cum_max().over("receiver"))
        .sort("received_ns", *_FRAME)
        .with_columns(before=pl.col("len").cum_sum() - pl.col("len"))
    )
