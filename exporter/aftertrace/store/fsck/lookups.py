"""The lookup files against the data files they are made from, and making them again."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from aftertrace.store import lookup, parquet
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.wire_keys import KEYED
from aftertrace.verifier.verdicts import Finding


def check_lookups(snapshot: Snapshot, unsound: set[str]) -> list[Finding]:
    """Every data file has its lookup file, and that says what the rows say. Damaged tables are left out."""
    return [finding for table in KEYED if table not in unsound for _, finding in _wrong(snapshot, table)]


def repair_lookups(snapshot: Snapshot) -> int:
    """Make missing and wrong lookup files again, from data files as they are.

    Returns:
        How many were made.

    Raises:
        OSError: the disk does not take them.
    """
    layout, repaired = snapshot.layout, 0
    objects = objects_of(layout)
    for table in KEYED:
        days = dict(snapshot.files(table))
        for path, _ in list(_wrong(snapshot, table)):
            with objects.open(f"{table}/{path}") as file:
                rows = parquet.read(file, days[path], TABLES[table].schema)
            lookup.write(layout, table, path, rows)
            repaired += 1
    return repaired


def _wrong(snapshot: Snapshot, table: str) -> Iterator[tuple[str, Finding]]:
    """Data files, with what is wrong with their lookup files."""
    layout, schema = snapshot.layout, TABLES[table].schema
    objects = objects_of(layout)
    for path, day in snapshot.files(table):
        where = f"{layout.tables_folder.name}/{lookup.key_of(table, path)}"
        found = lookup.read(layout, table, path)
        if found is None:
            message = "missing or damaged: its data file is read whole; `fsck --repair` makes it"
            yield path, Finding("lookup_missing", "warning", where, message)
            continue
        try:
            with objects.open(f"{table}/{path}") as file:
                rows = parquet.read(file, day, schema, columns=lookup.columns_read(table))
        except ConnectionError:
            raise
        except (OSError, pa.ArrowException):
            # `check_files` tells of the data file itself.
            continue
        if lookup.made(table, rows) != found:
            message = "does not say what its data file holds; `fsck --repair` makes it again"
            yield path, Finding("lookup_differs", "warning", where, message)
