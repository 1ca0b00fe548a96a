"""Whether a call that ran would have a span: told by who speaks of it, since a trace may hold several frameworks."""

from __future__ import annotations

from typing import Final

import polars as pl

SPAN_FOR_EVERY_RUN: Final = (
    "pydantic-ai",
    "agent_framework",
    "strands.telemetry.tracer",
    "strands-agents",
    "gcp.vertex.agent",
)
"""Scopes of instrumentations that open a span for every tool they run: an answer without one tells of a refusal."""
_SENDER: Final = ["run_id", "source", "service_name"]
_SCHEMA: Final = pl.Schema({"call_key": pl.String, "is_span_certain": pl.Boolean})


def span_certain(call_events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The `call_key` of each call whose run a span would tell of.

    Its sender has spans of such an instrumentation in the run, and what proposes or answers the call comes from that
    instrumentation too, or from none that opens spans of its own agents beside it.
    """
    is_certain = pl.col("scope_name").is_in(SPAN_FOR_EVERY_RUN).fill_null(value=False)
    certain = spans.filter(is_certain).select(_SENDER).unique()
    if not certain.height:
        return _SCHEMA.to_frame()
    others = (
        spans.filter(~is_certain & (pl.col("operation") == "invoke_agent"))
        .select(*_SENDER, "scope_name")
        .unique()
        .with_columns(is_other=pl.lit(value=True))
    )
    told = call_events.filter(pl.col("event").is_in(("action.proposed", "tool.called")))
    return (
        told.join(certain, on=_SENDER, how="semi", nulls_equal=True)
        .join(others, on=[*_SENDER, "scope_name"], how="left", nulls_equal=True)
        .group_by("call_key")
        .agg((is_certain.any() | pl.col("is_other").is_null().all()).alias("is_span_certain"))
        .filter("is_span_certain")
    )
