"""Files that somebody else left: what is none goes, and what could not be looked at stays for the next look."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ingest.drain_samples import drain, new_store, send, traces

from aftertrace.ingest.drain import Drain
from aftertrace.store import reads
from aftertrace.store.dropped import Dropped, look
from aftertrace.store.errors import Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, covering, exports
from aftertrace.store.quarantine import kept

DROPPED: dict[str, Callable[[Layout], object]] = {
    "reads": lambda layout: reads.leave(layout, how="sql", what="select 1", at_ns=1),
    "export": lambda layout: exports.ask(layout, "run", 1, bytes(32)),
    "hold": lambda layout: acts.ask_hold(layout, "tenant", "acme", "ana", "case 7"),
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store that was drained."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1))
    drain(layout)
    return layout


def failing(monkeypatch: pytest.MonkeyPatch, path: Path, number: int) -> None:
    """A file cannot be opened."""
    opened = os.open

    def fail(of: str | Path, *arguments: int) -> int:
        if Path(of) == path:
            raise OSError(number, os.strerror(number), str(of))
        return opened(of, *arguments)

    monkeypatch.setattr(os, "open", fail)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("kind", DROPPED)
def test_what_cannot_be_looked_at_now_is_entered_later(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
) -> None:
    """By the same drain, which says that it waits; nothing is thrown away or put aside."""
    monkeypatch.setattr(covering, "_GATHER_EVERY_S", 0.0)
    with Drain(layout) as draining, monkeypatch.context() as failed:
        DROPPED[kind](layout)
        (path,) = (path for folder in (layout.reads_new, layout.acts) for path in folder.glob("*"))
        failing(failed, path, number)
        for _ in range(2):
            with pytest.raises(Unavailable, match=os.strerror(number)):
                draining.once()
        assert (path.exists(), kept(layout), acts.recorded(layout)) == (True, [], ())
        failed.undo()
        draining.once()
    assert ([each.act.__struct_config__.tag for each in acts.recorded(layout)], path.exists()) == ([kind], False)


def test_a_file_is_told_from_what_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With whose it is, and how many names it has."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert look(path) == Dropped(b"content", os.getuid(), 1)
    assert look(path, 3) == Dropped(b"con", os.getuid(), 1)
    (tmp_path / "other").hardlink_to(path)
    assert look(path) == Dropped(b"content", os.getuid(), 2)
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)
        listening.bind("socket")
        assert [look(tmp_path / name) for name in ("link", "folder", "fifo", "socket", "none")] == [None] * 5


def test_a_file_that_its_owner_hides_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root sees it all the same, so the system's answer is played."""
    path = tmp_path / "file"
    path.touch()
    failing(monkeypatch, path, errno.EACCES)
    assert look(path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="leases are of Linux")
def test_a_file_that_its_owner_holds_by_a_lease_is_none(tmp_path: Path) -> None:
    """Whoever may leave a file could keep the drain from its work otherwise."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert look(path) is None
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        assert look(path) == Dropped(b"content", os.getuid(), 1)
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, before)
