"""What comes next is read while a batch is stored; that changes nothing of what is stored."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.ingest.drain_samples import drain, logs, new_store, send, stored, traces

from aftertrace.ingest import batch, opened
from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.ingest.items import Item
from aftertrace.ingest.opened import Opened, Stretch
from aftertrace.store.errors import Unavailable
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wal_reader import Damage, WalReader

ONE_BY_ONE = DrainOptions(batch_bytes=1, readers=1)
"""Each request is a batch, and the next is read ahead of its turn."""


def otherwise(number: int) -> bytes:
    """The request of this number with other content: its spans have the same ids."""
    data = TracesData.FromString(traces(number))
    for span in data.resource_spans[0].scope_spans[0].spans:
        span.name = "execute_tool find"
    return data.SerializeToString()


REQUESTS = [traces(1), traces(2), traces(1), otherwise(2), traces(3), traces(3, 3), otherwise(3), traces(4), traces(4)]
"""Copies, whole and in part, and other contents under the same ids, each in the batch behind the first."""


def filled(path: Path) -> Layout:
    """A store with requests in its WAL."""
    layout = new_store(path)
    for payload in REQUESTS:
        send(layout, payload, records=len(TracesData.FromString(payload).resource_spans[0].scope_spans[0].spans))
    send(layout, logs(1), logs(1), logs(2), signal="logs")
    return layout


def told(layout: Layout) -> dict[str, list[dict[str, object]]]:
    """All rows of a store, but what files they are in."""
    return {table: rows.drop("received_date").to_dicts() for table, rows in stored(layout).items()}


def stored_in(layout: Layout, table: str) -> int:
    """In how many files the rows of a table are: one for each batch."""
    return len(list((layout.tables_folder / table).glob("received_date=*/*.parquet")))


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, list[dict[str, object]]]:
    """All in one batch, read when its turn has come."""
    layout = filled(tmp_path / "at once")
    drain(layout)
    found = told(layout)
    flags = {row["flags"] for row in found["spans"]}
    assert (len(found["spans"]), len(found["evidence"])) == (13, 25)
    assert any("conflicts" in str(each) for each in flags), flags
    return found


def test_what_is_read_ahead_is_stored_as_what_is_read_in_its_turn(
    tmp_path: Path, expected: dict[str, list[dict[str, object]]]
) -> None:
    """Copies have no rows, and records of one id are told of."""
    layout = filled(tmp_path / "one by one")
    drain(layout, ONE_BY_ONE)
    assert told(layout) == expected


def test_what_was_read_too_early_would_be_seen(
    tmp_path: Path, expected: dict[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: records keep what was read of them before it was known that their ids came before."""

    def hasty(early: Opened, _: object) -> list[Stretch]:
        return [each for each in early.stretches() if all(item.duplicate_of is None for item in each.items)]

    monkeypatch.setattr(batch, "_fresh", hasty)
    layout = filled(tmp_path / "hasty")
    drain(layout, ONE_BY_ONE)
    assert told(layout) != expected


@pytest.mark.parametrize("readers", [0, 1])
def test_what_was_read_ahead_is_read_again_after_the_disk_failed(
    tmp_path: Path, expected: dict[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    """A batch that was not stored comes before what was read behind it."""
    layout, failed = filled(tmp_path / "failing"), list[str]()
    real = Drain._store_rows

    def store_rows(self: Drain, *arguments: object) -> bool:
        if len(failed) < 3:
            failed.append("now")
            raise OSError(errno.ENOSPC, "No space left on device")
        failed.clear()
        return real(self, *arguments)  # type: ignore[arg-type] # what the drain passes

    monkeypatch.setattr(Drain, "_store_rows", store_rows)
    with Drain(layout, DrainOptions(batch_bytes=1, readers=readers)) as draining:
        for _ in range(4 * (len(REQUESTS) + 3)):
            try:
                draining.once()
            except Unavailable:
                continue
            break
    assert told(layout) == expected


def test_a_fault_in_what_comes_next_does_not_keep_what_is_ready(
    tmp_path: Path, expected: dict[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of in its turn, and what is behind it is stored once it is mended."""
    layout, is_broken = filled(tmp_path / "ahead"), True
    real = WalReader.poll

    def poll(self: WalReader) -> Iterator[Frame | Damage]:
        for item in real(self):
            if is_broken and isinstance(item, Frame) and item.seq == 4:
                raise OSError(errno.EIO, "Input/output error")
            yield item

    monkeypatch.setattr(WalReader, "poll", poll)
    with Drain(layout, ONE_BY_ONE) as draining:
        with pytest.raises(Unavailable, match="Input/output error"):
            draining.once()
        assert dict(Snapshot.of(layout.data).watermarks)["main"] == 3
        is_broken = False
        draining.once()
    assert told(layout) == expected


def test_a_batch_ends_at_so_many_records(
    tmp_path: Path, expected: dict[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest take two bytes of payload, and hundreds in memory."""
    monkeypatch.setattr(opened, "MOST_RECORDS", 5)
    layout = filled(tmp_path / "few")
    drain(layout, DrainOptions(readers=1))
    assert told(layout) == expected
    assert stored_in(layout, "evidence") == 4


def test_a_stretch_goes_over_requests_and_over_what_is_no_span(
    tmp_path: Path, expected: dict[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many records are read at a time."""
    sizes: list[int] = []
    real = Opened.begin

    def begin(self: Opened, items: list[Item]) -> Stretch:
        sizes.append(len(items))
        return real(self, items)

    monkeypatch.setattr(Opened, "begin", begin)
    monkeypatch.setattr(opened, "STRETCH_RECORDS", 4)
    layout = filled(tmp_path / "by fours")
    drain(layout)
    assert told(layout) == expected
    # Twenty-five records by fours; and those anew of which some are copies, or have ids that came before.
    assert sizes[:7] == [4, 4, 4, 4, 4, 4, 1]
    assert pl.Series(sizes[7:]).max() == 4
