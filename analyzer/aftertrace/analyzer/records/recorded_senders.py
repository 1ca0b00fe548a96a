"""By what the source of a run was told: the credentials that were shown with the requests its records came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from aftertrace.store.snapshot import collected

if TYPE_CHECKING:
    from aftertrace.analyzer.reading.tables import Tables

_REQUEST: Final = ("receiver", "seq")
_WHEN: Final = ("received_date", "received_ns")


def credentials(tables: Tables, *rows: pl.DataFrame) -> tuple[str, ...]:
    """Credentials of the requests of some spans and events, by name; none where nothing was shown.

    Args:
        tables: with the evidence.
        rows: spans and events, with the columns of their pointer.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    places = pl.concat([each.select(*_REQUEST, "received_ns") for each in rows]).unique(_REQUEST)
    if places.is_empty():
        return ()
    (found,) = collected(
        tables.evidence.filter(*_between(places), pl.col("seq").is_in(places["seq"].unique().implode()))
        .select(*_REQUEST, "credential")
        .drop_nulls("credential")
        .join(places.lazy(), on=_REQUEST, how="semi")
        .select(pl.col("credential").unique())
    )
    return tuple(sorted(found["credential"]))


def _between(places: pl.DataFrame) -> Sequence[pl.Expr]:
    """Only files of their days and times are opened."""
    received = places["received_ns"]
    days = received.cast(pl.Datetime("ns")).dt.date()
    bounds = ((days.min(), days.max()), (received.min(), received.max()))
    return [
        pl.col(name).is_between(pl.lit(first), pl.lit(last)) for name, (first, last) in zip(_WHEN, bounds, strict=True)
    ]
