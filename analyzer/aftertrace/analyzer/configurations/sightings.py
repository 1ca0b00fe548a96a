"""Sightings: what each run told of the configuration of each of its agents, before any of it is compared."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import Identified
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.store.marks import LEFT_OUT

ROLE: Final = ("source", "tenant", "environment", "service_name", "agent_name")
"""What tells one agent from another: the same name elsewhere is another agent."""
KEPT_CHARACTERS: Final = 2048
"""A prompt of this length in `events` is the beginning of a longer one, which `ingest.rows` describes."""
_TEXTS: Final = (
    "agent_version",
    "policy",
    "prompt_text",
    "prompt_digest",
    "rest_digest",
    "rest_values",
    "tools_digest",
)
_LISTS: Final = ("model", "model_served", "tool_names")
SCHEMA: Final = pl.Schema(
    [
        ("run_id", pl.String()),
        *((name, pl.String()) for name in ROLE),
        ("first_ns", pl.Int64()),
        *((name, pl.String()) for name in _TEXTS),
        *((name, pl.List(pl.String)) for name in _LISTS),
    ]
)
"""One row per run and agent. Null is not told; models are those of the run, each once."""
_AGENT: Final = ("run_id", "agent_name")


def sightings(identified: Identified, agents: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """One row per run and agent, columns as in `SCHEMA`, by time. A run that names no agent has one row without a name.

    Where an agent had several prompts or tool lists in one run (helpers that make a title), its own is the prompt of
    most of its records, and the longest list.

    Args:
        identified: spans and events with their runs.
        agents: the agents of runs (`agents.agents`).
        runs: the runs (`runs.runs`).
    """
    listed = ("model", "model_served")
    parts = ["agent_version", *listed]
    named = agents.group_by(_AGENT, maintain_order=True).agg(
        *(pl.col(name).drop_nulls().first() for name in (*ROLE[:-1], "agent_version")),
        *(pl.col(name).drop_nulls().str.join(", ") for name in listed),
    )
    unnamed = (
        runs.join(named, on="run_id", how="anti")
        .with_columns(agent_name=pl.lit(None, dtype=pl.String))
        .select("run_id", *ROLE, *parts)
    )
    told = pl.concat([named.select("run_id", *ROLE, *parts), unnamed])
    records = pl.concat(
        [
            frame.select(*_AGENT, "first_ns", "system_prompt_digest", "tool_names", "tools_digest")
            for frame in (
                identified.spans.with_columns(first_ns="start_ns"),
                identified.events.with_columns(first_ns="time_ns"),
            )
        ]
    )
    for part in (_prompts(records, identified.events), _tools(records), _policies(identified.events)):
        told = told.join(part, on=list(_AGENT), how="left", nulls_equal=True)
    return (
        told.join(runs.select("run_id", "first_ns"), on="run_id", how="inner")
        .with_columns(pl.col(name).replace("", None).str.split(", ").list.unique().list.sort() for name in listed)
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "sightings")
    )


def _prompts(records: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The prompt of most records of an agent, and its text where an event tells it."""
    texts = events.filter(
        (pl.col("event") == "input.resolved") & (pl.col("state") == "system_prompt") & pl.col("content").is_not_null()
    ).select(
        *_AGENT,
        "time_ns",
        prompt_digest=pl.coalesce("system_prompt_digest", "content_digest"),
        # What stands for a text that is left out has no wording.
        prompt_text=pl.when(~pl.col("content").str.starts_with(LEFT_OUT)).then("content"),
        rest_digest=pl.col("attributes").str.json_path_match("$.template_digest"),
        rest_values=pl.col("attributes").str.json_path_match("$.template_values"),
    )
    texts = texts.filter(pl.any_horizontal(pl.col("prompt_digest", "prompt_text").is_not_null()))
    known = texts.sort("time_ns", "prompt_text").unique([*_AGENT, "prompt_digest"], keep="first", maintain_order=True)
    used = pl.concat(
        [
            records.filter(pl.col("system_prompt_digest").is_not_null()).select(
                *_AGENT, "first_ns", prompt_digest="system_prompt_digest"
            ),
            known.select(*_AGENT, pl.col("time_ns").alias("first_ns"), "prompt_digest"),
        ]
    )
    return (
        used.group_by(*_AGENT, "prompt_digest")
        .agg(pl.len().alias("times"), pl.col("first_ns").min())
        .join(known.drop("time_ns"), on=[*_AGENT, "prompt_digest"], how="left", nulls_equal=True)
        .sort(
            pl.col("times"),
            pl.col("prompt_text").str.len_chars().fill_null(0),
            "first_ns",
            "prompt_digest",
            descending=[True, True, False, False],
        )
        .unique(_AGENT, keep="first", maintain_order=True)
        .select(*_AGENT, "prompt_text", "prompt_digest", "rest_digest", "rest_values")
    )


def _tools(records: pl.DataFrame) -> pl.DataFrame:
    """The longest tool list of an agent; of a list whose names are not told, the digest."""
    return (
        records.filter(pl.col("tools_digest").is_not_null() | pl.col("tool_names").is_not_null())
        .with_columns(pl.col("tool_names").str.json_decode(pl.List(pl.String)))
        .with_columns(pl.col("tool_names").list.unique().list.sort())
        .sort(
            pl.col("tool_names").list.len().cast(pl.Int64).fill_null(-1),
            pl.col("tools_digest").is_null(),
            "first_ns",
            "tools_digest",
            descending=[True, False, False, False],
        )
        .unique(_AGENT, keep="first", maintain_order=True)
        .select(*_AGENT, "tool_names", "tools_digest")
    )


def _policies(events: pl.DataFrame) -> pl.DataFrame:
    """The policy that a run says it began under. Verdicts name the policies that gave them, and those are not it."""

    def part(name: str) -> pl.Expr:
        return pl.col("attributes").str.json_path_match(f"$.policy_{name}")

    told = pl.concat_str([part("id"), part("version"), part("digest")], separator=" ", ignore_nulls=True)
    return (
        events.filter(pl.col("event") == "run.created")
        .select(*_AGENT, "time_ns", policy=told.replace("", None))
        .filter(pl.col("policy").is_not_null())
        .sort("time_ns", "policy")
        .unique(_AGENT, keep="first", maintain_order=True)
        .drop("time_ns")
    )
