"""Which run and which conversation a record belongs to.

Run identity, in order: the explicit run id; the sender's own turn or invocation id inside its conversation; span links;
the same tool call id in a later trace while the call was still open (a resumed approval); the trace id. Each of these
is a *wire key*; keys that one record carries together, or that a link or a resumed call joins, are one run. A run's id
is the digest of its least key, so it does not depend on the order of arrival.

Ids are scoped by source and service: session `s1` of two programs never meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.identity.gateways import IS_GATEWAY, at_home
from aftertrace.analyzer.identity.imported import once
from aftertrace.analyzer.identity.retold import without_retold
from aftertrace.analyzer.identity.turns import in_turns
from aftertrace.analyzer.reading.tables import Tables
from aftertrace.store.run_names import OWNER, joined, name_of, owned, pointer, thread_of, trace_key
from aftertrace.store.snapshot import collected

RESOLVED: Final = (
    "completed",
    "failed",
    "refused",
    "unknown_tool",
    "invalid_arguments",
    "answered",
    "cancelled",
)
"""States of `tool.called` after which a call is no longer open."""

RESUME_WITHIN_NS: Final = 24 * 3600 * 10**9
"""A call id joins two traces only when they are no further apart than this."""

LEVELS_ABOVE: Final = 16
"""How far up the nearest agent, or conversation, is looked for."""

_NO_EDGES: Final = pl.DataFrame(schema={"first": pl.String, "second": pl.String})
_POINTER: Final = ("receiver", "seq", "index")
_STATED: Final = (
    "trace_id",
    "span_id",
    "ordinal",
    "state",
    "call_id",
    "tool_name",
    "position",
    "rule",
    "basis",
    "decided_by",
    "arguments_digest",
    "content_digest",
    "reason",
    "attributes",
    "conversation_id",
)
SPAN_ORDER: Final = ("start_ns", "end_ns", "trace_id", "span_id", *_POINTER)
EVENT_ORDER: Final = ("time_ns", "event", *_STATED, *_POINTER)
"""Rows are in order of time; where times are equal, by what they state: when they came says nothing."""


@dataclass(frozen=True, slots=True)
class Identified:
    """`spans` and `events` with three more columns each, and the keys of each run.

    `conversation_id` is carried over to records of a trace that has just one; `thread` is what ids are scoped by (the
    conversation, else the trace); `run_id` is the run.
    """

    spans: pl.DataFrame
    events: pl.DataFrame
    keys: pl.DataFrame
    """`run_id`, `key`: every wire key of every run."""


def identify(tables: Tables) -> Identified:
    """Give every span and event its conversation, thread and run.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    spans, events = without_retold(*(once(frame) for frame in collected(tables.spans, tables.events)))
    spans = _with_above(spans, "agent_name")
    events = _with_span(events, spans, "agent_name")
    spans, events = _with_conversations(spans, events)
    strange = _strange(spans, events)
    conversations = _trace_conversations(spans, events, strange)
    conversations = pl.concat([conversations, _continued(events, conversations)])
    spans, events = (_with_thread(frame, conversations, strange) for frame in (spans, events))
    events = in_turns(events, spans)
    keyed = pl.concat([_keys(spans), _keys(events)]).unique()
    edges = pl.concat([keyed.select("first", "second").drop_nulls(), _links(spans), _resumed(events)]).unique()
    nodes = pl.concat([keyed.select(node="first"), keyed.select(node="second")]).drop_nulls().unique().sort("node")
    runs = components(nodes, edges)
    spans, events = (_with_run(frame, runs) for frame in (spans, events))
    return Identified(
        spans=spans.sort(*SPAN_ORDER),
        events=at_home(events, spans).sort(*EVENT_ORDER),
        keys=runs.select("run_id", key="node").sort("run_id", "key"),
    )


def _with_above(spans: pl.DataFrame, column: str) -> pl.DataFrame:
    """A span that does not tell its agent, or its conversation, has that of the nearest one above it that does."""
    for _ in range(LEVELS_ABOVE):
        if not spans[column].null_count():
            break
        above = _told(spans, column).rename({"span_id": "parent_span_id"})
        wanting = spans.filter(pl.col(column).is_null())
        if not wanting.join(above, on=["trace_id", "parent_span_id"], how="semi").height:
            break
        spans = (
            spans.join(above, on=["trace_id", "parent_span_id"], how="left")
            .with_columns(pl.coalesce(column, "told").alias(column))
            .drop("told")
        )
    return spans


def _with_span(events: pl.DataFrame, spans: pl.DataFrame, column: str) -> pl.DataFrame:
    """An event that does not tell its agent, or its conversation, has that of its span."""
    if not events[column].null_count():
        return events
    return (
        events.join(_told(spans, column), on=["trace_id", "span_id"], how="left")
        .with_columns(pl.coalesce(column, "told").alias(column))
        .drop("told")
    )


