"""Which call an event speaks of: the steps that come before any judgement.

0. What the two ends of an MCP connection tell of an agent's call is left out (`copies`), and what a later trace only
   repeats of one (`replays`); a gateway's verdict is put beside its request (`gateways`). Which call it is about is
   told after step 1 where it has an id, else when all other calls are known (`verdicts`).
1. An event without a call id takes that of the span it lies in: `permission` and `blocked_on_user` under their tool's
   span, a LangChain tool under LangGraph's `tools` node, a Gemini log record in the span of its batch. What a step of
   smolagents tells without naming a call is about the only one that was proposed in it (`steps`).
2. An answer that names its request and no call is about every call asked about under it (`requests`). Answers of a
   reviewer that carry a position alone take the request in the same position of their interrupt, and a question that
   names no call is about those that are open (`asks`).
3. Calls with an id are told apart by it, and by order where a sender uses an id again.
4. What has no id is matched by tool, canonical arguments and order; then by tool and order. So is a repeated proposal
   that names its item and not its call (`item_id`: the OpenAI Agents SDK through OpenLLMetry). An answer whose ask is
   known is about the call of that ask.
5. What a second instrumentation tells once more belongs to the call of the first: the run of a tool at the same time,
   an interrupt of the same id and position, its answer in the same position at the same time.
6. An ask that is only told together with its answer is given the time of the proposal.

Every step is a pure function on frames, and none looks at what an event *means*.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.asks import with_asks
from aftertrace.analyzer.calls.batches import companions, entries, of_batches
from aftertrace.analyzer.calls.evidence import weighed
from aftertrace.analyzer.calls.feedback import once
from aftertrace.analyzer.calls.matches import CALLED, DECISIONS, IS_ITEM, RAN, SEPARATOR, match
from aftertrace.analyzer.calls.replays import without_replays
from aftertrace.analyzer.calls.requests import answered_each
from aftertrace.analyzer.calls.steps import of_steps
from aftertrace.analyzer.calls.stops import with_stops
from aftertrace.analyzer.calls.suspensions import without_suspensions
from aftertrace.analyzer.calls.verdicts import parted, put
from aftertrace.analyzer.identity.copies import without_copies
from aftertrace.analyzer.identity.gateways import placed
from aftertrace.analyzer.identity.identity import RESOLVED

_EFFECTS: Final = ("effect.applied", "effect.blocked")
CALL_EVENTS: Final = (
    *DECISIONS,
    "tool.considered",
    "action.proposed",
    "validation.passed",
    "validation.failed",
    "tool.called",
    *_EFFECTS,
)
REPLAYED_ASK: Final = "replayed_ask"
"""Rule of an ask that its answer repeats."""
_LEVELS: Final = 3
TWIN_WITHIN_NS: Final = 50_000_000
"""Two instrumentations of one tool call, or of one resume, tell of it within this of each other."""


def call_events(events: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The events that speak of a call, with `call_key`: one value per call; and the columns of `evidence.weighed`.

    Events that speak of no call that could be found (a guardrail of a whole run, say) are left out.
    """
    found = events.filter(pl.col("event").is_in(CALL_EVENTS)).with_columns(
        scope=pl.when(pl.col("conversation_id").is_not_null()).then("thread").otherwise("run_id"),
        done_ns=pl.coalesce("end_ns", "time_ns"),
    )
    found = answered_each(with_stops(found, spans)).with_row_index("row")
    found = of_steps(without_replays(without_copies(placed(found))), spans)
    together = pl.concat([companions(found), entries(found)]).unique("row", keep="first", maintain_order=True)
    found, apart = parted(with_asks(_from_spans(_from_batches(found, spans, together), spans, found)))
    together = together.join(apart.select(lead="row"), on="lead", how="anti")
    identified = _occurrences(found.filter(pl.col("call_id").is_not_null()))
    anonymous = found.filter(pl.col("call_id").is_null() & pl.col("tool_name").is_not_null())
    entered = anonymous.filter(CALLED & (pl.col("state") == "entered")).join(together, on="row", how="anti")
    anonymous, said_of = once(anonymous, identified, entered)
    together = pl.concat([together, said_of])
    repeated = _repeated(anonymous)
    anonymous = anonymous.join(repeated, on="row", how="anti")
    twins = _twins(anonymous, identified)
    rest = anonymous.join(twins, on="row", how="anti")
    matched = pl.concat([twins, match(rest.join(together, on="row", how="anti"), identified)], how="diagonal")
    keys = matched.select("call_key", lead="row")
    following = rest.join(together, on="row", how="inner").join(keys, on="lead", how="inner").drop("lead")
    found = pl.concat([identified, matched, following], how="diagonal")
    again = repeated.join(found.select(of_row="row", call_key="call_key"), on="of_row", how="inner").drop("of_row")
    found = pl.concat([found, again], how="diagonal")
    found = pl.concat([found, put(apart, found)], how="diagonal").sort("row")
    return weighed(without_suspensions(_replayed(found.drop("row", "done_ns", "request", "ask_row"))))


