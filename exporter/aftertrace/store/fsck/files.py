"""The files of a table against the digests that its commits hold."""

from __future__ import annotations

from collections.abc import Iterator

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from aftertrace.store import commits
from aftertrace.store.digest import tagged
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Objects
from aftertrace.store.tables import files_of
from aftertrace.verifier.verdicts import Finding


def check_files(layout: Layout, table: str, version: int | None) -> list[Finding]:
    """Log, checkpoint and every file of a table, at a version."""
    log = commits.log_of(layout, table)
    where = f"{layout.tables_folder.name}/{log.key}"
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
        listed = {path for path, _, _ in files_of(DeltaTable(f"{log.objects.url}/{table}", version=version))}
        if listed != set(state.active):
            message = f"readers see {len(listed)} files, expected the {len(state.active)} that the commits add up to"
            findings.append(Finding("checkpoint_differs", "error", where, message))
    except DeltaError:
        findings.append(Finding("table_unreadable", "error", where, "the Delta library cannot open the table"))
    for path, recorded in sorted(state.active.items()):
        findings += _file(layout, log.objects, f"{table}/{path}", recorded)
    return findings


def _file(layout: Layout, objects: Objects, key: str, recorded: tuple[str, int] | None) -> Iterator[Finding]:
    where = f"{layout.tables_folder.name}/{key}"
    if recorded is None:
        yield Finding("file_unknown", "error", where, "its commit holds no digest, expected one of aftertrace's")
        return
    digest, size_bytes = recorded
    try:
        found_bytes = objects.size_bytes(key)
        if found_bytes != size_bytes:
            yield Finding("file_size", "error", where, f"{found_bytes} bytes, expected {size_bytes}")
        elif tagged(objects.get(key)) != digest:
            yield Finding("file_digest", "error", where, "bytes differ from those that were committed")
    except FileNotFoundError:
        yield Finding("file_missing", "error", where, f"no file, expected one of {size_bytes} bytes")