def _told(spans: pl.DataFrame, column: str) -> pl.DataFrame:
    named = spans.drop_nulls(["trace_id", "span_id", column])
    return named.group_by("trace_id", "span_id").agg(pl.col(column).min().alias("told"))


def _with_conversations(spans: pl.DataFrame, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """In a trace of several conversations (opencode's sub-agents), each record has that of the nearest span above."""
    several = (
        spans.group_by("trace_id")
        .agg(pl.col("conversation_id").drop_nulls().n_unique().alias("conversations"))
        .filter(pl.col("conversations") > 1)
        .drop_nulls("trace_id")
    )
    if not several.height:
        return spans, events
    of_several = _with_above(spans.join(several, on="trace_id", how="semi"), "conversation_id")
    spans = pl.concat([spans.join(several, on="trace_id", how="anti"), of_several])
    told = events.join(several, on="trace_id", how="semi")
    return spans, pl.concat(
        [events.join(several, on="trace_id", how="anti"), _with_span(told, of_several, "conversation_id")]
    )


def _trace_conversations(spans: pl.DataFrame, events: pl.DataFrame, strange: pl.DataFrame) -> pl.DataFrame:
    """The one conversation of each trace and sender; traces with several have none.

    What only a gateway names is that of its own record: where that goes to an agent's run, nothing else of the trace
    goes with it.
    """
    columns = [*OWNER, "trace_id", "conversation_id"]
    seen = pl.concat([spans.select(columns), events.select(columns)]).drop_nulls(["trace_id", "conversation_id"])
    return (
        seen.group_by(*OWNER, "trace_id")
        .agg(
            pl.col("conversation_id").n_unique().alias("conversations"),
            pl.col("conversation_id").min().alias("only"),
        )
        .join(strange, left_on=[*OWNER, "only"], right_on=[*OWNER, "conversation_id"], how="left", nulls_equal=True)
        .with_columns(only=pl.when(pl.col("conversations") == 1, pl.col("is_strange").is_null()).then("only"))
        .drop("is_strange")
    )


def _continued(events: pl.DataFrame, conversations: pl.DataFrame) -> pl.DataFrame:
    """Traces without a conversation that go on with a call which one conversation left open (the OpenAI Agents SDK
    through Logfire, which names it on the root of the trace that stopped alone).
    """
    called = events.filter(pl.col("call_id").is_not_null() & pl.col("trace_id").is_not_null())
    silent = called.join(conversations, on=[*OWNER, "trace_id"], how="anti", nulls_equal=True)
    if not silent.height:
        return conversations.clear()
    call = [*OWNER, "call_id"]
    told = called.join(silent, on=call, how="semi", nulls_equal=True).join(
        conversations.drop_nulls("only"), on=[*OWNER, "trace_id"], how="inner", nulls_equal=True
    )
    ends = (pl.col("event") == "tool.called") & pl.col("state").is_in(RESOLVED)
    left_open = (
        told.group_by(*call, "only")
        .agg(
            of_tool=pl.col("tool_name").drop_nulls().first(),
            to_ns=pl.col("time_ns").max(),
            is_open=(pl.col("state") == "proposed").any() & ~ends.fill_null(value=False).any(),
        )
        .filter("is_open")
    )
    within = (pl.col("time_ns") >= pl.col("to_ns")) & (pl.col("time_ns") - pl.col("to_ns") <= RESUME_WITHIN_NS)
    same = pl.col("tool_name").is_null() | (pl.col("tool_name") == pl.col("of_tool"))
    return (
        silent.filter((pl.col("state") != "proposed").fill_null(value=True))
        .join(left_open, on=call, how="inner", nulls_equal=True)
        .filter(within & same)
        .group_by(*OWNER, "trace_id")
        .agg(conversations=pl.col("only").n_unique(), only=pl.col("only").min())
        .filter(pl.col("conversations") == 1)
        .select(conversations.columns)
        .cast(conversations.schema)
    )


def _strange(spans: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Conversations that only a gateway names as its own: what it tells in several traces of them is of several runs.

    They may be agents' (`gateways`), so they scope nothing beyond a trace: not what is counted, and no turns.
    """
    columns = [*OWNER, "conversation_id"]

    def named(of: pl.Expr) -> pl.DataFrame:
        return pl.concat([frame.filter(of).select(columns) for frame in (spans, events)]).unique()

    theirs = named(IS_GATEWAY).drop_nulls("conversation_id")
    if theirs.height:
        theirs = theirs.join(named(~IS_GATEWAY), on=columns, how="anti", nulls_equal=True)
    return theirs.with_columns(is_strange=pl.lit(value=True))


def _with_thread(frame: pl.DataFrame, conversations: pl.DataFrame, strange: pl.DataFrame) -> pl.DataFrame:
    frame = frame.join(conversations, on=[*OWNER, "trace_id"], how="left", nulls_equal=True)
    named = pl.coalesce("conversation_id", "only")
    frame = frame.with_columns(conversation_id=named).join(
        strange, on=[*OWNER, "conversation_id"], how="left", nulls_equal=True
    )
    is_of_trace = pl.col("is_strange").fill_null(value=False) & pl.col("trace_id").is_not_null()
    conversation = pl.col("conversation_id")
    thread = (
        pl.when(conversation.is_not_null() & ~is_of_trace)
        .then(thread_of("conversation", conversation))
        .when(pl.col("trace_id").is_not_null())
        .then(thread_of("trace", "trace_id"))
        .otherwise(thread_of("record", pointer()))
    )
    # Several conversations in one trace (a batch job, a server's own root span) are several runs.
    trace = pl.when(pl.col("conversations") > 1).then(
        joined("trace_id", conversation.fill_null(""))
    ).otherwise("trace_id")  # fmt: skip
    return frame.with_columns(thread=thread, part=trace, pointer=pointer()).drop("conversations", "only", "is_strange")


def _keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Pairs of wire keys that one record carries: `first` is its strongest, `second` each other one, or null."""
    turn, trace = joined(pl.lit("turn"), "thread", "turn_id"), trace_key("part")
    first = pl.coalesce(owned("run", "run_key"), turn, trace, joined(pl.lit("thread"), "thread"))
    distinct = frame.select(*OWNER, "run_key", "turn_id", "part", "thread").unique()
    return pl.concat(
        [distinct.select(first=first, second=pl.when(other != first).then(other)) for other in (turn, trace)]
    ).unique()


def _links(spans: pl.DataFrame) -> pl.DataFrame:
    """Traces joined by span links."""
    linked = spans.filter(pl.col("links").is_not_null()).select(
        "part", to=pl.col("links").str.json_decode(pl.List(pl.List(pl.String)))
    )
    if not linked.height:
        return _NO_EDGES
    return (
        linked.explode("to", empty_as_null=True, keep_nulls=True)
        .select("part", to=pl.col("to").list.get(0, null_on_oob=True))
        .join(spans.select("trace_id", target="part").unique(), left_on="to", right_on="trace_id", how="inner")
        .select(first=trace_key("part"), second=trace_key("target"))
    )


def _resumed(events: pl.DataFrame) -> pl.DataFrame:
    """Traces in which a call that was still open in an earlier trace goes on, by its call id and tool."""
    touched = events.filter(
        pl.col("call_id").is_not_null()
        & pl.col("part").is_not_null()
        & (pl.col("state") != "echoed").fill_null(value=True)
    )
    if not touched.height:
        return _NO_EDGES
    scope = pl.col("conversation_id").fill_null("").alias("scope")
    per_trace = touched.group_by(*OWNER, scope, "call_id", "part").agg(
        pl.col("tool_name").min().alias("tool"),
        pl.col("time_ns").min().alias("from_ns"),
        pl.col("time_ns").max().alias("to_ns"),
        (
            (pl.col("event") == "tool.called") & pl.col("state").is_in(RESOLVED)
        ).any().alias("resolved"),
        ((pl.col("event") == "action.proposed") & (pl.col("state") == "proposed")).any().alias("proposes"),
    )  # fmt: skip
    keys = [*OWNER, "scope", "call_id"]
    ordered = per_trace.sort("from_ns", "part").with_columns(
        previous=pl.col("part").shift().over(keys),
        previous_tool=pl.col("tool").shift().over(keys),
        previous_ns=pl.col("to_ns").shift().over(keys),
        open_before=~pl.col("resolved").shift().over(keys),
    )
    return ordered.filter(
        pl.col("previous").is_not_null()
        & pl.col("open_before")
        & ~pl.col("proposes").fill_null(value=False)
        & (pl.col("tool").is_null() | pl.col("previous_tool").is_null() | (pl.col("tool") == pl.col("previous_tool")))
        & (pl.col("from_ns") - pl.col("previous_ns") <= RESUME_WITHIN_NS)
    ).select(first=trace_key("previous"), second=trace_key("part"))


def components(nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Connected components: `node`, `run_id`. The least node of a component names it (union-find by least root)."""
    names = nodes["node"].to_list()
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, second in edges.select("first", "second").iter_rows():
        if first not in parent or second not in parent:
            continue
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    roots = [root(name) for name in names]
    ids = {name: name_of(name) for name in set(roots)}
    return pl.DataFrame(
        {"node": names, "run_id": [ids[name] for name in roots]},
        schema={"node": pl.String, "run_id": pl.String},
    )


def _with_run(frame: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    key = pl.coalesce(
        owned("run", "run_key"),
        joined(pl.lit("turn"), "thread", "turn_id"),
        trace_key("part"),
        joined(pl.lit("thread"), "thread"),
    )
    return frame.with_columns(node=key).join(runs, on="node", how="left").drop("node")
