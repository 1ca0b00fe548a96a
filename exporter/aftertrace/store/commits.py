"""A table's commits (`_delta_log/N.json`), read without the Delta library: what fsck checks it against.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout

METADATA_KEY: Final = "aftertrace"
"""Where in `commitInfo` our part stands:
`{"schema": 1, "files": {path: [digest, size]}, "stored": {receiver: seq}}`."""
SEQUENCED: Final = ("evidence", "spans", "events")
"""Tables whose rows point at frames, in the order in which one drain commits them. `evidence` comes first: what is
read again after a crash between two of them then finds its own record keys, and gives the same rows."""


@dataclass(frozen=True, slots=True)
class Added:
    """A file that a commit adds."""

    path: str
    size_bytes: int
    day: date
    """The partition it belongs to."""
    is_new: bool
    """Its rows are; otherwise it replaces files that held them."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table."""

    version: int
    added: tuple[Added, ...]
    removed: tuple[str, ...]
    transactions: dict[str, int]
    """Delta's own note of the last stored seq, for the receivers that this commit brought forward."""
    stored: dict[str, int]
    """Last stored seq of every receiver, as of this version."""
    digests: dict[str, tuple[str, int]]
    """Digest and size in bytes by path, for the files that were added."""
    timestamp_ms: int


@dataclass(slots=True)
class History:
    """What all commits up to a version add up to."""

    version: int = -1
    active: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    """Files of the table with digest and size; None where a commit names a file without its digest."""
    transactions: dict[str, int] = field(default_factory=dict)


def versions(folder: Path) -> list[int]:
    """Versions that a `_delta_log` folder has a commit for, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal() and len(path.stem) == 20)


def path_of(folder: Path, version: int) -> Path:
    """The file of a commit."""
    return folder / f"{version:020d}.json"


def read(folder: Path, version: int) -> Commit:
    """Read a commit.

    Raises:
        Corrupt: it is empty, cut off or not a commit.
    """
    path = path_of(folder, version)
    content = path.read_bytes()
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
        return _commit(version, actions)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise Corrupt(
            f"read {folder.parent.name}/_delta_log/{path.name}: not a whole commit, expected one; "
            "put it back from a backup, and run `aftertrace fsck`"
        ) from None


def newest(folder: Path) -> Commit | None:
    """The newest commit; None when there is none. Needs no lock.

    Raises:
        Corrupt: it is damaged. A crash leaves none in part: commits are named when they are whole and synced.
    """
    found = versions(folder)
    return read(folder, found[-1]) if found else None


def after(folder: Path, version: int) -> list[Commit]:
    """The commits after a version, in order.

    Raises:
        Corrupt: one is damaged.
    """
    found = []
    while path_of(folder, version + 1).exists():
        version += 1
        found.append(read(folder, version))
    return found


def stored_seq(layout: Layout, receiver: str) -> int:
    """The highest seq of a receiver that any table has rows of; 0 when none has."""
    found = (newest(layout.commits(name)) for name in SEQUENCED)
    return max((commit.stored.get(receiver, 0) for commit in found if commit), default=0)


def history(folder: Path, upto: int | None = None) -> History:
    """Add up all commits, up to a version or to the last.

    Raises:
        Corrupt: a commit is damaged or missing.
    """
    state = History()
    for commit in _commits(folder, upto):
        for path in commit.removed:
            state.active.pop(path, None)
        for file in commit.added:
            state.active[file.path] = commit.digests.get(file.path)
        state.transactions.update(commit.transactions)
        state.version = commit.version
    return state


def digests(folder: Path, paths: set[str], version: int) -> dict[str, tuple[str, int]]:
    """Digest and size of some files of a version, found by going back from it: cheap for files that are young."""
    found: dict[str, tuple[str, int]] = {}
    while version >= 0 and len(found) < len(paths):
        found.update({path: known for path, known in read(folder, version).digests.items() if path in paths})
        version -= 1
    return found


def touched_since(folder: Path, version: int, since_ms: int) -> set[str]:
    """Files that a commit not older than `since_ms` added or took out, up to a version."""
    touched: set[str] = set()
    while version >= 0:
        commit = read(folder, version)
        if commit.timestamp_ms < since_ms:
            break
        touched.update((file.path for file in commit.added), commit.removed)
        version -= 1
    return touched


def _commits(folder: Path, upto: int | None) -> Iterator[Commit]:
    for expected, version in enumerate(versions(folder)):
        if upto is not None and version > upto:
            return
        if version != expected:
            raise Corrupt(f"read {folder.parent.name}/_delta_log: no commit {expected}; run `aftertrace fsck`")
        yield read(folder, version)


def _commit(version: int, actions: list[dict[str, Any]]) -> Commit:
    infos = [action["commitInfo"] for action in actions if "commitInfo" in action]
    info = infos[0]
    adds = [action["add"] for action in actions if "add" in action]
    ours = info.get(METADATA_KEY, {})
    return Commit(
        version=version,
        added=tuple(_added(add) for add in adds),
        removed=tuple(unquote(action["remove"]["path"]) for action in actions if "remove" in action),
        transactions={action["txn"]["appId"]: action["txn"]["version"] for action in actions if "txn" in action},
        stored={receiver: int(seq) for receiver, seq in ours.get("stored", {}).items()},
        digests={path: (str(digest), int(size)) for path, (digest, size) in ours.get("files", {}).items()},
        timestamp_ms=int(info["timestamp"]),
    )


def _added(action: dict[str, Any]) -> Added:
    (day,) = action["partitionValues"].values()
    return Added(unquote(action["path"]), int(action["size"]), date.fromisoformat(day), bool(action["dataChange"]))
