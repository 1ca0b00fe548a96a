"""What the records of a run say of it as a whole: its ids, what set it off, its workflow, policies and inputs.

Emitters put these on few records, as attributes: on the root span, on the record of its beginning, on the decisions of
a policy. What none of them says is null.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import Identified

_OF_SPANS: Final = {
    "trigger": ("aftertrace.run.trigger.type",),
    "trigger_id": ("aftertrace.run.trigger.id",),
    "parent_run_key": ("aftertrace.run.parent.id",),
    "workflow": ("gen_ai.workflow.name", "traceloop.workflow.name"),
    "policy_id": ("aftertrace.policy.id",),
    "policy_version": ("aftertrace.policy.version",),
}
"""The attributes of a span that tell each fact."""
_OF_EVENTS: Final = {
    "trigger": "run_trigger_type",
    "trigger_id": "run_trigger_id",
    "parent_run_key": "run_parent_id",
    "policy_id": "policy_id",
    "policy_version": "policy_version",
}
"""The attribute of an event that tells each fact: those of our own events, without their prefix."""
_TELLING: Final = ("run.created", "policy.evaluated")
_INPUTS: Final = ("user_prompt", "other")


def run_facts(identified: Identified) -> pl.DataFrame:
    """Per `run_id`: `run_keys`, `trigger`, `trigger_id`, `parent_run_key`, `workflow`, `service_version`, `scopes`,
    `policies` and `input_digests`, as `schemas.RUNS` has them.
    """
    spans, events = identified.spans, identified.events
    every = pl.concat([frame.select("run_id", "run_key", "service_version", "scope_name") for frame in (spans, events)])
    facts = pl.concat([_of_spans(spans), _of_events(events)], how="diagonal")
    policy = pl.concat_str("policy_id", "policy_version", separator=" ", ignore_nulls=True).replace("", None)
    told = (
        facts.filter(pl.any_horizontal(pl.exclude("run_id", "at_ns").is_not_null()))
        .sort("at_ns", *sorted({*_OF_SPANS, "input_digest"}))
        .group_by("run_id")
        .agg(
            *(pl.col(name).drop_nulls().first() for name in ("trigger", "trigger_id", "parent_run_key", "workflow")),
            _told(policy).alias("policies"),
            _told(pl.col("input_digest")).alias("input_digests"),
        )
    )
    named = every.group_by("run_id").agg(
        pl.col("service_version").max(),
        _told(pl.col("run_key")).alias("run_keys"),
        _told(pl.col("scope_name")).alias("scopes"),
    )
    return named.join(told, on="run_id", how="left").sort("run_id")


def _of_spans(spans: pl.DataFrame) -> pl.DataFrame:
    # The spans of agents and roots tell of their run: to look for it in all others would take long.
    heads = spans.filter((pl.col("operation") == "invoke_agent") | pl.col("parent_span_id").is_null())
    return heads.select(
        "run_id",
        at_ns="start_ns",
        **{name: pl.coalesce(_of_span(key) for key in keys) for name, keys in _OF_SPANS.items()},
    )


def _of_events(events: pl.DataFrame) -> pl.DataFrame:
    resolved = (pl.col("event") == "input.resolved") & pl.col("state").is_in(_INPUTS)
    return events.filter(pl.col("event").is_in(_TELLING) | resolved).select(
        "run_id",
        at_ns="time_ns",
        input_digest=pl.when(resolved).then("content_digest"),
        **{name: pl.when(~resolved).then("attributes").str.json_path_match(f"$.{key}")
           for name, key in _OF_EVENTS.items()},
    )  # fmt: skip


def _told(value: pl.Expr) -> pl.Expr:
    """The values that are told, each once; null where none is."""
    values = value.drop_nulls().unique().sort()
    return pl.when(values.len() > 0).then(values.implode())


def _of_span(key: str) -> pl.Expr:
    """An attribute of spans; only those that hold its name are parsed."""
    named = pl.col("attributes").str.contains(f'"{key}":', literal=True)
    return pl.when(named).then("attributes").str.json_path_match(f"$['{key}']")
