"""The WAL under hardship: cuts, flips, failing disks, two writers, and readers that look while it is written."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import Future
from unittest.mock import ANY

import pytest

from aftertrace.store import durable, frame
from aftertrace.store.errors import Unavailable
from aftertrace.store.frame import Frame, Sealed
from aftertrace.store.layout import Layout, segments
from aftertrace.store.segment import HEADER_BYTES, OpenSegment
from aftertrace.store.wal import Waiting, WalOptions, WalWriter
from aftertrace.store.wal_reader import WalReader, retire

from .samples import SMALL, read, request, write


def test_seqs_go_on_over_restarts(layout: Layout) -> None:
    """Each start begins a segment; a reader sees one row of frames."""
    write(layout, range(1, 4))
    write(layout, range(4, 7))
    assert read(layout) == ([1, 2, 3, 4, 5, 6], [])
    assert [path.name for path in segments(layout.wal("main"))] == [
        "00000000000000000001.0000.wal",
        "00000000000000000004.0000.wal",
    ]


def test_a_full_segment_is_followed_by_another(layout: Layout) -> None:
    """Frames never straddle segments, and one longer than a segment gets a longer one."""
    with WalWriter(layout, "main", SMALL) as writer:
        for number in range(1, 5):
            writer.append(*request(number, payload_bytes=3_000)).result(5)
        writer.append(*request(5, payload_bytes=100_000)).result(5)
    assert read(layout) == ([1, 2, 3, 4, 5], [])
    assert len(segments(layout.wal("main"))) == 5


def torn(content: bytes, length: int) -> list[bytes]:
    """A segment of which only so many bytes came down, and then nothing, zeros or other bytes."""
    left = len(content) - length
    return [
        content[:length],
        content[:length] + bytes(left + 500),
        content[:length] + bytes(byte ^ 0xA5 for byte in content[length:]),
    ]


def test_a_segment_torn_at_any_byte_gives_the_whole_frames_before(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torn tail is normal: no finding, and the next writer goes on behind the last whole frame."""
    for sync in ("fsync", "fdatasync"):
        # Thousands of them would take most of the time, and show nothing here.
        monkeypatch.setattr(os, sync, lambda _: None)
    write(layout, range(1, 4))
    (path,) = segments(layout.wal("main"))
    content = path.read_bytes()
    frame_bytes = (len(content) - HEADER_BYTES) // 3
    for length in range(HEADER_BYTES + frame_bytes, len(content)):
        whole, more = divmod(length - HEADER_BYTES, frame_bytes)
        tails = torn(content, length)
        for tail in tails:
            path.write_bytes(tail)
            assert read(layout) == (list(range(1, whole + 1)), []), length
        behind = length % 3
        path.write_bytes(tails[behind])
        write(layout, range(whole + 1, whole + 2))
        is_told = more > 0 or behind == 2
        assert read(layout) == (list(range(1, whole + 2)), ["torn_tail"] if is_told else []), length
        segments(layout.wal("main"))[-1].unlink()


