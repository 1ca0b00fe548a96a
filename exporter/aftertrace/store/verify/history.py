"""The commits of a table against what ledgers say of them, and the files that readers see against the commits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from aftertrace.store import commits
from aftertrace.store.commits import Commit, Log
from aftertrace.store.errors import Corrupt
from aftertrace.store.schema import PARTITION
from aftertrace.store.verify import readers
from aftertrace.store.verify.expected import Claims
from aftertrace.store.verify.readers import NamedFile
from aftertrace.store.verify.report import Findings

_LISTED_AS: Final = {"minValues": "min", "maxValues": "max", "nullCount": "null_count"}


@dataclass(frozen=True, slots=True)
class Live:
    """A file that readers see."""

    path: str
    day: date
    recorded: tuple[str, int] | None
    """Digest and size in bytes, as its commit has them."""
    statistics: Mapping[str, Any]
    """Counts and bounds, as its commit has them."""
    named: NamedFile | None = None
    """All that its commit says of it."""


@dataclass(slots=True)
class _Follower:
    """One ledger's claims beside the commits."""

    name: str
    ranges: Iterator[tuple[int, int, bytes]]
    begun: tuple[int, int, bytes] | None = None
    digests: Any = None
    first: int | None = None
    """The first version that it speaks of."""
    covered: list[tuple[int, int]] = field(default_factory=list)

    def take(self, version: int, digest: bytes) -> tuple[int, int] | None:
        """Go on by a commit; the versions of a range that it ends and that is not as it is claimed."""
        while self.begun is None or self.begun[1] < version:
            self.begun = next(self.ranges, None)
            self.digests = sha256()
            if self.begun is None:
                return None
        first, last, claimed = self.begun
        if version < first:
            return None
        self.digests.update(digest)
        if version < last:
            return None
        if self.covered and self.covered[-1][1] == first - 1:
            self.covered[-1] = self.covered[-1][0], last
        else:
            self.covered.append((first, last))
        return (first, last) if self.digests.digest() != claimed else None


def check_history(
    log: Log, version: int, claims: Sequence[tuple[str, Claims]], findings: Findings, *, is_whole: bool
) -> list[Live]:
    """Go over all commits of a table.

    Args:
        log: of the table.
        version: the one that is verified; -1 where there is no table.
        claims: what ledgers, by name, say of it.
        findings: what is wrong.
        is_whole: whether all ledgers could be read whole, so that what they do not say is not said.

    Returns:
        The files of that version.

    Raises:
        OSError: a commit cannot be read.
    """
    where = f"tables/{log.key}"
    followers = [_Follower(name, claim.ranges()) for name, claim in claims]
    last_claimed = max((claim.last for _, claim in claims), default=-1)
    live: dict[str, Live] = {}
    about: dict[str, Any] = {}
    for name in readers.strangers(log):
        message = (
            "not a file of aftertrace's, expected commits and checkpoints alone: others may be led past rows by it"
        )
        findings.add("table_differs", f"{where}/{name}", message)
    checkpoints = set(readers.checkpoints(log))
    stored: dict[str, int] = {}
    for number in range(max(version, last_claimed) + 1):
        place = f"tables/{log.commit(number)}"
        try:
            content = log.objects.get(log.commit(number))
        except FileNotFoundError:
            if number > version:
                message = f"no commit {number}, expected those up to {last_claimed} that the ledger has"
                findings.add("table_rolled_back", where, message)
                break
            findings.add("commit_missing", place, "no such commit, expected it")
            content = b""
        digest = sha256(content).digest()
        for follower in followers:
            differs = follower.take(number, digest)
            if differs is not None:
                first, last = differs
                which = f"commit {first}" if first == last else f"one of the commits {first} to {last}"
                findings.add("commit_altered", where, f"{which} is another than {follower.name} has")
        if number <= version and content:
            try:
                _apply(live, about, log, number, content)
                _check_stored(stored, commits.parsed(log, number, content), place, findings)
            except Corrupt as damage:
                findings.add("commit_altered", place, str(damage))
        if number in checkpoints:
            _check_checkpoint(log, number, live, about, findings)
    _check_covered(followers, version, where, findings, is_whole=is_whole)
    if version < last_claimed:
        _check_newest(log, last_claimed, findings)
    found = sorted(live.values(), key=lambda each: (each.day, each.path))
    if version >= 0:
        _check_listed(log, version, found, about, findings)
    return found


def _apply(live: dict[str, Live], about: dict[str, Any], log: Log, version: int, content: bytes) -> None:
    """Go on by a commit: which files there are, and what it says of the table itself."""
    commit = commits.parsed(log, version, content)
    for path in commit.removed:
        live.pop(path, None)
    lines = content.splitlines()
    for line in lines:
        if line.startswith((b'{"metaData"', b'{"protocol"')):
            about.update(json.loads(line))
    if not commit.added:
        return
    told = [json.loads(line)["add"] for line in lines if line.startswith(b'{"add"')]
    try:
        for added, named in zip(commit.added, map(readers.named_file, told), strict=True):
            live[added.path] = Live(added.path, added.day, commit.digests.get(added.path), named.statistics, named)
            if named.further:
                raise ValueError(named.further)
    except (LookupError, RecursionError, TypeError, ValueError):
        raise Corrupt(f"read {log.commit(version)}: no statistics of its files, expected them") from None


