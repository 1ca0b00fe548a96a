"""Who let a call run, told by how long it was held before: for senders that say neither that they asked nor whom.

Gemini CLI writes `accept` for a call that its policy lets through and for one that a person allowed once. Its policy
decides at once; a question to a person takes time, and so may a hook or a safety checker. So a call that ran within
`AT_ONCE_NS` of coming to its control point was let through by policy. One that began to run `ASKED_AFTER_NS` later, was
not stopped at a hook, and was not scheduled beside others that may have been asked about, waited for a person.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import RESOLVED

AT_ONCE_NS: Final = 150_000_000
"""Faster than a person reads a question and answers it."""
ASKED_AFTER_NS: Final = 1_000_000_000
"""What a policy needs to decide is far below."""

HELD, AT_ONCE = "held_before_run", "ran_at_once"
"""Their names among a call's rules."""

_PROCEEDED: Final = "proceed_once"
_BEGAN: Final = "tool_call_span"
_SCHEMA: Final = pl.Schema(
    {"call_key": pl.String, "held_rule": pl.String, "held_by": pl.String, "held_ns": pl.Int64, "control_ns": pl.Int64}
)


def held(events: pl.DataFrame) -> pl.DataFrame:
    """`call_key`, `held_rule`, `held_by`, and for a call that was held `held_ns` and `control_ns`.

    Args:
        events: the call events with their `call_key` (`joins.call_events`).
    """
    control, began = pl.col("rule") == _PROCEEDED, pl.col("rule") == _BEGAN
    proceeded = events.filter(control)
    if not proceeded.height:
        return _SCHEMA.to_frame()
    done = (pl.col("event") == "tool.called") & pl.col("state").is_in(RESOLVED)
    some = events.join(proceeded, on="call_key", how="semi")
    calls = some.group_by("call_key").agg(
        pl.col("time_ns").filter(control).min().alias("control_ns"),
        pl.col("time_ns").filter(began).min().alias("began_ns"),
        pl.col("time_ns").filter(done).min().alias("done_ns"),
        pl.col("decided_by").is_in(("policy", "hook", "guardrail")).fill_null(value=False).any().alias("is_told"),
    )
    alone = (
        events.filter(pl.col("group").is_not_null() & (pl.col("event") == "policy.evaluated"))
        .with_columns(calls=pl.col("call_key").n_unique().over("trace_id", "group"))
        .group_by("call_key")
        .agg((pl.col("calls").max() == 1).alias("is_alone"))
    )
    held_ns = pl.col("began_ns") - pl.col("control_ns")
    was_held = ~pl.col("is_told") & pl.col("is_alone") & (held_ns >= ASKED_AFTER_NS)
    at_once = ~pl.col("is_told") & (pl.col("done_ns") - pl.col("control_ns")).is_between(0, AT_ONCE_NS)
    return (
        calls.join(alone, on="call_key", how="left")
        .filter((was_held | at_once).fill_null(value=False))
        .select(
            "call_key",
            held_rule=pl.when(was_held).then(pl.lit(HELD)).otherwise(pl.lit(AT_ONCE)),
            held_by=pl.when(was_held).then(pl.lit("human")).otherwise(pl.lit("policy")),
            held_ns=pl.when(was_held).then(held_ns),
            control_ns=pl.when(was_held).then("control_ns"),
        )
    )
