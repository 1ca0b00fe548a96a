"""Delegations: which agent of a run set another to work, and by which call.

Three things tell it. A record names its agent's parent, or its run's. A span of one agent lies under a span of another:
then the tool span between them, if there is one, is the call that delegated. Or an agent called a tool that hands the
run over, or starts another. Where nothing does, a sub-agent that has an id of its own was set to work by the agent that
has none.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.identity.identity import LEVELS_ABOVE

AGENT: Final = ("run_id", "agent_name", "agent_id")
"""What tells one agent from another."""
EDGE: Final = {
    **dict.fromkeys(AGENT, pl.String),
    "parent_run_id": pl.String,
    "parent_name": pl.String,
    "parent_id": pl.String,
    "how": pl.String,
    "how_basis": pl.String,
    "via_call": pl.String,
    "via_tool": pl.String,
    "at_ns": pl.Int64,
    "rank": pl.Int64,
}
"""An agent, the one that set it to work, and how sure that is: a lower `rank` is believed first."""
_NO_EDGES: Final = pl.DataFrame(schema=EDGE)
_HANDS_OVER: Final = "transfer_to_"
_STARTS: Final = ("Agent", "Task", "task", "spawn_agent")
"""Tools of coding agents that start a sub-agent: Claude Code, opencode, Codex."""
_TAKES: Final = ("subagent_type", "agent_name", "agent", "agent_type", "subagent_name")
"""Arguments in which tools that delegate name the agent."""


def by_nesting(spans: pl.DataFrame) -> pl.DataFrame:
    """Edges from spans of one agent that lie under spans of another, columns as in `EDGE`."""
    told = spans.filter(pl.col("agent_name").is_not_null()).select(
        *AGENT, "trace_id", "span_id", "parent_span_id", "operation", "call_id", "tool_name", "start_ns"
    )
    above = told.select(
        "trace_id",
        parent_span_id="span_id",
        parent_run_id="run_id",
        parent_name="agent_name",
        parent_id="agent_id",
        at="span_id",
    ).unique(["trace_id", "parent_span_id"], keep="first", maintain_order=True)
    met = told.drop("span_id").join(above, on=["trace_id", "parent_span_id"], how="inner")
    other = pl.any_horizontal(
        pl.col(mine).ne_missing(pl.col(theirs))
        for mine, theirs in zip(AGENT, ("parent_run_id", "parent_name", "parent_id"), strict=True)
    )
    met = met.filter(other)
    if not met.height:
        return _NO_EDGES
    edges = met.sort("start_ns", "at").unique(list(AGENT), keep="first", maintain_order=True)
    edges = edges.drop("operation", "call_id", "tool_name", "parent_span_id").with_row_index("edge")
    return _edges(
        edges.join(_calls_above(edges, told), on="edge", how="left"),
        how=pl.when(pl.col("via_tool").is_not_null()).then(pl.lit("delegated")).otherwise(pl.lit("nested")),
        at_ns=pl.col("start_ns"),
        basis=pl.lit("explicit"),
        rank=1,
    )


def _calls_above(edges: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Per `edge`, the nearest tool span at `at` or above it, up to where the parent agent began: `via_*`."""
    step = told.select("trace_id", "operation", "call_id", "tool_name", at="span_id", up="parent_span_id")
    step = step.unique(["trace_id", "at"], keep="first", maintain_order=True)
    wanting = edges.select("edge", "trace_id", "at")
    found = []
    for _ in range(LEVELS_ABOVE):
        met = wanting.join(step, on=["trace_id", "at"], how="inner")
        is_call = (pl.col("operation") == "execute_tool").fill_null(value=False)
        found.append(met.filter(is_call).select("edge", via_call="call_id", via_tool="tool_name"))
        ends = is_call | (pl.col("operation") == "invoke_agent").fill_null(value=False)
        wanting = met.filter(~ends & pl.col("up").is_not_null()).select("edge", "trace_id", at="up")
        if not wanting.height:
            break
    return pl.concat(found).unique("edge", keep="first", maintain_order=True)


