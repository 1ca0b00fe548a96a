"""A lake in a bucket of a real S3 server: what a bucket must do, and what two receivers do with it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from faults.checker import check
from tests.ingest.drain_samples import NOON_NS, SMALL, places, send, stored, traces

from aftertrace.ingest.catching_up import catch_up
from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import commits, durable, lookup
from aftertrace.store.compaction import KEEP_S, compact, vacuum
from aftertrace.store.errors import Invalid, Unavailable
from aftertrace.store.folder import open_folder
from aftertrace.store.fsck import fsck, repair
from aftertrace.store.fsck.lookups import check_lookups
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Folder, Objects, objects_of
from aftertrace.store.request import Prepared, Request
from aftertrace.store.s3 import Bucket, bucket
from aftertrace.store.schema import SPANS
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import CHECKPOINT_EVERY, TableWriter
from aftertrace.store.wal import WalWriter

if TYPE_CHECKING:
    from pathlib import Path

    from s3.gateway import Server

RECEIVERS = ("east", "west")
DAY = date(2025, 11, 25)
WRITERS = (b"first", b"second", b"third", b"fourth")


@pytest.fixture
def shared(url: str, tmp_path: Path) -> dict[str, Layout]:
    """Two data folders with one lake in a bucket, and one key."""
    layouts = {}
    for name in RECEIVERS:
        data = tmp_path / name
        durable.make_folder(data / "keys")
        durable.write_file(data / "keys" / "store.key", bytes(32), mode=0o600)
        layouts[name] = open_folder(data, url)
    return layouts


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_both_kinds_of_places_do_the_same(url: str, tmp_path: Path, where: str) -> None:
    """All that the store asks of either."""
    objects: Objects = Folder(tmp_path / "local") if where == "folder" else bucket(url)
    with pytest.raises(FileNotFoundError):
        objects.get("t/a")
    with pytest.raises(FileNotFoundError):
        objects.size_bytes("t/a")
    assert (objects.list_under("t"), objects.folders("t")) == ([], [])
    assert [objects.create("t/b", text) for text in (b"first", b"second")] == [True, False]
    objects.add("t/day=1/x", bytes(range(256)) * 1000)
    objects.put("t/a", b"1")
    objects.put("t/a", b"22")
    objects.put("t/c", b"333", derived=True)
    assert [objects.get(key) for key in ("t/a", "t/b", "t/c")] == [b"22", b"first", b"333"]
    listed = objects.list_under("t/day=1")
    assert [(each.key, each.name, each.size_bytes) for each in listed] == [("t/day=1/x", "x", 256_000)]
    assert abs(listed[0].modified_s - (tmp_path.stat().st_mtime)) < 3600
    assert objects.folders("t") == ["day=1"]
    with objects.open("t/day=1/x") as file:
        file.seek(255_999)
        assert (file.read(9), file.seek(256), file.read(3), file.seek(-1, 2)) == (b"\xff", 256, b"\0\1\2", 255_999)
    objects.remove("t/a")
    objects.remove("t/a")
    assert [each.key for each in objects.list_under("t", after="t/b") if each.name == "c"] == ["t/c"]


def test_of_two_writers_of_one_key_one_loses(url: str) -> None:
    """Many times, at the same moment; the loser is told so, and what is there is the winner's."""
    objects = bucket(url)
    for number in range(50):
        with ThreadPoolExecutor(4) as writers:
            made = list(writers.map(partial(objects.create, f"race/{number}"), WRITERS))
        assert (sum(made), objects.get(f"race/{number}")) == (1, WRITERS[made.index(True)])


