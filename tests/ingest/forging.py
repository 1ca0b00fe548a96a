"""What somebody who may write to the data folder, and knows its formats, can do to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from aftertrace.store import lookup, parquet
from aftertrace.store.digest import tagged
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import files
from aftertrace.store.ledger.entries import Entry, decoded, encoded, text_of
from aftertrace.store.ledger.following import Following
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.ledger.state import CommitRange
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.tlog.tiles import bundled

Change = Callable[[pa.Table], pa.Table]
Actions = list[dict[str, Any]]


def files_of(layout: Layout, table: str) -> list[Path]:
    """The files of a table that readers see."""
    return [layout.tables_folder / table / path for path, _ in Snapshot.of(layout.data).files(table)]


def rewrite(layout: Layout, change: Change, table: str = "evidence", seq: int = 1, receiver: str = "main") -> None:
    """Change the file of a table that has the rows of a request, and make its commit fit again: `fsck` of files sees
    nothing.
    """
    for path, day in Snapshot.of(layout.data).files(table):
        file = layout.tables_folder / table / path
        rows = parquet.read(file, day, TABLES[table].schema)
        if "seq" not in rows.column_names or (
            path.partition("/")[2].startswith(f"{receiver}.") and seq in rows["seq"].to_pylist()
        ):
            break
    old = tagged(file.read_bytes())
    content = parquet.encode(change(rows))
    file.write_bytes(content)

    def fit(actions: Actions) -> Actions:
        for action in actions:
            if action.get("add", {}).get("path") == path:
                action["add"]["size"] = len(content)
            known = action.get("commitInfo", {}).get("aftertrace", {}).get("files", {})
            if known.get(path, [""])[0] == old:
                known[path] = [tagged(content), len(content)]
        return actions

    for commit in log_of(layout, table):
        edit(commit, fit)


def log_of(layout: Layout, table: str) -> list[Path]:
    """The commits of a table, in order."""
    return sorted((layout.tables_folder / table / "_delta_log").glob("*.json"))


def edit(commit: Path, change: Callable[[Actions], Actions]) -> None:
    """Change what a commit says."""
    actions = change([json.loads(line) for line in commit.read_text().splitlines()])
    commit.write_text("".join(json.dumps(action) + "\n" for action in actions))


def with_value(rows: pa.Table, column: str, value: object, row: int = 0) -> pa.Table:
    """The rows, with another value in one place."""
    field = rows.schema.field(column)
    values = rows.column(column).to_pylist()
    values[row] = value
    return rows.set_column(rows.schema.get_field_index(column), field, pa.array(values, field.type))


def flip(path: Path, bit: int) -> None:
    """One bit of a file."""
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(bytes(content))


def entries_of(layout: Layout) -> list[Entry]:
    """The entries of a ledger that fill no bundle yet."""
    return [decoded(entry) for entry in files.split(files.open_bundle(layout.ledger, 0).read_bytes())[0]]


def write_entries(layout: Layout, entries: list[Entry]) -> None:
    """Put others in their place."""
    files.open_bundle(layout.ledger, 0).write_bytes(bundled([encoded(entry) for entry in entries]))


def commit(layout: Layout, table: str, actions: Actions, files: dict[str, list[Any]] | None = None) -> CommitRange:
    """One more commit of a table, and how an entry speaks of it."""
    last = log_of(layout, table)[-1]
    (info,) = [action for line in last.read_text().splitlines() if "commitInfo" in (action := json.loads(line))]
    info["commitInfo"]["aftertrace"]["files"] = files or {}
    version = int(last.stem) + 1
    further = last.with_name(f"{version:020d}.json")
    further.write_text("".join(json.dumps(action) + "\n" for action in [info, *actions]))
    return CommitRange(version, version, text_of(sha256(sha256(further.read_bytes()).digest()).digest()))


def replaced(layout: Layout, table: str, change: Change, seq: int = 1) -> tuple[CommitRange, pa.Table]:
    """A commit that puts other rows in the place of the file with a request, and the request's own, in order."""
    for path, day in Snapshot.of(layout.data).files(table):
        rows = parquet.read(layout.tables_folder / table / path, day, TABLES[table].schema)
        if seq in rows["seq"].to_pylist():
            break
    rows = change(rows)
    file = parquet.write(objects_of(layout), table, day, rows, "main")
    lookup.write(layout, table, file.path, rows)
    told = {"path": path, "dataChange": True, "deletionTimestamp": 1}
    added = {
        "path": file.path,
        "partitionValues": {"received_date": day.isoformat()},
        "size": file.size_bytes,
        "modificationTime": file.written_ms,
        "dataChange": True,
        "stats": file.statistics,
    }
    made = commit(layout, table, [{"remove": told}, {"add": added}], {file.path: [file.digest, file.size_bytes]})
    return made, rows.filter(pa.compute.field("seq") == seq)


def tell(layout: Layout, entry: Entry, commits: dict[str, CommitRange]) -> None:
    """Add an entry that speaks of commits, and sign it, as somebody with the key can."""
    entries = entries_of(layout)
    versions = {**entries[-1].versions, **{table: made.last for table, made in commits.items()}}
    told = msgspec.structs.replace(entry, time_ns="1", upto=entries[-1].upto, versions=versions, commits=commits)
    write_entries(layout, [*entries, told])
    sign(layout)


def sign(layout: Layout) -> None:
    """Sign whatever the ledger has, which somebody with the key can: the sealer looks at what it signs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Following, "take", lambda *_: None)
        seal(layout)
