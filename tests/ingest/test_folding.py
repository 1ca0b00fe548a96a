"""Folding beside the drain: fresh data does not wait for it, files do not pile up, and what fails does no harm."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import compaction
from aftertrace.store.compaction import Folded, Group
from aftertrace.store.errors import Unavailable
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout
from aftertrace.store.tables import TableWriter

from .drain_samples import DAY_NS, NOON_NS, new_store, places, send, traces

EACH = DrainOptions(batch_bytes=1, linger_s=0, fold_at=3)
"""A commit for each request."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty store."""
    return new_store(tmp_path / "data")


class Held:
    """A fold that has begun and does not go on before it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hold each."""
        self.begun: list[str] = []
        self.may_go_on = threading.Event()
        self._fold = compaction.fold
        monkeypatch.setattr(compaction, "fold", self)

    def __call__(self, layout: Layout, group: Group) -> Folded:
        """Fold, some time."""
        self.begun.append(group.table)
        assert self.may_go_on.wait(30)
        return self._fold(layout, group)


@contextmanager
def following(layout: Layout, held: Held) -> Iterator[None]:
    """A drain at work."""
    stop = threading.Event()
    with Drain(layout, EACH) as draining:
        thread = threading.Thread(target=draining.follow, args=(stop, 0.001))
        thread.start()
        try:
            yield
        finally:
            held.may_go_on.set()
            stop.set()
            thread.join(30)


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def rows(layout: Layout) -> int:
    """How many spans a reader finds; each request has two."""
    return len(places(layout, "spans"))


def files(layout: Layout, table: str) -> int:
    """How many files a table has."""
    return len(TableWriter(layout, table).files())