def by_parent_id(records: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Edges from records that name their agent's parent, and from ids of sub-agents, columns as in `EDGE`."""
    named = (
        events.filter(pl.col("agent_name").is_not_null() & _tells("parent_agent_id"))
        .select(*AGENT, parent_id=_told("parent_agent_id"), at_ns="time_ns")
        .drop_nulls("parent_id")
    )
    parents = (
        records.filter(pl.col("agent_id").is_not_null())
        .sort("at_ns", "agent_name")
        .unique(["run_id", "agent_id"], keep="first", maintain_order=True)
        .select("run_id", parent_id="agent_id", parent_name="agent_name")
    )
    stated = _edges(
        named.join(parents, on=["run_id", "parent_id"], how="inner"),
        how=pl.lit("nested"),
        at_ns=pl.col("at_ns"),
        basis=pl.lit("explicit"),
        rank=0,
    )
    # Codex names a sub-agent by its path.
    paths = records.with_columns(parent_id=pl.col("agent_id").str.extract(r"^(/.+)/[^/]+$"))
    under = _edges(
        paths.filter(pl.col("parent_id").is_not_null()).join(parents, on=["run_id", "parent_id"], how="inner"),
        how=pl.lit("nested"),
        at_ns=pl.col("at_ns"),
        basis=pl.lit("explicit"),
        rank=0,
    )
    # Of several agents without an id, the one that was heard of first set the others to work.
    main = (
        records.filter(pl.col("agent_id").is_null())
        .sort("at_ns", "agent_name")
        .unique("run_id", keep="first", maintain_order=True)
    )
    left = _edges(
        records.filter(pl.col("agent_id").is_not_null()).join(
            main.select("run_id", parent_name="agent_name"), on="run_id", how="inner"
        ),
        how=pl.lit("nested"),
        at_ns=pl.col("at_ns"),
        basis=pl.lit("inferred"),
        rank=4,
    )
    return pl.concat([stated, under, left])


def by_hand_over(calls: pl.DataFrame, call_events: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Edges from calls of tools that hand a run over, or that name the agent they set to work; columns as in `EDGE`.

    Args:
        calls: the calls (`calls.calls`).
        call_events: the events that speak of a call (`joins.call_events`).
        records: the agents of each run, with `at_ns`, when each was first heard of.
    """
    stated = (
        call_events.filter(_tells("to_agent"))
        .sort("time_ns", "receiver", "seq", "index", "ordinal")
        .group_by("call_key")
        .agg(_told("to_agent").drop_nulls().first().alias("to_agent"))
    )
    taken = pl.coalesce(pl.col("arguments").str.json_path_match(f"$.{name}") for name in _TAKES)
    named = calls.filter(pl.col("agent_name").is_not_null()).join(stated, on="call_key", how="left")
    hands = pl.col("tool_name").str.starts_with(_HANDS_OVER)
    tool = pl.when(hands).then(pl.col("tool_name").str.strip_prefix(_HANDS_OVER))
    made = named.select(
        "run_id",
        pl.coalesce("to_agent", taken, tool).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "_").alias("plain"),
        parent_name="agent_name",
        parent_id="agent_id",
        via_call="tool_call_id",
        via_tool="tool_name",
        made_ns="first_ns",
        how=pl.when(hands.fill_null(value=False)).then(pl.lit("handed_over")).otherwise(pl.lit("delegated")),
        basis=pl.when(pl.col("to_agent").is_not_null()).then(pl.lit("explicit")).otherwise(pl.lit("inferred")),
    ).drop_nulls("plain")
    started = _started(named, records)
    if not made.height:
        return started
    to = records.with_columns(plain=pl.col("agent_name").str.to_lowercase().str.replace_all(r"[^a-z0-9]", "_"))
    met = to.join(made, on=["run_id", "plain"], how="inner").filter(pl.col("parent_name") != pl.col("agent_name"))
    # One of several sub-agents of a kind: the call made last before it was first heard of.
    earlier = met.filter(pl.col("made_ns") <= pl.col("at_ns"))
    before = earlier.sort("made_ns", *(name for name in earlier.columns if name != "made_ns")).unique(
        list(AGENT), keep="last", maintain_order=True
    )
    named_edges = _edges(before, how=pl.col("how"), at_ns=pl.col("at_ns"), basis=pl.col("basis"), rank=2)
    return pl.concat([named_edges, started])


def _started(calls: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Edges to sub-agents that are known by an id alone: the call made last before they were first heard of."""
    starting = (
        calls.filter(pl.col("tool_name").is_in(_STARTS))
        .sort("first_ns", "call_key")
        .select(
            "run_id",
            parent_name="agent_name",
            parent_id="agent_id",
            via_call="tool_call_id",
            via_tool="tool_name",
            at_ns="first_ns",
        )
    )
    if not starting.height:
        return _NO_EDGES
    met = (
        records.filter(pl.col("agent_id").is_not_null())
        .sort("at_ns", "agent_id")
        .join_asof(starting, on="at_ns", by="run_id", strategy="backward", check_sortedness=False)
        .filter(pl.col("via_tool").is_not_null() & pl.col("parent_id").ne_missing(pl.col("agent_id")))
    )
    return _edges(met, how=pl.lit("delegated"), at_ns=pl.col("at_ns"), basis=pl.lit("inferred"), rank=3)


def by_parent_run(records: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Edges from runs that name the run that started them, from first agent to first agent; columns as in `EDGE`."""
    named = (
        events.filter(_tells("run_parent_id"))
        .select("source", "run_id", parent_key=_told("run_parent_id"))
        .drop_nulls("parent_key")
        .unique()
    )
    if not named.height:
        return _NO_EDGES
    runs = events.select("source", parent_key="run_key", parent_run_id="run_id").drop_nulls("parent_key").unique()
    first = records.sort("at_ns", "agent_name", "agent_id").unique("run_id", keep="first", maintain_order=True)
    parents = first.select(parent_run_id="run_id", parent_name="agent_name", parent_id="agent_id")
    met = (
        first.join(named.join(runs, on=["source", "parent_key"], how="inner", nulls_equal=True), on="run_id")
        .join(parents, on="parent_run_id", how="inner")
        .filter(pl.col("run_id") != pl.col("parent_run_id"))
    )
    return _edges(met, how=pl.lit("nested"), at_ns=pl.col("at_ns"), basis=pl.lit("explicit"), rank=0)


def _tells(attribute: str) -> pl.Expr:
    """Whether an event has an attribute: only those that hold its name are parsed."""
    return pl.col("attributes").str.contains(f'"{attribute}":', literal=True)


def _told(attribute: str) -> pl.Expr:
    return pl.col("attributes").str.json_path_match(f"$.{attribute}")


def _edges(frame: pl.DataFrame, *, how: pl.Expr, at_ns: pl.Expr, basis: pl.Expr, rank: int) -> pl.DataFrame:
    if not frame.height:
        return _NO_EDGES
    told = {"parent_run_id": "run_id", "parent_id": None, "via_call": None, "via_tool": None}
    missing = [
        (pl.lit(None, dtype=pl.String) if source is None else pl.col(source)).alias(name)
        for name, source in told.items()
        if name not in frame.columns
    ]
    return frame.with_columns(*missing, how=how, at_ns=at_ns, how_basis=basis, rank=pl.lit(rank)).select(
        pl.col(name).cast(kind) for name, kind in EDGE.items()
    )