def _replayed(events: pl.DataFrame) -> pl.DataFrame:
    """Step 6: an ask that is first heard of when it is answered (AI SDK) was made when the call was proposed.

    Where the proposal was lost, so is the time of the ask.
    """
    proposed = (pl.col("event") == "action.proposed") & (pl.col("state") == "proposed")
    proposed_ns = pl.col("time_ns").filter(proposed).min().over("call_key")
    return events.with_columns(
        time_ns=pl.when((pl.col("rule") == REPLAYED_ASK).fill_null(value=False)).then(proposed_ns).otherwise("time_ns")
    )


def _from_batches(events: pl.DataFrame, spans: pl.DataFrame, together: pl.DataFrame) -> pl.DataFrame:
    """Step 1, in a span of several calls: the call that the record's result is of, for all its events."""
    met = of_batches(events, spans)
    if not met.height:
        return events
    following = together.join(met, left_on="lead", right_on="row", how="inner").select("row", "of_call")
    return (
        events.join(pl.concat([met, following]), on="row", how="left")
        .with_columns(call_id=pl.coalesce("call_id", "of_call"))
        .drop("of_call")
    )


def _repeated(anonymous: pl.DataFrame) -> pl.DataFrame:
    """Step 5: events that tell once more what `of_row` tells: the same interrupt, its answers, a repeated proposal."""
    positional = pl.col("position").is_not_null() & pl.col("event").str.starts_with("approval.")
    some = anonymous.filter(positional | IS_ITEM)
    if not some.height:
        return anonymous.clear().with_columns(of_row="row")
    asks = some.filter(positional & (pl.col("event") == "approval.requested") & pl.col("group").is_not_null())
    items = some.filter(IS_ITEM & (pl.col("state") == "echoed"))
    told = [
        group.sort("time_ns", "row").with_columns(of_row=pl.col("row").first().over(by))
        for group, by in (
            (asks, ["scope", "group", "position", "tool_name", "request"]),
            (items, ["scope", "tool_name", "asked_digest", "position"]),
        )
    ]
    answers = some.filter(positional & (pl.col("event") != "approval.requested")).sort("time_ns", "row")
    same = ["scope", "event", "group", "position", "tool_name", "asked_digest"]
    is_again = (pl.col("scope_name") != pl.col("scope_name").shift().over(same)).fill_null(value=False) & (
        pl.col("time_ns") - pl.col("time_ns").shift().over(same) <= TWIN_WITHIN_NS
    ).fill_null(value=False)
    answers = answers.with_columns(answer=(~is_again).cum_sum().over(same))
    told.append(answers.with_columns(of_row=pl.col("row").first().over(*same, "answer")).drop("answer"))
    return pl.concat(told).filter(pl.col("of_row") != pl.col("row"))


