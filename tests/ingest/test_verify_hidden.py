"""verify against what stands beside the commits and leads readers past rows that are all there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from aftertrace.store import key_file
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify

from .drain_samples import drain, send, traces
from .forging import commit, files_of, flip, log_of, rewrite, with_value

TRACE = (1).to_bytes(16, "big").hex()


def seen(layout: Layout, table: str) -> int:
    """How many rows a reader finds that asks for a trace, where rows have one."""
    rows = Snapshot.of(layout.data).scan(table)
    return (rows.filter(pl.col("trace_id") == TRACE) if table == "spans" else rows).collect().height


def no_version(layout: Layout) -> None:
    """Readers are told to begin behind the newest commit."""
    (layout.tables_folder / "resources" / "_delta_log" / "_last_checkpoint").write_text('{"version":999,"size":1}')


def checkpointed(layout: Layout, bound: str) -> None:
    """A checkpoint of Delta's with bounds of one more column."""
    table = layout.tables_folder / "spans"
    DeltaTable(str(table)).create_checkpoint()
    (path,) = (table / "_delta_log").glob("*.checkpoint.parquet")
    held = pq.read_table(path)
    rows = held.to_pylist()
    for row in rows:
        if row["add"] is not None:
            told = json.loads(row["add"]["stats"])
            told["minValues"]["trace_id"] = told["maxValues"]["trace_id"] = bound
            row["add"]["stats"] = json.dumps(told)
    pq.write_table(pa.Table.from_pylist(rows, schema=held.schema), path)


def held_less(layout: Layout) -> None:
    """A commit that says that nothing was stored yet, and changes nothing else."""
    commit(layout, "events", [])
    newest = log_of(layout, "events")[-1]
    told = json.loads(newest.read_text())
    told["commitInfo"]["aftertrace"]["stored"] = {"main": 0}
    newest.write_text(json.dumps(told) + "\n")


@pytest.mark.parametrize(
    ("table", "hide", "code"),
    [
        ("resources", no_version, "table_rolled_back"),
        ("spans", lambda layout: checkpointed(layout, "z"), "table_differs"),
        ("spans", held_less, "table_differs"),
    ],
)
def test_what_hides_rows_from_readers_is_named(
    layout: Layout, table: str, hide: Callable[[Layout], None], code: str
) -> None:
    """Every row is where it was, every file and commit that was signed has its digest, and no reader comes to it."""
    send(layout, traces(1), traces(2))
    drain(layout)
    seal(layout)
    assert (seen(layout, table) > 0, verify(layout, Asked(patience_s=0)).findings) == (True, ())
    hide(layout)
    report = verify(layout, Asked(patience_s=0))
    assert seen(layout, table) == 0
    assert (code in {found.code for found in report.findings}, "broken" in report.verdicts.values()) == (True, True)


def rewritten(layout: Layout, change: Callable[[dict[str, Any]], object]) -> None:
    """A checkpoint of Delta's, in which a file is told of otherwise."""
    table = layout.tables_folder / "spans"
    DeltaTable(str(table)).create_checkpoint()
    (path,) = (table / "_delta_log").glob("*.checkpoint.parquet")
    held = pq.read_table(path)
    rows = held.to_pylist()
    for row in rows:
        if row["add"] is not None:
            change(row["add"])
    pq.write_table(pa.Table.from_pylist(rows, schema=held.schema), path)


def marked(add: dict[str, Any]) -> None:
    """Rows that are marked as deleted."""
    vector = {"storageType": "i", "pathOrInlineDv": "x", "offset": None, "sizeInBytes": 1, "cardinality": 1}
    add["deletionVector"] = vector


def counted(add: dict[str, Any]) -> None:
    """A bound of a column that the Delta library passes over."""
    told = json.loads(add["stats"])
    told["nullCount"]["model"] = told["numRecords"]
    add["stats"] = json.dumps(told)


