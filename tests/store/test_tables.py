"""The tables: durable commits, folding, and what readers see."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from aftertrace.store import compaction, durable, parquet, tables
from aftertrace.store.compaction import compact, vacuum
from aftertrace.store.errors import Invalid
from aftertrace.store.folder import open_folder
from aftertrace.store.fsck.files import check_files
from aftertrace.store.layout import Layout
from aftertrace.store.quarantine import kept
from aftertrace.store.schema import EVENTS, SPANS, TABLES
from aftertrace.store.snapshot import Snapshot, scan
from aftertrace.store.tables import CHECKPOINT_EVERY, TableWriter

DAY = date(2026, 1, 2)


def spans(*seqs: int, day: date = DAY, name: str = "chat") -> pa.Table:
    """One span for each seq."""
    rows = [
        {"received_date": day, "receiver": "main", "seq": seq, "index": 0, "received_ns": seq, "name": name}
        for seq in seqs
    ]
    return pa.Table.from_pylist(rows, SPANS)


def seqs(layout: Layout) -> list[int]:
    """What a reader of `spans` sees."""
    rows = pl.scan_delta(str(layout.tables_folder / "spans")).select("seq").collect()
    return sorted(rows["seq"].to_list())


def test_what_is_committed_is_there_after_opening_again(layout: Layout) -> None:
    """With what each receiver has stored, whichever of them committed last."""
    table = TableWriter(layout, "spans")
    table.append(spans(1, 2), "main", 2)
    table.append(spans(), "import", 7)
    again = TableWriter(layout, "spans")
    assert (again.last_seq("main"), again.last_seq("import"), again.last_seq("other")) == (2, 7, 0)
    assert seqs(layout) == [1, 2]


def test_rows_of_two_days_go_to_two_partitions(layout: Layout) -> None:
    """A batch may straddle midnight."""
    other = date(2026, 1, 3)
    table = TableWriter(layout, "spans")
    table.append(pa.concat_tables([spans(1), spans(2, day=other)]), "main", 2)
    assert [day for _, _, day in table.files()] == [DAY, other]
    rows = pl.scan_delta(str(layout.tables_folder / "spans")).filter(pl.col("received_date") == other).collect()
    assert rows["seq"].to_list() == [2]


def test_a_commit_is_durable_in_order(layout: Layout, disk: list[tuple[str, str]]) -> None:
    """File, its folders, commit, its folder."""
    table = TableWriter(layout, "spans")
    for seq in (1, 2):
        disk.clear()
        table.append(spans(seq), "main", seq)
        names = [Path(name).suffix or name for kind, name in disk if kind == "fsync"]
        new_partition = ["tables"] if seq == 1 else []
        assert names == [*new_partition, "spans", ".parquet", f"received_date={DAY}", ".new", "_delta_log"]
        assert ("link", f"{seq:020d}.json") in disk[-2:]


def test_a_commit_without_its_syncs_is_seen(
    layout: Layout, disk: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    table = TableWriter(layout, "spans")
    disk.clear()
    monkeypatch.setattr(durable, "_sync", lambda _fd: None)
    table.append(spans(1), "main", 1)
    assert ".new" not in [Path(name).suffix for _, name in disk]


def test_nothing_of_a_record_stands_in_the_log(layout: Layout) -> None:
    """The log outlives what it describes."""
    TableWriter(layout, "spans").append(spans(1, name="canary"), "main", 1)
    (path,) = (layout.tables_folder / "spans").glob("*/*.parquet")
    assert all(
        b"canary" not in commit.read_bytes() for commit in (layout.tables_folder / "spans" / "_delta_log").iterdir()
    )
    column = pa.parquet.read_metadata(path).row_group(0)
    named = {column.column(n).path_in_schema: column.column(n).is_stats_set for n in range(column.num_columns)}
    assert {name for name, is_set in named.items() if is_set} == {"seq", "received_ns", "start_ns", "end_ns"}


def test_a_flipped_bit_in_a_page_is_not_read_as_data(layout: Layout) -> None:
    """The file's own checksums catch it where digests are not compared."""
    TableWriter(layout, "spans").append(spans(*range(500)), "main", 500)
    (path,) = (layout.tables_folder / "spans").glob("*/*.parquet")
    content = path.read_bytes()
    start = content.index(b"chat")
    path.write_bytes(content[:start] + b"cHat" + content[start + 4 :])
    with pytest.raises(OSError, match="CRC"):
        parquet.read(path, DAY, SPANS)


