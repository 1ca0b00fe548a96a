"""Every row of `evidence` against the frames that a ledger has, file by file, so that a store of any size fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
from deltalake.exceptions import DeltaError

from aftertrace.store import commits, parquet
from aftertrace.store.digest import origin_digest
from aftertrace.store.errors import Corrupt
from aftertrace.store.finding import Finding
from aftertrace.store.ledger.entries import FrameSeal
from aftertrace.store.ledger.leaves import SALT_BYTES, leaves_of
from aftertrace.store.ledger.verdicts import error, shortened
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot, collected
from aftertrace.tlog.merkle import root_of

_ORIGINS = ("resources", "scopes")


@dataclass(slots=True)
class Rows:
    """What the rows of `evidence` are, beside the ledger."""

    records: int = 0
    """As the ledger has them."""
    unledgered: int = 0
    before: int = 0
    elsewhere: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Places:
    """Where what was found, by kind."""

    edited: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    fewer: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Checker:
    awaited: dict[tuple[str, int], FrameSeal]
    bounds: dict[str, tuple[int, int]]
    """First and last seq of each receiver in the ledger."""
    stored: Mapping[str, int]
    """Last seq of each receiver that `evidence` says that it holds."""
    own: frozenset[str]
    """Receivers whose ledger this is to be."""
    rows: Rows = field(default_factory=Rows)
    places: _Places = field(default_factory=_Places)
    begun: dict[tuple[str, int], list[tuple[int, bytes]]] = field(default_factory=dict)
    """Rows of frames of which some are in a file that was not read yet: index and leaf."""
    edited: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many records of a frame are not what their leaves say."""
    digests: set[str] = field(default_factory=set)
    """Of resources and scopes."""

    def take(self, table: pa.Table) -> None:
        """Rows of a file."""
        touched: set[tuple[str, int]] = set()
        columns = (table.column(name).to_pylist() for name in ("receiver", "seq", "index", "salt", "leaf"))
        for receiver, seq, index, salt, leaf, made in zip(*columns, leaves_of(table), strict=True):
            frame = (receiver, seq)
            if frame not in self.awaited:
                self._strange(receiver, seq, index)
                continue
            touched.add(frame)
            if leaf != made or len(salt or b"") != SALT_BYTES:
                self.places.edited.append(f"evidence {receiver}/{seq}/{index}")
                self.edited[frame] += 1
            self.begun.setdefault(frame, []).append((-1 if index is None else index, leaf or b""))
        for frame in touched:
            if len(self.begun[frame]) >= self.awaited[frame].records:
                self._compare(frame)
        for name in ("resource_digest", "scope_digest"):
            self.digests.update(table.column(name).drop_null().unique().to_pylist())

    def finish(self, unread: int) -> Rows:
        """What is left over when all files were read, of which so many could not be."""
        for frame in sorted(self.begun):
            self._compare(frame)
        empty = [frame for frame, seal in self.awaited.items() if not seal.records]
        for frame in empty:
            del self.awaited[frame]
        self.places.missing += [_named(frame) for frame in sorted(self.awaited)]
        lost = f", and {unread} files cannot be read" if unread else ""
        found = self.places
        self.rows.findings += [
            *shortened("record_edited", found.edited, "not the record that the ledger has: a field was changed"),
            *shortened("records_edited", found.frames, "not the records that the ledger has"),
            *shortened("record_added", found.added, "not in the ledger, expected nothing there"),
            *found_fewer(found.fewer, lost),
            *shortened("frame_missing", found.missing, f"no records of this request, expected them{lost}"),
        ]
        return self.rows

    def _strange(self, receiver: str | None, seq: int | None, index: int | None) -> None:
        """A row that the ledger does not have."""
        if receiver is None or seq is None or not 0 < seq <= self.stored.get(receiver, 0):
            self.places.added.append(f"evidence {receiver}/{seq}/{index}")
        elif receiver not in self.bounds and receiver not in self.own:
            self.rows.elsewhere += 1
        elif receiver not in self.bounds or seq < self.bounds[receiver][0]:
            self.rows.before += 1
        elif seq > self.bounds[receiver][1]:
            self.rows.unledgered += 1
        else:
            self.places.added.append(f"evidence {receiver}/{seq}/{index}")

    def _compare(self, frame: tuple[str, int]) -> None:
        seal, held = self.awaited.pop(frame), sorted(self.begun.pop(frame))
        if root_of([leaf for _, leaf in held]).hex() == seal.root:
            self.rows.records += len(held) - self.edited[frame]
        elif len(held) < seal.records:
            self.places.fewer.append(f"{_named(frame)}: {len(held)} of {seal.records}")
        elif len(held) > seal.records:
            self.places.added.append(f"{_named(frame)}: {len(held)} records instead of {seal.records}")
        else:
            self.places.frames.append(_named(frame))


