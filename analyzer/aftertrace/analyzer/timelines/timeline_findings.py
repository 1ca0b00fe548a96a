"""What several runs show together, as entries of a timeline: it stands where the later of their effects does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aftertrace.analyzer.effects.findings import across
from aftertrace.analyzer.effects.races import of_several_runs

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis


def found_together(analysis: Analysis, run_id: str | None) -> pl.DataFrame:
    """Findings that rest on several runs, with the columns of a timeline before it is ordered: those of a run, where
    others are looked at, or of all.
    """
    if run_id is None:
        told = of_several_runs(analysis.effects, analysis.runs)
    elif analysis.of_all is None:
        told = analysis.effect_findings.clear()
    else:
        told = across(analysis.of_all, run_id).filter(pl.col("other_runs").list.len() > 0)
    none = pl.lit(None, pl.String)
    services = analysis.calls.select("call_key", "service_name")
    return told.join(services, on="call_key", how="left").with_columns(
        at_ns="first_ns",
        time_ns="first_ns",
        end_ns=pl.lit(None, pl.Int64),
        lane=pl.lit("tool"),
        what=pl.concat_str(pl.lit("finding "), "signal"),
        detail=pl.concat_str("object", "what", separator=": ", ignore_nulls=True),
        evidence=pl.col("evidence").list.last(),
        decided_by=none,
        dialect=none,
        trace_id=none,
        span_id=none,
        parent_span_id=none,
        event=pl.lit("finding"),
        state=none,
        ordinal=pl.lit(1, pl.Int32),
    )
