"""Tables that several receivers commit to at once, each from a data folder of its own."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from faults.checker import check

from aftertrace.store import commits, durable, lake, tables
from aftertrace.store.compaction import KEEP_S, compact, vacuum
from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.fsck.files import check_files
from aftertrace.store.layout import Layout
from aftertrace.store.schema import SPANS, TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import CHECKPOINT_EVERY, TableWriter

from .samples import read, write
from .test_tables import spans as spans_of_main

DAY = date(2026, 1, 2)
BOTH = ("east", "west")


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, Layout]:
    """Two data folders with one lake and one key, each with the WAL folder of its receiver."""
    layouts = {name: open_folder(tmp_path / name, str(tmp_path / "lake")) for name in BOTH}
    east, west = layouts.values()
    store_key(east)
    durable.make_folder(west.store_key.parent)
    durable.write_file(west.store_key, east.store_key.read_bytes(), mode=0o600)
    for name, layout in layouts.items():
        durable.make_folder(layout.wal(name))
    return layouts


def spans(receiver: str, *seqs: int) -> pa.Table:
    """One span for each seq."""
    return spans_of_main(*seqs).set_column(1, SPANS.field("receiver"), [[receiver] * len(seqs)])


def stored(layout: Layout) -> list[tuple[str, int]]:
    """What a reader of `spans` finds."""
    return sorted(pl.scan_delta(str(layout.tables_folder / "spans")).select("receiver", "seq").collect().rows())


def commit_at_once(shared: dict[str, Layout], times: int) -> None:
    """Both commit rows one by one, as fast as they can."""
    writers = {name: TableWriter(layout, "spans") for name, layout in shared.items()}

    def run(name: str) -> None:
        for seq in range(1, times + 1):
            assert writers[name].append(spans(name, seq), name, seq)

    threads = [threading.Thread(target=run, args=(name,)) for name in BOTH]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_that_commit_at_once_both_get_in(shared: dict[str, Layout]) -> None:
    """Every row once, over a checkpoint too, and the last commit says how far each of them is."""
    times = CHECKPOINT_EVERY // 2 + 5
    commit_at_once(shared, times)
    sent = {(name, seq) for name in BOTH for seq in range(1, times + 1)}
    layout = shared["east"]
    assert check(sent, sent, stored(layout)).holds
    newest = commits.newest(commits.log_of(layout, "spans"))
    assert newest is not None
    assert (newest.version, newest.stored) == (2 * times, dict.fromkeys(BOTH, times))
    assert check_files(layout, "spans", newest.version) == []
    assert [
        path.name[:20] for path in (layout.tables_folder / "spans" / "_delta_log").glob("*.checkpoint.parquet")
    ] == [f"{100:020d}"]


def test_a_commit_that_takes_anothers_place_is_seen(shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where a version is named over another, the same check finds rows lost."""
    writers = {name: TableWriter(layout, "spans") for name, layout in shared.items()}

    def over(path: Path, content: bytes) -> bool:
        durable.write_file(path, content)
        return True

    monkeypatch.setattr(durable, "create_file", over)
    for name, writer in writers.items():
        writer.append(spans(name, 1), name, 1)
    sent = {(name, 1) for name in BOTH}
    assert check(sent, sent, stored(shared["east"])).lost == {("east", 1)}


def test_each_looks_after_its_own_files(shared: dict[str, Layout]) -> None:
    """It folds and removes those alone, so that two of them never meet."""
    writers = {name: TableWriter(layout, "spans") for name, layout in shared.items()}
    for seq in range(1, 4):
        for name, writer in writers.items():
            writer.append(spans(name, seq), name, seq)
    east, writer = shared["east"], writers["east"]
    assert (writer.small_files, compact(east, writer, fold_at=2), compact(east, writer, fold_at=2)) == (3, 3, 0)
    folder = east.tables_folder / "spans"
    unnamed = folder / f"received_date={DAY}" / "west.00.parquet"
    unnamed.write_bytes(b"about to be committed")
    later_s = folder.stat().st_mtime + KEEP_S + 60
    assert vacuum(east, writer, now_s=later_s) == 3
    left = sorted(path.name.partition(".")[0] for path in folder.glob("*/*.parquet") if path != unnamed)
    assert (left, unnamed.exists()) == (["east", "west", "west", "west"], True)
    assert stored(east) == [(name, seq) for name in BOTH for seq in (1, 2, 3)]
    assert check_files(east, "spans", writer.version) == []


