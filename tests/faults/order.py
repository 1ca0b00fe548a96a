"""What has to be on stable storage before what: the two orders that an OK and a drain rest on.

kill -9 cannot show a missing `fsync`: the kernel keeps what was written. The order of the system calls can.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from faults.syscalls import RECEIVES, RENAMES, SENDS, SYNCS, UNLINKS, WRITES, Call

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKER: Final = re.compile(r"marker-\d+-\d+-end")
_ANSWER: Final = re.compile(r"HTTP/1\.1 200|\\0\\0(?:\\\w{1,3}|.)\\1\\[45]\\0\\0\\0")
"""A status line, or the head of an HTTP/2 HEADERS frame: a server sends one to answer and for nothing else."""
_COMMIT: Final = re.compile(r"\d{20}\.json")


@dataclass(frozen=True, slots=True)
class Judged:
    """How many steps were judged, and what was wrong with which."""

    steps: int
    violations: list[str]


@dataclass(frozen=True, slots=True)
class Disk:
    """Which file was written, synced and named when."""

    writes: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    syncs: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    named: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """The calls that gave a path a meaning: each made or replaced what it names."""
    drafts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The names under which a renamed or linked file was written."""
    gone: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """The calls that took a name away, by renaming or removing."""

    @classmethod
    def of(cls, calls: Iterable[Call]) -> Disk:
        """Sort the calls by what they touch."""
        disk = cls()
        for call in calls:
            if call.name in WRITES:
                disk.writes[call.descriptor].append(call)
            elif call.name in SYNCS:
                disk.syncs[call.descriptor].append(call)
            elif call.name in RENAMES:
                old, new = call.texts[0], call.texts[-1]
                disk.named[new].append(call)
                disk.drafts[new].append(old)
                disk.gone[old].append(call)
            elif call.name in UNLINKS:
                disk.gone[call.texts[0]].append(call)
            elif call.name == "mkdir":
                disk.named[call.texts[0]].append(call)
            elif call.name == "openat" and "O_CREAT" in call.arguments:
                disk.named[call.opened].append(call)
        return disk

    def bytes_are_down(self, path: str, before: int) -> bool:
        """Whether all that was written to `path` until line `before` was synced by then."""
        names = [path, *self.drafts[path]]
        written = max((call.end for name in names for call in self.writes[name] if call.begin < before), default=-1)
        return written < 0 or self.synced(names, written, before)

    def name_is_down(self, path: str, before: int) -> bool:
        """Whether the folder that names `path` was synced after the naming and until line `before`."""
        named = max(call.end for call in self.named[path] if call.end < before)
        return self.synced([str(PurePath(path).parent)], named, before)

    def made_under(self, folder: str, before: int) -> list[str]:
        """Paths below `folder` that were named until line `before` and not renamed or removed by then."""
        return [
            path
            for path, calls in self.named.items()
            if path.startswith(folder + "/")
            and (made := max((call.end for call in calls if call.end < before), default=None)) is not None
            and not any(made < call.begin < before for call in self.gone.get(path, []))
        ]

    def synced(self, names: list[str], after: int, before: int) -> bool:
        """Whether one of the names was synced between two lines."""
        return any(call.begin > after and call.end < before for name in names for call in self.syncs[name])


def judge_answers(calls: list[Call]) -> Judged:
    """Every OK to a client comes after a sync of the segment that holds the bytes of its request."""
    disk = Disk.of(calls)
    steps, violations = 0, []
    asked: dict[str, str] = {}
    for call in sorted(calls, key=lambda call: call.begin if call.name in SENDS else call.end):
        connection = call.descriptor
        if not connection.startswith("TCP"):
            continue
        if call.name in RECEIVES and (marker := _MARKER.search(call.arguments)):
            asked[connection] = marker[0]
        elif call.name in SENDS and connection in asked and _ANSWER.search(call.arguments):
            steps += 1
            marker_text = asked.pop(connection)
            if not _stored(disk, marker_text, call.begin):
                violations.append(f"{marker_text}: answered before its bytes were synced")
    return Judged(steps, violations)


def judge_commits(calls: list[Call], data: str) -> Judged:
    """Rows are down, and named, before the commit that names them: a table can be read after any power cut."""
    disk = Disk.of(calls)
    steps, violations = 0, []
    for path, calls_that_name in disk.named.items():
        table = PurePath(path).parent.parent
        if path.startswith(f"{data}/tables") and _COMMIT.fullmatch(PurePath(path).name):
            for call in calls_that_name:
                steps += 1
                rows = [made for made in disk.made_under(str(table), call.begin) if "/_delta_log" not in made]
                violations += _not_down(disk, rows, call.begin, f"commit of {table.name}")
    return Judged(steps, violations)


def judge_removals(calls: list[Call], data: str) -> Judged:
    """Rows, commits and their folders are down before a WAL segment goes: until then it is the only copy."""
    disk = Disk.of(calls)
    steps, violations = 0, []
    for call in calls:
        # A retired segment is removed, or renamed and used again.
        if call.name in UNLINKS | RENAMES and call.texts[0].endswith(".wal"):
            steps += 1
            # Lookup files are derived: whoever finds none reads the rows.
            made = [path for path in disk.made_under(f"{data}/tables", call.begin) if "/_lookup/" not in path]
            violations += _not_down(disk, made, call.begin, "removal of a WAL segment")
    return Judged(steps, violations)


def _stored(disk: Disk, marker: str, before: int) -> bool:
    """Whether a segment that got the marker's bytes was synced after it got them, and its name too."""
    return any(
        disk.synced([path], write.end, before) and (not disk.named.get(path) or disk.name_is_down(path, before))
        for path, writes in list(disk.writes.items())
        if path.endswith(".wal")
        for write in writes
        if marker in write.arguments
    )


def _not_down(disk: Disk, paths: list[str], before: int, step: str) -> list[str]:
    wrong = []
    for path in paths:
        if not disk.bytes_are_down(path, before):
            wrong.append(f"{step}: {path} is not synced")
        if not disk.name_is_down(path, before):
            wrong.append(f"{step}: the folder of {path} is not synced")
    return wrong
