"""Kept answers, `derived/`: the bytes of each file, and what readers of Delta are led to.

Whoever may write there can make both fit; what answers say is compared with the records by `analyzer`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from aftertrace.store import commits, derived, derived_logs
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.verify import readers
from aftertrace.store.verify.readers import NamedFile
from aftertrace.store.verify.report import Findings

_WAY_OUT: Final = "remove the folder, and `aftertrace derive` makes it again"

_TRIES: Final = 3
_PAUSE_S: Final = 0.2


def check_kept(layout: Layout, findings: Findings, progress: Callable[[int], object]) -> None:
    """Check every file that counts, or that a log names.

    Args:
        layout: of the store.
        findings: what is wrong.
        progress: told how many bytes of files have been read.

    Raises:
        OSError: one cannot be read.
    """
    name = layout.derived.name
    if not layout.derived.is_dir():
        return
    try:
        paths = derived.live_files(layout)
    except Corrupt as damage:
        findings.add("derived_differs", name, str(damage))
        return
    read_bytes = 0
    for path in sorted(paths):
        try:
            if not derived.is_as_written(layout, path):
                findings.add(
                    "derived_differs", f"{name}/{path}", f"bytes differ from those that were derived; {_WAY_OUT}"
                )
            read_bytes += (layout.derived / path).stat().st_size
            progress(read_bytes)
        except FileNotFoundError:
            # Whoever derives may have taken it away: it counts no more then.
            if path in _live_now(layout):
                findings.add(
                    "derived_differs", f"{name}/{path}", f"no file, expected the one that was derived; {_WAY_OUT}"
                )
    for table in derived_logs.logged(layout):
        _check_log(layout, table, findings)


def _live_now(layout: Layout) -> set[str]:
    try:
        return derived.live_files(layout)
    except Corrupt:
        return set()


def _check_log(layout: Layout, table: str, findings: Findings) -> None:
    """What readers of Delta are led to is what was derived."""
    where = f"{layout.derived.name}/{table}/_delta_log"
    for name in readers.strangers(derived_logs.log_of(layout, table)):
        findings.add("derived_differs", f"{where}/{name}", f"not a file of aftertrace's; {_WAY_OUT}")
    for tried in range(_TRIES):
        try:
            differs = _differing(layout, table)
        except FileNotFoundError:
            differs = "its newest version"
        if differs is None:
            return
        # Whoever derives may have gone on meanwhile.
        if tried + 1 < _TRIES:
            time.sleep(_PAUSE_S)
    findings.add("derived_differs", where, f"{differs} leads to other files or bounds than were derived; {_WAY_OUT}")


def _differing(layout: Layout, table: str) -> str | None:
    """What of a log leads to other files than its commits say, or says of them what they do not have."""
    log = derived_logs.log_of(layout, table)
    newest = derived_logs.said(layout, table)
    if newest is None or newest.version < 0:
        return "its newest commit"
    try:
        opened = DeltaTable(f"{log.objects.url}/{table}", version=newest.version)
        if dict(_seen(opened)) != newest.files:
            return f"version {newest.version}"
    except (DeltaError, LookupError, TypeError, ValueError):
        return f"version {newest.version}"
    for version in commits.versions(log):
        try:
            lines = [json.loads(line) for line in log.objects.get(log.commit(version)).splitlines()]
            named = {line["add"]["path"]: readers.named_file(line["add"]) for line in lines if "add" in line}
        except (LookupError, RecursionError, TypeError, ValueError):
            return f"commit {version}"
        if not all(_is_told(layout, table, path, file) for path, file in named.items()):
            return f"commit {version}"
    for version in readers.checkpoints(log):
        try:
            held = readers.checkpoint(log, version).files
        except Corrupt:
            return f"checkpoint {version}"
        said = derived_logs.said(layout, table, version)
        is_told = all(_is_told(layout, table, path, file) for path, file in held.items())
        if said is None or {path: file.size_bytes for path, file in held.items()} != said.files or not is_told:
            return f"checkpoint {version}"
    return None


def _seen(table: DeltaTable) -> list[tuple[str, int]]:
    listed = pa.table(table.get_add_actions(flatten=True))
    return list(zip(listed["path"].to_pylist(), listed["size_bytes"].to_pylist(), strict=True))


def _is_told(layout: Layout, table: str, path: str, file: NamedFile) -> bool:
    """Whether a log says of a file what is in it. One that is gone is of no version that is read any more."""
    place = layout.derived / table / path
    try:
        told = NamedFile({}, place.stat().st_size, json.loads(derived_logs.statistics(place)), frozenset())
    except FileNotFoundError:
        return not file.further
    except Corrupt:
        # Its digest tells of it.
        return True
    return file.leads_as(told)
