"""What somebody who may write to the data folder, and knows its formats, can do to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from aftertrace.store import parquet
from aftertrace.store.digest import tagged
from aftertrace.store.layout import Layout
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot


def rewrite(layout: Layout, change: Callable[[pa.Table], pa.Table], table: str = "evidence", number: int = 0) -> None:
    """Change the rows of a file of a table, and make its digests fit again: `fsck` of files sees nothing."""
    path, day = Snapshot.of(layout.data).files(table)[number]
    file = layout.tables_folder / table / path
    rows = parquet.read(file, day, TABLES[table].schema)
    old, content = tagged(file.read_bytes()), parquet.encode(change(rows))
    file.write_bytes(content)
    for commit in (layout.tables_folder / table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if action.get("add", {}).get("path") == path:
                action["add"]["size"] = len(content)
            known = action.get("commitInfo", {}).get("aftertrace", {}).get("files", {})
            if known.get(path, [""])[0] == old:
                known[path] = [tagged(content), len(content)]
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
