"""What was derived from the tables, kept so that it need not be derived again: parts, and a file that says which count.

A part is a file of each derived table with the rows of the same runs. `STATE` names the parts that count, up to which
record they were derived, and by which rules, and the indexes (`key_index`) by which parts, and stored files, are found;
it is replaced at once, so that a reader sees the tables of one moment.
All of it can be thrown away and made again from `spans` and `events`. Others read the tables by logs that follow the
state (`derived_logs`).

A crash before `STATE` is replaced leaves files that nobody reads, for an hour; then `sweep` takes them away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from aftertrace.store import derived_logs, durable
from aftertrace.store.errors import Corrupt
from aftertrace.store.key_index import SUFFIX, Level
from aftertrace.store.layout import Layout

FORMAT: Final = 4
"""Of `STATE`. Of another one everything is derived anew."""
_SUFFIXES: Final = (".parquet", SUFFIX)
_DRAFT: Final = ".new"


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of some runs."""

    runs: int
    files: dict[str, str]
    """By table, the path of its file below the folder of derived tables. A table without a row has none."""


@dataclass(frozen=True, slots=True)
class State:
    """Which parts count."""

    rules: str
    """Digest of the rules by which they were derived: by others, they would be otherwise."""
    upto: dict[str, int] = field(default_factory=dict)
    """By receiver, the seq of the last frame whose records are in it, or in what is open."""
    parts: tuple[Part, ...] = ()
    opened: tuple[Part, ...] = ()
    """Runs that may go on: their keys, and what was told of them last, for other readers."""
    commits: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By stored table, the version that was read, and the digest of its commit: a store that was put back from a backup
    and went on has another one."""
    indexes: dict[str, tuple[Level, ...]] = field(default_factory=dict)
    """By what they lead to; their files are in `Layout.derived_index`."""


def read(layout: Layout) -> State | None:
    """What counts now; None where nothing does, or not of this format.

    Raises:
        Corrupt: it cannot be read.
    """
    try:
        content = layout.derived_state.read_bytes()
    except (FileNotFoundError, PermissionError):
        # Whoever may read the tables and not this is answered from them.
        return None
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            return None
        parts = tuple(_part(part) for part in found["parts"])
        opened = tuple(_part(part) for part in found["opened"])
        upto = {receiver: int(seq) for receiver, seq in found["upto"].items()}
        commits = {table: (int(version), str(digest)) for table, (version, digest) in found["commits"].items()}
        indexes = {str(of): tuple(map(_level, levels)) for of, levels in found["indexes"].items()}
        return State(str(found["rules"]), upto, parts, opened, commits, indexes)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise damaged(layout, "STATE is not whole") from None


def _part(told: dict[str, Any]) -> Part:
    return Part(int(told["runs"]), {str(table): str(path) for table, path in told["files"].items()})


def _level(told: dict[str, Any]) -> Level:
    return Level(str(told["path"]), int(told["entries"]), tuple(str(name) for name in told["of"]))


def write(layout: Layout, state: State) -> None:
    """Let these parts count from now on, and no others. Durable when this returns.

    Whoever is reading files that counted until now may go on for `derived_logs.KEEP_S`.

    Raises:
        OSError: the disk does not take it.
    """
    counting = files(layout, state)
    for path in _counted(layout) - counting:
        with suppress(FileNotFoundError):
            os.utime(layout.derived / path)
    durable.write_file(layout.derived_state, json.dumps({"format": FORMAT, **_plain(state)}, default=_plain).encode())


def _plain(told: object) -> dict[str, Any]:
    """The fields of a dataclass, as they are."""
    if not is_dataclass(told):
        raise TypeError(f"write STATE: {type(told).__name__}, expected parts and levels")
    return {each.name: getattr(told, each.name) for each in fields(told)}


def add(layout: Layout, table: str, content: bytes) -> str:
    """Write a file of a table that nobody reads before `STATE` names it; its path, which ends with the digest of its
    bytes. Durable when this returns.

    Raises:
        OSError: the disk does not take it.
    """
    path = f"{table}/{uuid.uuid4().hex}-{hashlib.sha256(content).hexdigest()}.parquet"
    durable.make_folder((layout.derived / path).parent)
    durable.write_file(layout.derived / path, content)
    return path


def is_as_written(layout: Layout, path: str) -> bool:
    """Whether a file has the bytes that `add` wrote there. Whoever changes it can name it anew.

    Raises:
        OSError: it cannot be read.
    """
    digest = Path(path).stem.rpartition("-")[2]
    return hashlib.sha256((layout.derived / path).read_bytes()).hexdigest() == digest


def live_files(layout: Layout) -> set[str]:
    """Paths of the files that count, and of those that a log names.

    Raises:
        Corrupt: the state or a log is damaged.
    """
    state = read(layout)
    return derived_logs.named(layout) | (set() if state is None else files(layout, state))


def forget(layout: Layout) -> None:
    """Take away all that was derived, also from whoever is reading it. Only under the lock of whoever derives.

    Raises:
        OSError: a file cannot be removed.
    """
    layout.derived_state.unlink(missing_ok=True)
    for path in layout.derived.iterdir() if layout.derived.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != layout.derived_lock:
            path.unlink(missing_ok=True)


def sweep(layout: Layout, *, now_s: float | None = None) -> None:
    """Remove files that count no more, and that nobody can be reading.

    Raises:
        OSError: one cannot be removed.
    """
    before_s = (time.time() if now_s is None else now_s) - derived_logs.KEEP_S
    _remove(layout, lambda written_s: written_s < before_s)


def discard(layout: Layout, since_s: float) -> None:
    """Remove files that were written since then and do not count, as far as the disk lets: a step that was not finished
    leaves none behind.
    """
    with suppress(OSError):
        _remove(layout, lambda written_s: written_s >= since_s)


def _remove(layout: Layout, when: Callable[[float], bool]) -> None:
    counting, there = _counted(layout), _there(layout)
    for path in (
        *(layout.derived / key for key in there if key not in counting),
        *layout.derived.glob(".STATE.*"),
        *derived_logs.drafts(layout),
    ):
        if when(path.stat().st_mtime):
            path.unlink(missing_ok=True)


def _there(layout: Layout) -> set[str]:
    """The files of tables and indexes, and drafts of them, by their paths below the folder of derived tables."""
    found = set()
    # Of months of runs there are thousands.
    for folder in (each.name for each in os.scandir(layout.derived) if each.is_dir()):
        names = (each.name for each in os.scandir(layout.derived / folder))
        found |= {f"{folder}/{name}" for name in names if name.endswith(_DRAFT if name[0] == "." else _SUFFIXES)}
    return found


def _counted(layout: Layout) -> set[str]:
    """The files that count, or that a log names; all that are there, where the state or a log does not tell."""
    with suppress(Corrupt):
        if read(layout) is not None or not layout.derived_state.exists():
            return live_files(layout)
    return _there(layout)


def files(layout: Layout, state: State) -> set[str]:
    """Paths of all files of a state."""
    levels = {f"{layout.derived_index.name}/{level.path}" for levels in state.indexes.values() for level in levels}
    return levels | {path for part in (*state.parts, *state.opened) for path in part.files.values()}


def damaged(layout: Layout, what: str) -> Corrupt:
    """The error for derived tables that cannot be read; they hold nothing that is not elsewhere."""
    return Corrupt(
        f"read {layout.derived}: {what}, expected what was derived there; `aftertrace derive --anew` makes it again"
    )