@pytest.mark.parametrize("lake", [None, "lake"])
@pytest.mark.parametrize("torn", ["last", "checkpoint", "both", "gone"])
def test_a_torn_checkpoint_is_put_aside(tmp_path: Path, torn: str, lake: str | None) -> None:
    """With what names it, or else no reader could begin. All commits are still there to begin from."""
    layout = open_folder(tmp_path / "data", lake and str(tmp_path / lake))
    table = TableWriter(layout, "spans")
    for seq in range(1, CHECKPOINT_EVERY + 2):
        table.append(spans(seq) if seq % 50 == 0 else spans(), "main", seq)
    log = layout.tables_folder / "spans" / "_delta_log"
    (checkpoint,), last = log.glob("*.checkpoint.parquet"), log / "_last_checkpoint"
    if torn in ("last", "both"):
        last.write_bytes(b"")
    if torn in ("checkpoint", "both"):
        os.truncate(checkpoint, 100)
    if torn == "gone":
        checkpoint.unlink()
    again = TableWriter(layout, "spans")
    assert again.last_seq("main") == CHECKPOINT_EVERY + 1
    assert seqs(layout) == [50, 100]
    aside = {"last": [last.name], "gone": [last.name]}.get(torn, [last.name, checkpoint.name])
    assert {(finding.code, finding.where) for finding in kept(layout)} == {
        ("checkpoint_torn", f"tables/spans/_delta_log/{name}") for name in aside
    }


def test_a_checkpoint_that_another_drain_is_about_to_name_is_left_alone(layout: Layout) -> None:
    """Taken away then, its name would lead nowhere, and neither reader nor writer could begin any more."""
    table = TableWriter(layout, "spans")
    for seq in range(1, CHECKPOINT_EVERY + 1):
        table.append(spans(seq) if seq % 50 == 0 else spans(), "main", seq)
    last = layout.tables_folder / "spans" / "_delta_log" / "_last_checkpoint"
    named = last.read_bytes()
    last.unlink()
    TableWriter(layout, "spans")
    last.write_bytes(named)
    assert (TableWriter(layout, "spans").last_seq("main"), seqs(layout), kept(layout)) == (100, [50, 100], [])


