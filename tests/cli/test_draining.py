"""The drain of `serve`, from its start on: nothing that passes ends it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from ingest.drain_samples import new_store, places, send, traces

from aftertrace.cli.draining import run
from aftertrace.ingest.drain import catch_up
from aftertrace.store import durable
from aftertrace.store.errors import Unavailable


class Stop(threading.Event):
    """Nobody waits for it, and it comes after a while."""

    def __init__(self, after_waits: int) -> None:
        """Come with the wait after so many."""
        super().__init__()
        self.left = after_waits

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # as of an event
        """Whether it came."""
        self.left -= 1
        if self.left < 0:
            self.set()
        return self.is_set()


def fill(monkeypatch: pytest.MonkeyPatch, refusals: int) -> list[None]:
    """Let the disk be full for so many writes; what is left of them."""
    real, left = durable.write_all, [None] * refusals

    def write(fd: int, content: bytes, offset: int) -> None:
        if left:
            left.pop()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, content, offset)

    monkeypatch.setattr(durable, "write_all", write)
    return left


@pytest.mark.parametrize("has_tables", [False, True])
def test_a_drain_that_follows_waits_for_room_before_it_opens_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_tables: bool
) -> None:
    """The store's key and what a power cut may have left of the last commits are written as it starts."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1))
    if has_tables:
        catch_up(layout.data)
    else:
        layout.store_key.unlink()
    left = fill(monkeypatch, refusals=3)
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