def _twins(anonymous: pl.DataFrame, identified: pl.DataFrame) -> pl.DataFrame:
    """Runs that a second instrumentation tells once more, without the id: same trace, tool and time, another scope."""
    ran = (pl.col("event") == "tool.called") & pl.col("state").is_in(RAN)
    place = ("trace_id", "tool_name", "scope_name", "time_ns", "done_ns")
    told = anonymous.filter(ran).drop_nulls(place).sort("time_ns", "row").select("row", "arguments_digest", *place)
    if not told.height:
        return anonymous.clear().with_columns(call_key=pl.lit(None, dtype=pl.String))
    runs = identified.filter(ran).drop_nulls(place).sort("time_ns", "call_key")
    runs = runs.select(
        "trace_id",
        "tool_name",
        "arguments_digest",
        "call_key",
        other="scope_name",
        from_ns="time_ns",
        to_ns="done_ns",
    )
    overlap = (pl.col("time_ns") <= pl.col("to_ns") + TWIN_WITHIN_NS) & (
        pl.col("done_ns") >= pl.col("from_ns") - TWIN_WITHIN_NS
    )
    twins = [anonymous.select("row").clear().with_columns(call_key=pl.lit(None, dtype=pl.String))]
    # Of runs side by side the one with the same arguments is meant; but two instrumentations may word them differently.
    for by in (["trace_id", "tool_name", "arguments_digest"], ["trace_id", "tool_name"]):
        # A trace may hold thousands of runs of one tool: each meets the nearest of another scope alone.
        met = [
            of_scope.drop_nulls(by).join_asof(
                runs.filter(pl.col("other") != scope).drop_nulls(by),
                left_on="time_ns",
                right_on="from_ns",
                by=by,
                strategy="nearest",
                check_sortedness=False,
            )
            for (scope,), of_scope in told.group_by("scope_name", maintain_order=True)
        ]
        twins += [each.filter(overlap).select("row", "call_key") for each in met]
        told = told.join(pl.concat(twins), on="row", how="anti", maintain_order="left")
    return anonymous.join(pl.concat(twins), on="row", how="inner", maintain_order="left")


def _from_spans(events: pl.DataFrame, spans: pl.DataFrame, naming: pl.DataFrame) -> pl.DataFrame:
    """Step 1: take call id and tool from the nearest span above that names exactly one call by an event of `naming`."""
    # The span of a model call, or of an agent, tells what became of earlier calls and is the span of none.
    of_none = spans.filter(pl.col("operation").is_in(("chat", "invoke_agent"))).select("trace_id", "span_id")
    named = (
        naming.filter(
            ((pl.col("event") == "tool.called") | pl.col("event").is_in(DECISIONS))
            & pl.col("call_id").is_not_null()
            & pl.col("span_id").is_not_null()
        )
        .join(of_none, on=["trace_id", "span_id"], how="anti")
        .group_by("trace_id", "span_id")
        .agg(
            pl.col("call_id").n_unique().alias("calls"),
            pl.col("call_id").first().alias("of_call"),
            pl.col("tool_name").drop_nulls().first().alias("of_tool"),
        )
        .filter(pl.col("calls") == 1)
        .drop("calls")
    )
    wanting = events.filter(
        pl.col("call_id").is_null()
        & pl.col("span_id").is_not_null()
        & pl.col("event").is_in((*DECISIONS, *_EFFECTS, "tool.called"))
    ).select("row", "trace_id", "event", "tool_name", at="span_id")
    if not (named.height and wanting.height):
        return events
    parents = (
        spans.select("trace_id", "span_id", above="parent_span_id")
        .drop_nulls()
        .unique(["trace_id", "span_id"], keep="first")
    )
    # What lies in a tool's span that names no call (Claude Code before 2.1.178) is of none that lies above it.
    ends = naming.filter((pl.col("state") == "entered") & pl.col("call_id").is_null() & pl.col("span_id").is_not_null())
    given: list[pl.DataFrame] = []
    for _ in range(_LEVELS):
        met = wanting.join(named, left_on=["trace_id", "at"], right_on=["trace_id", "span_id"], how="inner")
        # A tool span under another tool's is a call of its own (an agent used as a tool).
        fits = met.filter(pl.col("tool_name").is_null() | (pl.col("tool_name") == pl.col("of_tool")))
        given.append(fits.select("row", "of_call", "of_tool"))
        wanting = (
            wanting.join(met.select("row"), on="row", how="anti")
            .join(ends, left_on=["trace_id", "at"], right_on=["trace_id", "span_id"], how="anti")
            .join(parents, left_on=["trace_id", "at"], right_on=["trace_id", "span_id"], how="inner")
            .drop("at")
            .rename({"above": "at"})
        )
    return (
        events.join(pl.concat(given).unique("row"), on="row", how="left")
        .with_columns(call_id=pl.coalesce("call_id", "of_call"), tool_name=pl.coalesce("tool_name", "of_tool"))
        .drop("of_call", "of_tool")
    )


