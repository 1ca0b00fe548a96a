"""Which calls are held against all others: by outcome, of one kind, or of a time that was chosen on a chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import polars as pl

from aftertrace.analyzer.reports.near_miss_figures import KIND
from aftertrace.dashboards.data import Filter

ANY: Final = "any near miss"
KIND_NAME: Final = "of the chosen kind"
TIME: Final = "in the chosen time"
_BETWEEN: Final = "--"
_FIELDS: Final = dict(zip(KIND, ("agent", "tool", "outcome", "decided_by"), strict=True))


def of(
    outcomes: Sequence[str], kinds: pl.DataFrame, kind_id: str | None, between: str | None
) -> dict[str, tuple[Filter, ...]]:
    """What chooses each population, by its name.

    Args:
        outcomes: of the near misses that there are.
        kinds: kinds of near misses, with their `kind_id`.
        kind_id: the kind in the address; one that is not there is passed over.
        between: the time in the address; what is none is passed over.
    """
    each = {name.replace("_", " "): (_near_misses(name),) for name in outcomes}
    found = {ANY: tuple(_near_misses(name) for name in outcomes), **(each if len(each) > 1 else {})}
    for kind in kinds.filter(pl.col("kind_id") == (kind_id or "")).head(1).iter_rows(named=True):
        found[KIND_NAME] = (Filter(**{field: kind[name] for name, field in _FIELDS.items()}),)
    if between is not None and (ends := _read(between)) is not None:
        found[TIME] = (Filter(since_ns=ends[0], until_ns=ends[1]),)
    return found


def _near_misses(outcome: str) -> Filter:
    """Those of an outcome: what was cancelled is one where a person did that."""
    return Filter(outcome=outcome, decided_by="human" if outcome == "cancelled" else None)


def written(ends_ms: Sequence[float]) -> str:
    """A time for the address, to the second: `2026-11-09T06:00:00--2026-11-12T00:00:00`, in UTC."""
    first, last = sorted(ends_ms)
    return _BETWEEN.join(f"{datetime.fromtimestamp(each // 1000, UTC):%Y-%m-%dT%H:%M:%S}" for each in (first, last))


def _read(between: str) -> tuple[int, int] | None:
    begin, _, end = between.partition(_BETWEEN)
    try:
        first, last = (int(datetime.fromisoformat(each).replace(tzinfo=UTC).timestamp()) for each in (begin, end))
    except (ValueError, OverflowError):
        return None
    # To the second: the last one counts whole.
    return first * 10**9, (last + 1) * 10**9
