"""A table's commits (`_delta_log/N.json`), read without the Delta library: what fsck checks it against.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.objects import Objects, objects_of

METADATA_KEY: Final = "aftertrace"
"""Where in `commitInfo` our part stands:
`{"schema": 1, "files": {path: [digest, size]}, "stored": {receiver: seq}, "destroyed": {receiver: [[seq, seq]]},
"erased": {receiver: [[seq, index]]}}`."""
Stretches: TypeAlias = Mapping[str, Sequence[tuple[int, int]]]
"""By receiver, first and last seq of stretches of requests."""
SEQUENCED: Final = ("evidence", "spans", "events")
"""Tables whose rows point at frames, in the order in which one drain commits them. `evidence` comes first: what is
read again after a crash between two of them then finds its own record keys, and gives the same rows."""


LAST_CHECKPOINT: Final = "_last_checkpoint"
"""Names the version that readers may begin at."""


@dataclass(frozen=True, slots=True)
class Log:
    """The log of a table: its commits."""

    objects: Objects
    table: str

    @property
    def key(self) -> str:
        """Where the commits are."""
        return f"{self.table}/_delta_log"

    def commit(self, version: int) -> str:
        """The key of a commit."""
        return f"{self.key}/{version:020d}.json"


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
    digest: bytes
    """SHA-256 of its bytes."""
    destroyed: Stretches = field(default_factory=dict)
    """Requests whose rows it takes away, as retention does."""
    erased: Stretches = field(default_factory=dict)
    """By receiver, seq and index of records whose rows it takes away, as an erasure does."""


@dataclass(slots=True)
class History:
    """What all commits up to a version add up to."""

    version: int = -1
    active: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    """Files of the table with digest and size; None where a commit names a file without its digest."""
    transactions: dict[str, int] = field(default_factory=dict)
    destroyed: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By receiver, stretches of requests that were taken away."""
    erased: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By receiver, seq and index of records that were taken away."""


def log_of(layout: Layout, table: str) -> Log:
    """The log of a table of a store."""
    return Log(objects_of(layout), table)


def versions(log: Log, after: int = -1) -> list[int]:
    """Versions that a log has a commit for, those after one, in order."""
    listed = log.objects.list_under(log.key, log.commit(after) if after >= 0 else "")
    names = [each.name.partition(".") for each in listed]
    return [int(stem) for stem, _, ending in names if ending == "json" and stem.isdecimal() and len(stem) == 20]


def read(log: Log, version: int) -> Commit:
    """Read a commit.

    Raises:
        Corrupt: it is empty, cut off or not a commit.
        OSError: it cannot be read, or there is none.
    """
    return parsed(log, version, log.objects.get(log.commit(version)))


def parsed(log: Log, version: int, content: bytes) -> Commit:
    """What the content of a commit says.

    Raises:
        Corrupt: it is none.
    """
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
        return _commit(version, actions, hashlib.sha256(content).digest())
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise Corrupt(
            f"read {log.commit(version)}: not a whole commit, expected one; "
            "put it back from a backup, and run `aftertrace fsck`"
        ) from None


def newest(log: Log) -> Commit | None:
    """The newest commit; None when there is none. Needs no lock.

    Raises:
        Corrupt: it is damaged. A crash leaves none in part: commits are named when they are whole and synced.
        OSError: the log cannot be read.
    """
    version = newest_version(log)
    return None if version is None else read(log, version)


def newest_version(log: Log) -> int | None:
    """The newest version; None when there is none. Needs no lock. Raises OSError where the log cannot be read."""
    # A log keeps many of its commits: only those since the last checkpoint are listed.
    found = versions(log, _checkpointed(log) - 1)
    return found[-1] if found else None


def after(log: Log, version: int) -> list[Commit]:
    """The commits after a version, in order.

    Raises:
        Corrupt: one is damaged.
        OSError: one cannot be read.
    """
    found = []
    while True:
        try:
            found.append(read(log, version + 1))
        except FileNotFoundError:
            return found
        version += 1


def stored_seq(layout: Layout, receiver: str) -> int:
    """The highest seq of a receiver that any table has rows of; 0 when none has."""
    found = (newest(log_of(layout, name)) for name in SEQUENCED)
    return max((commit.stored.get(receiver, 0) for commit in found if commit), default=0)


def history(log: Log, upto: int | None = None) -> History:
    """Add up all commits, up to a version or to the last.

    Raises:
        Corrupt: a commit is damaged or missing.
    """
    state = History()
    for commit in _commits(log, upto):
        for path in commit.removed:
            state.active.pop(path, None)
        for file in commit.added:
            state.active[file.path] = commit.digests.get(file.path)
        state.transactions.update(commit.transactions)
        for state_of, found in ((state.destroyed, commit.destroyed), (state.erased, commit.erased)):
            for receiver, pairs in found.items():
                state_of.setdefault(receiver, []).extend(pairs)
        state.version = commit.version
    return state


def digests(log: Log, paths: set[str], version: int) -> dict[str, tuple[str, int]]:
    """Digest and size of some files of a version, found by going back from it: cheap for files that are young."""
    found: dict[str, tuple[str, int]] = {}
    while version >= 0 and len(found) < len(paths):
        found.update({path: known for path, known in read(log, version).digests.items() if path in paths})
        version -= 1
    return found


def _checkpointed(log: Log) -> int:
    try:
        return int(json.loads(log.objects.get(f"{log.key}/{LAST_CHECKPOINT}"))["version"])
    except (FileNotFoundError, LookupError, RecursionError, TypeError, ValueError):
        # None yet, or one that a power cut tore, which the next drain takes away.
        return 0


def _commits(log: Log, upto: int | None) -> Iterator[Commit]:
    for expected, version in enumerate(versions(log)):
        if upto is not None and version > upto:
            return
        if version != expected:
            raise Corrupt(f"read {log.key}: no commit {expected}; run `aftertrace fsck`")
        yield read(log, version)


def _commit(version: int, actions: list[dict[str, Any]], digest: bytes) -> Commit:
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
        digest=digest,
        destroyed=_pairs(ours, "destroyed"),
        erased=_pairs(ours, "erased"),
    )


def _pairs(ours: dict[str, Any], name: str) -> Stretches:
    told = ours.get(name, {}).items()
    return {receiver: tuple((int(first), int(last)) for first, last in pairs) for receiver, pairs in told}


def _added(action: dict[str, Any]) -> Added:
    (day,) = action["partitionValues"].values()
    return Added(unquote(action["path"]), int(action["size"]), date.fromisoformat(day), bool(action["dataChange"]))
