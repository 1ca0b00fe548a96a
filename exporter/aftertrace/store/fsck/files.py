"""The files of a table against the digests that its commits hold."""

from __future__ import annotations

from collections.abc import Iterator

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from aftertrace.store import commits
from aftertrace.store.digest import file_digest
from aftertrace.store.errors import Corrupt
from aftertrace.store.finding import Finding
from aftertrace.store.layout import Layout
from aftertrace.store.tables import files_of


def check_files(layout: Layout, table: str, version: int | None) -> list[Finding]:
    """Log, checkpoint and every file of a table, at a version."""
    log = layout.commits(table)
    where = str(log.relative_to(layout.data))
    findings: list[Finding] = []
    if version is None:
        return findings
    try:
        state = commits.history(log, version)
    except Corrupt as damage:
        return [Finding("commit_damaged", "error", where, str(damage))]
    newest = commits.read(log, version)
    if any(newest.stored.get(receiver) != seq for receiver, seq in state.transactions.items()):
        findings.append(Finding("stored_seq", "error", where, "the last commit contradicts those before it"))
    try:
        listed = {path for path, _, _ in files_of(DeltaTable(layout.table(table), version=version))}
        if listed != set(state.active):
            message = f"readers see {len(listed)} files, expected the {len(state.active)} that the commits add up to"
            findings.append(Finding("checkpoint_differs", "error", where, message))
    except DeltaError:
        findings.append(Finding("table_unreadable", "error", where, "the Delta library cannot open the table"))
    for path, recorded in sorted(state.active.items()):
        findings += _file(layout, table, path, recorded)
    return findings


def _file(layout: Layout, table: str, path: str, recorded: tuple[str, int] | None) -> Iterator[Finding]:
    file = layout.table(table) / path
    where = str(file.relative_to(layout.data))
    if recorded is None:
        yield Finding("file_unknown", "error", where, "its commit holds no digest, expected one of aftertrace's")
        return
    digest, size_bytes = recorded
    try:
        found_bytes = file.stat().st_size
        if found_bytes != size_bytes:
            yield Finding("file_size", "error", where, f"{found_bytes} bytes, expected {size_bytes}")
        elif file_digest(file) != digest:
            yield Finding("file_digest", "error", where, "bytes differ from those that were committed")
    except FileNotFoundError:
        yield Finding("file_missing", "error", where, f"no file, expected one of {size_bytes} bytes")
