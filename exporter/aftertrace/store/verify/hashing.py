"""A file of a table, read and hashed: all that is to be compared of it. It needs nothing but the file, the salts and
what is asked, so that several processes share the files (`store.processes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from itertools import pairwise
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from aftertrace.store import lookup, parquet
from aftertrace.store.digest import origin_digest
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.erased import Place, places_of
from aftertrace.store.ledger.leaves import SALT, leaves_of
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import TABLES
from aftertrace.store.verify.contents import Referred, referred
from aftertrace.store.verify.expected import Slots
from aftertrace.store.verify.store_key import Sample, sampled
from aftertrace.store.wire_keys import KEYED
from aftertrace.tlog.merkle import root_of

Request: TypeAlias = tuple[str, int]
"""Receiver and seq."""
ORIGINS: Final[Mapping[str, str]] = {"resources": "resource_digest", "scopes": "scope_digest"}
"""Tables of what records have in common, and the column of `evidence` that names a row of each."""
_ORDER: Final = ("receiver", "seq", "index", "ordinal")


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to be read."""

    layout: Layout
    table: str
    salts: Mapping[str, Slots]
    """Where those of the requests of each receiver are."""
    chosen: Collection[Request] | None
    """The requests in question; None: all."""
    erased: Collection[Request]
    """Requests of which rows were erased."""
    path: str
    day: date
    digest: str | None
    """Of its bytes, as its commit has it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows of a request."""

    request: Request
    count: int
    root: bytes
    """Over their leaves."""
    salt: bytes | None
    """That of the first."""
    leaves: tuple[bytes, ...] = ()
    """Of a request of which rows were erased."""
    places: tuple[Place, ...] = ()
    """The same."""


@dataclass(slots=True)
class Hashed:
    """What came of a file."""

    size_bytes: int = 0
    is_there: bool = True
    is_as_committed: bool = True
    failure: OSError | None = None
    """It cannot be reached, which says nothing of what is in it."""
    corrupt: str | None = None
    """What is wrong with a row."""
    unreadable: str | None = None
    """Name of the error with which it cannot be read."""
    stretches: tuple[Stretch, ...] = ()
    """Rows by request, in order."""
    record_bytes: int = 0
    named: Mapping[str, frozenset[bytes]] | None = None
    """Digests of origins that it names, by their table."""
    referred: Referred = field(default_factory=Referred)
    """Blobs that its records refer to."""
    sample: Sample | None = None
    """A record that the store's key can be tried on."""
    origins: frozenset[bytes] = frozenset()
    """Digests of those that it has."""
    strange_origins: tuple[str, ...] = ()
    """Digests of those whose bytes have another."""
    is_lookup_there: bool = True
    is_lookup_right: bool = True


def hashed(piece: Piece) -> Hashed:
    """Read a file, and hash its rows."""
    told = Hashed()
    try:
        content = objects_of(piece.layout).get(f"{piece.table}/{piece.path}")
    except FileNotFoundError:
        told.is_there = False
        return told
    except OSError as failure:
        told.failure = failure
        return told
    told.size_bytes = len(content)
    told.is_as_committed = piece.digest == f"sha256:{sha256(content).hexdigest()}"
    try:
        rows = parquet.read(pa.BufferReader(content), piece.day, TABLES[piece.table].schema)
        if piece.table in ORIGINS:
            _origins(told, piece.table, rows)
        else:
            _rows(told, piece, rows)
            _lookup(told, piece, rows)
    except Corrupt as damage:
        told.corrupt = str(damage)
    except (ConnectionError, TimeoutError) as failure:
        told.failure = failure
    except (pa.ArrowException, OSError, UnicodeDecodeError) as refusal:
        told.unreadable = type(refusal).__name__
    return told


def _origins(told: Hashed, table: str, rows: pa.Table) -> None:
    held, strange = set(), []
    columns = (rows.column(name).to_pylist() for name in ("digest", "bytes", "schema_url"))
    for digest, message, url in zip(*columns, strict=True):
        if origin_digest(message or b"", url or "") != digest:
            strange.append(f"{table} {digest}")
        elif digest is not None:
            held.add(digest_bytes(digest))
    told.origins, told.strange_origins = frozenset(held), tuple(strange)


