"""What came since is taken in the order in which it was received, each record once."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.analyzer.derived import fresh
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout
from aftertrace.store.schema import SPANS, TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import TableWriter

DAY = date(2026, 1, 2)
Frames = list[tuple[int, int]]
"""Of each frame of a receiver: when it was received, and how many spans it has."""


def stored(layout: Layout, receivers: dict[str, Frames]) -> Snapshot:
    """A store with one file of spans for each receiver, with a trace for each."""
    for receiver, frames in receivers.items():
        rows = [
            {
                "received_date": DAY,
                "receiver": receiver,
                "seq": seq,
                "index": index,
                "received_ns": received_ns,
                "name": "step",
                "trace_id": f"{receiver} {seq} {index}",
            }
            for seq, (received_ns, spans) in enumerate(frames, start=1)
            for index in range(spans)
        ]
        for name in ("spans", "evidence", "events"):
            table = pa.Table.from_pylist(rows, SPANS) if name == "spans" else TABLES[name].schema.empty_table()
            TableWriter(layout, name).append(table, receiver, len(frames))
    return Snapshot.of(layout.data)


def steps(snapshot: Snapshot, at_most: int) -> list[dict[str, int]]:
    """Up to where each step goes; every one ends before the next begins."""
    upto, went = dict[str, int](), []
    while True:
        new = fresh.fresh(snapshot, upto, at_most)
        went.append(new.upto)
        if new.is_all:
            return went
        assert new.upto != upto, "a step that takes nothing is taken for ever"
        upto = new.upto


def test_records_are_taken_by_the_time_of_their_frame_whoever_received_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few frames are counted at first: what one receiver had first goes before what the other had later."""
    monkeypatch.setattr(fresh, "_FRAMES_AT_FIRST", 1)
    layout = open_folder(tmp_path / "data")
    snapshot = stored(layout, {"east": [(10, 2), (20, 2), (30, 2)], "west": [(25, 2), (5, 2), (40, 2)]})
    # West's clock was put back after its first frame: its second came no earlier than that.
    assert steps(snapshot, 4) == [
        {"east": 2, "west": 0},
        {"east": 2, "west": 2},
        {"east": 3, "west": 3},
    ]


def test_records_are_counted_by_what_had_come(tmp_path: Path) -> None:
    """Of an earlier time, no matter what came later."""
    layout = open_folder(tmp_path / "data")
    snapshot = stored(layout, {"east": [(10, 2), (20, 2), (30, 2)], "west": [(25, 2), (5, 2), (40, 2)]})
    assert fresh.counted(snapshot, {"east": 1}) == (10, 12)
    assert fresh.counted(snapshot, {"east": 1}, before_ns=25) == (4, 6)


@settings(max_examples=25)
@given(
    east=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12),
    west=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12),
    at_most=st.integers(1, 8),
    at_first=st.sampled_from([1, 3, 1024]),
)
def test_every_record_is_taken_once_however_few_are_taken_at_a_time(
    east: Frames, west: Frames, at_most: int, at_first: int
) -> None:
    """Whole frames of each, and as many records as were asked for, but for what the last frame has too many."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh, "_FRAMES_AT_FIRST", at_first)
        snapshot = stored(open_folder(Path(name) / "data"), {"east": east, "west": west})
        told, upto = list[str](), dict[str, int]()
        while True:
            new = fresh.fresh(snapshot, upto, at_most)
            traces = new.rows["spans"]["trace_id"].to_list()
            assert new.is_all or at_most <= len(traces) < at_most + 3
            told += traces
            upto = new.upto
            if new.is_all:
                break
        assert sorted(told) == sorted(snapshot.scan("spans").collect()["trace_id"])