@pytest.mark.parametrize("change", [marked, counted, lambda add: add.update(tags=[("a", "b")])])
def test_what_hides_rows_from_other_engines_is_named(
    layout: Layout, change: Callable[[dict[str, Any]], object]
) -> None:
    """Our own readers see every row; an engine that heeds what the checkpoint says does not."""
    send(layout, traces(1))
    drain(layout)
    seal(layout)
    rewritten(layout, change)
    report = verify(layout, Asked(patience_s=0))
    assert {found.code for found in report.findings} == {"table_differs"}
    assert any(found.where.endswith(".checkpoint.parquet") for found in report.findings)


@pytest.mark.parametrize("name", ["0.1.compacted.json", f"{1:020d}.checkpoint.{1:010d}.{2:010d}.parquet", "0.crc"])
def test_a_kind_of_file_that_nobody_here_writes_is_named(layout: Layout, name: str) -> None:
    """Logs can be compacted, and checkpoints be in parts: what is in those is not read here."""
    send(layout, traces(1))
    drain(layout)
    seal(layout)
    (layout.tables_folder / "spans" / "_delta_log" / name).write_text("{}")
    report = verify(layout, Asked(patience_s=0))
    assert [(found.code, found.where) for found in report.findings] == [
        ("table_differs", f"tables/spans/_delta_log/{name}")
    ]


def test_json_without_end_in_a_commit_is_named(layout: Layout) -> None:
    """As one that was altered: it ends nothing."""
    for number in (1, 2):
        send(layout, traces(number))
        drain(layout)
    seal(layout)
    deep = b'{"commitInfo": ' + b"[" * 200_000 + b"\n"
    for commit_path in log_of(layout, "spans")[-2:]:
        commit_path.write_bytes(deep)
    report = verify(layout, Asked(patience_s=0))
    assert "commit_altered" in {found.code for found in report.findings}


def test_a_checkpoint_of_delta_as_it_was_made_is_sound(layout: Layout) -> None:
    """The negative control."""
    send(layout, traces(1))
    drain(layout)
    seal(layout)
    DeltaTable(str(layout.tables_folder / "spans")).create_checkpoint()
    assert verify(layout, Asked(patience_s=0)).findings == ()


def without_keys(layout: Layout) -> None:
    """A lookup file that leads to no row."""
    newest = next(path for path in files_of(layout, "spans") if pq.read_table(path)["seq"].to_pylist()[0] == 2)
    lookup = layout.tables_folder / "_lookup" / newest.relative_to(layout.tables_folder)
    lookup.write_bytes(key_file.made([], []))


def with_other_ids(layout: Layout) -> None:
    """A file whose rows may name another run now."""
    flip(next(path for path in files_of(layout, "spans") if pq.read_table(path)["seq"].to_pylist()[0] == 2), 8 * 700)


@pytest.mark.parametrize(("hide", "code"), [(without_keys, "lookup_differs"), (with_other_ids, "file_digest")])
def test_what_hides_a_request_from_a_run_is_named(layout: Layout, hide: Callable[[Layout], None], code: str) -> None:
    """Only the other request is asked for then, since nothing leads to this one."""
    for number in (1, 2):
        send(layout, traces(number))
        drain(layout)
    seal(layout)
    asked = Asked(requests={("main", 1)}, patience_s=0)
    assert verify(layout, asked).findings == ()
    hide(layout)
    assert code in {found.code for found in verify(layout, asked).findings}


def test_a_link_makes_no_stranger_of_a_lake(layout: Layout) -> None:
    """Rows that nobody sent are those of an unknown receiver, though the tables look as if others shared them."""
    send(layout, traces(1))
    drain(layout)
    seal(layout)
    rewrite(layout, lambda rows: with_value(rows, "receiver", "nobody"))
    elsewhere = layout.data.with_name("elsewhere")
    layout.tables_folder.rename(elsewhere)
    layout.tables_folder.symlink_to(elsewhere)
    found = {each.code for each in verify(layout, Asked(patience_s=0)).findings}
    assert found & {"receiver_unknown", "receiver_uncovered"} == {"receiver_unknown"}
