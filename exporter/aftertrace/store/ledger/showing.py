"""Rows of some records with what proves them, and of the rows beside them nothing but hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aftertrace.store.errors import Corrupt
from aftertrace.store.ledger.acts import recorded
from aftertrace.store.ledger.entries import FrameEntry, digest_of
from aftertrace.store.ledger.erased import Erased, erased_in, places_of
from aftertrace.store.ledger.leaves import SALT, leaves_of
from aftertrace.store.ledger.proving import Prover
from aftertrace.store.schema import TABLES
from aftertrace.store.snapshot import Snapshot, collected
from aftertrace.tlog.merkle import root_of
from aftertrace.tlog.subsets import prove_subset
from aftertrace.verifier.leaf import own_salt
from aftertrace.verifier.requests import Place, Request
from aftertrace.verifier.rows import TABLES as SHOWN
from aftertrace.verifier.rows import row_line

if TYPE_CHECKING:
    import polars as pl

REQUESTS_AT_ONCE: Final = 200
"""Requests whose rows are read together."""
_BEFORE: Final = "it was stored before the ledger began"
_OTHERS: Final = "its rows are others than the ledger has: run `aftertrace verify`"


@dataclass(frozen=True, slots=True)
class Shown:
    """A request with the rows of it that are shown."""

    request: Request
    lines: Mapping[str, Sequence[str]]
    """By table, its rows as a packet has them, in order."""
    records: Mapping[str, Any]
    """Column by column, the rows of `evidence` that are shown, without the records themselves."""
    withheld: int
    """Records of the request that are not shown."""
    is_otherwise: bool = False
    """Whether an entry has other rows of the request, from before tables were put back."""


def shown(snapshot: Snapshot, records: pl.DataFrame, ledgers: Sequence[Prover]) -> Iterator[Shown]:
    """Some records, request by request, in order of receiver and seq.

    Args:
        snapshot: of the store.
        records: `receiver`, `seq`, `index`, `received_date` of each.
        ledgers: those that may tell of them, numbered from 1.

    Raises:
        Corrupt: a file of a table, or a ledger, is damaged.
        Unavailable: they cannot be reached.
    """
    erased = erased_in(recorded(snapshot.layout))
    wanted = records.unique(["receiver", "seq", "index"]).sort("receiver", "seq", "index")
    for (receiver,), of_receiver in wanted.group_by("receiver", maintain_order=True):
        seqs = of_receiver["seq"].unique(maintain_order=True)
        for start in range(0, len(seqs), REQUESTS_AT_ONCE):
            part = of_receiver.filter(of_receiver["seq"].is_in(seqs[start : start + REQUESTS_AT_ONCE].implode()))
            yield from _shown(snapshot, str(receiver), part, ledgers, erased)


def _shown(
    snapshot: Snapshot, receiver: str, records: pl.DataFrame, ledgers: Sequence[Prover], erased: Erased
) -> Iterator[Shown]:
    tables = {name: _rows(snapshot, name, receiver, records) for name in SHOWN}
    salts = _by_seq(tables["evidence"], SALT)
    stretches = {name: _stretches(rows) for name, rows in tables.items()}
    for (seq,), of_request in records.group_by("seq", maintain_order=True):
        indices = set(of_request["index"].to_list())
        parts = {name: rows.slice(*stretches[name].get(seq, (0, 0))) for name, rows in tables.items()}
        salt = salts.get(int(str(seq))) or b""
        leaves: dict[str, list[bytes]] = {}
        positions: dict[str, list[int]] = {}
        for name, part in parts.items():
            own = list(leaves_of(name, part, [salt] * part.num_rows))
            leaves[name], positions[name] = erased.merged(name, (receiver, int(str(seq))), places_of(part), own)
        place, why, is_otherwise = _place(receiver, int(str(seq)), leaves, ledgers)
        lines: dict[str, list[str]] = {}
        hashes: dict[str, list[bytes]] = {}
        for name, part in parts.items():
            at = [number for number, index in enumerate(part.column("index").to_pylist()) if index in indices]
            if at:
                stand = [positions[name][number] for number in at]
                lines[name] = list(_lines(name, part.take(at), stand, salt))
                hashes[name] = prove_subset(stand, leaves[name])
        found = parts["evidence"].drop_columns(["record", SALT])
        mine = found.filter(pa.array([index in indices for index in found.column("index").to_pylist()], pa.bool_()))
        yield Shown(
            Request(receiver, int(str(seq)), None, why)
            if place is None
            else Request(receiver, int(str(seq)), Place(place[0], place[1], hashes)),
            lines,
            mine.to_pydict(),
            found.num_rows - mine.num_rows,
            is_otherwise,
        )


def _place(
    receiver: str, seq: int, leaves: Mapping[str, Sequence[bytes]], ledgers: Sequence[Prover]
) -> tuple[tuple[int, int] | None, str | None, bool]:
    """Number of the ledger and index of the entry that has these rows, or why there is none; and whether another entry
    before has others. What the last one tells counts.
    """
    why = "no ledger that was given speaks of it"
    for number, ledger in enumerate(ledgers, 1):
        last = ledger.last()
        if last is None or receiver not in last.upto:
            continue
        if last.upto[receiver] < seq:
            return None, "it was not signed yet when the packet was made", False
        told = [
            (index, all(_is_of(frame, name, leaves[name]) for name in SHOWN))
            for index, frame in ledger.told(receiver, seq)
        ]
        if told and told[-1][1]:
            first = next(index for index, is_so in told if is_so)
            return (number, first), None, not all(is_so for _, is_so in told)
        why = _OTHERS if told else _BEFORE
    return None, why, False


def _is_of(frame: FrameEntry, table: str, leaves: Sequence[bytes]) -> bool:
    told = frame.rows(table)
    return told.count == len(leaves) and digest_of(told.root) == root_of(leaves)


def _rows(snapshot: Snapshot, table: str, receiver: str, records: pl.DataFrame) -> pa.Table:
    """All rows of some requests, those of others among them: the tree is over all."""
    import polars as pl

    schema = TABLES[table].schema
    order = [name for name in ("seq", "index", "ordinal") if name in schema.names]
    of_requests = snapshot.scan(table).filter(
        pl.col("received_date").is_in(records["received_date"].unique().implode()),
        pl.col("receiver") == receiver,
        pl.col("seq").is_between(records["seq"].min(), records["seq"].max()),
        pl.col("seq").is_in(records["seq"].unique().implode()),
    )
    (rows,) = collected(of_requests.sort(order))
    return rows.select(schema.names).to_arrow().cast(schema)


def _by_seq(rows: pa.Table, column: str) -> dict[int, bytes | None]:
    return dict(zip(rows.column("seq").to_pylist(), rows.column(column).to_pylist(), strict=True))


def _stretches(rows: pa.Table) -> dict[object, tuple[int, int]]:
    """By seq, the first of its rows, and how many it has."""
    found: dict[object, tuple[int, int]] = {}
    for seq, group in groupby(enumerate(rows.column("seq").to_pylist()), key=lambda each: each[1]):
        at = [number for number, _ in group]
        found[seq] = (at[0], len(at))
    return found


def _lines(table: str, rows: pa.Table, positions: Sequence[int], salt: bytes) -> Iterator[str]:
    columns = [name for name in rows.column_names if name != SALT]
    for position, row in zip(positions, rows.select(columns).to_pylist(), strict=True):
        if row["index"] is None:
            raise Corrupt("read row: no index, expected one; restore its file from a backup")
        own = own_salt(salt, table, row["index"], row.get("ordinal") or 0)
        yield row_line(own, position, row)
