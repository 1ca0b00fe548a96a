"""The WAL against itself and against what the tables say they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from aftertrace.store import frame
from aftertrace.store.errors import Corrupt
from aftertrace.store.frame import Frame
from aftertrace.store.fsck.destroyed import Destroyed
from aftertrace.store.layout import Layout, SegmentName, segments
from aftertrace.store.segment import SegmentHeader, opened, tail
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal_reader import Damage, WalReader
from aftertrace.verifier.verdicts import Finding

_FRAME: Final = pl.Schema(
    {
        "seq": pl.Int64,
        "frame_records": pl.Int32,
        "received_ns": pl.Int64,
        "signal": pl.String,
        "source": pl.String,
        "credential": pl.String,
        "redactions": pl.Int32,
        "policy_digest": pl.String,
    }
)


def check_wal(layout: Layout, snapshot: Snapshot, unsound: set[str]) -> list[Finding]:
    """Headers, frames and their chain; and each stored frame against its evidence."""
    findings: list[Finding] = []
    stored = dict(snapshot.watermarks)
    for receiver in sorted({*layout.receivers(), *layout.own(stored)}):
        findings += _headers(layout, receiver, stored.get(receiver, 0))
        found, rows = _frames(layout, receiver, stored.get(receiver, 0))
        findings += found
        if rows and "evidence" not in unsound:
            frames = pl.DataFrame(rows, schema=_FRAME, orient="row")
            findings += _against_evidence(receiver, frames, snapshot)
    return findings


def _headers(layout: Layout, receiver: str, stored_seq: int) -> Iterator[Finding]:
    paths = segments(layout.wal(receiver))
    if not paths and stored_seq:
        message = f"no segment, expected the one behind frame {stored_seq}; put it back, or go on without it"
        yield Finding("wal_missing", "error", f"wal/{receiver}", message)
    for number, path in enumerate(paths):
        where = str(path.relative_to(layout.data))
        name = SegmentName.parse(path.name)
        try:
            with opened(path) as file:
                header = file.header()
        except FileNotFoundError:
            # A drain has just retired it.
            continue
        except Corrupt as damage:
            yield Finding("segment_header", "error", where, str(damage))
            continue
        if name is None or header.first_seq != name.first_seq:
            yield Finding("segment_header", "error", where, f"made for frame {header.first_seq}, expected its name")
        if number == 0:
            # A drain may have stored and retired more since the snapshot.
            stored_seq = dict(Snapshot.of(layout.data).watermarks).get(receiver, 0)
            yield from _beginning(header, receiver, where, stored_seq)


def _beginning(header: SegmentHeader, receiver: str, where: str, stored_seq: int) -> Iterator[Finding]:
    """The oldest segment must go on where the tables end, or before."""
    if header.first_seq > stored_seq + 1:
        message = f"begins at frame {header.first_seq}, and the tables end at {stored_seq}; frames between are gone"
        yield Finding("frames_missing", "error", where, message)
    elif (header.first_seq == 1) != (header.previous == frame.genesis(receiver)):
        message = f"frame {header.first_seq} does not go on from the frame before it; the WAL was lost or replaced"
        yield Finding("chain_broken", "error", where, message)


def _frames(layout: Layout, receiver: str, stored_seq: int) -> tuple[list[Finding], list[tuple[object, ...]]]:
    """What is wrong with the frames, and what those say that the tables hold."""
    findings: list[Finding] = []
    rows: list[tuple[object, ...]] = []
    reader = WalReader(layout, receiver)
    for found in reader.poll():
        if isinstance(found, Damage):
            findings.append(found.finding)
            continue
        if found.seq <= stored_seq:
            rows.append(_row(found))
    reader.close()
    end = tail(layout.wal(receiver), receiver)
    if segments(layout.wal(receiver)) and end.seq < stored_seq:
        message = f"ends at frame {end.seq}, and the tables at {stored_seq}; it was lost or put back from an old copy"
        findings.append(Finding("wal_behind", "error", f"wal/{receiver}", message))
    return findings, rows


def _row(found: Frame) -> tuple[object, ...]:
    return (
        found.seq,
        found.records,
        found.received_ns,
        found.signal,
        found.source,
        found.credential,
        found.redactions,
        found.policy,
    )


def _against_evidence(receiver: str, frames: pl.DataFrame, snapshot: Snapshot) -> Iterator[Finding]:
    """Every stored frame has evidence that says the same of it. Missing rows are found by `rows`."""
    evidence = (
        snapshot.scan("evidence", columns=["receiver", *_FRAME])
        .filter(pl.col("receiver") == receiver, pl.col("seq") >= frames["seq"].min())
        .drop("receiver")
        .with_columns(pl.col("credential").fill_null(""))
        .unique()
        .collect()
    )
    lacking = frames.join(evidence, on="seq", how="anti").select("seq", receiver=pl.lit(receiver))
    for seq in Destroyed.of(snapshot, "evidence").without(lacking)["seq"]:
        yield Finding("evidence_missing", "error", f"evidence {receiver}/{seq}", "no rows, but its frame is in the WAL")
    differing = evidence.join(frames, on="seq", how="semi").join(frames, on=list(_FRAME), how="anti")
    for seq in differing["seq"].unique().sort():
        yield Finding("evidence_differs", "error", f"evidence {receiver}/{seq}", "not what its frame in the WAL says")
