"""The drain beside damaged tables: it goes on where that does no harm, and says what to do where it cannot."""

from __future__ import annotations

import errno
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from aftertrace.ingest.catching_up import catch_up
from aftertrace.ingest.drain import Drain
from aftertrace.store import lock
from aftertrace.store.errors import Corrupt, Held, Unavailable
from aftertrace.store.frame import Frame
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot, collected

from .drain_samples import new_store, places, send, traces


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store that holds one request."""
    layout = new_store(tmp_path / "data")
    send(layout, traces(1))
    catch_up(layout.data)
    return layout


def damage(layout: Layout, table: str, how: str) -> Path:
    """Flip the bytes of a table's one file, cut it off, or take it away."""
    (file,) = (layout.tables_folder / table).rglob("received_date=*/*.parquet")
    content = file.read_bytes()
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(bytes(byte ^ 0x55 for byte in content) if how == "flipped" else content[: len(content) // 2])
    return file


@pytest.mark.parametrize("how", ["flipped", "missing"])
@pytest.mark.parametrize("table", ["resources", "scopes"])
def test_damaged_origins_do_not_stop_the_drain(
    layout: Layout, caplog: pytest.LogCaptureFixture, table: str, how: str
) -> None:
    """What comes is stored, with its origins once more; the log names the way out."""
    damage(layout, table, how)
    send(layout, traces(2))
    with Drain(layout) as draining:
        assert draining.once().spans == 2
    assert len(places_of_spans(layout)) == 4
    (told,) = caplog.messages
    assert told.startswith(f"{table}: read tables: ")
    assert "run `aftertrace fsck`" in told


def places_of_spans(layout: Layout) -> list[int]:
    """Seqs of `spans`, read without the tables beside it."""
    (rows,) = collected(Snapshot.of(layout.data).scan("spans"))
    return rows["seq"].to_list()


@pytest.mark.parametrize("how", ["flipped", "missing"])
def test_damaged_evidence_stops_the_drain_and_nothing_is_lost(layout: Layout, how: str) -> None:
    """Without it a resend looks new. Once it is put back, what waited in the WAL is stored."""
    (file,) = (layout.tables_folder / "evidence").rglob("received_date=*/*.parquet")
    whole = file.read_bytes()
    damage(layout, "evidence", how)
    send(layout, traces(1), traces(2))
    with Drain(layout) as draining, pytest.raises(Corrupt, match="run `aftertrace fsck`"):
        draining.once()
    file.write_bytes(whole)
    catch_up(layout.data)
    assert places(layout, "spans") == [("main", seq, index) for seq in (1, 3) for index in (0, 1)]


@pytest.mark.parametrize("how", ["flipped", "cut", "missing"])
def test_a_reader_of_a_damaged_file_is_told_what_to_do(layout: Layout, how: str) -> None:
    """Also where Polars panics; what is sound is read."""
    snapshot = Snapshot.of(layout.data)
    spans, events = collected(snapshot.scan("spans"), snapshot.scan("events"))
    assert (spans.height, events.height) == (2, 2)
    damage(layout, "spans", how)
    with pytest.raises(Corrupt, match="run `aftertrace fsck`"):
        collected(snapshot.scan("spans"), snapshot.scan("events"))
    assert collected(snapshot.scan("events"))[0].equals(events)


def test_a_reader_on_a_read_only_file_system_reads(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is what there is; the drain itself says that it cannot write."""
    send(layout, traces(2))
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, mode)

    monkeypatch.setattr(lock.os, "open", read_only)
    with pytest.raises(Unavailable, match=r"drain\.lock: Read-only file system, expected to write there") as refused:
        Drain(layout)
    assert not isinstance(refused.value, Held)
    catch_up(layout.data)
    assert {seq for _, seq, _ in places(layout, "spans")} == {1}
    monkeypatch.undo()
    catch_up(layout.data)
    assert {seq for _, seq, _ in places(layout, "spans")} == {1, 2}


@pytest.mark.parametrize(
    ("received_ns", "day"),
    [
        (0, date(1970, 1, 1)),
        (-1, date(1969, 12, 31)),
        (1_764_115_199_999_999_999, date(2025, 11, 25)),
        (1_764_115_200_000_000_000, date(2025, 11, 26)),
        (-(2**63), datetime.fromtimestamp(-(2**63) // 10**9, UTC).date()),
        (2**63 - 1, date(2262, 4, 11)),
        (10**30, date.max),
        (-(10**30), date.min),
    ],
)
def test_a_day_is_that_of_utc(received_ns: int, day: date) -> None:
    """The first or last day there is for a clock that is beyond."""
    frame = Frame("main", 1, b"", b"", received_ns, "traces", "anonymous", 0, b"", 0, "sha256:policy", b"", b"")
    assert frame.received_date == day