def test_what_comes_while_files_are_folded_is_stored_meanwhile(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold takes a second or more."""
    held = Held(monkeypatch)
    with following(layout, held):
        send(layout, *(traces(number) for number in range(1, 5)))
        until(lambda: held.begun == ["events"])
        send(layout, traces(5))
        until(lambda: rows(layout) == 10)
        assert (held.begun, files(layout, "events")) == (["events"], 5)
        held.may_go_on.set()
        until(lambda: held.begun == ["events", "evidence", "spans"] and files(layout, "spans") == 1)
    # The fifth came while the events of the first four were folded, and the others' five were folded after that.
    assert [files(layout, table) for table in ("events", "evidence", "spans")] == [2, 1, 1]
    assert (rows(layout), fsck(layout)) == (10, [])


def test_with_twice_as_many_small_files_what_comes_waits(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a partition never has more, however fast it grows."""
    held = Held(monkeypatch)
    with following(layout, held):
        send(layout, *(traces(number) for number in range(1, 21)))
        until(lambda: files(layout, "evidence") == 7)
        time.sleep(0.05)
        assert (files(layout, "evidence"), files(layout, "spans"), held.begun) == (7, 6, ["events"])
        held.may_go_on.set()
        until(lambda: rows(layout) == 40)
    assert max(files(layout, table) for table in ("events", "evidence", "spans")) <= 7
    assert fsck(layout) == []


@pytest.mark.parametrize(("frames", "left"), [(3, 3), (4, 1), (8, 3)])
def test_a_drain_that_stores_what_is_there_folds_it_too(layout: Layout, frames: int, left: int) -> None:
    """At the end, and on the way where it is much."""
    send(layout, *(traces(number) for number in range(1, frames + 1)))
    with Drain(layout, EACH) as draining:
        draining.once()
    assert (files(layout, "spans"), rows(layout), fsck(layout)) == (left, 2 * frames, [])


def test_all_days_that_are_due_are_folded(layout: Layout) -> None:
    """One after the other, and not one for each time that something comes."""
    send(layout, *(traces(number) for number in range(1, 5)))
    send(layout, *(traces(number) for number in range(5, 9)), received_ns=NOON_NS + DAY_NS)
    with Drain(layout, replace(EACH, fold_at=100)) as draining:
        draining.once()
    send(layout, traces(9), received_ns=NOON_NS + 2 * DAY_NS)
    with Drain(layout, EACH) as draining:
        draining.once()
    assert (files(layout, "spans"), rows(layout), fsck(layout)) == (3, 18, [])


def test_a_day_of_damaged_files_keeps_no_other_day_from_being_folded(layout: Layout) -> None:
    """They are left where they are, for whoever has a copy of them."""
    send(layout, *(traces(number) for number in range(1, 5)))
    with Drain(layout, replace(EACH, fold_at=100)) as draining:
        draining.once()
    for path, _, _ in TableWriter(layout, "spans").files():
        (layout.tables_folder / "spans" / path).write_bytes(b"damaged")
    send(layout, *(traces(number) for number in range(5, 9)), received_ns=NOON_NS + DAY_NS)
    with Drain(layout, EACH) as draining:
        draining.once()
    assert (files(layout, "spans"), files(layout, "evidence")) == (5, 2)


def test_the_day_after_one_of_damaged_files_does_not_wait_for_what_comes(layout: Layout) -> None:
    """A group that comes to nothing is no reason to look at the table only when it grows."""
    send(layout, *(traces(number) for number in range(1, 5)))
    send(layout, *(traces(number) for number in range(5, 9)), received_ns=NOON_NS + DAY_NS)
    with Drain(layout, replace(EACH, fold_at=100)) as draining:
        draining.once()
    first = [path for path, _, _ in TableWriter(layout, "spans").files()][:4]
    for path in first:
        (layout.tables_folder / "spans" / path).write_bytes(b"damaged")
    send(layout, traces(9), received_ns=NOON_NS + 2 * DAY_NS)
    with Drain(layout, EACH) as draining:
        draining.once()
    assert [path for path, _, _ in TableWriter(layout, "spans").files()][:4] == first
    assert (files(layout, "spans"), files(layout, "evidence")) == (6, 3)


def test_a_disk_that_takes_no_fold_is_told_and_tried_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored stays stored."""
    send(layout, *(traces(number) for number in range(1, 5)))

    def full(*_: object) -> list[object]:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Drain(layout, EACH) as draining:
        with monkeypatch.context() as broken:
            broken.setattr(compaction, "write", full)
            with pytest.raises(Unavailable, match=r"small files: .*free disk space"):
                draining.once()
        assert (files(layout, "spans"), rows(layout)) == (4, 8)
        send(layout, traces(5))
        draining.once()
    assert (files(layout, "spans"), rows(layout), fsck(layout)) == (1, 10, [])


def test_a_fold_under_way_when_the_disk_fails_is_left(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are opened anew then, and its file is named by nothing: it is folded again."""
    held = Held(monkeypatch)
    real = TableWriter.append
    failed: list[str] = []

    def failing(table: TableWriter, rows: pa.Table, *args: object) -> bool:
        if held.begun and not failed and table.name == "spans":
            failed.append(table.name)
            held.may_go_on.set()
            raise OSError(errno.EIO, "Input/output error")
        return real(table, rows, *args)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(TableWriter, "append", failing)
    with following(layout, held):
        send(layout, *(traces(number) for number in range(1, 5)))
        until(lambda: held.begun == ["events"])
        send(layout, traces(5))
        until(lambda: rows(layout) == 10)
    assert failed == ["spans"]
    assert [files(layout, table) for table in ("events", "evidence", "spans")] == [1, 1, 1]
    assert (rows(layout), fsck(layout)) == (10, [])


def test_what_cannot_be_folded_stays_in_small_files_and_does_not_stop_the_drain(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried once. What Arrow says is not repeated: it may quote a record."""
    tried: list[str] = []

    def failing(table: str, rows: pa.Table) -> pa.Table:
        tried.append(table)
        raise pa.ArrowInvalid("offset overflow at 'secret'")

    monkeypatch.setattr(compaction, "together", failing)
    with Drain(layout, DrainOptions(batch_bytes=1, fold_at=2)) as draining:
        for number in range(1, 6):
            send(layout, traces(number))
            assert draining.once().spans == 2
    assert rows(layout) == 10
    assert tried == ["events", "evidence", "spans"]
    assert [told.partition(", from ")[0] for told in caplog.messages] == [
        f"fold 3 files of {table}" for table in ("events", "evidence", "spans")
    ]
    assert all(told.endswith(": ArrowInvalid; left as they are") for told in caplog.messages)
