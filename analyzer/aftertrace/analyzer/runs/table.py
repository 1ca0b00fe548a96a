"""Runs: one row per execution of an agent, over however many traces and resumes."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.controls import Signal, named
from aftertrace.analyzer.identity.gaps import gaps
from aftertrace.analyzer.identity.identity import Identified
from aftertrace.analyzer.identity.retold import contradicted
from aftertrace.analyzer.identity.run_facts import run_facts
from aftertrace.analyzer.identity.turns import is_setting
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP
from aftertrace.analyzer.schemas.untimed import timed

SCHEMA: Final = DERIVED["runs"].schema
SIGNALS: Final = (
    Signal(
        "conflicting_records",
        pl.col("is_contradicted"),
        "two records of it have one id and contradict each other: one of them is not what happened, and both are kept",
    ),
)
"""What can be wrong about the telling of a run."""


def runs(identified: Identified, calls: pl.DataFrame, run_states: pl.DataFrame) -> pl.DataFrame:
    """One row per run, columns as in `SCHEMA`, the latest first.

    Traces that no agent left are no runs, nor are commands that the program itself answers.
    """
    told = pl.concat([records(identified.spans, "spans"), records(identified.events, "events")], how="diagonal")
    gathered = (
        told.sort("first_ns", maintain_order=True)
        .group_by("run_id")
        .agg(
            *(first(name) for name in ("conversation_id", "agent_name", "agent_version", "user_id", "service_name")),
            *(first(name) for name in ("source", "tenant", "environment", "system_prompt_digest", "tools_digest")),
            joined("model"),
            joined("model_served"),
            timed("first_ns").min(),
            timed("last_ns").max(),
            pl.col("prompt").drop_nulls().first(),
            tokens("input_tokens"),
            tokens("output_tokens"),
            cost().alias("cost_usd"),
            pl.col("trace_id").drop_nulls().unique().sort().alias("traces"),
            pl.col("dialect").filter(pl.col("dialect") != "plain").unique().sort().alias("dialects"),
            pl.col("tool_names").str.json_decode(pl.List(pl.String)).drop_nulls().alias("listed"),
            is_of_an_agent().alias("is_agent"),
            pl.len().cast(pl.Int64).alias("records"),
        )
        .filter("is_agent")
        .with_columns(
            tools_available=pl.when(pl.col("listed").list.len() > 0).then(
                pl.col("listed")
                .list.eval(pl.element().explode(empty_as_null=False, keep_nulls=False))
                .list.unique()
                .list.sort()
            )
        )
    )  # fmt: skip
    per_run = calls.group_by("run_id").agg(
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("near_miss").sum().cast(pl.Int64).alias("near_misses"),
        pl.col("consequential").sum().cast(pl.Int64).alias("consequential"),
        (pl.col("outcome") == "unresolved").sum().cast(pl.Int64).alias("unresolved"),
        pl.col("approval_asked").sum().cast(pl.Int64).alias("approvals"),
        ((pl.col("outcome") == "pending") & pl.col("approval_asked")).any().alias("waits"),
        pl.col("tool_name").drop_nulls().unique().sort().alias("tools"),
    )
    conflicts = contradicted(identified.spans, identified.events).with_columns(is_contradicted=pl.lit(value=True))
    waits = pl.col("waits").fill_null(value=False)
    counts = ("calls", "near_misses", "consequential", "unresolved", "approvals")
    return (
        gathered.join(per_run, on="run_id", how="left")
        .join(run_states, on="run_id", how="left")
        .join(gaps(identified, run_states), on="run_id", how="left")
        .join(conflicts, on="run_id", how="left")
        .join(run_facts(identified), on="run_id", how="left")
        .with_columns(
            pl.col(*counts, "missing").fill_null(0),
            pl.col("tools").fill_null([]),
            signals=named(SIGNALS),
            state=pl.when(waits)
            .then(pl.lit("waiting"))
            .when(pl.col("is_failed"))
            .then(pl.lit("failed"))
            .when(pl.col("is_abandoned"))
            .then(pl.lit("abandoned"))
            .when(pl.col("is_over"))
            .then(pl.lit("completed"))
            .otherwise(pl.lit("open")),
            state_basis=pl.when(waits | pl.col("is_failed") | pl.col("is_closed"))
            .then(pl.lit("explicit"))
            .otherwise(pl.lit("inferred")),
            started_at=pl.col("first_ns").cast(TIMESTAMP),
            ended_at=pl.col("last_ns").cast(TIMESTAMP),
            duration_ns=pl.col("last_ns") - pl.col("first_ns"),
        )
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "runs")
    )


def records(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """What `spans` and `events` both say about whose record it is and what it used; `what` is null for a setting."""
    is_span = table == "spans"
    prompt = pl.lit(None, dtype=pl.String)
    if not is_span:
        asked = (pl.col("event") == "input.resolved") & (pl.col("state") == "user_prompt")
        prompt = pl.when(asked).then("content")
    # An event repeats the numbers of its span: only one that stands for a model call has its own.
    owned = pl.lit(value=True) if is_span else pl.col("event") == "model.called"
    # A setting that no turn follows is no run.
    done = pl.lit(value=True) if is_span else ~is_setting()
    return frame.select(
        "run_id", "receiver", "seq", "index", "conversation_id", "agent_name", "agent_id", "agent_version", "user_id",
        "service_name", "source", "tenant", "environment", "system_prompt_digest", "tools_digest", "model",
        "model_served", "trace_id", "dialect", "tool_names",
        first_ns=pl.col("start_ns" if is_span else "time_ns"),
        last_ns=pl.max_horizontal("start_ns", "end_ns") if is_span else pl.max_horizontal("time_ns", "end_ns"),
        prompt=prompt,
        is_command=pl.lit(value=False)
        if is_span
        else pl.col("attributes").str.contains('"command_name":', literal=True).fill_null(value=False),
        what=pl.when(done).then("operation" if is_span else "event"),
        input_tokens=pl.when(owned).then("input_tokens"),
        output_tokens=pl.when(owned).then("output_tokens"),
        cost_usd=pl.when(owned).then("cost_usd"),
    )  # fmt: skip


def is_of_an_agent() -> pl.Expr:
    """Whether an agent did anything, or was told to: a command such as Claude Code's `/exit` calls no model."""
    prompted = pl.col("what").is_in(("invoke_agent", "input.resolved")) | pl.col("what").is_null()
    return pl.col("what").is_not_null().any() & ~(pl.col("is_command").any() & prompted.all())


def first(name: str) -> pl.Expr:
    """The first value of a column that is known."""
    return pl.col(name).drop_nulls().first().alias(name)


def joined(name: str) -> pl.Expr:
    """The known values of a column, each once, as one text."""
    return pl.col(name).drop_nulls().unique().sort().str.join(", ").replace("", None).alias(name)


def _sum(name: str, what: str) -> pl.Expr:
    of = pl.col(name).filter((pl.col("what") == what) & pl.col(name).is_not_null())
    return pl.when(of.len() > 0).then(of.sum())


def cost() -> pl.Expr:
    """The cost of the model calls, told by spans or by log records."""
    return pl.max_horizontal(_sum("cost_usd", "chat"), _sum("cost_usd", "model.called"))


def tokens(name: str) -> pl.Expr:
    """Of the model calls, told by spans or by log records (some emitters send both); else of the agent's span."""
    return pl.coalesce(
        pl.max_horizontal(_sum(name, "chat"), _sum(name, "model.called")), _sum(name, "invoke_agent")
    ).alias(name)
