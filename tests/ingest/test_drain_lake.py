"""Two drains, each of a receiver with its own WAL, that store in one lake."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from faults.checker import check

from aftertrace.ingest import drain as drains
from aftertrace.ingest import others
from aftertrace.ingest.batch import Batch
from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import durable
from aftertrace.store.errors import Unavailable
from aftertrace.store.folder import open_folder
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout
from aftertrace.store.tables import TableWriter
from aftertrace.store.wal import WalWriter

from .drain_samples import drain, places, request, send, stored, traces

EAST, WEST = "east", "west"


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, Layout]:
    """Two data folders with one lake and one key."""
    layouts = {name: open_folder(tmp_path / name, str(tmp_path / "lake")) for name in (EAST, WEST)}
    for layout in layouts.values():
        durable.make_folder(layout.store_key.parent)
        durable.write_file(layout.store_key, bytes(32), mode=0o600)
    return layouts


def duplicates(layout: Layout) -> dict[tuple[str, int], str | None]:
    """By receiver and seq: what the first record of the request is a copy of."""
    rows = stored(layout)["evidence"].filter(pl.col("index") == 0).select("receiver", "seq", "duplicate_of").rows()
    return {(receiver, seq): first for receiver, seq, first in rows}


def sound(shared: dict[str, Layout]) -> bool:
    """Whether fsck finds nothing, from either side."""
    return all(fsck(layout) == [] for layout in shared.values())


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once, between the reading of a batch and its commit to `evidence`."""
    real, todo = Drain._store_rows, [act]

    def store_rows(self: Drain, batch: Batch, *rest: Any) -> bool:
        if todo:
            todo.pop()()
        return real(self, batch, *rest)

    monkeypatch.setattr(Drain, "_store_rows", store_rows)


def test_what_waits_while_the_lake_is_away_is_stored_when_it_is_back(shared: dict[str, Layout], tmp_path: Path) -> None:
    """Whether it goes away under a drain or before it starts: nothing is made in its place, and no segment retires."""
    east, lake, away = shared[EAST], tmp_path / "lake", tmp_path / "away"
    send(east, traces(1), receiver=EAST)
    with WalWriter(east, EAST) as writer, Drain(east) as eastern:
        eastern.once()
        lake.rename(away)
        lake.mkdir()
        writer.append(*request(traces(2))).result(5)
        for _ in range(2):
            with pytest.raises(Unavailable):
                eastern.once()
    with pytest.raises(Unavailable, match="expected the lake that"):
        Drain(east)
    assert list(lake.rglob("_delta_log")) == []
    shutil.rmtree(lake)
    away.rename(lake)
    drain(east)
    assert [seq for _, seq, index in places(east, "evidence") if not index] == [1, 2]
    assert sound(shared)


def test_a_resend_to_the_other_receiver_is_shown_once(shared: dict[str, Layout]) -> None:
    """Whichever drain has been running meanwhile, and whichever receiver took it first."""
    east, west = shared.values()
    with Drain(east) as eastern, Drain(west) as western:
        send(east, traces(1), traces(2), receiver=EAST)
        eastern.once()
        send(west, traces(2), traces(3), receiver=WEST)
        western.once()
        send(east, traces(3), traces(4), receiver=EAST)
        assert eastern.once().duplicates == 2
    assert duplicates(east) == {
        (EAST, 1): None,
        (EAST, 2): None,
        (EAST, 3): "west/2/0",
        (EAST, 4): None,
        (WEST, 1): "east/2/0",
        (WEST, 2): None,
    }
    assert sound(shared)


@pytest.mark.parametrize("payload", [traces(2), traces(2, service="agent ")], ids=["same bytes", "same ids"])
def test_what_both_store_at_once_is_shown_once(
    shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch, payload: bytes
) -> None:
    """The one that is committed first counts: the batch of the other is read again, with what came."""
    east, west = shared.values()
    with Drain(east) as eastern, Drain(west) as western:
        send(east, traces(1), traces(2), receiver=EAST)
        send(west, payload, traces(3), receiver=WEST)
        meanwhile(monkeypatch, western.once)
        report = eastern.once()
    if payload == traces(2):
        assert duplicates(east) == {(EAST, 1): None, (EAST, 2): "west/1/0", (WEST, 1): None, (WEST, 2): None}
        assert (report.frames, report.records, report.spans, report.duplicates) == (2, 4, 2, 2)
        assert places(west, "spans") == [
            (EAST, 1, 0),
            (EAST, 1, 1),
            *((WEST, seq, n) for seq in (1, 2) for n in (0, 1)),
        ]
        assert sound(shared)
    else:
        flags = stored(east)["spans"].filter(pl.col("receiver") == EAST, pl.col("seq") == 2)["flags"].to_list()
        assert flags == [f'["conflicts_with:west/1/{index}"]' for index in (0, 1)]
        assert {(found.code, found.severity) for found in fsck(west)} == {("record_conflict", "warning")}


