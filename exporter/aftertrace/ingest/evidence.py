"""What the drain reads back of its own tables: keys and ids of earlier records, and records to compare others with."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from aftertrace.ingest.batch import Known, Settled
from aftertrace.ingest.duplicates import COLUMNS as COPY_COLUMNS
from aftertrace.ingest.duplicates import DuplicateWindow
from aftertrace.ingest.places import DAY, Place, parsed
from aftertrace.ingest.same_ids import COLUMNS as ID_COLUMNS
from aftertrace.ingest.same_ids import STOOD_LATER, SameIds, is_relation
from aftertrace.ingest.seen import MEMORY_ROWS
from aftertrace.ingest.tellings import Telling
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.schema import PARTITION
from aftertrace.store.snapshot import collected

FETCHED_BYTES: Final = 32 << 20
"""Records that are read back for one turn, together."""
_PLACE: Final = ("receiver", "seq", "index")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The tables as of the last commit."""

    scan: Callable[[str], pl.LazyFrame]
    """A table by name."""

    def known(self, folder: Path) -> Known:
        """What came before; its files without a name are in `folder`."""
        return Known(
            DuplicateWindow(self._copies, folder),
            SameIds(self._ids, self._records, folder),
        )

    def settled(self, receiver: str, first_seq: int, last_seq: int) -> dict[Place, Settled]:
        """What is said of the records of some frames; nothing of frames that are not in.

        Raises:
            Corrupt: a stored file is damaged or missing.
        """
        of_frames = self.scan("evidence").filter(
            pl.col("receiver") == receiver, pl.col("seq").is_between(first_seq, last_seq)
        )
        (rows,) = collected(of_frames.select(*_PLACE, "duplicate_of", "flags"))
        return {
            (receiver, seq, index): Settled(None if first is None else parsed(first), _relations(flags))
            for receiver, seq, index, first, flags in rows.iter_rows()
        }

    def _copies(self, day: date) -> Iterator[pl.DataFrame]:
        return _parts(self._of(day).select(COPY_COLUMNS))

    def _ids(self, day: date) -> Iterator[pl.DataFrame]:
        """In two goes, since parts come in no order: first who stood for an id first."""
        rows = self._of(day).filter(pl.col("record_id").is_not_null(), pl.col("duplicate_of").is_null())
        later = pl.col("flags").str.contains(STOOD_LATER).fill_null(value=False)
        yield from _parts(rows.filter(~later).select(ID_COLUMNS))
        yield from _in_order(rows.filter(later))

    def _of(self, day: date) -> pl.LazyFrame:
        return self.scan("evidence").filter(pl.col(PARTITION) == day)

    def _records(self, day: date, places: Collection[Place]) -> Mapping[Place, Telling]:
        wanted = pl.LazyFrame(
            list(places), schema=dict(zip(_PLACE, (pl.String, pl.Int64, pl.Int32), strict=True)), orient="row"
        )
        rows = (
            self.scan("evidence")
            .filter(
                pl.col(PARTITION).is_between(day - DAY, day + DAY),
                pl.col("seq").is_in(sorted({seq for _, seq, _ in places})),
            )
            .join(wanted, on=_PLACE, how="semi")
        )
        # Their sizes first: a sender may have made each of them as large as a request can be.
        (sizes,) = collected(rows.select(*_PLACE, size=pl.col("record").bin.size()))
        fitting = sizes.sort("size").filter(pl.col("size").cum_sum() <= FETCHED_BYTES).drop("size")
        (found,) = collected(
            rows.join(fitting.lazy(), on=_PLACE, how="semi").select(
                *_PLACE, "signal", "record", "resource_digest", "scope_digest"
            )
        )
        resources = self._origins("resources", found["resource_digest"])
        scopes = self._origins("scopes", found["scope_digest"])
        return {
            (receiver, seq, index): Telling(signal, resources[resource], scopes[scope], record)
            for receiver, seq, index, signal, record, resource, scope in found.iter_rows()
            if resource in resources and scope in scopes
        }

    def _origins(self, table: str, digests: pl.Series) -> dict[str, bytes]:
        wanted = pl.col("digest").is_in(digests.unique().to_list())
        (rows,) = collected(self.scan(table).filter(wanted).select("digest", "bytes"))
        return dict(rows.iter_rows())


def _parts(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows, a part after the other, so that a day of any size fits into memory."""
    try:
        yield from rows.collect_batches()
    except (ConnectionError, TimeoutError) as error:
        raise Unavailable("read evidence: its place cannot be reached; try again", 1.0) from error
    # The Parquet reader of Polars panics at a file that was cut off.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise Corrupt(
            f"read evidence: {type(error).__name__}, expected files as they were committed; run `aftertrace fsck`"
        ) from error


def _in_order(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows by time, a part after the other: parts of the day with about as many."""
    at = pl.col("received_ns")
    (counted,) = collected(rows.select(pl.len(), first_ns=at.min(), last_ns=at.max()))
    many, first_ns, last_ns = counted.row(0)
    parts = -(-many // MEMORY_ROWS)
    for part in range(parts):
        low, high = (first_ns + (last_ns + 1 - first_ns) * bound // parts for bound in (part, part + 1))
        (found,) = collected(rows.filter(at >= low, at < high).sort("received_ns", *_PLACE).select(ID_COLUMNS))
        yield found


def _relations(flags: str | None) -> tuple[str, ...]:
    return () if flags is None else tuple(flag for flag in json.loads(flags) if is_relation(flag))
