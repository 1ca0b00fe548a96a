"""Segments whose space is used again: nothing of what they held comes back, whatever interrupts it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from aftertrace.store import durable, spares
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout, segments
from aftertrace.store.wal import WalWriter
from aftertrace.store.wal_reader import WalReader, retire

from .samples import SMALL, read, request

LARGE = 3_000
"""Bytes of payload of which one fits into a segment."""


@pytest.fixture(autouse=True)
def wide_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with space to spare, wherever the tests run."""
    monkeypatch.setattr(spares, "FREE_BYTES", 0)


def files(layout: Layout) -> list[str]:
    """What is in the log's folder, without its lock."""
    return sorted(path.name.lstrip("0") for path in layout.wal("main").iterdir() if path.name != "lock")


def fill(writer: WalWriter, *numbers: int) -> None:
    """A segment for each request."""
    for number in numbers:
        writer.append(*request(number, payload_bytes=LARGE)).result(5)


def retired(layout: Layout, seq: int) -> list[Path]:
    """The segments that are given up when everything up to a seq is stored."""
    return retire(layout, "main", seq, SMALL.segment_bytes)


def test_the_space_of_a_retired_segment_is_that_of_a_later_one(layout: Layout) -> None:
    """And its frames are gone from it."""
    with WalWriter(layout, "main", SMALL) as writer:
        fill(writer, 1, 2)
        first = segments(layout.wal("main"))[0].stat().st_ino
        retired(layout, 1)
        assert files(layout) == ["1.0000.wal.spare", "2.0000.wal"]
        fill(writer, 3)
        assert files(layout) == ["2.0000.wal", "3.0000.wal"]
        assert segments(layout.wal("main"))[1].stat().st_ino == first
        writer.append(*request(4)).result(5)
        assert read(layout, after_seq=1) == ([2, 3, 4], [])


def test_a_few_are_kept_and_the_others_removed(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """None on a disk that is nearly full."""
    with WalWriter(layout, "main", SMALL) as writer:
        fill(writer, 1, 2, 3, 4)
        retired(layout, 3)
        assert files(layout) == ["1.0000.wal.spare", "2.0000.wal.spare", "4.0000.wal"]
        fill(writer, 5, 6)
        monkeypatch.setattr(spares, "FREE_BYTES", 1 << 62)
        retired(layout, 5)
        assert files(layout) == ["6.0000.wal"]


def test_a_segment_of_another_length_is_no_spare(layout: Layout) -> None:
    """One that was cut when its writer ended, and one for a long frame; and a spare that is too short is removed."""
    with WalWriter(layout, "main", SMALL) as writer:
        writer.append(*request(1)).result(5)
    with WalWriter(layout, "main", SMALL) as writer:
        writer.append(*request(2, payload_bytes=20_000)).result(5)
        fill(writer, 3, 4)
        retired(layout, 3)
        assert files(layout) == ["2.0000.wal.spare", "3.0000.wal.spare", "4.0000.wal"]
        writer.append(*request(5, payload_bytes=20_000)).result(5)
        assert files(layout) == ["4.0000.wal", "5.0000.wal"]
    assert read(layout, after_seq=3) == ([4, 5], [])


def test_a_segment_that_somebody_reads_keeps_what_it_holds(layout: Layout) -> None:
    """It is removed, and whoever has it open reads on."""
    reader = WalReader(layout, "main")
    with WalWriter(layout, "main", SMALL) as writer:
        for number in (1, 2):
            writer.append(*request(number, payload_bytes=1_000)).result(5)
        polled = reader.poll()
        assert isinstance(next(polled), Frame)
        fill(writer, 3)
        retired(layout, 2)
        assert files(layout) == ["3.0000.wal"]
        fill(writer, 4)
        assert [item.seq for item in polled if isinstance(item, Frame)] == [2, 3, 4]
    reader.close()


def test_old_frames_behind_new_ones_would_be_seen(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the zeros a reader takes the old frame for the end of the log, and stands behind it."""
    monkeypatch.setattr(spares, "_write_zeros", lambda _: None)
    with WalWriter(layout, "main", SMALL) as writer:
        for number in range(1, 4):
            writer.append(*request(number, payload_bytes=1_000)).result(5)
        fill(writer, 4)
        retired(layout, 3)
        writer.append(*request(5, payload_bytes=1_000)).result(5)
        reader = WalReader(layout, "main", after_seq=4)
        seen = [item for item in reader.poll() if isinstance(item, Frame)]
        writer.append(*request(6, payload_bytes=1_000)).result(5)
        seen += [item for item in reader.poll() if isinstance(item, Frame)]
    reader.close()
    assert [frame.seq for frame in seen] == [5]


@pytest.mark.parametrize("step", ["rename", "sync_folder", "sync_data", "last rename"])
def test_a_crash_at_any_step_leaves_no_frame_behind(layout: Layout, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What is left is a draft or a spare, never a segment; the next turn removes the draft."""
    with WalWriter(layout, "main", SMALL) as writer:
        fill(writer, 1, 2, 3)
    failing = OSError(errno.EIO, "input/output error")
    calls, real = 0, Path.rename

    def rename(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == (1 if step == "rename" else 2):
            raise failing
        real(source, target)

    def fail(_: object) -> None:
        raise failing

    with monkeypatch.context() as broken:
        if "rename" in step:
            broken.setattr(Path, "rename", rename)
        else:
            broken.setattr(durable, step, fail)
        with pytest.raises(OSError, match="input/output"):
            retired(layout, 1)
    assert read(layout, after_seq=1) == ([2, 3], [])
    retired(layout, 2)
    left = ["1.0000.wal.spare"] if step == "rename" else []
    assert files(layout) == [*left, "2.0000.wal.spare", "3.0000.wal"]
    with WalWriter(layout, "main", SMALL) as writer:
        fill(writer, 4)
    assert read(layout, after_seq=2) == ([3, 4], [])
