"""The log never runs further ahead of the tables than it may, and leaves them their part of the disk."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from aftertrace.store import backlog
from aftertrace.store.backlog import LOOK_EVERY_S, Backlog, Full
from aftertrace.store.errors import Invalid
from aftertrace.store.layout import Layout, SegmentName, segments
from aftertrace.store.wal import WalOptions, WalWriter

from .samples import read, request

SEGMENT_BYTES = 4096


class Usage(NamedTuple):
    """What `shutil.disk_usage` answers."""

    total: int
    used: int
    free: int


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.s = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.s


def test_a_log_that_has_run_ahead_takes_nothing_until_the_drain_has_removed_a_segment(layout: Layout) -> None:
    """What was taken before is there, and the refusal says how long to wait and what to change."""
    with WalWriter(layout, "main", WalOptions(segment_bytes=SEGMENT_BYTES, backlog_bytes=3 * SEGMENT_BYTES)) as writer:
        taken = 0
        while (answer := writer.append(*request(taken + 1, payload_bytes=2_500))).exception(5) is None:
            taken += 1
        refusal = answer.exception()
        assert isinstance(refusal, Full)
        assert refusal.retry_after_s == 5.0
        assert re.fullmatch(
            r"append to main: \d+ bytes wait for the drain, the limit is 12288; try again when it has caught up, or "
            r"raise receiver\.max_backlog_bytes",
            str(refusal),
        )
        assert read(layout) == (list(range(1, taken + 1)), [])
        segments(layout.wal("main"))[0].unlink()
        time.sleep(LOOK_EVERY_S)
        assert writer.append(*request(taken + 1)).result(5) == taken + 1


def test_a_log_leaves_the_tables_their_part_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that would take of it waits, whatever its size; with space again it goes through."""
    free_bytes = 1_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10_000, 10_000 - free_bytes, free_bytes))
    clock = Clock()
    waiting = Backlog(tmp_path, max_bytes=10_000, reserve_bytes=600, clock_s=clock)
    waiting.admit(300)
    with pytest.raises(Full, match=r"700 bytes are free on the disk, 600 are kept for the tables; free disk space"):
        waiting.admit(200)
    waiting.admit(100)
    clock.s += LOOK_EVERY_S
    waiting.admit(400)


def test_a_small_disk_keeps_a_tenth_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume smaller than the reserve would else take nothing at all."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10_000, 0, 10_000))
    waiting = Backlog(tmp_path, max_bytes=20_000, reserve_bytes=50_000)
    waiting.admit(9_000)
    with pytest.raises(Full, match="1000 bytes are free on the disk, 1000 are kept for the tables"):
        waiting.admit(1)


def test_what_is_admitted_between_two_looks_counts(tmp_path: Path) -> None:
    """A burst does not pass because the disk was looked at a moment ago; a refusal uses up nothing."""
    (tmp_path / str(SegmentName(1, 0))).write_bytes(bytes(500))
    clock = Clock()
    waiting = Backlog(tmp_path, max_bytes=1_000, reserve_bytes=0, clock_s=clock)
    waiting.admit(300)
    with pytest.raises(Full, match="800 bytes wait for the drain"):
        waiting.admit(201)
    waiting.admit(200)
    clock.s += LOOK_EVERY_S
    waiting.admit(500)


def test_a_segment_that_goes_during_a_look_waits_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drain removes segments while the writer counts them."""
    monkeypatch.setattr(backlog, "segments", lambda folder: [folder / "gone.wal"])
    Backlog(tmp_path, max_bytes=1_000, reserve_bytes=0).admit(1_000)


def test_a_backlog_holds_two_segments_at_least(layout: Layout) -> None:
    """With one, the writer would refuse until the drain had the segment that is being written."""
    with pytest.raises(Invalid, match=r"a backlog of 8191 bytes, expected at least 8192, two segments"):
        WalWriter(layout, "main", WalOptions(segment_bytes=SEGMENT_BYTES, backlog_bytes=2 * SEGMENT_BYTES - 1))
    WalWriter(layout, "main", WalOptions(segment_bytes=SEGMENT_BYTES, backlog_bytes=2 * SEGMENT_BYTES)).close()
