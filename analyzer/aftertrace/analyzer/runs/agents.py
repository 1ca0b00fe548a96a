"""Agents: who took part in a run, as a tree: which agent set which to work, by which call, and what each used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import polars as pl

from aftertrace.analyzer.identity import delegations
from aftertrace.analyzer.identity.delegations import AGENT, EDGE
from aftertrace.analyzer.identity.identity import Identified
from aftertrace.analyzer.runs.table import cost, first, joined, records, tokens
from aftertrace.analyzer.schemas.derived import DERIVED
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP
from aftertrace.analyzer.schemas.untimed import timed

SCHEMA: Final = DERIVED["agents"].schema
_MAIN_HAS_NO_ID: Final = ("claude_code", "claude_code_session", "codex")
"""Dialects of emitters that give ids to sub-agents alone."""
MOST_ABOVE: Final = 64
"""As many agents above one are named: deeper ones are told as if they lay below the last of these."""
_Key: TypeAlias = tuple[str, str, str | None]


def agents(identified: Identified, calls: pl.DataFrame, call_events: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """One row per agent of a run, columns as in `SCHEMA`: by run, a parent before those it set to work.

    Args:
        identified: events and spans with their runs.
        calls: the calls (`calls.calls`).
        call_events: the events that speak of a call (`joins.call_events`).
        runs: the runs (`runs.runs`).
    """
    found = _members(identified).join(runs.select("run_id"), on="run_id", how="semi")
    known = found.select(*AGENT, "dialect", at_ns="first_ns")
    ids, made = _only_ids(known), calls.filter(pl.col("agent_name").is_not_null())
    made = _with_ids(made, ids)
    edges = pl.concat(
        [
            delegations.by_parent_id(known, identified.events),
            delegations.by_parent_run(known, identified.events),
            delegations.by_nesting(_with_ids(identified.spans, ids)),
            delegations.by_hand_over(made, call_events, known),
        ]
    )
    edges = edges.sort("rank", "at_ns", *(name for name in EDGE if name not in ("rank", "at_ns")))
    tree = pl.DataFrame(list(_tree(known, edges)), schema={**EDGE, "path": pl.List(pl.String)}, orient="row")
    counts = made.group_by(AGENT).agg(
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("near_miss").sum().cast(pl.Int64).alias("near_misses"),
    )
    return (
        found.join(tree, on=list(AGENT), how="left", nulls_equal=True)
        .join(counts, on=list(AGENT), how="left", nulls_equal=True)
        .with_columns(
            pl.col("calls", "near_misses").fill_null(0),
            depth=pl.col("path").list.len().cast(pl.Int64) - 1,
            started_at=pl.col("first_ns").cast(TIMESTAMP),
            ended_at=pl.col("last_ns").cast(TIMESTAMP),
            delegated_by_tool="via_tool",
            delegated_by_call="via_call",
        )
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "agents")
    )


def _members(identified: Identified) -> pl.DataFrame:
    """The agents of each run, with what their own records say of models, tokens and cost."""
    told = pl.concat([records(identified.spans, "spans"), records(identified.events, "events")], how="diagonal").filter(
        pl.col("agent_name").is_not_null()
    )
    return (
        _with_ids(told, _only_ids(told.select(*AGENT, "dialect").unique()))
        .sort("first_ns", "receiver", "seq", "index")
        .group_by(AGENT)
        .agg(
            *(first(name) for name in ("agent_version", "service_name", "source", "tenant", "environment", "dialect")),
            joined("model"),
            joined("model_served"),
            first("system_prompt_digest"),
            first("tools_digest"),
            tokens("input_tokens"),
            tokens("output_tokens"),
            cost().alias("cost_usd"),
            timed("first_ns").min(),
            timed("last_ns").max(),
            pl.len().cast(pl.Int64).alias("records"),
        )
    )


def _only_ids(known: pl.DataFrame) -> pl.DataFrame:
    """`run_id`, `agent_name`, `only_id` of the agents with one id, but where the main agent is the one without."""
    return (
        known.filter(~pl.col("dialect").is_in(_MAIN_HAS_NO_ID))
        .group_by("run_id", "agent_name")
        .agg(
            pl.col("agent_id").drop_nulls().n_unique().alias("ids"),
            pl.col("agent_id").drop_nulls().min().alias("only_id"),
        )
        .filter(pl.col("ids") == 1)
        .drop("ids")
    )


def _with_ids(frame: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """Rows that name an agent of one id, without the id, have it: most records of a framework leave it out."""
    if not ids.height:
        return frame
    return (
        frame.join(ids, on=["run_id", "agent_name"], how="left", maintain_order="left")
        .with_columns(agent_id=pl.coalesce("agent_id", "only_id"))
        .drop("only_id")
    )


def _tree(known: pl.DataFrame, edges: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """One edge per agent, the most trusted that makes no circle, and the names from the root down."""
    chosen: dict[_Key, dict[str, Any]] = {}
    higher: dict[_Key, _Key] = {}
    paths: dict[_Key, list[str]] = {}

    def parent(key: _Key) -> _Key | None:
        edge = chosen.get(key)
        return None if edge is None else (edge["parent_run_id"], edge["parent_name"], edge["parent_id"])

    def top(key: _Key) -> _Key:
        """The root that an agent lies under; what is above it is remembered, and the way halved."""
        while key in higher:
            above = higher[key]
            higher[key] = key = higher.get(above, above)
        return key

    def path(key: _Key) -> list[str]:
        climbed: list[_Key] = []
        above: _Key | None = key
        while above is not None and above not in paths:
            climbed.append(above)
            above = parent(above)
        names = [] if above is None else paths[above]
        for each in reversed(climbed):
            names = paths[each] = [*names[:MOST_ABOVE], each[1]]
        return names

    for edge in edges.iter_rows(named=True):
        key = (edge["run_id"], edge["agent_name"], edge["agent_id"])
        above = (edge["parent_run_id"], edge["parent_name"], edge["parent_id"])
        if key not in chosen:
            if top(above) != key:
                chosen[key] = edge
                higher[key] = above
        elif chosen[key]["via_tool"] is None and edge["via_tool"] is not None and parent(key) == above:
            # A record names the parent, another the call: both are kept.
            chosen[key] = {**chosen[key], "via_tool": edge["via_tool"], "via_call": edge["via_call"],
                           "how": edge["how"]}  # fmt: skip
    for key in known.select(AGENT).iter_rows():
        root = dict.fromkeys(EDGE) | dict(zip(AGENT, key, strict=True)) | {"how": "root"}
        yield {**chosen.get(key, root), "path": path(key)}