def test_a_batch_that_is_not_read_again_is_caught(shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the second look, both copies count as the first."""
    east, west = shared.values()
    monkeypatch.setattr(others, "meet", lambda _batch, _rows: False)
    with Drain(east) as eastern, Drain(west) as western:
        send(east, traces(1), receiver=EAST)
        send(west, traces(1), receiver=WEST)
        meanwhile(monkeypatch, western.once)
        eastern.once()
    assert duplicates(east) == {(EAST, 1): None, (WEST, 1): None}


def test_what_has_nothing_in_common_is_read_once(shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the next version, and is known as a first copy all the same."""
    east, west = shared.values()
    read: list[int] = []
    real = drains.read_batch

    def counted(*arguments: object) -> Batch:
        batch = real(*arguments)  # type: ignore[arg-type] # what the drain passes
        read.append(batch.last_seq)
        return batch

    monkeypatch.setattr(drains, "read_batch", counted)
    with Drain(east) as eastern, Drain(west) as western:
        send(east, traces(1), receiver=EAST)
        send(west, traces(2), receiver=WEST)
        with monkeypatch.context() as once:
            meanwhile(once, western.once)
            eastern.once()
        send(west, traces(1), receiver=WEST)
        western.once()
    assert (read, duplicates(east)[(WEST, 2)]) == ([1, 1, 2], "east/1/0")
    assert sound(shared)


def test_a_drain_that_slept_while_files_were_folded_and_removed_goes_on(
    shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at what the table holds now, and knows what came before."""
    east, west = shared.values()
    with Drain(west) as western:
        send(west, traces(9), receiver=WEST)
        western.once()
        for number in range(1, 5):
            send(east, traces(number), receiver=EAST)
            with Drain(east, DrainOptions(fold_at=2)) as eastern:
                eastern.once()
        table = TableWriter(east, "evidence")
        held = {path for path, _, _ in table.files()}
        gone = [
            path
            for path in (east.tables_folder / "evidence").glob("*/east.*")
            if f"{path.parent.name}/{path.name}" not in held
        ]
        assert gone
        for path in gone:
            path.unlink()
        send(west, traces(1), traces(5), receiver=WEST)
        western.once()
    assert (duplicates(west)[(WEST, 2)], duplicates(west)[(WEST, 3)]) == ("east/1/0", None)


def test_an_idle_drain_keeps_up_with_what_others_store(
    shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it has little to read when something comes."""
    monkeypatch.setattr(drains, "_LOOK_S", 0.0)
    east, west = shared.values()
    stop = threading.Event()
    with Drain(west) as western, Drain(east) as eastern:
        thread = threading.Thread(target=western.follow, args=(stop, 0.01))
        thread.start()
        try:
            send(east, traces(1), receiver=EAST)
            eastern.once()
            newest = {name: table.version for name, table in eastern._tables.items()}
            deadline = time.monotonic() + 10
            while {name: table.version for name, table in western._tables.items()} != newest:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            stop.set()
            thread.join(10)
        send(west, traces(1), receiver=WEST)
        assert western.once().duplicates == 2


@pytest.mark.parametrize("seed", range(3))
def test_the_same_requests_to_both_at_once_are_shown_once(shared: dict[str, Layout], seed: int) -> None:
    """As a Collector sends them that exports to both: in any order, drained in small turns at the same time."""
    rng = random.Random(seed)
    numbers = list(range(1, 13))
    for name, layout in shared.items():
        rng.shuffle(numbers)
        send(layout, *(traces(number) for number in numbers), receiver=name)

    def run(layout: Layout) -> None:
        with Drain(layout, DrainOptions(batch_bytes=600)) as draining:
            draining.once()

    threads = [threading.Thread(target=run, args=(layout,)) for layout in shared.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = stored(shared[EAST])
    sent = {(f"{number:032x}", f"{number * 100 + index:016x}") for number in numbers for index in (1, 2)}
    verdict = check(sent, sent, rows["spans"].select("trace_id", "span_id").rows())
    assert verdict.holds, verdict
    assert rows["evidence"].height == 2 * len(sent)
    assert sound(shared)
