"""Which traces span links join with some, however many lie between: told at once from the links of all spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import polars as pl

from aftertrace.analyzer.identity.found import Found
from aftertrace.store.snapshot import collected
from aftertrace.store.wire_keys import columns_of, wire_keys


def linked(found: Found, traces: Iterable[str]) -> set[str]:
    """The ids of some traces, and of all that links join with them, in either direction.

    Of a trace of several conversations, which may be several runs, the links of all are followed.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    (spans,) = collected(found.all("spans").filter(pl.col("links").is_not_null()).select(columns_of("spans")))
    pairs = (
        wire_keys(spans, ("link",))
        .join(spans.with_row_index("row").select("row", "trace_id"), on="row", how="inner")
        .select("trace_id", "key")
        .drop_nulls()
        .unique()
    )
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for one, other in pairs.iter_rows():
        beside[one].append(other)
        beside[other].append(one)
    met = set(traces)
    open_ends = list(met)
    while open_ends:
        new = [trace for trace in beside.pop(open_ends.pop(), ()) if trace not in met]
        met.update(new)
        open_ends += new
    return met
