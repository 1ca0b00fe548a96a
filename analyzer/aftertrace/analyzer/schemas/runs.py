"""The columns of `runs`: one row per execution of an agent for one trigger. `schemas` has those of the other tables."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.schemas.timestamp import TIMESTAMP

RUNS: Final = {
    "run_id": (pl.String, "digest of the run's least wire key"),
    "conversation_id": (pl.String, "session, conversation or thread"),
    "run_keys": (pl.List(pl.String), "ids of the run as its sender writes them, as in a git trailer; null is none"),
    "state": (
        pl.String,
        "`open`, `waiting` (for an approval), `completed`, `failed`, or `abandoned`: began, then 30 quiet minutes",
    ),
    "state_basis": (
        pl.String,
        "of `state`: `explicit`, a record says so; `inferred`, from what did not come",
    ),
    "trigger": (pl.String, "what set it off: `person`, `schedule`, `webhook`, `agent`, `other`; null is not told"),
    "trigger_id": (pl.String, "which one, as the sender names it"),
    "parent_run_key": (pl.String, "run that started it, as the sender writes its id"),
    "workflow": (pl.String, "workflow it is an execution of, as named"),
    "service_version": (pl.String, "version of the service, and so of the workflow in it"),
    "policies": (pl.List(pl.String), "policies asked or in force, with version where told; null is none on record"),
    "agent_name": (pl.String, "agent"),
    "agent_version": (pl.String, "agent version"),
    "model": (pl.String, "models asked, joined by a comma when several"),
    "model_served": (pl.String, "models that answered"),
    "user_id": (pl.String, "user or principal, as named by the sender"),
    "started_at": (TIMESTAMP, "earliest time any record gives it"),
    "ended_at": (TIMESTAMP, "latest time any record gives it"),
    "duration_ns": (pl.Int64, "between them"),
    "prompt": (pl.String, "start of the first user input, where sent"),
    "input_digests": (
        pl.List(pl.String),
        "tagged digests of its inputs: prompts of users, documents, messages; null: none told",
    ),
    "calls": (pl.Int64, "calls"),
    "near_misses": (pl.Int64, "near misses"),
    "consequential": (pl.Int64, "consequential near misses"),
    "unresolved": (pl.Int64, "calls whose outcome cannot be told"),
    "approvals": (pl.Int64, "calls somebody was asked about"),
    "tools": (pl.List(pl.String), "tools called or proposed"),
    "tools_available": (pl.List(pl.String), "tools the model could call; null is unknown, empty is none"),
    "system_prompt_digest": (pl.String, "tagged digest of the first system prompt"),
    "tools_digest": (pl.String, "tagged digest of the first tool list"),
    "input_tokens": (pl.Int64, "tokens read"),
    "output_tokens": (pl.Int64, "tokens written"),
    "cost_usd": (pl.Float64, "cost as stated"),
    "traces": (pl.List(pl.String), "traces the run is made of"),
    "dialects": (pl.List(pl.String), "dialects that read it"),
    "scopes": (pl.List(pl.String), "instrumentation scopes that its records came from; null is none told"),
    "service_name": (pl.String, "service that reported it"),
    "source": (pl.String, "who sent it, as authenticated"),
    "tenant": (pl.String, "tenant of the source"),
    "environment": (pl.String, "deployment environment"),
    "first_ns": (pl.Int64, "earliest time"),
    "last_ns": (pl.Int64, "latest time"),
    "records": (pl.Int64, "spans and events it rests on"),
    "missing": (
        pl.Int64,
        "at least: records that others of it name and that never came, 0 while it is open; and events without rows",
    ),
    "signals": (pl.List(pl.String), "where what is told of it cannot all be so: see the signals"),
}