def _lookup(told: Hashed, piece: Piece, rows: pa.Table) -> None:
    if piece.table in KEYED:
        found = lookup.read(piece.layout, piece.table, piece.path)
        told.is_lookup_there = found is not None
        made = found is None or lookup.made(piece.table, rows.select(lookup.columns_read(piece.table)))
        told.is_lookup_right = found is None or made == found


def _rows(told: Hashed, piece: Piece, rows: pa.Table) -> None:
    if piece.chosen is not None:
        seqs = pa.array(sorted({seq for _, seq in piece.chosen}), pa.int64())
        rows = rows.filter(pc.is_in(rows.column("seq"), seqs))
    names = [name for name in _ORDER if name in rows.column_names]
    # Folded rows stand by conversation; a request's are in order of their index.
    order = pc.sort_indices(rows, [(name, "ascending") for name in names])
    stretches = _stretches(rows.select(names[:2]).take(order))
    leaves = _leaves(piece, rows, order.to_pylist(), stretches)
    told.stretches = tuple(
        Stretch(
            request,
            end - start,
            root_of(leaves[start:end]),
            rows.column(SALT)[order[start].as_py()].as_py() if piece.table == "evidence" else None,
            *_singly(rows.select(names).take(order[start:end]), leaves[start:end]) if request in piece.erased else (),
        )
        for request, start, end in stretches
        if piece.chosen is None or request in piece.chosen
    )
    if piece.table == "evidence":
        told.record_bytes = pc.sum(pc.binary_length(rows.column("record"))).as_py() or 0
        told.referred = referred(piece.layout, rows, piece.day)
        told.sample = sampled(piece.layout, rows)
        told.named = {
            origins: frozenset(map(digest_bytes, pc.unique(rows.column(column)).drop_null().to_pylist()))
            for origins, column in ORIGINS.items()
        }


def _stretches(rows: pa.Table) -> list[tuple[Request, int, int]]:
    """Each request of sorted rows, and which are its own: the first, and the one behind the last."""
    columns = [rows.column(name).combine_chunks() for name in ("receiver", "seq")]
    if not rows.num_rows:
        return []
    # A receiver or seq that is not there is one of its own; null and null are one.
    differs = [
        pc.fill_null(pc.not_equal(column[1:], column[:-1]), pc.xor(column[1:].is_null(), column[:-1].is_null()))
        for column in columns
    ]
    starts = [0, *(place + 1 for place in pc.indices_nonzero(pc.or_(*differs)).to_pylist())]
    requests = zip(*(column.take(pa.array(starts, pa.int64())).to_pylist() for column in columns), strict=True)
    bounds = pairwise([*starts, rows.num_rows])
    return [(request, start, end) for request, (start, end) in zip(requests, bounds, strict=True)]


def _leaves(piece: Piece, rows: pa.Table, order: list[int], stretches: list[tuple[Request, int, int]]) -> list[bytes]:
    """The leaves of rows, in an order that has these requests one after the other. Raises as `leaves_of`."""
    if piece.table == "evidence":
        salts: list[bytes | None] = rows.column(SALT).to_pylist()
    else:
        salts = [None] * rows.num_rows
        for (receiver, seq), start, end in stretches:
            slots = piece.salts.get(receiver) if receiver is not None else None
            slot = slots.slot(seq) if slots is not None and seq is not None else None
            for place in order[start:end]:
                salts[place] = slot.salt if slot is not None else None
    leaves = leaves_of(piece.table, rows, salts)
    return [leaves[place] for place in order]


def _singly(rows: pa.Table, leaves: list[bytes]) -> tuple[tuple[bytes, ...], tuple[Place, ...]]:
    return tuple(leaves), tuple(places_of(rows))


def digest_bytes(tagged: str) -> bytes:
    """A tagged digest, short. What is none stays what it is, and is found nowhere."""
    try:
        return bytes.fromhex(tagged.removeprefix("sha256:"))
    except ValueError:
        return tagged.encode()
