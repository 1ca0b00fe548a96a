"""Finding rows by their ids: always what a filter of the whole table finds, whatever happens to the lookup files."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftertrace.store import key_file, lookup, parquet
from aftertrace.store.compaction import compact, together, vacuum
from aftertrace.store.errors import Corrupt
from aftertrace.store.folder import open_folder
from aftertrace.store.fsck import fsck, repair
from aftertrace.store.key_file import number_of
from aftertrace.store.key_index import Level
from aftertrace.store.layout import Layout
from aftertrace.store.lookup import rows_with
from aftertrace.store.objects import Folder
from aftertrace.store.parquet import ROW_GROUP_ROWS
from aftertrace.store.schema import EVENTS, SPANS, TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import TableWriter
from aftertrace.store.wire_keys import KINDS
from aftertrace.verifier.verdicts import Finding

DAY = date(2026, 1, 2)
FEW = st.sampled_from([None, "a", "b", "c"])
MANY_DAYS = st.sampled_from([DAY, date(2026, 1, 3)])


def spans(*rows: dict[str, object]) -> pa.Table:
    """Spans, numbered from 1 in `seq` where they do not say."""
    base = {"received_date": DAY, "receiver": "main", "index": 0, "received_ns": 0, "name": "step"}
    return pa.Table.from_pylist([{**base, "seq": seq, **row} for seq, row in enumerate(rows, start=1)], SPANS)


def found(layout: Layout, table: str, *keys: tuple[str, str]) -> list[int]:
    """The seqs of the rows with any of the keys."""
    wanted = pl.DataFrame(keys, schema={"kind": pl.String, "key": pl.String}, orient="row")
    return sorted(rows_with(Snapshot.of(layout.data), table, wanted)["seq"].to_list())


def parts_with(path: Path, kind: str, key: str) -> set[int] | None:
    """Which groups of rows may have rows with a key, by a lookup file."""
    return key_file.parts_with(Folder(path.parent), path.name, [number_of(kind, key)])


def lookups(layout: Layout, table: str = "spans") -> list[Path]:
    """The lookup files there are."""
    return sorted((layout.tables_folder / "_lookup" / table).glob("*/*.parquet"))


def even(layout: Layout, seq: int) -> None:
    """Let the tables without rows say that they hold everything too: readers see what all of them have."""
    for name in ("evidence", "events"):
        TableWriter(layout, name).append(TABLES[name].schema.empty_table(), "main", seq)


@pytest.fixture
def stored(layout: Layout) -> Layout:
    """Four spans in two commits, one of which links to other traces."""
    table = TableWriter(layout, "spans")
    links = '[["t2", "s9"], ["t3", "s1"]]'
    table.append(spans({"trace_id": "t1", "call_id": "c1"}, {"trace_id": "t2", "links": links}), "main", 2)
    others = spans({"seq": 3, "trace_id": "t1", "conversation_id": "talk"}, {"seq": 4, "run_key": "run"})
    table.append(others, "main", 4)
    even(layout, 4)
    return layout


def test_rows_are_found_by_each_kind_of_key(stored: Layout) -> None:
    """Over all files; a key of one kind is not one of another."""
    assert found(stored, "spans", ("trace", "t1")) == [1, 3]
    assert found(stored, "spans", ("link", "t2")) == [2]
    assert found(stored, "spans", ("conversation", "talk")) == [3]
    assert found(stored, "spans", ("run", "run")) == [4]
    assert found(stored, "spans", ("call", "c1"), ("run", "run"), ("trace", "t9")) == [1, 4]
    assert found(stored, "spans", ("call", "t1")) == []
    assert found(stored, "events", ("trace", "t1")) == []


def test_an_event_is_found_by_the_request_it_answers(layout: Layout) -> None:
    """And no other event by the group that its position counts in."""
    base = {"received_date": DAY, "receiver": "main", "index": 0, "ordinal": 0, "received_ns": 0, "group": "g"}
    rows = [{**base, "seq": 1, "event": "approval.granted"}, {**base, "seq": 2, "event": "action.proposed"}]
    TableWriter(layout, "events").append(pa.Table.from_pylist(rows, EVENTS), "main", 2)
    for name in ("evidence", "spans"):
        TableWriter(layout, name).append(TABLES[name].schema.empty_table(), "main", 2)
    assert found(layout, "events", ("request", "g")) == [1]


def test_an_event_is_found_by_the_mcp_request_that_it_names(layout: Layout) -> None:
    """Session and number, which a gateway between the two ends names too."""
    base = {
        "received_date": DAY,
        "receiver": "main",
        "index": 0,
        "ordinal": 0,
        "received_ns": 0,
        "event": "tool.called",
    }
    told = ('{"request":"s/7"}', '{"side":"client","request":"s/8"}', '{"side":"client"}', None)
    rows = [{**base, "seq": seq, "attributes": attributes} for seq, attributes in enumerate(told, start=1)]
    TableWriter(layout, "events").append(pa.Table.from_pylist(rows, EVENTS), "main", 4)
    for name in ("evidence", "spans"):
        TableWriter(layout, name).append(TABLES[name].schema.empty_table(), "main", 4)
    assert found(layout, "events", ("mcp", "s/8")) == [2]


@pytest.mark.parametrize("many_rows", [1, 4_096])
def test_a_reader_gives_the_same_again_from_what_it_kept(
    many_rows: int, stored: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, and rows in fewer columns, also when their files are gone; from groups that are asked together or not."""
    monkeypatch.setattr(lookup, "_MANY_ROWS", many_rows)
    reader = lookup.Reader(Snapshot.of(stored.data))
    keys = pl.DataFrame({"kind": ["trace"], "key": ["t1"]})
    once = reader.rows_with("spans", keys)
    for path in (stored.tables_folder / "spans").glob("*/*.parquet"):
        path.unlink()
    assert reader.rows_with("spans", keys).equals(once)
    assert reader.rows_with("spans", keys, ["seq", "name"]).equals(once.select("seq", "name"))
    with pytest.raises(Corrupt, match="FileNotFoundError"):
        found(stored, "spans", ("trace", "t1"))


