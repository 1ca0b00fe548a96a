"""What came too late for the report of a period."""

from __future__ import annotations

import polars as pl

from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.store.snapshot import collected


def late(tables: Tables, period: Period) -> int:
    """How many stored spans and events of a period came when it was settled what counts in it.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    counts = collected(
        *(
            frame.filter(
                (pl.col("received_ns") >= period.as_of_ns)
                & (pl.col(begin) >= (period.since_ns or 0))
                & (pl.col(begin) < period.until_ns)
            ).select(pl.len())
            for frame, begin in ((tables.spans, "start_ns"), (tables.events, "time_ns"))
        )
    )
    return sum(int(count.item()) for count in counts)
