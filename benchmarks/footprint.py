"""What a store takes on disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from aftertrace.store import commits
from aftertrace.store.layout import Layout
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.tables import SMALL_BYTES, files_of


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes and files of a store at one moment."""

    live_bytes: int
    """Current files of all tables, their wire keys, and the tables' logs: what stays."""
    evidence_bytes: int
    """Current files of `evidence`, which holds what was received."""
    replaced_bytes: int
    """Files that folding replaced, which are kept for an hour."""
    wal_bytes: int
    """Segments of the write-ahead log, with the space that they reserve."""
    most_small_files: int
    """Small files, other than those that a fold has made, in the partition of a table that has the most of them."""

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return self.live_bytes + self.replaced_bytes + self.wal_bytes


def footprint(data: Path) -> Footprint:
    """Look at a store, also while it is written."""
    snapshot, tables = Snapshot.of(data), data / "tables"
    live, evidence, small = 0, 0, Counter[tuple[str, object]]()
    for table, version in snapshot.versions:
        held = files_of(DeltaTable(tables / table, version=version))
        rows = sum(_size(tables / table / path) for path, _, _ in held)
        live += rows + folder_bytes(tables / table / "_delta_log")
        live += sum(_size(tables / "_lookup" / table / path) for path, _, _ in held)
        evidence += rows if table == "evidence" else 0
        folded = _folded(snapshot.layout, table)
        small.update((table, day) for path, size_bytes, day in held if size_bytes < SMALL_BYTES and path not in folded)
    replaced = max(0, folder_bytes(tables) - live)
    return Footprint(live, evidence, replaced, folder_bytes(data / "wal"), max(small.values(), default=0))


def _folded(layout: Layout, table: str) -> set[str]:
    """Files that replaced others. They are as large as a fold makes any, and yet few bytes if they hold much alike."""
    made = commits.after(commits.log_of(layout, table), -1)
    return {file.path for commit in made for file in commit.added if not file.is_new}


def folder_bytes(folder: Path) -> int:
    """Bytes that a folder takes on disk."""
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    try:
        found = path.stat()
    except FileNotFoundError:
        # Of a table without wire keys, or gone since it was listed.
        return 0
    return found.st_blocks * 512 if path.is_file() else 0
