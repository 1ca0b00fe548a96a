"""Which records came before: a resend after a lost OK is stored as evidence, and shown once.

A record is a duplicate when one with the same key came on the same day or a day beside it, so at least 24 hours back.
The rule looks at receive dates alone, never at the clock: reading the same frames again gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias

import polars as pl

Place: TypeAlias = tuple[str, int, int]
"""Receiver, seq and index of a record."""

_SCHEMA: Final = pl.Schema({"key": pl.UInt64, "receiver": pl.UInt16, "seq": pl.Int64, "index": pl.Int32})
_DAY: Final = timedelta(days=1)


class Seen:
    """Keys of one day with the place of the first record that had them; about 22 bytes each.

    Runs of sorted keys, each at least twice as long as the next, so that adding stays cheap and looking up needs few
    binary searches.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        """Begin with rows of `key, receiver, seq, index`."""
        self._runs = [rows.sort("key")] if rows.height else []

    def find(self, keys: pl.Series) -> pl.DataFrame:
        """Those of `keys` that were seen, with their places."""
        found = [run[run["key"].search_sorted(keys).clip(0, run.height - 1)] for run in self._runs]
        hits = [rows.filter(rows["key"] == keys) for rows in found]
        return pl.concat([pl.DataFrame(schema=_SCHEMA), *hits])

    def add(self, rows: pl.DataFrame) -> None:
        """Keep the places of new keys."""
        if not rows.height:
            return
        self._runs.append(rows.sort("key"))
        while len(self._runs) > 1 and self._runs[-2].height < 2 * self._runs[-1].height:
            newer = self._runs.pop()
            self._runs.append(self._runs.pop().merge_sorted(newer, key="key"))


class DuplicateWindow:
    """The keys of the days that matter; a day is loaded from `evidence` when the first of its records comes."""

    def __init__(self, load: Callable[[date], pl.DataFrame]) -> None:
        """Keep how to load a day.

        Args:
            load: rows of `evidence` of a day: `record_key, receiver, seq, index, duplicate_of`.
        """
        self._load = load
        self._days: dict[date, Seen] = {}
        self._receivers: list[str] = []

    def first_copies(self, day: date, keys: Sequence[bytes], places: Sequence[Place]) -> list[Place | None]:
        """For each record of a day the place of its first copy, or None for a record that is the first.

        Asking again for a record that was asked for before gives the same answer as then.
        """
        prefixes = [int.from_bytes(key[:8], "little") for key in keys]
        series = pl.Series("key", prefixes, dtype=pl.UInt64)
        own = self._known(day, series)
        beside = {**self._known(day + _DAY, series), **self._known(day - _DAY, series)}
        fresh: list[tuple[int, Place]] = []
        answers: list[Place | None] = []
        for prefix, place in zip(prefixes, places, strict=True):
            first = own.get(prefix)
            if first is None:
                first = own[prefix] = beside.get(prefix, place)
                fresh.append((prefix, first))
            answers.append(None if first == place else first)
        self._seen(day).add(self._frame(fresh))
        self._forget(day)
        return answers

    def _known(self, day: date, keys: pl.Series) -> dict[int, Place]:
        found = self._seen(day).find(keys)
        return {key: (self._receivers[receiver], seq, index) for key, receiver, seq, index in found.iter_rows()}

    def _seen(self, day: date) -> Seen:
        if day not in self._days:
            self._days[day] = Seen(self._from_evidence(self._load(day)))
        return self._days[day]

    def _from_evidence(self, rows: pl.DataFrame) -> pl.DataFrame:
        first = pl.col("duplicate_of").str.split_exact("/", 2).struct
        receivers = pl.coalesce(first.field("field_0"), pl.col("receiver"))
        places = rows.select(
            key=pl.col("record_key").bin.slice(0, 8).bin.reinterpret(dtype=pl.UInt64, endianness="little"),
            name=receivers,
            seq=pl.coalesce(first.field("field_1").cast(pl.Int64), pl.col("seq")),
            index=pl.coalesce(first.field("field_2").cast(pl.Int32), pl.col("index")),
        ).unique("key")
        names = {name: self._number(name) for name in places["name"].unique().to_list()}
        numbered = pl.col("name").replace_strict(names, return_dtype=pl.UInt16).alias("receiver")
        return places.select("key", numbered, "seq", "index") if names else pl.DataFrame(schema=_SCHEMA)

    def _frame(self, entries: list[tuple[int, Place]]) -> pl.DataFrame:
        rows = [(prefix, self._number(receiver), seq, index) for prefix, (receiver, seq, index) in entries]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def _number(self, receiver: str) -> int:
        if receiver not in self._receivers:
            self._receivers.append(receiver)
        return self._receivers.index(receiver)

    def _forget(self, day: date) -> None:
        # Two more days than are asked for, since the clock of the receiver may be set back over midnight.
        for old in [known for known in self._days if abs(known - day) > 3 * _DAY]:
            del self._days[old]
