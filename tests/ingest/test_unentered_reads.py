"""Batches of reads that no entry tells of: each is judged once, some at a time, and none is entered twice."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from hashlib import sha256
from types import SimpleNamespace

import msgspec
import pytest

from aftertrace.ingest.drain import Drain
from aftertrace.store import reads
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, covering
from aftertrace.store.ledger.covering import Ledger
from aftertrace.store.ledger.entries import AnyAct, Reads

from .drain_samples import drain, send, traces
from .test_reads import leave


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For what the drain looks at once a minute."""
        self.now_s = 1000.0
        there = SimpleNamespace(monotonic=lambda: self.now_s, time_ns=covering.time.time_ns)
        monkeypatch.setattr(covering, "time", there)


def batches(layout: Layout) -> list[str]:
    """Ids of those that the ledger has."""
    return [each.act.id for each in acts.recorded(layout) if isinstance(each.act, Reads)]


def batch(layout: Layout, *numbers: int) -> str:
    """A batch that no entry tells of, with reads of these numbers; its id."""
    taken = [
        reads.Read(at_ns=str(number), how="sql", what=f"select {number}", uid=0, id=f"{number:032x}")
        for number in numbers
    ]
    content = b"".join(msgspec.json.encode(read) + b"\n" for read in taken)
    ident = sha256(content).hexdigest()[:32]
    (layout.reads / f"{ident}.jsonl").write_bytes(content)
    return ident


@pytest.fixture
def read(layout: Layout) -> Layout:
    """A store of which one read was taken."""
    send(layout, traces(1))
    drain(layout)
    leave(layout, "select 0", 1)
    drain(layout)
    return layout


def test_a_file_that_cannot_be_entered_is_looked_at_once(read: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each look, with all that was ever read; the controls: a batch that comes later, and the next drain."""
    clock = Clock(monkeypatch)
    (entered,) = batches(read)
    other = "0" * 32
    shutil.copy(read.reads / f"{entered}.jsonl", read.reads / f"{other}.jsonl")
    looked: list[str] = []
    whole, entries_of = reads._whole, reads.of_batch
    monkeypatch.setattr(reads, "_whole", lambda path: (looked.append(path.stem), whole(path))[1])
    monkeypatch.setattr(reads, "of_batch", lambda of, ident: (looked.append(ident), entries_of(of, ident))[1])
    with Drain(read) as draining:
        # What was left is looked for in the last batch.
        assert looked == [other, entered, entered]
        looked.clear()
        for _ in range(3):
            clock.now_s += 60
            draining.once()
        assert (looked, batches(read)) == ([entered] * 3, [entered])
        looked.clear()
        later = batch(read, 7)
        clock.now_s += 60
        draining.once()
        assert (looked, batches(read)) == ([later, entered, entered], [entered, later])
        looked.clear()
    drain(read)
    assert sorted(looked) == sorted([other, entered, later, later])


def test_the_same_reads_in_two_files_are_one_entry(read: Layout) -> None:
    """Whichever comes first by its name."""
    ident = batch(read, 1, 2)
    shutil.copy(read.reads / f"{ident}.jsonl", read.reads / f"{'0' * 32}.jsonl")
    shutil.copy(read.reads / f"{ident}.jsonl", read.reads / f"{'f' * 32}.jsonl")
    drain(read)
    drain(read)
    assert batches(read)[1:] == ["0" * 32]


def test_many_are_entered_together_and_some_at_a_time(read: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a ledger was put back. What was left meanwhile comes behind them: one of them may have it."""
    monkeypatch.setattr(reads, "_BATCHES_AT_ONCE", 3)
    there = sorted(batch(read, number) for number in range(1, 8))
    leave(read, "select 8", 8)
    told: list[int] = []
    whole = Ledger.record

    def record(ledger: Ledger, entries: Sequence[AnyAct]) -> None:
        told.append(sum(isinstance(entry, Reads) for entry in entries))
        whole(ledger, entries)

    monkeypatch.setattr(Ledger, "record", record)
    with Drain(read) as draining:
        assert batches(read)[1:] == there[:3]
        draining.once()
        assert (batches(read)[1:], len(list(read.reads_new.iterdir()))) == (there[:6], 1)
        draining.once()
    assert (batches(read)[1:-1], list(read.reads_new.iterdir())) == (there, [])
    assert [count for count in told if count] == [3, 3, 1, 1]


def test_what_a_crash_left_is_not_taken_while_its_batch_waits(read: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch of what is left is the last one by its name."""
    monkeypatch.setattr(reads, "_BATCHES_AT_ONCE", 1)
    leave(read, "select 5", 5)
    (left,) = read.reads_new.iterdir()
    found = reads.gather(read, None)
    assert found is not None
    last = (read.reads / f"{found.id}.jsonl").rename(read.reads / f"{'f' * 32}.jsonl")
    first = batch(read, 1)
    with Drain(read) as draining:
        assert (batches(read)[1:], left.exists()) == ([first], True)
        draining.once()
        assert (batches(read)[1:], left.exists()) == ([first, last.stem], False)
        draining.once()
    assert batches(read)[1:] == [first, last.stem]
