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
_ANSWERS: Final = ("HTTP/1.1 200", "grpc-status")
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
    named: dict[str, Call] = field(default_factory=dict)
    """The call that gave a path its present meaning."""
    formerly: dict[str, str] = field(default_factory=dict)
    """The name under which a renamed or linked file was written."""

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
                disk.named[new], disk.formerly[new] = call, old
            elif call.name == "mkdir":
                disk.named[call.texts[0]] = call
            elif call.name == "openat" and "O_CREAT" in call.arguments:
                disk.named.setdefault(call.opened, call)
        return disk

    def bytes_are_down(self, path: str, before: int) -> bool:
        """Whether all that was written to `path` until line `before` was synced by then."""
        names = [path, *([self.formerly[path]] if path in self.formerly else [])]
        written = max(
            (call.end for name in names for call in self.writes[name] if call.begin < before), default=-1
        )
        return written < 0 or self.synced(names, written, before)

    def name_is_down(self, path: str, before: int) -> bool:
        """Whether the folder that names `path` was synced after the naming and until line `before`."""
        return self.synced([str(PurePath(path).parent)], self.named[path].end, before)

    def made_under(self, folder: str, before: int) -> list[str]:
        """Paths below `folder` that were named until line `before`, without drafts that were renamed."""
        drafts = {old for new, old in self.formerly.items() if self.named[new].begin < before}
        return [
            path
            for path, call in self.named.items()
            if path.startswith(folder + "/") and call.end < before and path not in drafts
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
        elif call.name in SENDS and connection in asked and any(text in call.arguments for text in _ANSWERS):
            steps += 1
            marker_text = asked.pop(connection)
            if not _stored(disk, marker_text, call.begin):
                violations.append(f"{marker_text}: answered before its bytes were synced")
    return Judged(steps, violations)


def judge_drain(calls: list[Call], data: str) -> Judged:
    """Rows are down before the commit that names them, and all of it is down before WAL segments go."""
    disk = Disk.of(calls)
    steps, violations = 0, []
    tables = f"{data}/tables"
    for path, call in disk.named.items():
        table = PurePath(path).parent.parent
        if path.startswith(tables) and _COMMIT.fullmatch(PurePath(path).name):
            steps += 1
            rows = [made for made in disk.made_under(str(table), call.begin) if "/_delta_log" not in made]
            violations += _not_down(disk, rows, call.begin, f"commit of {table.name}")
    for call in calls:
        if call.name in UNLINKS and call.texts[0].endswith(".wal"):
            steps += 1
            made = disk.made_under(tables, call.begin)
            violations += _not_down(disk, made, call.begin, "removal of a WAL segment")
    return Judged(steps, violations)


def _stored(disk: Disk, marker: str, before: int) -> bool:
    """Whether a segment that got the marker's bytes was synced after it got them, and its name too."""
    return any(
        disk.synced([path], write.end, before) and (path not in disk.named or disk.name_is_down(path, before))
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
