"""The records that tell which run began last, without reading those of all runs."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.connected import Connected, Sought, connected
from aftertrace.analyzer.identity.found import Found
from aftertrace.analyzer.identity.identity import Identified
from aftertrace.analyzer.runs.table import is_of_an_agent, records
from aftertrace.analyzer.schemas.untimed import ORDER_ONLY_NS
from aftertrace.store.snapshot import collected
from aftertrace.store.wire_keys import columns_of, wire_keys

FIRST_ROWS: Final = 512
"""So many of the newest rows are looked at first, and eight times as many where those tell of no run's beginning."""
_TIMES: Final = {"spans": "start_ns", "events": "time_ns"}
"""When a row of each table began."""


def newest(found: Found) -> Connected | None:
    """The rows that the run needs which began last, and that others need which may have; None: all rows are to be read.

    A run all of whose rows are as new as the oldest that were looked at began after every run with an older one.
    """
    times = collected(*(found.all(table).select(at_ns=time) for table, time in _TIMES.items()))
    at_ns = pl.concat(times)["at_ns"].drop_nulls()
    at_ns = at_ns.filter(at_ns >= ORDER_ONLY_NS)
    rows = FIRST_ROWS
    while rows < at_ns.len():
        since_ns = min(at_ns.top_k(rows).to_list())
        told = connected(found, Sought(_keys_since(found, since_ns)))
        if _has_begun(told.identified, since_ns):
            return told
        rows *= 8
    return None


def _keys_since(found: Found, since_ns: int) -> pl.DataFrame:
    """One key of each row from then on."""
    keys = []
    for table, time in _TIMES.items():
        new = found.all(table).filter(pl.col(time) >= since_ns).select(columns_of(table))
        (rows,) = collected(new)
        of_rows = wire_keys(rows, ("trace", "conversation", "run", "record"))
        traced = of_rows.filter(pl.col("kind") == "trace")
        keys += [traced, of_rows.join(traced, on="row", how="anti")]
    return pl.concat(keys).select("kind", "key").unique(maintain_order=True)


def _has_begun(identified: Identified, since_ns: int) -> bool:
    """Whether a run of an agent began since then."""
    told = pl.concat([records(identified.spans, "spans"), records(identified.events, "events")], how="diagonal")
    began = told.group_by("run_id").agg(pl.col("first_ns").min(), is_agent=is_of_an_agent())
    return bool((began["is_agent"] & (began["first_ns"] >= since_ns)).any())
