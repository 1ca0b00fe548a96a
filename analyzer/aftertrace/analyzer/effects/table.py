"""Effects: what changed in a system of record, by which call, and where a receipt and the calls do not agree."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.controls import Signal, named
from aftertrace.analyzer.effects.result_effects import FIELDS, from_results
from aftertrace.analyzer.identity.identity import LEVELS_ABOVE, Identified
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP
from aftertrace.analyzer.schemas.untimed import timed

SCHEMA: Final = DERIVED["effects"].schema
_APPLIED: Final = pl.col("state") == "applied"
_PARTS: Final = (
    "system",
    "operation",
    "object_type",
    "object_id",
    "object_url",
    "before_digest",
    "after_digest",
    "idempotency_key",
    "receipt_id",
)
_SAME: Final = ("run_id", "system", "operation", "object_type", "object_id", "before_digest", "after_digest")
_MARKS: Final = ("after_digest", "idempotency_key", "asked")
"""What tells that two changes were the same: how the object was left, the key of the request, or what was asked."""
_MADE: Final = ("run_id", "system", "operation", "object_type", "tool_name", "asked")
CREATES: Final = pl.col("operation").is_in(("create", "POST", "insert")).fill_null(value=False)
"""Whether an effect made something new, so that to ask for the same once more makes another."""
ASKED: Final = pl.when(pl.col("rule").is_null() | CREATES).then("arguments_digest")
"""By what was asked two effects are told to be the same: `git push` and a status that is set again are not."""

SIGNALS: Final = (
    Signal(
        "no_call",
        _APPLIED & ~pl.col("has_call"),
        "something changed, and no call of the run is on record that did it",
    ),
    Signal(
        "applied_twice",
        _APPLIED & (pl.col("times") > 1),
        "the same change was made more than once in the run: to the same object, or by asking twice for a new one",
    ),
)
"""Where effects and calls do not agree."""


def effects(identified: Identified, call_events: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """One row per receipt, and per effect that the result of a call without a receipt tells of; columns as in
    `SCHEMA`, the latest first.

    Args:
        identified: events and spans with their runs.
        call_events: the events that speak of a call (`joins.call_events`).
        calls: columns as in `schemas.CALLS`.
    """
    receipts = _receipts(identified, call_events)
    untold = calls.join(receipts.select("call_key"), on="call_key", how="anti")
    return (
        pl.concat([receipts, _inferred(untold, call_events)], how="diagonal")
        .join(_arguments(call_events), on="call_key", how="left")
        .with_columns(asked=ASKED)
        .with_columns(times=_times())
        .with_columns(signals=named(SIGNALS))
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "effects")
    )


def _receipts(identified: Identified, call_events: pl.DataFrame) -> pl.DataFrame:
    """What records state of changes."""
    told = identified.events.filter(pl.col("event").is_in(("effect.applied", "effect.blocked")))
    done = call_events.filter(~pl.col("event").str.starts_with("effect."))["call_key"].unique()
    of_call = call_events.select("pointer", "ordinal", "call_key", of_call="call_id", of_tool="tool_name")
    return (
        told.drop("arguments_digest")
        .join(of_call, on=["pointer", "ordinal"], how="left")
        .join(_in_tools(told, identified.spans), on=["pointer", "ordinal"], how="left")
        .with_columns(
            *(pl.col("attributes").str.json_path_match(f"$.effect_{part}").alias(part) for part in _PARTS),
            state=pl.col("event").str.strip_prefix("effect."),
            has_call=pl.col("call_key").is_in(done.implode()).fill_null(value=False)
            | pl.col("is_in_tool").fill_null(value=False),
            tool_call_id=pl.coalesce("call_id", "of_call"),
            tool_name=pl.coalesce("tool_name", "of_tool"),
            happened_at=timed("time_ns").cast(TIMESTAMP),
            first_ns=timed("time_ns"),
            evidence="pointer",
            basis=pl.lit("explicit"),
            rule=pl.lit(None, pl.String),
        )
    )


def _inferred(calls: pl.DataFrame, call_events: pl.DataFrame) -> pl.DataFrame:
    """What results of calls tell of changes."""
    at = pl.coalesce(pl.col("ended_at"), pl.col("started_at")).dt.epoch("ns")
    about = (
        "call_key", "run_id", "tool_call_id", "tool_name", "agent_name", "conversation_id", "source", "tenant",
        "environment", "dialect",
    )  # fmt: skip
    told = from_results(calls, call_events)
    return told.join(calls.select(*about, at_ns=pl.coalesce(at, "first_ns")), on="call_key", how="inner").select(
        *about,
        "rule",
        *FIELDS,
        evidence="pointer",
        first_ns="at_ns",
        happened_at=pl.col("at_ns").cast(TIMESTAMP),
        state=pl.lit("applied"),
        basis=pl.lit("inferred"),
        has_call=pl.lit(value=True),
    )


def _times() -> pl.Expr:
    """How often the change was made to the object, where something tells that it was the same change."""
    told_by = pl.concat_str("call_key", "receipt_id", separator=" ", ignore_nulls=True)
    made = told_by.filter(_APPLIED).n_unique()
    same = (
        pl.when(pl.col("object_id").is_not_null() & pl.col(mark).is_not_null()).then(made.over(*_SAME, mark))
        for mark in _MARKS
    )
    calls = pl.col("call_key").filter(_APPLIED).drop_nulls().n_unique()
    another = pl.when(CREATES & pl.col("asked").is_not_null()).then(calls.over(*_MADE))
    return pl.max_horizontal(*same, another)


def _arguments(call_events: pl.DataFrame) -> pl.DataFrame:
    """Per `call_key`, `arguments_digest`: of its whole arguments, if it has any: none are those of any call."""
    whole = pl.col("attributes").str.json_path_match("$.arguments_partial").is_null()
    return (
        call_events.filter(
            whole & pl.col("arguments_digest").is_not_null() & (pl.col("arguments") != "{}").fill_null(value=True)
        )
        .sort(pl.col("event") != "action.proposed", "time_ns", "arguments_digest")
        .group_by("call_key")
        .agg(pl.col("arguments_digest").first())
    )


def _in_tools(told: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`pointer`, `ordinal`, `is_in_tool` of effects that were told within the span of a tool: not all name its call."""
    step = (
        spans.select("trace_id", "operation", at="span_id", up="parent_span_id")
        .drop_nulls(["trace_id", "at"])
        .unique(["trace_id", "at"], keep="first", maintain_order=True)
    )
    wanting = told.select("pointer", "ordinal", "trace_id", at="span_id").drop_nulls()
    found = [wanting.select("pointer", "ordinal").clear()]
    for _ in range(LEVELS_ABOVE):
        met = wanting.join(step, on=["trace_id", "at"], how="inner")
        is_tool = (pl.col("operation") == "execute_tool").fill_null(value=False)
        found.append(met.filter(is_tool).select("pointer", "ordinal"))
        wanting = met.filter(~is_tool).select("pointer", "ordinal", "trace_id", at="up").drop_nulls()
        if not wanting.height:
            break
    return pl.concat(found).unique().with_columns(is_in_tool=pl.lit(value=True))