def _check_checkpoint(
    log: Log, version: int, live: Mapping[str, Live], about: Mapping[str, Any], findings: Findings
) -> None:
    """Compare all of a checkpoint with what the commits add up to at its version: readers may begin at any."""
    place = f"tables/{log.key}/{version:020d}.checkpoint.parquet"
    try:
        held = readers.checkpoint(log, version)
    except FileNotFoundError:
        return
    except Corrupt as damage:
        findings.add("table_differs", place, str(damage))
        return
    told = {path: file.named for path, file in live.items() if file.named is not None}
    if held.files.keys() != told.keys() or not all(held.files[path].leads_as(file) for path, file in told.items()):
        findings.add("table_differs", place, "readers who begin here see other files, rows or bounds than commits have")
    elif not readers.is_about(held.about, about):
        findings.add("table_differs", place, "readers who begin here see another schema or other properties")


def _check_stored(stored: dict[str, int], commit: Commit, place: str, findings: Findings) -> None:
    """Each commit holds what those before it held: readers see no row beyond what the newest one says."""
    for receiver, seq in stored.items():
        told = commit.stored.get(receiver, 0)
        if told < seq:
            message = f"says that it holds {receiver} up to {told}, and one before it up to {seq}: readers see no more"
            findings.add("table_differs", place, message)
    stored |= commit.stored


def _check_newest(log: Log, last_claimed: int, findings: Findings) -> None:
    """What the ledger spoke of after the table was pinned has to be there for readers by now."""
    newest = commits.newest_version(log)
    if newest is None or newest < last_claimed:
        seen = "no version" if newest is None else f"version {newest} as the newest"
        message = f"readers find {seen}, expected {last_claimed} that the ledger has; see to {commits.LAST_CHECKPOINT}"
        findings.add("table_rolled_back", f"tables/{log.key}", message)


def _check_covered(
    followers: Sequence[_Follower], version: int, where: str, findings: Findings, *, is_whole: bool
) -> None:
    """Tell of commits that no ledger speaks of."""
    ranges = sorted(each for follower in followers for each in follower.covered)
    upto = -1
    holes: list[tuple[int, int]] = []
    for first, last in ranges:
        if first > upto + 1:
            holes.append((upto + 1, first - 1))
        upto = max(upto, last)
    if upto < version:
        holes.append((upto + 1, version))
    for first, last in holes:
        if is_whole:
            which = f"commit {first}" if first == last else f"commits {first} to {last}"
            findings.add("commits_uncovered", where, f"no ledger here speaks of {which}: made before it, or without it")


def _check_listed(log: Log, version: int, live: Sequence[Live], about: Mapping[str, Any], findings: Findings) -> None:
    """Compare what the Delta library makes of the log, from a checkpoint on, with what its commits add up to."""
    where = f"tables/{log.key}"
    try:
        table = DeltaTable(f"{log.objects.url}/{log.table}", version=version)
        listed = {row["path"]: row for row in pa.table(table.get_add_actions(flatten=True)).to_pylist()}
        is_as_told = _about(table) == _told(about)
    except (DeltaError, LookupError, RecursionError, TypeError, ValueError):
        findings.add("table_differs", where, "the Delta library cannot open the table as its commits have it")
        return
    if not is_as_told:
        findings.add("table_differs", where, "readers see another schema or other properties than the commits have")
    if set(listed) != {file.path for file in live}:
        message = f"readers see {len(listed)} files, expected the {len(live)} that the commits add up to"
        findings.add("table_differs", where, message)
        return
    for file in live:
        row = listed[file.path]
        told = {
            f"{short}.{column}": value
            for name, short in _LISTED_AS.items()
            for column, value in file.statistics.get(name, {}).items()
        }
        told |= {"num_records": file.statistics.get("numRecords"), f"partition.{PARTITION}": file.day}
        if file.recorded is not None:
            told["size_bytes"] = file.recorded[1]
        # The library keeps bounds of the first columns alone; a bound that is not there hides no row. One that no
        # commit has can hide all of them from whoever asks for that column.
        bounds = {name for name in row if name.partition(".")[0] in _LISTED_AS.values()}
        if any(row.get(name) not in (None, told.get(name)) for name in bounds | told.keys()):
            findings.add("table_differs", f"tables/{log.table}/{file.path}", "readers see other counts or bounds of it")


def _about(table: DeltaTable) -> tuple[Any, ...]:
    """What readers are told of a table itself."""
    about, needed = table.metadata(), table.protocol()
    columns = json.loads(table.schema().to_json())
    versions = needed.min_reader_version, needed.min_writer_version
    return str(about.id), about.name, about.description, about.partition_columns, about.configuration, columns, versions


def _told(about: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same of what commits say."""
    table, needed = about["metaData"], about["protocol"]
    named = (table["id"], table["name"], table["description"], table["partitionColumns"], table["configuration"])
    return *named, json.loads(table["schemaString"]), (needed["minReaderVersion"], needed["minWriterVersion"])