def _occurrences(events: pl.DataFrame) -> pl.DataFrame:
    """Step 3: `call_key` of events with an id. An id used again after a result names another call."""
    # Nested agents count from the same `call_0`, and models use an id again: one that two tools are proposed under, or
    # that two tools of one instrumentation ran or were decided on under, names two calls.
    ran = (pl.col("event") == "tool.called") & pl.col("state").is_in(RAN).fill_null(value=False)
    decided = pl.col("event").is_in(DECISIONS)
    both_told = (
        pl.col("tool_name").filter(ran | decided).drop_nulls().n_unique().over("scope", "call_id", "scope_name") > 1
    )
    proposed = pl.col("tool_name").filter(pl.col("event") == "action.proposed").n_unique().over("scope", "call_id")
    rivals = (proposed > 1) | both_told.any().over("scope", "call_id")
    silent = pl.col("tool_name").is_null().any().over("scope", "call_id")
    events = events.with_columns(of_tool=pl.when(rivals & ~silent).then("tool_name"))
    keys = ["scope", "call_id", "of_tool"]
    begins = (pl.col("event") == "action.proposed") & (pl.col("state") == "proposed").fill_null(value=False)
    ends = (
        ((pl.col("event") == "tool.called") & pl.col("state").is_in(RESOLVED))
        | pl.col("event").is_in(("approval.rejected", "approval.expired"))
        | ((pl.col("event") == "policy.evaluated") & (pl.col("state") == "deny"))
    ).fill_null(value=False)
    # A result that repeats its decision may be logged after the span of its run has ended (Claude Code): where another
    # record decides, it begins no call.
    by_result = decided & pl.col("attributes").str.contains('"weight":"result"', literal=True).fill_null(value=False)
    decided &= ~(by_result & (decided & ~by_result).any().over(keys))
    ordered = events.with_columns(
        begins=begins, ends=ends, ran=ran, decided=decided, proposed=begins.any().over(keys)
    ).sort(*keys, "done_ns", "ran", "row")  # a quick call is decided and has run in one millisecond
    # Where proposals are told, one begins a call; where they are not (log-only emitters), a decision after a run does.
    start = pl.when("proposed").then("begins").otherwise("decided")
    finish = pl.when("proposed").then("ends").otherwise("ran")
    finished = finish.cast(pl.Int32).cum_sum().over(keys)
    ordered = ordered.with_columns(start=start, finished=finished).with_columns(
        at_start=pl.when("start").then("finished").forward_fill().shift().over(keys)
    )
    again = pl.col("start") & (pl.col("finished") > pl.col("at_start")).fill_null(value=False)
    return (
        ordered.with_columns(occurrence=again.cast(pl.Int32).cum_sum().over(keys))
        .select(
            *events.columns,
            call_key=pl.concat_str(
                pl.lit("id"),
                "scope",
                "call_id",
                pl.col("of_tool").fill_null(""),
                pl.col("occurrence").cast(pl.String),
                separator=SEPARATOR,
            ),
        )
        .drop("of_tool")
    )