def check_rows(
    snapshot: Snapshot,
    frames: Iterable[tuple[str, FrameSeal]],
    progress: Callable[[int], object],
) -> Rows:
    """Compare all rows of `evidence` with the frames of a ledger, each given with its receiver.

    `progress` is told how many bytes of files have been read.

    Raises:
        Corrupt: the last commit is damaged.
        OSError: a file cannot be reached, which says nothing of what is in it.
    """
    awaited = {(receiver, seal.seq): seal for receiver, seal in frames}
    bounds: dict[str, tuple[int, int]] = {}
    for receiver, seq in awaited:
        first, last = bounds.get(receiver, (seq, seq))
        bounds[receiver] = (min(first, seq), max(last, seq))
    version = dict(snapshot.versions).get("evidence")
    log = commits.log_of(snapshot.layout, "evidence")
    stored = {} if version is None else commits.read(log, version).stored
    checker = _Checker(awaited, bounds, stored, frozenset(snapshot.layout.receivers()))
    objects, unread, read_bytes = objects_of(snapshot.layout), 0, 0
    for path, day in snapshot.files("evidence"):
        where = f"{snapshot.layout.tables_folder.name}/evidence/{path}"
        try:
            content = objects.get(f"evidence/{path}")
            checker.take(parquet.read(pa.BufferReader(content), day, TABLES["evidence"].schema))
        except FileNotFoundError:
            unread += 1
            checker.rows.findings.append(error("file_damaged", where, "no file, expected one of evidence"))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as refusal:
            if isinstance(refusal, ConnectionError):
                raise
            unread += 1
            message = f"{type(refusal).__name__}, expected rows as they were written"
            checker.rows.findings.append(error("file_damaged", where, message))
        else:
            read_bytes += len(content)
            progress(read_bytes)
    rows = checker.finish(unread)
    rows.findings += _origins(snapshot, checker.digests)
    return rows


def found_fewer(places: list[str], lost: str) -> list[Finding]:
    """Findings of frames of which some records are gone."""
    return shortened("record_missing", places, f"records are missing{lost}")


def _origins(snapshot: Snapshot, wanted: set[str]) -> list[Finding]:
    """Resources and scopes: rows of evidence hold their digests, so each has to be the one with that digest."""
    findings: list[Finding] = []
    known: set[str] = set()
    for table in _ORIGINS:
        try:
            (rows,) = collected(snapshot.scan(table, columns=["digest", "bytes", "schema_url"]).unique())
        except (Corrupt, DeltaError) as damage:
            said = str(damage) if isinstance(damage, Corrupt) else "the Delta library cannot open it"
            findings.append(error("file_damaged", f"{snapshot.layout.tables_folder.name}/{table}", said))
            continue
        edited = [
            f"{table} {digest}"
            for digest, message, url in rows.iter_rows()
            if origin_digest(message or b"", url or "") != digest
        ]
        findings += shortened("origin_edited", edited, "not the bytes that have this digest")
        known.update(rows.filter(pl.col("digest").is_not_null())["digest"])
    if not any(found.code == "file_damaged" for found in findings):
        lost = [f"resources, scopes {digest}" for digest in sorted(wanted - known)]
        findings += shortened("origin_missing", lost, "not stored, expected what evidence names")
    return findings


def _named(frame: tuple[str, int]) -> str:
    return f"evidence {frame[0]}/{frame[1]}"
