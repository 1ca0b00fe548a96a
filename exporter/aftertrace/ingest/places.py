"""Places of records by key, one day at a time: a day is loaded from `evidence` when the first of its records comes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl

from aftertrace.ingest.seen import SCHEMA, Seen

Place: TypeAlias = tuple[str, int, int]
"""Receiver, seq and index of a record."""

Load: TypeAlias = Callable[[date], Iterable[pl.DataFrame]]
"""Rows of `key`, `check`, `name` (of the receiver), `seq` and `index` of a day, in parts: of a key, the last counts."""

DAY: Final = timedelta(days=1)
_LOW: Final = (1 << 64) - 1
_KEPT: Final = 3 * DAY
"""Two more days than are asked for, since the clock of the receiver may be set back over midnight."""


def text(place: Place) -> str:
    """A place as it stands in tables: `receiver/seq/index`."""
    return f"{place[0]}/{place[1]}/{place[2]}"


def parsed(written: str) -> Place:
    """The inverse of `text`."""
    receiver, seq, index = written.split("/")
    return receiver, int(seq), int(index)


def key_of(digest: bytes) -> int:
    """The key of a digest: its first twelve bytes, or as many as it has. With eight alone, one of some billion records
    would be taken for a copy of another.
    """
    return int.from_bytes(digest[:12], "little")


def within(tenant: str | None) -> int:
    """What a key is combined with by exclusive or, so that it meets those of its own tenant alone. 0 without one.

    Digests are keyed: nobody can choose two that differ by this.
    """
    return 0 if tenant is None else int.from_bytes(hashlib.blake2b(tenant.encode(), digest_size=8).digest(), "little")


def key_columns(name: str) -> tuple[pl.Expr, pl.Expr]:
    """`key_of` for a column: `key`, which is looked up, and `check`, which is compared."""
    digest = pl.col(name)
    key = digest.bin.slice(0, 8).bin.reinterpret(dtype=pl.UInt64, endianness="little")
    check = digest.bin.slice(8, 4).bin.reinterpret(dtype=pl.UInt32, endianness="little")
    return key.alias("key"), check.fill_null(0).alias("check")


class PlacesByDay:
    """Places by key for the days that matter."""

    def __init__(self, load: Load, folder: Path) -> None:
        """Keep how to load a day, and where files without a name may be (`Seen`)."""
        self._load = load
        self._folder = folder
        self._days: dict[date, Seen] = {}
        self._kept: dict[date, tuple[pl.DataFrame, ...]] = {}
        self._receivers: list[str] = []

    def of(self, day: date, keys: Sequence[int]) -> dict[int, Place]:
        """Places of those of `keys` that are known on a day, and may be of others that are looked up by the same."""
        found = self._seen(day).find(pl.Series("key", [key & _LOW for key in keys], dtype=pl.UInt64))
        return {
            key | check << 64: (self._receivers[receiver], seq, index)
            for key, check, receiver, seq, index in found.iter_rows()
        }

    def beside(self, day: date, keys: Sequence[int]) -> dict[int, Place]:
        """Likewise, on the days before and after it; the day before counts where both know a key."""
        return {**self.of(day + DAY, keys), **self.of(day - DAY, keys)}

    def add(self, day: date, entries: Iterable[tuple[int, Place]]) -> None:
        """Keep places of a day, the newest last, and forget the days that are too far from it."""
        rows = [(key & _LOW, key >> 64, self._number(receiver), seq, index) for key, (receiver, seq, index) in entries]
        self._seen(day).add(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
        for old in [known for known in self._days if abs(known - day) > _KEPT]:
            del self._days[old]

    def take_in(self, day: date, rows: pl.DataFrame) -> None:
        """Keep places of a day that were stored since it was loaded, as `Load` gives them.

        Raises:
            OSError: the disk does not take it.
        """
        if day in self._days:
            for numbered in self._numbered([rows]):
                self._days[day].add(numbered)

    def keep(self) -> None:
        """What is known now is what `back` goes back to."""
        self._kept = {day: seen.kept() for day, seen in self._days.items()}

    def back(self) -> None:
        """Forget what was added since `keep`; days that came since are loaded again."""
        self._days = {day: seen for day, seen in self._days.items() if day in self._kept}
        for day, seen in self._days.items():
            seen.back(self._kept[day])

    def _seen(self, day: date) -> Seen:
        if day not in self._days:
            seen = Seen(self._folder)
            for rows in self._numbered(self._load(day)):
                seen.add(rows)
            self._days[day] = seen
        return self._days[day]

    def _numbered(self, parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for rows in parts:
            if rows.height:
                numbers = {name: self._number(name) for name in rows["name"].unique(maintain_order=True)}
                receiver = pl.col("name").replace_strict(numbers, return_dtype=pl.UInt16).alias("receiver")
                yield rows.select("key", "check", receiver, "seq", "index")

    def _number(self, receiver: str) -> int:
        if receiver not in self._receivers:
            self._receivers.append(receiver)
        return self._receivers.index(receiver)
