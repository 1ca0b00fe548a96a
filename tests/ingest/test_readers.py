"""Reading records with several processes gives what one process gives, whatever happens to the others."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.cli.served import gone
from tests.ingest.drain_samples import NOON_NS, logs, traces

from aftertrace.ingest.items import items_of
from aftertrace.ingest.readers import WORTH_STRETCHES, Readers
from aftertrace.ingest.reading import Read, Source, read
from aftertrace.store import processes
from aftertrace.store.frame import Frame
from aftertrace.store.processes import Begun, _Reader

PATIENCE_S = 60.0


def stretch(seq: int) -> list[Source]:
    """The records of a request: spans and, in turn, log records, one of which has a flag and one of which is none."""
    payload, signal = (traces(seq, 3), "traces") if seq % 2 else (logs(seq, 3), "logs")
    frame = Frame("main", seq, b"", b"", NOON_NS, signal, "acme/agent", 3, b"", 0, "", payload, b"")  # type: ignore[arg-type] # a signal
    sources = [
        Source(item.pointer, item.tenant, frame.signal, item.slice.resource, item.slice.scope, item.slice.record, (), 9)
        for item in items_of("main", frame, bytes(32))
    ]
    return [sources[0]._replace(relations=("continues:main/1/0",)), sources[1]._replace(record=b"\xff"), sources[2]]


STRETCHES = [stretch(seq) for seq in range(1, 4 * WORTH_STRETCHES)]


class Watched(Readers):
    """Tells which readers were given something."""

    def __init__(self, count: int) -> None:
        """None was."""
        super().__init__(count)
        self.asked: set[int] = set()

    def _take(self, reader: _Reader[Sequence[Source], Read]) -> Begun[Sequence[Source], Read] | None:
        self.asked.add(reader.process.pid)
        return super()._take(reader)


@pytest.fixture
def readers() -> Iterator[Watched]:
    """Two readers."""
    made = Watched(2)
    yield made
    made.close()


def told(reads: Iterator[Read]) -> list[object]:
    """All that was read."""
    return [(each.flags, each.spans.to_pylist(), each.events.to_pylist(), each.unread) for each in reads]


def warmed(readers: Watched, count: int = 2) -> None:
    """Have so many readers ready: until then this process reads alone."""
    deadline = time.monotonic() + PATIENCE_S
    while sum(reader.process.pid in readers.asked for reader in readers._readers) < count:
        assert time.monotonic() < deadline
        told(readers(STRETCHES))


def test_several_processes_read_what_one_reads(readers: Watched) -> None:
    """In the same order, with flags, rows, and what could not be read."""
    alone = told(map(read, STRETCHES))
    assert alone[0][:1] == (['["continues:main/1/0"]', None, None],)  # type: ignore[index] # a tuple
    assert told(readers(STRETCHES)) == alone
    warmed(readers)
    assert told(readers(STRETCHES)) == alone


def test_what_a_reader_was_given_when_it_ended_is_read_again(
    readers: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is stopped holds a stretch for as long as it lives; the next call has as many readers as before."""
    warmed(readers)
    victim = readers._readers[0].process
    victim.send_signal(signal.SIGSTOP)
    killing = threading.Timer(0.2, victim.kill)
    killing.start()
    with caplog.at_level(logging.WARNING):
        assert told(readers(STRETCHES)) == told(map(read, STRETCHES))
    killing.join()
    assert caplog.messages == ["a reader ended with exit code -9; what it was given is done again"]
    warmed(readers)


def test_a_drain_goes_on_alone_when_no_reader_stays(readers: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where memory is short: they are not started for ever."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for _ in range(4):
        assert told(readers(STRETCHES)) == told(map(read, STRETCHES))
        for reader in list(readers._readers):
            reader.thread.join(PATIENCE_S)
    assert readers._readers == []


def test_a_drain_goes_on_alone_where_no_reader_can_start(
    readers: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Too many processes are running already. It is tried a few times, and no pipe is left open."""

    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(8):
        assert told(readers(STRETCHES)) == told(map(read, STRETCHES))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    assert set(caplog.messages) == {"a reader did not start: Resource temporarily unavailable; it goes on without it"}
    assert len(caplog.messages) == 5


def test_what_an_interrupted_turn_left_is_no_answer_of_the_next(
    readers: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the next has so little to read that no reader is asked."""
    warmed(readers)

    def fail(_: object) -> Read:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(readers, "_work", fail)
        with pytest.raises(OSError, match="input/output"):
            told(readers(STRETCHES))
    few = STRETCHES[1:WORTH_STRETCHES]
    assert told(readers(few)) == told(map(read, few))


def test_what_has_begun_is_read_before_anybody_asks(readers: Watched) -> None:
    """Without readers it is when somebody does; also of what was forgotten, which no reader begins with any more."""
    warmed(readers)
    alone = Readers(0)
    begun, waiting = ([each.begin(stretch) for stretch in STRETCHES] for each in (readers, alone))
    deadline = time.monotonic() + PATIENCE_S
    while not all(each.told for each in begun):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [each.told for each in waiting] == [[] for _ in STRETCHES]
    alone.forget()
    expected = told(map(read, STRETCHES))
    assert (told(iter(readers.finish(begun))), told(iter(alone.finish(waiting)))) == (expected, expected)


@pytest.mark.parametrize("count", [0, 1])
def test_what_is_dropped_is_neither_read_nor_kept(count: int) -> None:
    """A sender that tells of its spans twice has each stretch begun anew: that must not fill the memory."""
    readers = Readers(count)
    for _ in range(5):
        for stretch in STRETCHES[: WORTH_STRETCHES - 1]:
            readers.drop(readers.begin(stretch))
        begun = [readers.begin(STRETCHES[0])]
        assert told(iter(readers.finish(begun))) == told(map(read, STRETCHES[:1]))
        assert len(readers._waiting) <= WORTH_STRETCHES
    assert readers._readers == []
    readers.close()


def test_a_drain_goes_on_alone_where_no_thread_can_start(
    readers: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They count as processes do, where their number is limited; the reader that was started ends."""

    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", full)
        assert told(readers(STRETCHES)) == told(map(read, STRETCHES))
    assert readers._readers == []
    assert set(caplog.messages) == {"a reader did not start: can't start new thread; it goes on without it"}


def test_many_stretches_cost_as_many_times_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of the smallest records has hundreds: none is looked for among all others."""
    looked = 0

    class Counted(Begun[Sequence[Source], Read]):
        @property
        def is_taken(self) -> bool:
            nonlocal looked
            looked += 1
            return self.taken

        @is_taken.setter
        def is_taken(self, taken: bool) -> None:
            self.taken = taken

    monkeypatch.setattr(processes, "Begun", Counted)
    alone = Readers(0)
    monkeypatch.setattr(alone, "_work", lambda _: read(()))
    assert len(alone.finish([alone.begin(()) for _ in range(500)])) == 500
    assert looked <= 10 * 500


def test_readers_end_with_the_process_that_started_them() -> None:
    """Also where it is killed, and has no time to end them."""
    code = """
import time
from tests.ingest import test_readers
readers = test_readers.Watched(1)
test_readers.warmed(readers, 1)
print(readers._readers[0].process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        reader = int(parent.stdout.readline())
        os.kill(reader, 0)
        parent.kill()
    gone([reader])


def test_few_records_start_nothing() -> None:
    """A request now and then is read where it is."""
    idle = Readers(2)
    assert told(idle(STRETCHES[: WORTH_STRETCHES - 1])) == told(map(read, STRETCHES[: WORTH_STRETCHES - 1]))
    assert idle._readers == []