def test_a_fold_of_files_that_are_gone_meanwhile_is_given_up(shared: dict[str, Layout]) -> None:
    """As a person makes it who runs two drains on copies of one data folder: rows stay what they were."""
    first, second = (TableWriter(shared["east"], "spans") for _ in range(2))
    first.append(spans("east", 1), "east", 1)
    first.append(spans("east", 2), "east", 2)
    second.refresh()
    paths = [path for path, _, _ in first.files()]
    files = tables.write(shared["east"], "spans", spans("east", 1, 2), "east")
    assert first.rearrange(paths, DAY, files)
    assert not second.rearrange(paths, DAY, files)
    # Whether it comes to know while it commits, or has known since it began to fold.
    assert not second.rearrange(paths, DAY, files)
    assert stored(shared["east"]) == [("east", 1), ("east", 2)]
    assert second.files() == first.files()


def test_a_reader_sees_each_receiver_up_to_where_it_is_complete(shared: dict[str, Layout]) -> None:
    """One that is between two commits hides nothing of the other."""
    for name in ("evidence", "events"):
        for receiver, layout in shared.items():
            TableWriter(layout, name).append(TABLES[name].schema.empty_table(), receiver, 2)
    for receiver, layout in shared.items():
        rows = spans(receiver, 1, 2) if receiver == "east" else spans(receiver, 1)
        TableWriter(layout, "spans").append(rows, receiver, rows.num_rows)
    snapshot = Snapshot.of(shared["west"].data)
    assert snapshot.watermarks == (("east", 2), ("west", 1))
    seen = snapshot.scan("spans", columns=["receiver", "seq"]).sort("receiver", "seq").collect().rows()
    assert seen == [("east", 1), ("east", 2), ("west", 1)]


def test_a_name_is_that_of_one_wal(shared: dict[str, Layout]) -> None:
    """Two that count under one name would take each other's requests for their own."""
    write(shared["east"], range(1, 3), receiver="main")
    with pytest.raises(Invalid, match=r"another WAL has this name in .*/lake, expected a name of its own"):
        write(shared["west"], range(1, 2), receiver="main")
    write(shared["east"], range(3, 4), receiver="main")
    write(shared["west"], range(1, 2), receiver="west-import")


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a lake of another"])
def test_a_lake_that_is_not_there_is_not_made_anew(shared: dict[str, Layout], tmp_path: Path, left: str) -> None:
    """Not mounted, or with an endpoint that is another: what was stored there would be gone when it is back."""
    east, lake_folder = shared["east"], tmp_path / "lake"
    write(east, range(1, 3), receiver="east")
    key, marker = store_key(east), (lake_folder / "LAKE").read_bytes()
    lake_folder.rename(tmp_path / "away")
    if left != "nothing":
        lake_folder.mkdir()
    if left == "a lake of another":
        (lake_folder / "LAKE").write_bytes(marker)
    before = list(tmp_path.glob("lake/*"))
    said = r"lake: no _receivers/east, expected the lake that .* has stored in; mount it"
    with pytest.raises(Unavailable, match=said):
        write(east, range(3, 4), receiver="east")
    with pytest.raises(Unavailable, match=said):
        store_key(east)
    # Readers are told so too: they would find an empty store, and take it for what was received.
    with pytest.raises(Unavailable, match=said):
        Snapshot.of(east.data)
    east.store_key.unlink()
    with pytest.raises(Unavailable, match=said):
        store_key(east)
    assert not east.store_key.exists()
    durable.write_file(east.store_key, key, mode=0o600)
    assert list(tmp_path.glob("lake/*")) == before
    shutil.rmtree(lake_folder, ignore_errors=True)
    (tmp_path / "away").rename(lake_folder)
    write(east, range(3, 4), receiver="east")
    assert (store_key(east), read(east, receiver="east")) == (key, ([1, 2, 3], []))


