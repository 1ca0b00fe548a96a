"""fsck sees each kind of damage, and nothing in a sound store."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aftertrace.ingest.drain import Drain, DrainOptions
from aftertrace.store import commits, parquet
from aftertrace.store.errors import Invalid
from aftertrace.store.fsck import fsck
from aftertrace.store.layout import Layout, segments
from aftertrace.store.request import Prepared, Request
from aftertrace.store.schema import TABLES
from aftertrace.store.tables import TableWriter, write
from aftertrace.store.wal import WalWriter
from aftertrace.verifier.verdicts import Finding

from .drain_samples import NOON_NS, SMALL, logs, new_store, send, traces

DAY = date(2025, 11, 25)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A store with spans, events, a duplicate, several commits, and WAL segments that are stored and not retired."""
    layout = new_store(tmp_path_factory.mktemp("sound") / "data")
    send(layout, traces(1), traces(2))
    send(layout, logs(3), signal="logs")
    kept = layout.data.with_name("wal")
    shutil.copytree(layout.wal_folder, kept)
    with Drain(layout, DrainOptions(batch_bytes=1)) as draining:
        draining.once()
    send(layout, traces(1), traces(4), receiver="import")
    with Drain(layout) as draining:
        draining.once()
    shutil.copytree(kept, layout.wal_folder, dirs_exist_ok=True)
    return layout


@pytest.fixture
def layout(sound: Layout, tmp_path: Path) -> Layout:
    """A copy of the sound store, to be damaged."""
    layout = Layout(tmp_path / "data")
    shutil.copytree(sound.data, layout.data)
    return layout


def codes(layout: Layout) -> set[str]:
    """What fsck finds."""
    return {finding.code for finding in fsck(layout)}


def test_a_sound_store_gives_no_findings(sound: Layout) -> None:
    """Also while a drain holds its lock."""
    assert fsck(sound) == []
    with Drain(sound):
        assert fsck(sound) == []


def test_a_store_in_use_gives_no_errors(tmp_path: Path) -> None:
    """While requests come in, are drained and folded, and segments retire."""
    layout, stop = new_store(tmp_path / "data"), threading.Event()
    found: list[Finding] = []
    with Drain(layout, DrainOptions(linger_s=0.01, fold_at=3)) as draining, WalWriter(layout, "main", SMALL) as writer:
        thread = threading.Thread(target=draining.follow, args=(stop, 0.01))
        thread.start()
        for number in range(1, 61):
            payload = traces(number)
            prepared = Prepared(payload, 2, b"", (), "sha256:policy")
            writer.append(Request("traces", "protobuf", payload, "anonymous", NOON_NS), prepared).result(5)
            if number % 6 == 0:
                found += fsck(layout)
        stop.set()
        thread.join(20)
    assert {finding.code for finding in found} <= {"tables_uneven"}
    assert fsck(layout) == []


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """A wrong --data is not a damaged store."""
    with pytest.raises(Invalid, match="no store"):
        fsck(Layout(tmp_path))


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x04
    path.write_bytes(content)


def data_files(layout: Layout, table: str) -> list[Path]:
    """The Parquet files of a table."""
    return sorted((layout.tables_folder / table).glob("*/*.parquet"))


def first_segment(layout: Layout) -> Path:
    """The oldest segment of `main`."""
    return segments(layout.wal("main"))[0]


def last_commit(layout: Layout, table: str) -> Path:
    """The newest commit of a table."""
    return max((layout.tables_folder / table / "_delta_log").glob("*.json"))


