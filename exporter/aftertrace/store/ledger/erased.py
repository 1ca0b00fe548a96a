"""Rows that were erased: of each the ledger has the hash, so that the roots of what is kept are made as before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

import msgspec
import pyarrow as pa

from aftertrace.store.ledger.acts import Recorded
from aftertrace.store.ledger.entries import Erasure, Retained, Withdrawn, digest_of

Place: TypeAlias = tuple[int, int]
"""Index and ordinal of a row in its request."""
_Request: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class Erased:
    """What ledgers say of rows that were erased."""

    leaves: dict[str, dict[_Request, dict[Place, bytes]]] = field(default_factory=dict)
    """By table and request."""
    done: set[tuple[str, int, int]] = field(default_factory=set)
    """Receiver, seq and index of records that are gone."""
    _ordered: dict[str, list[Erasure]] = field(default_factory=dict)
    _taken: list[Erasure] = field(default_factory=list)
    """What is gone: of orders that are done, or of those that were withdrawn within a day."""

    def order(self, entry: Erasure) -> None:
        """Know what an entry has of the rows that it names."""
        self._ordered.setdefault(entry.id, []).append(entry)
        self._know(entry)

    def _know(self, entry: Erasure) -> None:
        for table, rows in entry.rows.items():
            of = self.leaves.setdefault(table, {})
            for row in rows:
                of.setdefault((entry.receiver, row.seq), {})[row.index, row.ordinal] = digest_of(row.leaf)

    def finish(self, ident: str) -> None:
        """Know that all rows of an order are gone."""
        for entry in self._ordered.pop(ident, ()):
            self._taken.append(entry)
            rows = (row for found in entry.rows.values() for row in found)
            self.done.update((entry.receiver, row.seq, row.index) for row in rows)

    def withdraw(self, entry: Withdrawn) -> None:
        """Know that rows of an order stay, and have hashes of their own."""
        ordered = self._ordered.get(entry.id, [])
        back = [each for each in ordered if each.day >= entry.day]
        self._ordered[entry.id] = [each for each in ordered if each.day < entry.day]
        for each in back:
            for table, rows in each.rows.items():
                for row in rows:
                    self.leaves[table].get((each.receiver, row.seq), {}).pop((row.index, row.ordinal), None)
            if each.day == entry.day:
                gone = {table: rows for table, rows in each.rows.items() if table in entry.gone}
                self._taken.append(msgspec.structs.replace(each, rows=gone))
        # Another order may name some of it too, and have taken it, or take it yet.
        days = {(each.receiver, each.day) for each in back}
        for each in (*self._taken, *chain.from_iterable(self._ordered.values())):
            if (each.receiver, each.day) in days:
                self._know(each)

    def take(self, other: Erased) -> None:
        """Know what another ledger says too."""
        for table, of in other.leaves.items():
            self.leaves.setdefault(table, {}).update(of)
        self.done |= other.done

    def requests(self, table: str) -> frozenset[_Request]:
        """Those of which rows of a table were erased, or are to be."""
        return frozenset((*self.leaves.get(table, ()), *((receiver, seq) for receiver, seq, _ in self.done)))

    def of(self, table: str, request: _Request) -> Mapping[Place, bytes]:
        """Hashes of the rows of a request that are erased."""
        return self.leaves.get(table, {}).get(request, {})

    def merged(
        self, table: str, request: _Request, places: Sequence[Place], leaves: Sequence[bytes]
    ) -> tuple[list[bytes], list[int]]:
        """The hashes of all rows of a request, those that are erased among them, in order; and which of them are those
        of the rows that are there.

        Args:
            table: its name.
            request: receiver and seq.
            places: of the rows that are there, in order.
            leaves: their hashes.
        """
        gone = self.of(table, request)
        if not gone or len(set(places)) < len(places):
            return list(leaves), list(range(len(leaves)))
        known = {**gone, **dict(zip(places, leaves, strict=True))}
        order = {place: number for number, place in enumerate(sorted(known))}
        return [known[place] for place in order], [order[place] for place in places]

    def there(self, request: _Request, places: Iterable[Place]) -> int:
        """How many rows are there of records that are gone."""
        return sum((*request, index) in self.done for index, _ in places)


def erased_in(recorded: Iterable[Recorded]) -> Erased:
    """What the acts of a ledger say of rows that were erased."""
    found = Erased()
    for each in recorded:
        if isinstance(each.act, Erasure):
            found.order(each.act)
        elif isinstance(each.act, Withdrawn):
            found.withdraw(each.act)
        elif isinstance(each.act, Retained):
            found.finish(each.act.id)
    return found


def places_of(rows: pa.Table) -> list[Place]:
    """The place of each row in its request."""
    ordinals = rows.column("ordinal").to_pylist() if "ordinal" in rows.column_names else [0] * rows.num_rows
    return list(zip(rows.column("index").to_pylist(), ordinals, strict=True))
