"""The checkpoints of tables in a folder, from which readers begin, after a power cut: the library that makes them never
syncs what it writes.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from aftertrace.store import commits, durable, quarantine
from aftertrace.store.commits import Log
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Folder
from aftertrace.verifier.verdicts import Finding


def torn(tables: Path, name: str) -> list[Path]:
    """What a power cut left of the newest checkpoint of a table in a folder, after what names one that is not there or
    not whole: taken away in this order, a crash in between leaves nothing that leads nowhere.
    """
    log = tables / Log(Folder(tables), name).key
    last = log / commits.LAST_CHECKPOINT
    is_told, named = last.exists(), _checkpoint_named(last)
    newest = sorted(log.glob("*.checkpoint.parquet"))[-1:]
    parts = sorted(path for path in {*newest, named} if path is not None and not _is_parquet(path))
    return [last, *parts] if is_told and (named is None or named in parts) else parts


def recover(layout: Layout, tables: Path, name: str) -> None:
    """Take away what a power cut left of a checkpoint in part, and a name of one that is not there; make the last
    commit durable. Of tables in a folder.

    Another drain may be making a checkpoint meanwhile: the file first, whole, and then what names it. So a whole one
    that nothing names is left alone. Nothing is left that names one that is not: no reader could begin any more.

    Raises:
        Corrupt: that commit is damaged.
    """
    newest = commits.newest(log := Log(Folder(tables), name))
    if newest is None:
        return
    for path in torn(tables, name):
        _set_aside(layout, tables, path)
    # Whoever named it may have been killed before its folder was synced, or its sync may have failed: it is written
    # again, not synced again, since a sync that failed once may succeed for nothing.
    path = tables / log.commit(newest.version)
    durable.write_file(path, path.read_bytes())


def _set_aside(layout: Layout, tables: Path, path: Path) -> None:
    if not path.exists():
        return
    where = f"{layout.tables_folder.name}/{path.relative_to(tables).as_posix()}"
    finding = Finding("checkpoint_torn", "info", where, "not whole; taken away and made again")
    quarantine.keep(layout, finding, path.read_bytes())
    path.unlink(missing_ok=True)
    durable.sync_folder(path.parent)


def path_of(log: Path, version: int) -> Path:
    """The checkpoint of a version, in the folder of a log."""
    return log / f"{version:020d}.checkpoint.parquet"


def _checkpoint_named(last: Path) -> Path | None:
    """The checkpoint that readers are told to begin at; None where none is told."""
    try:
        return path_of(last.parent, int(json.loads(last.read_bytes())["version"]))
    except (FileNotFoundError, LookupError, TypeError, ValueError):
        return None


def _is_parquet(path: Path) -> bool:
    """Whether it is there, and whole. Raises OSError where that cannot be told."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        # As in `parquet.read_groups`: no thread of Arrow's is handed what Python holds.
        pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (OSError, pa.ArrowException):
        return False
    return True