DAMAGE: dict[str, tuple[Callable[[Layout], object], str]] = {
    "a bit of a frame": (lambda layout: flip(first_segment(layout), 200), "frame_damaged"),
    "a bit of a segment header": (lambda layout: flip(first_segment(layout), 20), "segment_header"),
    "a segment cut short": (lambda layout: os.truncate(first_segment(layout), 300), "frame_damaged"),
    "a segment cut between frames": (lambda layout: os.truncate(first_segment(layout), 88), "frames_missing"),
    "an old segment gone, its rows stored": (lambda layout: first_segment(layout).unlink(), "none"),
    "the WAL gone": (lambda layout: shutil.rmtree(layout.wal("main")), "wal_missing"),
    "a bit of an evidence file": (lambda layout: flip(data_files(layout, "evidence")[0], 900), "file_digest"),
    "a bit of a spans file": (lambda layout: flip(data_files(layout, "spans")[0], 900), "file_digest"),
    "a file cut short": (lambda layout: os.truncate(data_files(layout, "events")[0], 100), "file_size"),
    "a file gone": (lambda layout: data_files(layout, "resources")[0].unlink(), "file_missing"),
    "a commit in the middle gone": (
        lambda layout: (layout.tables_folder / commits.log_of(layout, "spans").commit(2)).unlink(),
        "commit_damaged",
    ),
    "a commit in the middle cut": (
        lambda layout: os.truncate((layout.tables_folder / commits.log_of(layout, "spans").commit(2)), 50),
        "commit_damaged",
    ),
    "the last commit cut": (lambda layout: os.truncate(last_commit(layout, "spans"), 50), "commit_damaged"),
    "the last commit gone": (lambda layout: last_commit(layout, "spans").unlink(), "tables_uneven"),
    "the key gone": (lambda layout: layout.store_key.unlink(), "store_key"),
    "another key": (lambda layout: layout.store_key.write_bytes(b"k" * 32), "record_key"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_to_a_file_is_found(layout: Layout, case: str) -> None:
    """Every kind of file, by bit, by length and by absence."""
    damage, code = DAMAGE[case]
    damage(layout)
    found = codes(layout)
    assert (code in found) if code != "none" else not found


def change_rows(layout: Layout, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Rewrite a table's rows with digests that fit, as somebody would who knows the format."""
    writer = TableWriter(layout, table)
    schema = TABLES[table].schema
    paths = [path for path, _, _ in writer.files()]
    rows = pa.concat_tables([parquet.read((layout.tables_folder / table) / path, DAY, schema) for path in paths])
    writer.rearrange(paths, DAY, write(layout, table, change(rows), "main"))


def change_column(rows: pa.Table, name: str, change: Callable[[pa.Array], pa.Array]) -> pa.Table:
    """Replace one column."""
    column = change(rows.column(name)).cast(rows.schema.field(name).type)
    return rows.set_column(rows.column_names.index(name), rows.schema.field(name), column)


def without_first(rows: pa.Table) -> pa.Table:
    """All rows but one."""
    return rows.slice(1)


def with_first_twice(rows: pa.Table) -> pa.Table:
    """One row too many."""
    return pa.concat_tables([rows, rows.slice(0, 1)])


ROWS: dict[str, tuple[str, Callable[[pa.Table], pa.Table], str]] = {
    "evidence gone": ("evidence", without_first, "evidence_rows"),
    "a whole frame gone": ("evidence", lambda rows: rows.filter(pc.not_equal(rows["seq"], 2)), "evidence_missing"),
    "evidence twice": ("evidence", with_first_twice, "evidence_rows"),
    "another record": (
        "evidence",
        lambda rows: change_column(rows, "record", lambda column: pa.chunked_array([[b"other"] * len(column)])),
        "record_key",
    ),
    "another source": (
        "evidence",
        lambda rows: change_column(rows, "source", lambda column: pa.chunked_array([["other"] * len(column)])),
        "evidence_differs",
    ),
    "a duplicate of nothing": (
        "evidence",
        lambda rows: change_column(rows, "duplicate_of", lambda column: pc.fill_null(column, "main/99/0")),
        "duplicate_of",
    ),
    "a span gone": ("spans", without_first, "span_missing"),
    "a span twice": ("spans", with_first_twice, "span_twice"),
    "a span of nothing": (
        "spans",
        lambda rows: change_column(rows, "seq", lambda column: pc.add(column, 90)),
        "span_missing",
    ),
    "an event twice": ("events", with_first_twice, "event_twice"),
    "an event of nothing": (
        "events",
        lambda rows: change_column(rows, "index", lambda column: pc.add(column, 90)),
        "event_strange",
    ),
    "a resource gone": ("resources", without_first, "origin_missing"),
    "another resource": (
        "resources",
        lambda rows: change_column(rows, "bytes", lambda column: pa.chunked_array([[b""] * len(column)])),
        "origin_digest",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_do_not_fit_together_are_found(layout: Layout, case: str) -> None:
    """With digests of files that all fit, so that only the rows can tell."""
    table, change, code = ROWS[case]
    change_rows(layout, table, change)
    found = codes(layout)
    assert code in found
    assert not found & {"file_digest", "file_size", "commit_damaged"}


def test_a_checkpoint_that_hides_files_is_found(layout: Layout) -> None:
    """Readers would begin at it."""
    writer = TableWriter(layout, "spans")
    writer._checkpoint()
    log = layout.tables_folder / "spans" / "_delta_log"
    (checkpoint,) = log.glob("*.checkpoint.parquet")
    assert codes(layout) == set()
    rows = pa.parquet.read_table(checkpoint)
    pa.parquet.write_table(rows.filter(pc.is_null(rows["add"])), checkpoint)
    assert codes(layout) & {"checkpoint_differs", "table_unreadable"}


def test_a_commit_that_takes_back_what_is_stored_is_found(layout: Layout) -> None:
    """`stored` and Delta's own transactions say the same."""
    path = last_commit(layout, "events")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["commitInfo"]["aftertrace"]["stored"]["main"] = 1
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert "stored_seq" in codes(layout)


def test_every_code_is_documented() -> None:
    """In the table of exporter/README.md, and none that no longer exists."""
    exporter = Path(__file__).parents[2] / "exporter"
    sources = [*exporter.glob("aftertrace/store/**/*.py"), *exporter.glob("aftertrace/ingest/*.py")]
    call = re.compile(r'(?:Finding|_places|_told|_finding|_set_aside|_broken)\(\s*(?:layout, [^"]*?, )?"([a-z_]+)"')
    used = {code for path in sources for code in call.findall(path.read_text())}
    used |= {"torn_tail", "frame_damaged", "reads_otherwise"}
    section = (exporter / "README.md").read_text().partition("\n## fsck\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {code for row in rows for code in re.findall("`([a-z_]+)`", row)} == used


def test_findings_name_the_place_and_no_content(layout: Layout) -> None:
    """They go into terminals and logs."""
    flip(data_files(layout, "evidence")[0], 900)
    change_rows(layout, "spans", without_first)
    text = repr(fsck(layout))
    assert "tables/evidence/received_date=2025-11-25/" in text
    assert "search" not in text
    assert str(layout.data) not in text