def test_a_reader_that_has_stored_nothing_is_told_of_a_lake_that_is_not_there(shared: dict[str, Layout]) -> None:
    """By its folder, if that is missing; where an empty one is in its place, nothing tells."""
    west, tables_folder = shared["west"], shared["west"].tables_folder
    assert Snapshot.of(west.data).versions == ()
    shutil.rmtree(tables_folder.resolve())
    with pytest.raises(Unavailable, match="lake: no such folder, expected a lake; mount it"):
        Snapshot.of(west.data)


@pytest.mark.parametrize("has_it", [False, True])
def test_a_name_that_a_crash_left_half_claimed_is_taken(shared: dict[str, Layout], has_it: bool) -> None:
    """Whether or not the lake has it already, it is not lost to this WAL."""
    east = shared["east"]
    east.claim_wanted("east").write_bytes(b"00ff\n")
    if has_it:
        durable.make_folder(east.tables_folder / "_receivers")
        (east.tables_folder / "_receivers" / "east").write_bytes(b"00ff\n")
    write(east, range(1, 3), receiver="east")
    claims = [path.read_bytes() for path in (east.claim("east"), east.tables_folder / "_receivers" / "east")]
    assert (claims, east.claim_wanted("east").exists()) == ([b"00ff\n"] * 2, False)


def _another_key(layout: Layout) -> None:
    durable.write_file(layout.store_key, bytes(32))


def _no_key(layout: Layout) -> None:
    layout.store_key.unlink()


@pytest.mark.parametrize(("change", "said"), [(_another_key, "is not its key"), (_no_key, "no .*store.key")])
def test_all_have_one_key(shared: dict[str, Layout], change: Callable[[Layout], None], said: str) -> None:
    """With another, what one receiver has stored would look new to the other. The lake does not tell the key."""
    west = shared["west"]
    key = store_key(west)
    assert key not in (west.tables_folder / "LAKE").read_bytes()
    assert key.hex() not in (west.tables_folder / "LAKE").read_text()
    change(west)
    with pytest.raises(Invalid, match=f"{said}.*copy keys/store.key from one of them"):
        store_key(west)


def test_a_folder_keeps_to_its_lake(shared: dict[str, Layout], tmp_path: Path) -> None:
    """It is remembered; another one, or one for a folder that has tables, is refused before anything changes."""
    east = shared["east"]
    assert (open_folder(east.data).is_shared, open_folder(east.data, str(tmp_path / "lake"))) == (True, east)
    with pytest.raises(Invalid, match=r"its tables are in .*/lake, expected .*/other"):
        open_folder(east.data, str(tmp_path / "other"))
    alone = open_folder(tmp_path / "alone")
    TableWriter(alone, "spans")
    with pytest.raises(Invalid, match=r"its tables are in .*/alone/tables, expected .*/lake"):
        open_folder(alone.data, str(tmp_path / "lake"))
    assert not alone.is_shared
    lake.join(open_folder(tmp_path / "unused"), str(tmp_path / "lake"))
    assert Layout(tmp_path / "unused").is_shared


def test_tables_that_are_moved_become_a_lake(tmp_path: Path) -> None:
    """What is in them stays, and others can join."""
    alone = open_folder(tmp_path / "alone")
    key = store_key(alone)
    write(alone, range(1, 2), receiver="east")
    TableWriter(alone, "spans").append(spans("east", 1), "east", 1)
    alone.tables_folder.rename(tmp_path / "lake")
    east = open_folder(alone.data, str(tmp_path / "lake"))
    write(east, range(2, 3), receiver="east")
    assert (east.is_shared, store_key(east), stored(east)) == (True, key, [("east", 1)])
    west = open_folder(tmp_path / "west", str(tmp_path / "lake"))
    with pytest.raises(Invalid, match=r"no .*store.key"):
        store_key(west)
    with pytest.raises(Invalid, match="another WAL has this name"):
        write(west, range(1, 2), receiver="east")
