"""The drain of `serve`, from its start on: nothing that passes ends it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from ingest.drain_samples import new_store, places, send, traces

from aftertrace.cli.draining import run
from aftertrace.cli.settings import readable
from aftertrace.ingest.catching_up import catch_up
from aftertrace.store import durable, lock
from aftertrace.store.commits import LAST_CHECKPOINT
from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.waiting import waits


class Stop(threading.Event):
    """Nobody waits for it, and it comes after a while."""

    def __init__(self, after_waits: int) -> None:
        """Come with the wait after so many."""
        super().__init__()
        self.left = after_waits

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it came."""
        assert timeout is not None, "it would be waited for and for nothing else"
        self.left -= 1
        if self.left < 0:
            self.set()
        return self.is_set()


def fill(monkeypatch: pytest.MonkeyPatch, refusals: int, of: object = durable, name: str = "write_all") -> list[None]:
    """Let the disk be full for so many calls of a function; what is left of them."""
    real, left = getattr(of, name), [None] * refusals

    def call(*arguments: object) -> object:
        if left:
            left.pop()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    monkeypatch.setattr(of, name, call)
    return left


@pytest.mark.parametrize("no_room_for", ["lock", "key", "commit"])
def test_a_drain_that_follows_waits_for_room_before_it_opens_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_room_for: str
) -> None:
    """It makes its lock and the store's key, and writes again what a power cut may have left of the last commits."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1))
    if no_room_for == "commit":
        catch_up(layout.data)
    else:
        layout.store_key.unlink()
    of = (lock.os, "open") if no_room_for == "lock" else (durable, "write_all")
    left = fill(monkeypatch, 3, *of)
    run(layout.data, follow=True, stopping=Stop(10), processes=1)
    assert left == []
    assert places(layout, "spans") == [("main", 1, 0), ("main", 1, 1)]


def test_a_drain_by_hand_and_one_that_is_to_stop_say_that_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was received waits in the log."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1))
    layout.store_key.unlink()
    fill(monkeypatch, refusals=1000)
    for follow, stop in ((False, Stop(1000)), (True, Stop(3))):
        with pytest.raises(Unavailable, match="No space left on device; free disk space"):
            run(layout.data, follow=follow, stopping=stop, processes=1)


def written(layout: Layout) -> dict[Path, tuple[int, int]]:
    """Which file each name of the store means, and when it was written."""
    paths = (path for path in layout.data.rglob("*") if path.is_file())
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_who_only_reads_writes_nothing_where_nothing_waits(tmp_path: Path) -> None:
    """What was accepted is stored by the first who asks; the control: a drain writes the last commits once more."""
    layout = new_store(tmp_path / "data")
    for number in (1, 2):
        send(layout, traces(number))
        assert waits(layout)
        before = written(layout)
        readable(layout.data)
        assert (waits(layout), places(layout, "spans")[-1]) == (False, ("main", number, 1))
        stored = written(layout)
        assert stored != before
        readable(layout.data)
        assert written(layout) == stored
    catch_up(layout.data)
    assert written(layout) != stored


def test_who_only_reads_mends_what_would_keep_them_out(tmp_path: Path) -> None:
    """A power cut left a file of no bytes, which names no checkpoint to begin at."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1))
    readable(layout.data)
    named = layout.tables_folder / "spans" / "_delta_log" / LAST_CHECKPOINT
    named.touch()
    assert waits(layout)
    readable(layout.data)
    assert (waits(layout), named.exists(), places(layout, "spans")) == (False, False, [("main", 1, 0), ("main", 1, 1)])
