"""Where rows are found by their wire keys: in a version of a store, or in frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.store.run_names import names
from aftertrace.store.wire_keys import wire_keys

if TYPE_CHECKING:
    from aftertrace.analyzer.reading.tables import Tables
    from aftertrace.store.key_index import Level
    from aftertrace.store.snapshot import Snapshot

KEYS: Final = pl.Schema({"kind": pl.String, "key": pl.String})
"""Wire keys: a kind of `store.wire_keys.KINDS`, and the id as the sender wrote it."""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of `spans` and `events`, by key or all of them."""

    by: Callable[[str, pl.DataFrame, Sequence[str] | None], pl.DataFrame]
    """The rows of a table that have any of some keys (columns as in `KEYS`): all columns, or some."""
    all: Callable[[str], pl.LazyFrame]
    """All rows of a table."""
    of_runs: Callable[[str], pl.DataFrame]
    """Keys that lead to the runs whose ids begin so, in lower-case hexadecimal digits, and perhaps to others."""

    def received_before(self, time_ns: int) -> Found:
        """Rows that were received before a time, by the receiver's clock."""
        had_come = pl.col("received_ns") < time_ns

        def by(table: str, wanted: pl.DataFrame, columns: Sequence[str] | None) -> pl.DataFrame:
            read = None if columns is None else list(dict.fromkeys((*columns, "received_ns")))
            rows = self.by(table, wanted, read).filter(had_come)
            return rows if columns is None else rows.select(columns)

        return Found(by, lambda table: self.all(table).filter(had_come), self.of_runs)


def in_store(snapshot: Snapshot, indexes: Mapping[str, Sequence[Level]] | None = None) -> Found:
    """Rows of a version of a store, by its lookup files, and by table an index of them (`lookup.extended`)."""
    from aftertrace.store.lookup import Reader

    reader = Reader(snapshot, indexes)
    return Found(reader.rows_with, snapshot.scan, reader.keys_of_runs)


def in_frames(tables: Tables) -> Found:
    """Rows of frames, by their own keys."""
    frames = {"spans": tables.spans.collect(), "events": tables.events.collect()}
    keys = {table: wire_keys(frame) for table, frame in frames.items()}

    def by(table: str, wanted: pl.DataFrame, columns: Sequence[str] | None) -> pl.DataFrame:
        rows = frames[table][keys[table].join(wanted, on=["kind", "key"], how="semi")["row"].unique().sort()]
        return rows if columns is None else rows.select(columns)

    def of_runs(beginning: str) -> pl.DataFrame:
        return pl.concat([names(frame, beginning).select("kind", "key") for frame in frames.values()]).unique()

    return Found(by, lambda table: frames[table].lazy(), of_runs)