def test_a_frame_that_is_not_checked_is_seen(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: where digests always fit, half a frame is read as a whole one."""
    write(layout, range(1, 4))
    (path,) = segments(layout.wal("main"))
    path.write_bytes(torn(path.read_bytes(), path.stat().st_size - 10)[1])
    assert read(layout)[0] == [1, 2]
    monkeypatch.setattr(frame, "_digest", lambda *_: ANY)
    assert read(layout)[0] == [1, 2, 3]


def test_a_flipped_byte_anywhere_costs_one_frame_at_most(layout: Layout) -> None:
    """A damaged frame before others is reported and passed over; the last one cannot be told from a torn tail."""
    write(layout, range(1, 4))
    (path,) = segments(layout.wal("main"))
    content = path.read_bytes()
    frame_bytes = (len(content) - HEADER_BYTES) // 3
    for offset in range(HEADER_BYTES, len(content)):
        damaged = bytearray(content)
        damaged[offset] ^= 0x10
        path.write_bytes(damaged)
        hit = (offset - HEADER_BYTES) // frame_bytes + 1
        left = [seq for seq in (1, 2, 3) if seq != hit]
        assert read(layout) == (left, [] if hit == 3 else ["frame_damaged", "sequence_gap"]), offset


def test_damage_at_the_end_of_a_finished_segment_is_not_a_torn_tail(layout: Layout) -> None:
    """The next segment tells which frame should have come."""
    write(layout, range(1, 4))
    write(layout, range(4, 6))
    path = segments(layout.wal("main"))[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert read(layout) == ([1, 2, 4, 5], ["frame_damaged", "sequence_gap"])
    os.truncate(path, HEADER_BYTES)
    assert read(layout) == ([4, 5], ["frames_missing", "sequence_gap"])


def test_swapped_frames_break_the_chain(layout: Layout) -> None:
    """Whole frames in the wrong order do not name each other."""
    write(layout, range(1, 4))
    (path,) = segments(layout.wal("main"))
    content = path.read_bytes()
    head, frame_bytes = content[:HEADER_BYTES], (len(content) - HEADER_BYTES) // 3
    one, two, three = (content[HEADER_BYTES + frame_bytes * n :][:frame_bytes] for n in range(3))
    path.write_bytes(head + one + three + two)
    assert read(layout) == ([1, 3], ["sequence_gap"])


class SyncWatch(WalWriter):
    """Notes whether anybody was told OK before the sync returned."""

    def _persist(self, group: list[Waiting]) -> list[Sealed]:
        sealed = super()._persist(group)
        self.told_early = any(waiting.future.done() for waiting in group)
        return sealed


class EagerWatch(SyncWatch):
    """The negative control: tells first and writes then."""

    def _commit(self, group: list[Waiting]) -> None:
        for waiting in group:
            waiting.future.set_running_or_notify_cancel()
            waiting.future.set_result(0)
        self._persist(group)


@pytest.mark.parametrize(("writer", "early"), [(SyncWatch, False), (EagerWatch, True)])
def test_ok_comes_after_the_sync(layout: Layout, writer: type[SyncWatch], early: bool) -> None:
    """And the test sees a writer that does it the other way round."""
    with writer(layout, "main", SMALL) as wal:
        wal.append(*request(1)).result(5)
    assert wal.told_early is early


def test_a_group_is_written_then_synced_then_acknowledged(layout: Layout, disk: list[tuple[str, str]]) -> None:
    """A new segment has its space and its name on disk before the first frame."""
    with WalWriter(layout, "main", SMALL) as writer:
        writer.append(*request(1)).result(5)
        seen = list(disk)
    name = "00000000000000000001.0000.wal"
    assert seen == [
        ("fsync", "data"),
        ("fsync", "wal"),
        ("fsync", f".{name}.new"),
        ("rename", name),
        ("fsync", "main"),
        ("fsync", name),
    ]


def test_those_who_wait_together_share_a_sync(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one group is synced the next collects."""
    gate = threading.Event()
    syncs: list[int] = []

    def slow(fd: int) -> None:
        gate.wait(5)
        syncs.append(fd)

    with WalWriter(layout, "main") as writer:
        monkeypatch.setattr(durable, "sync_data", slow)
        futures = [writer.append(*request(number)) for number in range(1, 51)]
        gate.set()
        assert [future.result(5) for future in futures] == list(range(1, 51))
    assert len(syncs) <= 3


def failing(monkeypatch: pytest.MonkeyPatch, name: str, results: list[int | None]) -> None:
    """Let calls of a function of `durable` fail with these error numbers in turn, then work again."""
    real = getattr(durable, name)

    def call(*arguments: object) -> object:
        code = results.pop(0) if results else None
        if code is not None:
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    monkeypatch.setattr(durable, name, call)


def test_after_a_failed_sync_the_frames_go_to_another_segment(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failed segment is never synced again, and readers see every frame once."""
    with WalWriter(layout, "main", SMALL) as writer:
        assert writer.append(*request(1)).result(5) == 1
        failing(monkeypatch, "sync_data", [errno.EIO])
        assert writer.append(*request(2)).result(5) == 2
        assert writer.append(*request(3)).result(5) == 3
    assert read(layout) == ([1, 2, 3], [])
    assert [path.name[:20].lstrip("0") for path in segments(layout.wal("main"))] == ["1", "2"]


def test_when_the_disk_fails_twice_the_sender_is_refused_and_no_seq_is_lost(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused may be stored later; what is never allowed is a gap or a seq with two meanings."""
    with WalWriter(layout, "main", SMALL) as writer:
        failing(monkeypatch, "sync_data", [errno.EIO, errno.EIO, errno.EIO])
        for number in (1, 2):
            with pytest.raises(Unavailable):
                writer.append(*request(number)).result(5)
        assert writer.append(*request(3)).result(5) == 2
    seqs, findings = read(layout)
    assert (seqs, findings) == ([1, 2], [])


def test_a_full_disk_refuses_and_recovers_without_a_restart(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is asked for before a frame is accepted, so a refusal leaves no trace."""
    with WalWriter(layout, "main", SMALL) as writer:
        writer.append(*request(1, payload_bytes=3_000)).result(5)
        failing(monkeypatch, "reserve", [errno.ENOSPC])
        with pytest.raises(Unavailable, match="No space left"):
            writer.append(*request(2, payload_bytes=3_000)).result(5)
        assert writer.append(*request(3)).result(5) == 2
    assert read(layout) == ([1, 2], [])
    failing(monkeypatch, "reserve", [errno.ENOSPC])
    with pytest.raises(Unavailable, match="free disk space"):
        WalWriter(layout, "main")
    write(layout, range(4, 5))


def test_a_cancelled_request_is_not_stored(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender has gone before anything was written."""
    gate, entered = threading.Event(), threading.Event()
    real = OpenSegment.sync

    def slow(self: OpenSegment) -> None:
        entered.set()
        gate.wait(5)
        real(self)

    monkeypatch.setattr(OpenSegment, "sync", slow)
    with WalWriter(layout, "main", SMALL) as writer:
        first = writer.append(*request(1))
        entered.wait(5)
        second, third = writer.append(*request(2)), writer.append(*request(3))
        assert second.cancel()
        gate.set()
        assert (first.result(5), third.result(5)) == (1, 2)


def test_a_wal_has_one_writer(layout: Layout) -> None:
    """The lock goes with the writer."""
    with WalWriter(layout, "main", SMALL):
        with pytest.raises(Unavailable, match="another process writes the WAL"):
            WalWriter(layout, "main", SMALL)
        WalWriter(layout, "import", SMALL).close()
    WalWriter(layout, "main", SMALL).close()


def test_a_closed_or_overfull_writer_refuses(layout: Layout) -> None:
    """With an error that means: later."""
    writer = WalWriter(layout, "main", WalOptions(segment_bytes=4096, waiting_bytes=-1))
    with pytest.raises(Unavailable, match="does not keep up"):
        writer.append(*request(1)).result(5)
    writer.close()
    with pytest.raises(Unavailable, match="closing"):
        writer.append(*request(1)).result(5)


def test_a_reader_follows_a_writer(layout: Layout) -> None:
    """Every frame once and in order, over segments, while four threads write."""
    reader, seen = WalReader(layout, "main"), []
    with WalWriter(layout, "main", SMALL) as writer:

        def send(first: int) -> None:
            results: list[Future[int]] = [writer.append(*request(first + n)) for n in range(50)]
            for future in results:
                future.result(5)

        threads = [threading.Thread(target=send, args=(100 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            seen += list(reader.poll())
        for thread in threads:
            thread.join()
        seen += list(reader.poll())
    reader.close()
    assert [item.seq if isinstance(item, Frame) else item for item in seen] == list(range(1, 201))


def test_segments_retire_when_all_their_frames_are_stored(layout: Layout) -> None:
    """The newest stays, since it tells the next writer where to go on."""
    for first in (1, 3, 5):
        write(layout, range(first, first + 2))
    assert [path.name[:20].lstrip("0") for path in retire(layout, "main", 3)] == ["1"]
    assert [path.name[:20].lstrip("0") for path in retire(layout, "main", 6)] == ["3"]
    assert read(layout, after_seq=4) == ([5, 6], [])
    write(layout, range(7, 8))
    assert read(layout, after_seq=6) == ([7], [])


def test_a_wal_whose_newest_segment_is_unreadable_still_opens(layout: Layout) -> None:
    """No seq that its name says was used comes again."""
    write(layout, range(1, 4))
    write(layout, range(4, 5))
    segments(layout.wal("main"))[-1].write_bytes(b"\xff" * 300)
    write(layout, range(4, 5))
    assert read(layout)[0] == [1, 2, 3, 4]


def test_a_wal_under_another_name_is_not_taken_for_that_of_its_namesake(layout: Layout) -> None:
    """Each frame says whose it is: a folder that was renamed, or copied to another receiver, gives no rows."""
    write(layout, range(1, 3), receiver="east")
    assert read(layout, receiver="east") == ([1, 2], [])
    layout.wal("east").rename(layout.wal("main"))
    assert read(layout) == ([], ["frame_foreign", "frame_foreign"])
    assert read(layout, after_seq=1) == ([], ["frame_foreign"])


def test_frames_of_before_they_had_a_name_are_read_as_those_of_their_wal(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A WAL that an upgrade finds full loses nothing, and goes on in its chain."""
    real = frame.seal
    with monkeypatch.context() as older:
        older.setattr(frame, "VERSION", 1)
        older.setattr(frame, "seal", lambda _receiver, *others: real("", *others, salt=b""))
        write(layout, range(1, 4))
    write(layout, range(4, 6))
    assert read(layout) == ([1, 2, 3, 4, 5], [])
