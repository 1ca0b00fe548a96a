"""Which records came before: a resend after a lost OK is stored as evidence, and shown once.

A record is a duplicate when one of its tenant with the same key came on the same day or a day beside it, so at least 24
hours back.
The rule looks at receive dates alone, never at the clock: reading the same frames again gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.ingest.places import Place, PlacesByDay, key_columns, key_of, within
from aftertrace.store.sources import tenant_of

COLUMNS: Final = ("record_key", "receiver", "seq", "index", "duplicate_of", "record_id", "source")
"""What is loaded of `evidence`."""


class DuplicateWindow:
    """The keys of the days that matter."""

    def __init__(self, load: Callable[[date], Iterable[pl.DataFrame]], folder: Path) -> None:
        """Keep how to load a day, and where files without a name may be.

        Args:
            load: rows of `evidence` of a day, in parts, with `COLUMNS`.
            folder: on a disk with some space: 26 bytes a record for each of three days.
        """
        self._places = PlacesByDay(lambda day: map(_firsts, load(day)), folder)

    def take_in(self, day: date, evidence: pl.DataFrame) -> None:
        """Know rows of a day that another receiver has stored, with `COLUMNS`.

        Raises:
            OSError: the disk does not take it.
        """
        self._places.take_in(day, _firsts(evidence))

    def keep(self) -> None:
        """What is known now is what `back` goes back to."""
        self._places.keep()

    def back(self) -> None:
        """Forget what was asked for since `keep`: it was not stored."""
        self._places.back()

    def first_copies(
        self, day: date, keys: Sequence[bytes], places: Sequence[Place], tenants: Sequence[str | None]
    ) -> list[Place | None]:
        """For each record of a day the place of its first copy within its tenant, or None for one that is the first.

        Asking again for a record that was asked for before gives the same answer as then.

        Raises:
            OSError: the disk does not take it.
        """
        prefixes = [key_of(key) ^ within(tenant) for key, tenant in zip(keys, tenants, strict=True)]
        own, beside = self._places.of(day, prefixes), self._places.beside(day, prefixes)
        fresh: list[tuple[int, Place]] = []
        answers: list[Place | None] = []
        for prefix, place in zip(prefixes, places, strict=True):
            first = own.get(prefix)
            if first is None:
                first = own[prefix] = beside.get(prefix, place)
                fresh.append((prefix, first))
            answers.append(None if first == place else first)
        self._places.add(day, fresh)
        return answers


def _firsts(evidence: pl.DataFrame) -> pl.DataFrame:
    """The first copy of each record; one that says the same as another in other bytes is the first of its bytes."""
    of_these_bytes = pl.when(pl.col("record_id").is_null()).then("duplicate_of")
    first = of_these_bytes.str.split_exact("/", 2).struct
    key, check = key_columns("record_key")
    tenants = {source: within(tenant_of(source)) for source in evidence["source"].unique()}
    return evidence.select(
        key ^ pl.col("source").replace_strict(tenants, return_dtype=pl.UInt64),
        check,
        name=pl.coalesce(first.field("field_0"), pl.col("receiver")),
        seq=pl.coalesce(first.field("field_1").cast(pl.Int64), pl.col("seq")),
        index=pl.coalesce(first.field("field_2").cast(pl.Int32), pl.col("index")),
    )