@pytest.mark.parametrize(("many_rows", "queries"), [(4_096, [1, 1]), (1, [12, 0])])
def test_small_files_are_asked_together(
    many_rows: int, queries: list[int], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query for all of them, and not one for each; the wire keys of large groups are told once."""
    table = TableWriter(layout, "spans")
    for seq in range(1, 13):
        table.append(spans({"seq": seq, "conversation_id": "talk"}), "main", seq)
    even(layout, 12)
    asked: list[int] = []
    wire_keys = lookup._wire_keys

    def told(table: str, rows: pa.Table, *kinds: Any) -> pl.DataFrame:
        asked.append(rows.num_rows)
        return wire_keys(table, rows, *kinds)

    monkeypatch.setattr(lookup, "_wire_keys", told)
    monkeypatch.setattr(lookup, "_MANY_ROWS", many_rows)
    reader, keys = lookup.Reader(Snapshot.of(layout.data)), pl.DataFrame({"kind": ["conversation"], "key": ["talk"]})
    found = []
    for _ in range(2):
        asked.clear()
        assert sorted(reader.rows_with("spans", keys)["seq"]) == list(range(1, 13))
        found.append(len(asked))
    assert found == queries


def test_rows_that_not_every_table_has_are_not_found(stored: Layout) -> None:
    """As with `scan`: a drain was stopped between two commits."""
    TableWriter(stored, "spans").append(spans({"seq": 5, "trace_id": "t1"}), "main", 5)
    assert found(stored, "spans", ("trace", "t1")) == [1, 3]
    even(stored, 5)
    assert found(stored, "spans", ("trace", "t1")) == [1, 3, 5]


@pytest.mark.parametrize("damage", ["missing", "torn", "flipped", "flipped at the end", "of another kind", "empty"])
def test_a_lookup_file_that_is_lost_or_damaged_loses_no_row(stored: Layout, damage: str) -> None:
    """The data file is read whole then, fsck tells of it, and `repair` makes it again."""
    path = lookups(stored)[0]
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "of another kind":
        path.write_bytes(b"PAR1" + content[4:])
    else:
        flipped = 8 if damage == "flipped" else len(content) - 1
        path.write_bytes(bytes(byte ^ (0xFF if place == flipped else 0) for place, byte in enumerate(content)))
    assert found(stored, "spans", ("trace", "t1")) == [1, 3]
    where = str(path.relative_to(stored.data))
    assert [(finding.code, finding.where) for finding in of_lookups(stored)] == [("lookup_missing", where)]
    assert repair(stored).lookups == 1
    assert of_lookups(stored) == []
    assert path.read_bytes() == content


def test_fsck_sees_a_lookup_file_that_hides_a_row(stored: Layout) -> None:
    """The control: what only the lookup file knows can be lost, so it is compared with its data file."""
    path = next(
        path
        for path in lookups(stored)
        if key_file.parts_with(Folder(path.parent), path.name, [number_of("trace", "t2")])
    )
    path.write_bytes(key_file.made([], []))
    assert found(stored, "spans", ("trace", "t2")) == []
    assert [finding.code for finding in of_lookups(stored)] == ["lookup_differs"]
    assert repair(stored).lookups == 1
    assert of_lookups(stored) == []


def test_rows_are_found_in_files_whose_groups_are_larger(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files older than lookup files have all their rows in one group; `fsck --repair` makes lookups of them."""
    table = TableWriter(layout, "spans")
    with monkeypatch.context() as older:
        older.setattr(parquet, "ROW_GROUP_ROWS", 1 << 20)
        table.append(spans(*({"trace_id": f"t{number}"} for number in range(ROW_GROUP_ROWS + 1))), "main", 9000)
    for path in lookups(layout):
        path.unlink()
    even(layout, 9000)
    repair(layout)
    assert len(lookups(layout)) == 1
    assert found(layout, "spans", ("trace", "t0"), ("trace", f"t{ROW_GROUP_ROWS}")) == [1, ROW_GROUP_ROWS + 1]


def test_a_damaged_data_file_is_told(stored: Layout) -> None:
    """Rows that cannot be read are not rows that are not there."""
    for path in (stored.tables_folder / "spans").glob("*/*.parquet"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Corrupt, match="expected the file as it was committed; run `aftertrace fsck`"):
        found(stored, "spans", ("trace", "t1"))


def test_folding_brings_the_rows_of_a_trace_together(layout: Layout) -> None:
    """A trace that lay in each of many files is read from one group of rows of one file."""
    table, files, traces = TableWriter(layout, "spans"), 4, 2_500
    for file in range(files):
        rows = spans(*({"seq": file * traces + n, "trace_id": f"t{n:04d}"} for n in range(1, traces + 1)))
        table.append(rows, "main", files * traces)
    even(layout, files * traces)
    compact(layout, table, fold_at=2)
    ((name, _),) = Snapshot.of(layout.data).files("spans")
    path = (layout.tables_folder / "_lookup" / "spans") / name
    groups = [
        key_file.parts_with(Folder(path.parent), path.name, [number_of("trace", f"t{n:04d}")])
        for n in range(1, traces + 1)
    ]
    assert {len(group or ()) for group in groups} == {1}
    assert set().union(*(group or () for group in groups)) == set(range(-(-files * traces // ROW_GROUP_ROWS)))
    assert found(layout, "spans", ("trace", "t0007")) == [7 + file * traces for file in range(files)]
    assert of_lookups(layout) == []


def test_folding_brings_the_traces_of_a_conversation_together(layout: Layout) -> None:
    """Also the rows that do not name it; the order of rows of one trace stays."""
    rows = spans(
        {"trace_id": "t9", "conversation_id": None},
        {"trace_id": "t5", "conversation_id": None},
        {"trace_id": "t1", "conversation_id": "b"},
        {"trace_id": None, "conversation_id": "a"},
        {"trace_id": "t9", "conversation_id": "a"},
        {"trace_id": "t1", "conversation_id": None},
    )
    assert together("spans", rows)["seq"].to_pylist() == [4, 1, 5, 3, 6, 2]


_KEYS = st.lists(st.tuples(st.sampled_from(["trace", "call"]), st.text(max_size=3), st.integers(0, 40)), max_size=60)


@given(
    files=st.lists(_KEYS, min_size=1, max_size=3),
    sought=st.lists(st.tuples(st.sampled_from(["trace", "call"]), st.text(max_size=3)), max_size=5),
    buckets_of=st.sampled_from([1, 4, 512]),
)
def test_a_key_file_names_every_part_with_a_key(
    files: list[list[tuple[str, str, int]]], sought: list[tuple[str, str]], buckets_of: int
) -> None:
    """And no other, but where two keys have one checksum; whatever the size of its buckets, one file or several."""
    wanted = {*sought, *((kind, key) for keys in files for kind, key, _ in keys[:3])}
    numbers = {number_of(kind, key) for kind, key in wanted}
    expected = [{part for kind, key, part in keys if number_of(kind, key) in numbers} for keys in files]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_file, "_BUCKET_ENTRIES", buckets_of)
        contents = [
            key_file.made([number_of(kind, key) for kind, key, _ in keys], [part for *_, part in keys])
            for keys in files
        ]
        for number, (content, parts) in enumerate(zip(contents, expected, strict=True)):
            path = Path(name) / f"{number}.keys"
            path.write_bytes(content)
            assert key_file.is_whole(content)
            assert key_file.parts_with(Folder(path.parent), path.name, numbers) == parts
            assert key_file.parts_at(path, numbers) == parts
        joined = key_file.joined(map(key_file.entries_of, contents))
        among = key_file.parts_among(joined, pl.Series(list(numbers), dtype=pl.UInt32))
        assert among == {at: parts for at, parts in enumerate(expected) if parts}


def by_index(layout: Layout, levels: tuple[Level, ...], *keys: tuple[str, str]) -> list[int]:
    """The seqs of the rows with any of the keys, found by an index of spans."""
    wanted = pl.DataFrame(keys, schema={"kind": pl.String, "key": pl.String}, orient="row")
    reader = lookup.Reader(Snapshot.of(layout.data), {"spans": levels})
    return sorted(reader.rows_with("spans", wanted)["seq"].to_list())


@pytest.mark.parametrize("keys", [1, 600], ids=["one key", "many keys"])
def test_an_index_of_all_files_finds_what_lookup_files_find(layout: Layout, keys: int) -> None:
    """Also as files come that it does not know, are folded, and as it is lost; of a file without a lookup file too."""
    wanted = [("trace", f"t{number}") for number in range(keys)]
    table = TableWriter(layout, "spans")
    levels: tuple[Level, ...] = ()
    for seq in range(1, 7):
        table.append(spans({"seq": seq, "trace_id": f"t{seq % 2}"}), "main", seq)
        even(layout, seq)
        if seq == 2:
            lookups(layout)[0].unlink()
        if seq == 4:
            compact(layout, table, fold_at=2)
        expected = found(layout, "spans", *wanted)
        assert expected == [each for each in range(1, seq + 1) if keys > 1 or not each % 2]
        assert by_index(layout, levels, *wanted) == expected
        levels = lookup.extended(Snapshot.of(layout.data), "spans", levels)
        assert by_index(layout, levels, *wanted) == expected
    for path in layout.derived_index.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert by_index(layout, levels, *wanted) == expected


def test_what_an_index_tells_is_not_asked_of_lookup_files(stored: Layout) -> None:
    """The control: one that names nothing finds nothing, though lookup files would lead there."""
    levels = lookup.extended(Snapshot.of(stored.data), "spans", ())
    for path in lookups(stored):
        path.unlink()
    assert by_index(stored, levels, ("trace", "t1")) == [1, 3]
    blind = (replace(levels[0], path="blind.keys"),)
    (stored.derived_index / "blind.keys").write_bytes(key_file.made([], []))
    assert by_index(stored, blind, ("trace", "t1")) == []


def test_lookup_files_go_with_their_data_files(layout: Layout) -> None:
    """And so does what a crash left of one that was being made."""
    table = TableWriter(layout, "spans")
    for seq in range(1, 4):
        table.append(spans({"seq": seq, "trace_id": "t"}), "main", seq)
    compact(layout, table, fold_at=2)
    draft = lookups(layout)[0].with_name(".x.parquet.1.new")
    draft.write_bytes(b"PAR1")
    os.utime(draft, (0, 0))
    assert len(lookups(layout)) == 4
    vacuum(layout, table, keep_s=-1)
    assert [path.name for path in lookups(layout)] == [
        Path(path).name for path, _ in Snapshot.of(layout.data).files("spans")
    ]
    assert not draft.exists()


@settings(max_examples=25)
@given(
    commits=st.lists(
        st.lists(
            st.fixed_dictionaries(
                {
                    "received_date": MANY_DAYS,
                    **dict.fromkeys(("trace_id", "conversation_id", "call_id", "run_key"), FEW),
                    "links": st.lists(st.tuples(FEW, FEW), max_size=2).map(
                        lambda pairs: json.dumps(pairs) if pairs else None
                    ),
                }
            ),
            min_size=1,
            max_size=6,
        ),
        max_size=5,
    ),
    keys=st.lists(st.tuples(st.sampled_from(list(KINDS)), st.sampled_from("abcd")), max_size=3),
    folds=st.booleans(),
    lost=st.integers(0, 9),
)
def test_what_is_found_is_what_a_filter_of_the_whole_table_finds(
    commits: list[list[dict[str, object]]], keys: list[tuple[str, str]], folds: bool, lost: int
) -> None:
    """Over any rows, keys, files, folding, and with any lookup file gone."""
    with tempfile.TemporaryDirectory() as name:
        layout, seq = open_folder(Path(name) / "data"), 0
        table = TableWriter(layout, "spans")
        for rows in commits:
            numbered = [{**row, "seq": seq + place} for place, row in enumerate(rows, start=1)]
            seq += len(rows)
            table.append(spans(*numbered), "main", seq)
        even(layout, seq)
        if folds:
            compact(layout, table, fold_at=1)
        for path in lookups(layout)[lost : lost + 1]:
            path.unlink()
        whole = Snapshot.of(layout.data).scan("spans").collect()
        columns = {"trace": "trace_id", "conversation": "conversation_id", "run": "run_key", "call": "call_id"}
        expected = [
            row["seq"]
            for row in whole.iter_rows(named=True)
            if any(
                key in [pair[0] for pair in json.loads(row["links"] or "[]")]
                if kind == "link"
                else kind in columns and row[columns[kind]] == key
                for kind, key in keys
            )
        ]
        assert found(layout, "spans", *keys) == sorted(expected)


def of_lookups(layout: Layout) -> list[Finding]:
    """What fsck says of lookup files; the rows here have no evidence, which it says too."""
    return [finding for finding in fsck(layout) if finding.code.startswith("lookup_")]
