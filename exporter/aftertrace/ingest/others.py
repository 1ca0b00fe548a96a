"""What other receivers store in the same lake while this one reads a batch.

Whether a record came before is told by `evidence`. So a batch is committed there only if nothing of it has come in
since it was read; otherwise it is read again, with what came. Of two copies that two receivers took at one time, the
one that is committed first is the first, and the other its duplicate. A batch is read again at most once for each of
its records, since a record that is a duplicate stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import polars as pl

from aftertrace.ingest.batch import Batch
from aftertrace.ingest.duplicates import COLUMNS as COPY_COLUMNS
from aftertrace.ingest.same_ids import COLUMNS as ID_COLUMNS
from aftertrace.store import parquet
from aftertrace.store.commits import Commit
from aftertrace.store.layout import Layout
from aftertrace.store.objects import objects_of
from aftertrace.store.schema import EVIDENCE

COLUMNS: Final = tuple(dict.fromkeys((*COPY_COLUMNS, *ID_COLUMNS)))


def stored(layout: Layout, commits: Iterable[Commit]) -> Iterator[tuple[date, pl.DataFrame]]:
    """The rows that commits added to `evidence`, with `COLUMNS`, by day.

    Raises:
        FileNotFoundError: a file was folded so long ago that it is gone.
        OSError: one cannot be read, or is damaged.
    """
    objects = objects_of(layout)
    for commit in commits:
        for file in commit.added:
            if file.is_new:
                with objects.open(f"evidence/{file.path}") as opened:
                    rows = parquet.read(opened, file.day, EVIDENCE, columns=COLUMNS)
                yield file.day, pl.DataFrame(rows)


def meet(batch: Batch, rows: Iterable[tuple[date, pl.DataFrame]]) -> bool:
    """Whether any of these rows could be a first copy, or another telling, of a record that is no duplicate so far."""
    fresh = [item for item in batch.items if item.duplicate_of is None]
    keys = {item.key for item in fresh}
    ids = {item.record_id for item in fresh if item.record_id is not None}
    return any(
        not (keys.isdisjoint(evidence["record_key"]) and ids.isdisjoint(evidence["record_id"])) for _, evidence in rows
    )