def test_folding_keeps_every_row(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of an older version keep their files for an hour; then they go."""
    table = TableWriter(layout, "spans")
    for seq in range(1, 9):
        table.append(spans(seq), "main", seq)
    older = table.version
    assert table.small_files == 8
    assert compact(layout, table, fold_at=8) == 0
    assert compact(layout, table, fold_at=7) == 8
    assert (table.small_files, table.last_seq("main"), seqs(layout)) == (1, 8, list(range(1, 9)))
    assert vacuum(layout, table) == 0
    old = pl.scan_delta(str(layout.tables_folder / "spans"), version=older).select(pl.len()).collect().item()
    assert old == 8
    later = (layout.tables_folder / "spans").stat().st_mtime + compaction.KEEP_S + 60
    assert vacuum(layout, table, now_s=later) == 8
    assert seqs(layout) == list(range(1, 9))


def expanding(layout: Layout, files: int) -> TableWriter:
    """A table with files of a few kB, each with a row of a megabyte."""
    table = TableWriter(layout, "spans")
    for seq in range(1, files + 1):
        table.append(spans(seq, name="a" * 2**20), "main", seq)
    return table


def folds(layout: Layout, table: TableWriter) -> list[int]:
    """How many files each fold takes, until one takes none."""
    taken = [compact(layout, table, fold_at=1)]
    while taken[-1]:
        taken.append(compact(layout, table, fold_at=1))
    return taken


@pytest.mark.parametrize(
    ("plain_bytes", "taken", "left"), [(2**21, [3, 3, 3, 0], 0), (2**27, [9, 0], 1)], ids=["bounded", "control"]
)
def test_rows_that_are_small_on_disk_alone_are_folded_a_few_at_a_time(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, plain_bytes: int, taken: list[int], left: int
) -> None:
    """What a sender can blow up is bounded in memory; what a fold has made so is not folded again."""
    monkeypatch.setattr(tables, "SMALL_PLAIN_BYTES", plain_bytes)
    monkeypatch.setattr(compaction, "SMALL_PLAIN_BYTES", plain_bytes)
    monkeypatch.setattr(compaction, "FOLD_PLAIN_BYTES", 2 * plain_bytes)
    table = expanding(layout, 9)
    assert max(size_bytes for _, size_bytes, _ in table.files()) < 16_384
    assert folds(layout, table) == taken
    assert (table.small_files, seqs(layout)) == (left, list(range(1, 10)))
    assert check_files(layout, "spans", table.version) == []


def test_what_was_folded_before_a_restart_is_not_folded_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens the table learns how large its rows are by reading as much as one fold may, and goes on from there."""
    for module in (tables, compaction):
        monkeypatch.setattr(module, "SMALL_PLAIN_BYTES", 2**21)
    monkeypatch.setattr(compaction, "FOLD_PLAIN_BYTES", 2**22)
    folds(layout, expanding(layout, 9))
    again = TableWriter(layout, "spans")
    version, small = again.version, [again.small_files]
    while again.small_files > 1:
        assert compact(layout, again, fold_at=1) == 0
        small.append(again.small_files)
    assert (small, again.version) == ([3, 1], version)


def test_a_fold_says_how_large_the_files_were_that_it_replaces(layout: Layout) -> None:
    """Delta has whoever removes a file with extended metadata say it."""
    table = TableWriter(layout, "spans")
    for seq in (1, 2):
        table.append(spans(seq), "main", seq)
    before = {path: size_bytes for path, size_bytes, _ in table.files()}
    compact(layout, table, fold_at=1)
    log = layout.tables_folder / "spans" / "_delta_log" / f"{table.version:020d}.json"
    told = [line["remove"] for line in map(json.loads, log.read_text().splitlines()) if "remove" in line]
    assert {each["path"]: each["size"] for each in told} == before


def test_a_damaged_file_is_not_folded(layout: Layout) -> None:
    """Its rows would get a digest that says they are good."""
    table = TableWriter(layout, "spans")
    for seq in range(1, 5):
        table.append(spans(seq), "main", seq)
    path = min((layout.tables_folder / "spans").glob("*/*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    assert compact(layout, table, fold_at=1) == 3
    assert path.exists()
    assert [finding.code for finding in kept(layout)] == ["file_digest"]


def test_a_store_without_tables_has_empty_ones(layout: Layout) -> None:
    """With every column, so that a query does not depend on what was sent so far."""
    for name, table in TABLES.items():
        frame = scan(layout.data, name).collect()
        assert (frame.height, frame.columns) == (0, table.schema.names)
    assert scan(layout.data, "spans", columns=["seq"]).collect_schema().names() == ["seq"]
    with pytest.raises(Invalid, match="no such table"):
        scan(layout.data, "orders")


def test_no_reader_sees_rows_that_another_table_lacks(layout: Layout) -> None:
    """Between two commits of a drain, each receiver is cut at what all tables hold."""
    for name, schema, upto in (("evidence", None, 3), ("spans", SPANS, 3), ("events", EVENTS, 2)):
        rows = spans(1, 2, 3) if schema is SPANS else TABLES[name].schema.empty_table()
        TableWriter(layout, name).append(rows, "main", upto)
    snapshot = Snapshot.of(layout.data)
    assert (snapshot.watermarks, snapshot.uneven) == ((("main", 2),), True)
    assert snapshot.scan("spans", columns=["seq"]).sort("seq").collect()["seq"].to_list() == [1, 2]
    TableWriter(layout, "events").append(EVENTS.empty_table(), "main", 3)
    assert snapshot.scan("spans").collect().height == 2
    newer = Snapshot.of(layout.data)
    assert (newer.uneven, newer.scan("spans").collect().height) == (False, 3)
    assert len({snapshot, newer, Snapshot.of(layout.data)}) == 2


def test_a_table_takes_up_columns_that_it_is_older_than(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """With null in the rows it has, for a reader that comes before the writer, after it, and after folding."""
    whole = TABLES["spans"]
    with monkeypatch.context() as older:
        narrow = pa.schema([column for column in whole.schema if column.name != "flags"])
        older.setitem(TABLES, "spans", replace(whole, schema=narrow))
        TableWriter(layout, "spans").append(spans(1).drop_columns(["flags"]), "main", 1)
    for name in ("evidence", "events"):
        TableWriter(layout, name).append(TABLES[name].schema.empty_table(), "main", 1)
    read = [scan(layout.data, "spans", columns=["seq", "flags"]).collect().rows()]
    table = TableWriter(layout, "spans")
    assert (table.last_seq("main"), table.version) == (1, 2)
    table.append(spans(2).set_column(SPANS.names.index("flags"), SPANS.field("flags"), [['["no_ids"]']]), "main", 2)
    for name in ("evidence", "events"):
        TableWriter(layout, name).append(TABLES[name].schema.empty_table(), "main", 2)
    read.append(sorted(scan(layout.data, "spans", columns=["seq", "flags"]).collect().rows()))
    compact(layout, table, fold_at=1)
    read.append(sorted(scan(layout.data, "spans", columns=["seq", "flags"]).collect().rows()))
    after = [(1, None), (2, '["no_ids"]')]
    assert read == [after[:1], after, after]
    assert (TableWriter(layout, "spans").version, check_files(layout, "spans", table.version)) == (table.version, [])
