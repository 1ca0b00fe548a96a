"""Erasing single records: their rows go, and of each row the hash stays that its request's root is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.store.commits import SEQUENCED
from aftertrace.store.errors import Invalid
from aftertrace.store.ledger.acts import ErasedPart
from aftertrace.store.ledger.entries import ERASED, ErasedRow, text_of
from aftertrace.store.ledger.leaves import SALT, leaves_of
from aftertrace.store.retention.plan import Held, is_held
from aftertrace.store.schema import PARTITION, TABLES
from aftertrace.store.snapshot import collected

if TYPE_CHECKING:
    from aftertrace.store.snapshot import Snapshot

_PLACE: Final = ("receiver", "seq", "index")


def erased(snapshot: Snapshot, places: pl.DataFrame, held: Sequence[Held]) -> tuple[ErasedPart, ...]:
    """The rows of some records and of their duplicates, as an act names them.

    Args:
        snapshot: of the store.
        places: `receiver`, `seq`, `index` of the records.
        held: what must stay.

    Raises:
        Invalid: one of the requests that they came in is held, or is of another data folder.
        Corrupt: a file of a table is damaged or missing.
    """
    wanted = places.select(pl.col("receiver"), pl.col("seq").cast(pl.Int64), pl.col("index").cast(pl.Int32)).unique()
    firsts = wanted.select(duplicate_of=pl.concat_str(_PLACE, separator="/"))
    copies = snapshot.scan("evidence", columns=[*_PLACE, "duplicate_of"]).join(firsts.lazy(), on="duplicate_of")
    (found,) = collected(copies.select(_PLACE))
    wanted = pl.concat([wanted, found]).unique().sort(_PLACE)
    (salted,) = collected(_of(snapshot, "evidence", wanted).select(*_PLACE, "source", PARTITION, SALT))
    _refuse(snapshot, salted, held)
    salts = {(receiver, seq): salt for receiver, seq, salt in salted.select("receiver", "seq", SALT).iter_rows()}
    rows = [row for table in SEQUENCED for row in _rows(snapshot, table, wanted, salts)]
    of: dict[tuple[str, str], list[tuple[str, ErasedRow]]] = {}
    for receiver, day, table, row in rows:
        of.setdefault((receiver, day), []).append((table, row))
    return tuple(
        _part(receiver, day, part[start : start + ERASED])
        for (receiver, day), part in sorted(of.items())
        for start in range(0, len(part), ERASED)
    )


def _part(receiver: str, day: str, rows: Sequence[tuple[str, ErasedRow]]) -> ErasedPart:
    by_table: dict[str, tuple[ErasedRow, ...]] = {}
    for table, row in rows:
        by_table[table] = (*by_table.get(table, ()), row)
    return ErasedPart(receiver, day, by_table)


def _of(snapshot: Snapshot, table: str, wanted: pl.DataFrame) -> pl.LazyFrame:
    rows = snapshot.scan(table).filter(pl.col("seq").is_in(wanted["seq"].unique().implode()))
    return rows.join(wanted.lazy(), on=list(_PLACE), how="semi")


def _rows(
    snapshot: Snapshot, table: str, wanted: pl.DataFrame, salts: dict[tuple[str, int], bytes]
) -> Iterator[tuple[str, str, str, ErasedRow]]:
    schema = TABLES[table].schema
    order = [name for name in (*_PLACE, "ordinal") if name in schema.names]
    (found,) = collected(_of(snapshot, table, wanted).sort(order))
    rows = found.select(schema.names).to_arrow().cast(schema)
    told = found.select(*_PLACE, PARTITION, ordinal=pl.col("ordinal") if "ordinal" in order else pl.lit(0)).rows()
    leaves = leaves_of(table, rows, [salts.get((receiver, seq)) for receiver, seq, *_ in told])
    for (receiver, seq, index, day, ordinal), leaf in zip(told, leaves, strict=True):
        yield receiver, day.isoformat(), table, ErasedRow(seq, index, ordinal, text_of(leaf))


def _refuse(snapshot: Snapshot, records: pl.DataFrame, held: Sequence[Held]) -> None:
    for each in held:
        for (day,), rows in records.group_by(PARTITION):
            if rows.filter(is_held(each, day)).height:
                raise Invalid(
                    f"erase: kept by {each.why}, expected nothing that is held; release it: aftertrace hold release"
                )
    strange = set(records["receiver"]) - snapshot.layout.own(records["receiver"].unique())
    if strange:
        raise Invalid(f"erase: records of {min(strange)!r}, whose data folder is another one, expected own ones")
