"""What a run was given and went by: prompts, inputs, retrievals, plans and policies, each by reference."""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.records.call_record import Reference
from aftertrace.analyzer.records.rfc3339 import rfc3339
from aftertrace.analyzer.records.run_record import Input, Plan, Policy
from aftertrace.analyzer.schemas.untimed import timed

_POLICY: Final = ("policy_id", "policy_version", "policy_digest")
_INPUTS: Final = ("user_prompt", "other")
"""States of `input.resolved` that are no part of the configuration."""


def system_prompts(events: pl.DataFrame) -> tuple[Reference, ...]:
    """The system prompts that the events of a run tell, each once, the first first."""
    told = _first_of(_resolved(events, "system_prompt"), ["content_digest", "content"])
    return tuple(_reference(row) for row in told.iter_rows(named=True))


def recorded_inputs(events: pl.DataFrame) -> tuple[Input, ...]:
    """The inputs that the events of a run tell, each once, and every retrieval."""
    given = _first_of(_resolved(events, *_INPUTS), ["state", "content_digest", "content"])
    found = events.filter(pl.col("event") == "retrieval.completed")
    rows = pl.concat([given, found]).with_columns(timed("time_ns")).sort("time_ns", "pointer", "ordinal")
    return tuple(_input(row) for row in rows.iter_rows(named=True))


def recorded_plans(events: pl.DataFrame) -> tuple[Plan, ...]:
    """The plans that the events of a run tell, every revision."""
    rows = events.filter(pl.col("event") == "plan.recorded").with_columns(timed("time_ns"))
    return tuple(
        Plan(
            id=_text(told, "plan_id"),
            revision=told["plan_revision"] if isinstance(told.get("plan_revision"), int) else None,
            at=rfc3339(row["time_ns"]),
            text=_reference(row),
        )
        for row, told in ((row, _attributes(row)) for row in rows.iter_rows(named=True))
    )


def recorded_policies(events: pl.DataFrame) -> tuple[Policy, ...]:
    """The policies that the events of a run name, each version once."""
    named = events.filter(pl.col("event").is_in(("run.created", "policy.evaluated"))).with_columns(
        pl.col("attributes").str.json_path_match(f"$.{name}").alias(name) for name in _POLICY
    )
    rows = _first_of(named.filter(pl.any_horizontal(pl.col(*_POLICY).is_not_null())), list(_POLICY))
    return tuple(
        Policy(row["policy_id"], row["policy_version"], row["policy_digest"], row["pointer"])
        for row in rows.iter_rows(named=True)
    )


def _input(row: dict[str, Any]) -> Input:
    told = _attributes(row)
    is_search = row["event"] == "retrieval.completed"
    kind = "retrieval" if is_search else row["state"]
    text = _reference(row)
    return Input(
        kind=(_text(told, "input_type") or "other") if kind == "other" else kind,
        id=_text(told, "target_id") if is_search else _text(told, "input_id"),
        at=rfc3339(row["time_ns"]),
        text=Reference(None, _text(told, "retrieval_query_digest"), text.evidence) if is_search else text,
    )


def _resolved(events: pl.DataFrame, *states: str) -> pl.DataFrame:
    return events.filter((pl.col("event") == "input.resolved") & pl.col("state").is_in(states))


def _first_of(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The first row of each value: every model call tells its prompts again."""
    return rows.sort("time_ns", "pointer", "ordinal").unique(by, keep="first", maintain_order=True)


def _reference(row: dict[str, Any]) -> Reference:
    return Reference(row["content"], row["content_digest"], row["pointer"])


def _attributes(row: dict[str, Any]) -> dict[str, Any]:
    told = json.loads(row["attributes"] or "{}")
    return told if isinstance(told, dict) else {}


def _text(told: dict[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value if isinstance(value, str) and value else None
