"""What is known to be missing from a run: records that others name, and that never came; and events without rows.

A span names the one above it. Exporters send that later, when it ends, so nothing is missing while a run goes on; once
it is over, a span that never came was lost, or went to another place. How many are missing can only be told from
below: a lost span that no other lies in leaves no gap. What called from another program is no part of the run, and
need not come here. Of a record that tells of too many events for its bytes, the drain counts those that it left out.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import Identified

_SERVED: Final = (2, 5)
"""OTLP span kinds `server` and `consumer`: the span above is the caller's."""


def gaps(identified: Identified, run_states: pl.DataFrame) -> pl.DataFrame:
    """`run_id`, `missing`: how many records and events of it are known to be missing, for runs that lack any.

    Records are missed once the run is over, and events without rows at once.

    Args:
        identified: events and spans with their runs.
        run_states: per `run_id`, whether the run is over (`run_states.run_states`).
    """
    spans = identified.spans
    known = spans.select("trace_id", "span_id").drop_nulls().unique()
    over = run_states.filter("is_over").select("run_id")
    never_came = (
        spans.filter(pl.col("parent_span_id").is_not_null() & ~is_called())
        .join(over, on="run_id", how="semi")
        .select("run_id", "trace_id", span_id="parent_span_id")
        .unique()
        .join(known, on=["trace_id", "span_id"], how="anti")
        .select("run_id", missing=pl.lit(1, pl.Int64))
    )
    return (
        pl.concat([never_came, _cut(identified.events)]).group_by("run_id").agg(pl.col("missing").sum()).sort("run_id")
    )


def _cut(events: pl.DataFrame) -> pl.DataFrame:
    """`run_id`, `missing`: once for each record that has events without rows. Some of its events have theirs."""
    left_out = pl.col("flags").str.extract(r'"cut_events:(\d+)"').cast(pl.Int64)
    return (
        events.select("run_id", "receiver", "seq", "index", missing=left_out)
        .drop_nulls("missing")
        .unique(["receiver", "seq", "index"], keep="first", maintain_order=True)
        .select("run_id", "missing")
    )


def is_called() -> pl.Expr:
    """Whether another program called a span: by its kind, or because it is said that the parent is remote."""
    served = pl.col("kind").is_in(_SERVED).fill_null(value=False)
    return served | pl.col("flags").str.contains('"remote_parent"', literal=True).fill_null(value=False)