def commit_at_once(shared: dict[str, Layout], times: int) -> list[tuple[str, int]]:
    """Both commit rows one by one, as fast as they can; what a reader then finds."""
    writers = {name: TableWriter(layout, "spans") for name, layout in shared.items()}

    def run(name: str) -> None:
        for seq in range(1, times + 1):
            row = {"received_date": DAY, "receiver": name, "seq": seq, "index": 0, "received_ns": NOON_NS}
            writers[name].append(pa.Table.from_pylist([row], SPANS), name, seq)

    threads = [threading.Thread(target=run, args=(name,)) for name in RECEIVERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    url = objects_of(shared["east"]).url
    return sorted(pl.scan_delta(f"{url}/spans").select("receiver", "seq").collect().rows())


def test_two_that_commit_at_once_both_get_in(shared: dict[str, Layout]) -> None:
    """Over a checkpoint too, from which the newest commit is found."""
    times = CHECKPOINT_EVERY // 2 + 5
    sent = {(name, seq) for name in RECEIVERS for seq in range(1, times + 1)}
    verdict = check(sent, sent, commit_at_once(shared, times))
    assert verdict.holds, verdict
    newest = commits.newest(commits.log_of(shared["east"], "spans"))
    assert newest is not None
    assert (newest.version, newest.stored) == (2 * times, dict.fromkeys(RECEIVERS, times))


def without_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a store that does not know `If-None-Match`: what is there is written over."""

    def over(self: Bucket, key: str, content: bytes) -> bool:
        self.put(key, content)
        return True

    monkeypatch.setattr(Bucket, "create", over)


def test_commits_without_the_condition_are_seen_to_get_lost(
    shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the same check, with unconditional puts."""
    without_condition(monkeypatch)
    sent = {(name, seq) for name in RECEIVERS for seq in range(1, 21)}
    assert check(sent, sent, commit_at_once(shared, 20)).lost


def test_a_bucket_that_cannot_hold_a_lake_is_refused(
    s3: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trusted to it: one that does not know the condition, is not there, or has no such name."""
    with pytest.raises(Unavailable, match=r"open s3://nowhere/x: .*see to its permissions, or to store.tables"):
        open_folder(tmp_path / "one", "s3://nowhere/x")
    with pytest.raises(Invalid, match="expected s3://bucket or s3://bucket/prefix"):
        open_folder(tmp_path / "two", "s3://No_Bucket/x")
    without_condition(monkeypatch)
    with pytest.raises(Invalid, match="expected a store that honours If-None-Match"):
        open_folder(tmp_path / "three", url)
    monkeypatch.undo()
    assert [path for path in (s3.folder / tmp_path.name).rglob("*") if path.is_file()] == []


def test_what_was_received_can_be_asked_about(shared: dict[str, Layout], url: str) -> None:
    """Stored once over both receivers, found by id, checked from either side; the WAL stays where it is."""
    east, west = shared.values()
    send(east, traces(1), traces(2), receiver="east")
    send(west, traces(2), traces(3), receiver="west")
    for layout in shared.values():
        catch_up(layout.data)
    assert {(receiver, seq) for receiver, seq, _ in places(east, "spans")} == {("east", 1), ("east", 2), ("west", 2)}
    assert stored(west)["evidence"]["duplicate_of"].drop_nulls().to_list() == ["east/2/0", "east/2/1"]
    snapshot = Snapshot.of(west.data)
    keys = pl.DataFrame({"kind": ["call"], "key": ["call_1_0"]})
    assert lookup.rows_with(snapshot, "spans", keys, columns=["receiver", "seq"]).rows() == [("east", 1)]
    assert [fsck(layout) for layout in shared.values()] == [[], []]
    assert east.tables_folder.read_text() == f"{url}\n"
    assert east.receivers() == ["east"]


def test_small_files_are_folded_and_removed(shared: dict[str, Layout], url: str) -> None:
    """With their lookup files; readers of older versions keep theirs for an hour."""
    east = shared["east"]
    for number in range(1, 6):
        send(east, traces(number), receiver="east")
        with Drain(east, DrainOptions(fold_at=9)) as draining:
            draining.once()
    older = Snapshot.of(east.data)
    table = TableWriter(east, "spans")
    assert compact(east, table, fold_at=4) == 5
    assert vacuum(east, table) == 0
    assert older.scan("spans").collect().height == 10
    newest = Snapshot.of(east.data)
    (file,) = table.files()
    found = bucket(url).list_under(f"spans/received_date={file[2]}")
    assert vacuum(east, table, now_s=max(each.modified_s for each in found) + KEEP_S + 60) == 5
    assert newest.scan("spans").collect().height == 10
    assert fsck(east) == []


def _damaged(objects: Bucket, key: str) -> None:
    content = objects.get(key)
    objects.put(key, content[:-1] + bytes([content[-1] ^ 1]))


def test_damage_is_found_and_what_is_derived_made_again(shared: dict[str, Layout], url: str) -> None:
    """As in a folder."""
    east, objects = shared["east"], bucket(url)
    send(east, traces(1), receiver="east")
    catch_up(east.data)
    ((path, _),) = Snapshot.of(east.data).files("spans")
    objects.remove(lookup.key_of("spans", path))
    assert [found.code for found in fsck(east)] == ["lookup_missing"]
    assert (repair(east).lookups, fsck(east)) == (1, [])
    _damaged(objects, f"spans/{path}")
    assert "file_digest" in {found.code for found in fsck(east)}


def test_a_bucket_out_of_reach_is_not_taken_for_a_damaged_one(
    shared: dict[str, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads is told to try again, not to call a person; and no lookup file is called missing."""
    east = shared["east"]
    send(east, traces(1), receiver="east")
    catch_up(east.data)
    snapshot, keys = Snapshot.of(east.data), pl.DataFrame({"kind": ["call"], "key": ["call_1_0"]})
    reader, not_opened = lookup.Reader(snapshot), Snapshot.of(east.data)
    assert reader.rows_with("spans", keys).height == 1
    found = snapshot.files("spans")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    bucket.cache_clear()
    with pytest.raises(Unavailable, match="its place cannot be reached; try again"):
        lookup.Reader(snapshot).rows_with("spans", keys)
    with pytest.raises(Unavailable, match="cannot be reached"):
        not_opened.files("spans")
    monkeypatch.setattr(Snapshot, "files", lambda _self, table: found if table == "spans" else [])
    with pytest.raises(ConnectionError):
        check_lookups(snapshot, set())
    monkeypatch.setattr(Snapshot, "of", lambda _data: snapshot)
    with pytest.raises(Unavailable, match="its tables cannot be reached: try again"):
        fsck(east)


def test_a_bucket_out_of_reach_is_waited_for(
    shared: dict[str, Layout], s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that runs goes on to acknowledge; what is in its WAL is stored when the bucket is back."""
    east = shared["east"]
    with WalWriter(east, "east", SMALL) as writer:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        bucket.cache_clear()
        request = Request("traces", "protobuf", traces(1), "anonymous", NOON_NS)
        assert writer.append(request, Prepared(traces(1), 2, b"", (), "sha256:policy")).result(5) == 1
        with pytest.raises(Unavailable, match="Generic S3 error"):
            Drain(east)
        with pytest.raises(Unavailable, match=r"open s3://lake/.*/tables: .*Generic S3 error"):
            Snapshot.of(east.data)
    with pytest.raises(Unavailable, match=r"open s3://lake/.*/tables: .*Generic S3 error"):
        WalWriter(shared["west"], "west", SMALL)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.environment["AWS_ENDPOINT_URL"])
    bucket.cache_clear()
    catch_up(east.data)
    assert places(east, "spans") == [("east", 1, 0), ("east", 1, 1)]
