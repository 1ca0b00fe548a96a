"""The derived tables: every column, declared once.

They are made from `spans` and `events` by pure functions, so they can be thrown away and made again. A schema never
varies with the data. Times are int64 nanoseconds (`_ns`) but for those that users sort and export by (`proposed_at` …),
which are UTC datetimes. The docs are generated from the texts here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.schemas.configurations import CHANGE_MEASURES, CONFIGURATION_CHANGES, CONFIGURATIONS
from aftertrace.analyzer.schemas.losses import LOSSES
from aftertrace.analyzer.schemas.runs import RUNS
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP

OUTCOMES: Final = (
    "executed",
    "failed",
    "denied",
    "modified",
    "expired",
    "cancelled",
    "unresolved",
    "rejected_by_model",
    "unknown_tool",
    "invalid_arguments",
    "pending",
)
"""What can become of a call. The first two ran as proposed, `modified` ran with an edit."""

RAN_OUTCOMES: Final = ("executed", "failed", "modified")
"""Outcomes of calls that ran."""

NEAR_MISS_OUTCOMES: Final = ("denied", "modified", "expired", "cancelled", "rejected_by_model")
"""Outcomes one control away from happening; `cancelled` counts when a person did it."""

DECIDERS: Final = (
    "model",
    "policy",
    "guardrail",
    "hook",
    "human",
    "program",
    "human_or_program",
    "target",
    "timeout",
)

CALLS: Final = {
    "run_id": (pl.String, "run the call belongs to"),
    "conversation_id": (pl.String, "session, conversation or thread as the sender names it"),
    "trace_id": (pl.String, "trace it ran or was refused in, else the one it was proposed in"),
    "tool_call_id": (pl.String, "the sender's id of the call; null where the emitter gives none"),
    "ordinal": (pl.Int64, "order among the calls of its conversation, from 0"),
    "tool_name": (pl.String, "tool"),
    "outcome": (pl.String, "what became of it: see the outcomes"),
    "decided_by": (pl.String, "class of who refused it, or let it through; null is not stated"),
    "basis": (
        pl.String,
        "of the outcome: `explicit`, a record says so; `inferred`, from absence or from a text",
    ),
    "proposed_at": (TIMESTAMP, "when the model proposed it"),
    "decided_at": (TIMESTAMP, "when it was decided"),
    "started_at": (TIMESTAMP, "when it began to run"),
    "ended_at": (TIMESTAMP, "when its result was there"),
    "agent_name": (pl.String, "agent that acted"),
    "agent_id": (pl.String, "the sender's id of the agent, where it gives one"),
    "agent_version": (pl.String, "agent version"),
    "model": (pl.String, "model that was asked"),
    "model_served": (pl.String, "model that answered"),
    "near_miss": (pl.Boolean, "one control away from happening"),
    "consequential": (pl.Boolean, "a near miss of a tool whose risk is above `read`"),
    "risk": (pl.String, "risk class of the tool: read, write, destructive, external, money, permission"),
    "risk_basis": (
        pl.String,
        "`inventory`: as declared there; `declared` by the sender; or `guess` from the tool's name",
    ),
    "approval_asked": (pl.Boolean, "a person or program was asked, or should have been"),
    "approval": (pl.String, "`granted`, `rejected`, `modified`, `expired`, or null"),
    "reviewer": (pl.String, "who decided, as named by the sender"),
    "reviewer_identity": (pl.String, "`authenticated`, `asserted` or `inferred`"),
    "wait_ns": (pl.Int64, "how long the decision took"),
    "allowed_by": (
        pl.String,
        "what let it through: `grant` (a standing one), `mode`, `rule`, else who decided: see what lets a call through",
    ),
    "allowed_basis": (pl.String, "of `allowed_by`: `explicit` or `inferred`"),
    "grant_scope": (
        pl.String,
        "how far the answer, or the grant, reaches: `once`, `session`, `always`; null: not told",
    ),
    "granted_by": (
        pl.String,
        "who gave the standing grant that let it through: as named, else the class of who decided",
    ),
    "granted_at": (TIMESTAMP, "when it was given"),
    "permission_mode": (pl.String, "permission mode in force, in the sender's word; null is not told"),
    "signals": (pl.List(pl.String), "where a control failed: see the signals"),
    "reason": (pl.String, "reason given for the decision, or the text of the refusal or error"),
    "arguments": (pl.String, "canonical JSON of the proposed arguments"),
    "executed_arguments": (pl.String, "canonical JSON of the arguments it ran with, where known"),
    "rules": (pl.List(pl.String), "named rules that the outcome rests on"),
    "evidence": (pl.List(pl.String), "`receiver/seq/index` of the records it rests on"),
    "content_left_out": (
        pl.Boolean,
        "content of these records is left out by configuration (`redaction.capture`), so an edit may not be seen",
    ),
    "service_name": (pl.String, "service that reported it"),
    "source": (pl.String, "who sent it, as authenticated"),
    "tenant": (pl.String, "tenant of the source"),
    "environment": (pl.String, "deployment environment"),
    "dialect": (pl.String, "dialect that read it"),
    "system_prompt_digest": (pl.String, "tagged digest of the system prompt in force"),
    "tools_digest": (pl.String, "tagged digest of the tool list in force"),
    "call_key": (pl.String, "key of the call within the store"),
    "first_ns": (pl.Int64, "earliest time any record gives it"),
}

APPROVALS: Final = {
    "run_id": (pl.String, "run"),
    "call_key": (pl.String, "call"),
    "tool_call_id": (pl.String, "the sender's id of the call"),
    "tool_name": (pl.String, "tool"),
    "agent_name": (pl.String, "agent"),
    "approval_id": (pl.String, "the sender's id of the request; several calls may be asked about under one"),
    "calls": (pl.Int64, "calls that were asked about under it"),
    "decisions": (pl.Int64, "verdicts on record about this call, of all control points: see `decisions`"),
    "asked_at": (TIMESTAMP, "when somebody was asked; null where only the answer is known"),
    "decided_at": (TIMESTAMP, "when it was answered"),
    "wait_ns": (pl.Int64, "between them, or as the sender states it"),
    "decision": (pl.String, "`granted`, `rejected`, `modified`, `expired`, `cancelled`, `pending`"),
    "decided_by": (pl.String, "class of who decided"),
    "reviewer": (pl.String, "who, as named"),
    "reviewer_identity": (
        pl.String,
        "`authenticated`: checked by who asked; `asserted`: only named; `inferred`: somebody, unnamed; null: not told",
    ),
    "grant_scope": (pl.String, "how far the answer reaches: `once`, `session`, `always`; null is not told"),
    "shown": (pl.String, "start of the text shown to the reviewer, where sent"),
    "shown_digest": (pl.String, "tagged digest of the whole text shown"),
    "reason": (pl.String, "the reviewer's reason"),
    "arguments": (pl.String, "arguments as proposed"),
    "approved_arguments": (pl.String, "arguments as approved, when edited"),
    "edits": (pl.String, "JSON list of what the edit changed: `path` (RFC 6901), `before`, `after`"),
    "executed_arguments": (pl.String, "arguments it ran with, where known"),
    "deviations": (pl.String, "JSON list, as `edits`, of what ran otherwise than approved; null is not known"),
    "outcome": (pl.String, "what became of the call"),
    "basis": (pl.String, "`explicit`: the decision is recorded; `inferred`: from what followed"),
    "signals": (pl.List(pl.String), "what is odd: see the signals"),
    "conversation_id": (pl.String, "conversation"),
    "source": (pl.String, "who sent it"),
    "tenant": (pl.String, "tenant"),
    "environment": (pl.String, "deployment environment"),
    "dialect": (pl.String, "dialect"),
    "first_ns": (pl.Int64, "earliest time"),
}

DECISIONS: Final = {
    "run_id": (pl.String, "run"),
    "call_key": (pl.String, "call"),
    "tool_call_id": (pl.String, "the sender's id of the call"),
    "tool_name": (pl.String, "tool"),
    "ordinal": (pl.Int64, "order among the decisions on its call, from 0"),
    "decided_at": (TIMESTAMP, "when"),
    "decision": (
        pl.String,
        "`allow`, `deny`, `ask`, `unknown` of a control point; of whoever was asked as in `approvals`",
    ),
    "is_final": (pl.Boolean, "it is the one that counted"),
    "decided_by": (pl.String, "class of who decided"),
    "reviewer": (pl.String, "who, or which rule or hook, as named"),
    "reviewer_identity": (pl.String, "`authenticated`, `asserted`, `inferred`"),
    "reason": (pl.String, "reason given"),
    "wait_ns": (pl.Int64, "how long it took, where the sender states it"),
    "approval_id": (pl.String, "the sender's id of the request it answers"),
    "rule": (pl.String, "named rule by which it was read so"),
    "basis": (pl.String, "`explicit` or `inferred`"),
    "evidence": (pl.String, "`receiver/seq/index` of its record"),
    "conversation_id": (pl.String, "conversation"),
    "source": (pl.String, "who sent it"),
    "tenant": (pl.String, "tenant"),
    "environment": (pl.String, "deployment environment"),
    "dialect": (pl.String, "dialect"),
    "first_ns": (pl.Int64, "time of the record"),
}

AGENTS: Final = {
    "run_id": (pl.String, "run it took part in"),
    "agent_name": (pl.String, "agent"),
    "agent_id": (pl.String, "the sender's id of it, where it gives one"),
    "depth": (pl.Int64, "how far below the run's first agent, from 0 to 64"),
    "path": (pl.List(pl.String), "names from the first agent down to it, at most 64 above it"),
    "how": (
        pl.String,
        "`root`; `delegated`, by a call of its parent; `handed_over`, the run with it; `nested`, by no known call",
    ),
    "how_basis": (
        pl.String,
        "`explicit`: records name or enclose it; `inferred`: from a call's arguments; null: a root",
    ),
    "parent_name": (pl.String, "agent that set it to work"),
    "parent_id": (pl.String, "its id"),
    "parent_run_id": (pl.String, "run of that agent: the same, or the one it was started from"),
    "delegated_by_tool": (pl.String, "tool by which"),
    "delegated_by_call": (pl.String, "the sender's id of that call"),
    "agent_version": (pl.String, "agent version"),
    "model": (pl.String, "models it asked"),
    "model_served": (pl.String, "models that answered"),
    "system_prompt_digest": (pl.String, "tagged digest of its system prompt"),
    "tools_digest": (pl.String, "tagged digest of its tool list"),
    "calls": (pl.Int64, "calls it made"),
    "near_misses": (pl.Int64, "near misses among them"),
    "input_tokens": (pl.Int64, "tokens it read"),
    "output_tokens": (pl.Int64, "tokens it wrote"),
    "cost_usd": (pl.Float64, "cost as stated"),
    "started_at": (TIMESTAMP, "first heard of"),
    "ended_at": (TIMESTAMP, "last heard of"),
    "service_name": (pl.String, "service that reported it"),
    "source": (pl.String, "who sent it, as authenticated"),
    "tenant": (pl.String, "tenant of the source"),
    "environment": (pl.String, "deployment environment"),
    "first_ns": (pl.Int64, "earliest time"),
    "records": (pl.Int64, "spans and events it rests on"),
}

EFFECTS: Final = {
    "run_id": (pl.String, "run"),
    "call_key": (pl.String, "call that did it; null is not known"),
    "tool_call_id": (pl.String, "the sender's id of the call"),
    "tool_name": (pl.String, "tool"),
    "agent_name": (pl.String, "agent"),
    "state": (pl.String, "`applied` or `blocked`"),
    "basis": (
        pl.String,
        "`explicit`: a receipt or a record states it; `inferred`: read from what the call returned, where it has none",
    ),
    "rule": (pl.String, "by which it was read from a result: see the effects in results; null: a record states it"),
    "system": (pl.String, "system of record"),
    "operation": (pl.String, "what was done"),
    "object_type": (pl.String, "kind of the object"),
    "object_id": (pl.String, "id of the object, as its system names it"),
    "object_url": (pl.String, "where a person can look at it"),
    "before_digest": (pl.String, "tagged digest of the object before"),
    "after_digest": (pl.String, "tagged digest of the object after"),
    "idempotency_key": (pl.String, "key that makes the system carry out a repeated request once"),
    "receipt_id": (pl.String, "what the system can be asked by"),
    "arguments_digest": (pl.String, "tagged digest of the whole arguments of its call"),
    "http_status": (pl.Int64, "status with which the system answered, where the result tells it"),
    "rows": (pl.Int64, "rows that were changed, where the result tells it"),
    "decided_by": (pl.String, "class of who blocked it"),
    "reason": (pl.String, "reason given"),
    "happened_at": (TIMESTAMP, "when"),
    "signals": (pl.List(pl.String), "where effects and calls do not agree: see the signals"),
    "evidence": (pl.String, "`receiver/seq/index` of the receipt, or of the result"),
    "conversation_id": (pl.String, "conversation"),
    "source": (pl.String, "who sent it"),
    "tenant": (pl.String, "tenant"),
    "environment": (pl.String, "deployment environment"),
    "dialect": (pl.String, "dialect"),
    "first_ns": (pl.Int64, "time of the record"),
}

EFFECT_FINDINGS: Final = {
    "first_ns": (pl.Int64, "when it happened; of several effects or calls, the last of them"),
    "signal": (pl.String, "what does not agree: see the findings about effects"),
    "is_failure": (pl.Boolean, "whether a control failed"),
    "certainty": (
        pl.String,
        "`certain`: records state it; `likely`: little else explains them; `possible`: worth a look",
    ),
    "basis": (
        pl.String,
        "`explicit`: all it rests on is stated; `inferred`: some is read from a text, or from absence",
    ),
    "what": (pl.String, "what differs, in words"),
    "object": (pl.String, "system, kind and id of the object, as far as told"),
    "tool_name": (pl.String, "tool"),
    "agent_name": (pl.String, "agent"),
    "run_id": (pl.String, "run"),
    "other_runs": (pl.List(pl.String), "other runs that it rests on; such a finding may come when more is stored"),
    "call_key": (pl.String, "call; null is not known"),
    "tool_call_id": (pl.String, "the sender's id of the call"),
    "evidence": (pl.List(pl.String), "`receiver/seq/index` of the records that show it"),
    "conversation_id": (pl.String, "conversation"),
    "source": (pl.String, "who sent it"),
    "tenant": (pl.String, "tenant"),
    "environment": (pl.String, "deployment environment"),
}

RATES: Final = {
    "calls": (pl.Int64, "calls that count: not pending, unresolved, unknown_tool, invalid_arguments"),
    "near_misses": (pl.Int64, "near misses among them"),
    "consequential": (pl.Int64, "consequential near misses among them"),
    "rate": (pl.Float64, "near misses per call"),
    "low": (pl.Float64, "lower end of the 95 % Wilson interval"),
    "high": (pl.Float64, "upper end of the 95 % Wilson interval"),
    "floor": (pl.Boolean, "true where an emitter hides some refusals, so that the count is a floor"),
}

REVIEWS: Final = {
    "requests": (pl.Int64, "requests"),
    "granted": (pl.Int64, "granted as asked"),
    "modified": (pl.Int64, "granted with an edit"),
    "rejected": (pl.Int64, "rejected"),
    "expired": (pl.Int64, "never answered"),
    "cancelled": (pl.Int64, "cut short by an interruption"),
    "pending": (pl.Int64, "not answered yet"),
    "answers": (pl.Int64, "granted, modified and rejected"),
    "approval_rate": (pl.Float64, "granted and modified per answer"),
    "low": (pl.Float64, "lower end of its 95 % Wilson interval"),
    "high": (pl.Float64, "upper end of its 95 % Wilson interval"),
    "wait_p50_ns": (pl.Int64, "half of the known waits were at most so long"),
    "wait_p90_ns": (pl.Int64, "nine in ten were"),
    "wait_max_ns": (pl.Int64, "the longest"),
    "busiest_hour": (pl.Int64, "most requests within sixty minutes"),
    "signals": (pl.Int64, "signals on these approvals"),
}

TIMELINE: Final = {
    "at_ns": (
        pl.Int64,
        "when it happened, by the clock of who tells it; of an answer that was waited for, when it came",
    ),
    "time_ns": (pl.Int64, "when it began"),
    "end_ns": (pl.Int64, "end of what lasts"),
    "order": (
        pl.String,
        "why it stands after the entry before: `cause`, it follows from it; `clock`, by the times; `unsure`: unknown",
    ),
    "behind_ns": (pl.Int64, "its clock is behind by at least so much, by what it follows; null: nothing contradicts"),
    "behind_of": (pl.String, "`receiver/seq/index` of what it follows, where the clocks contradict that"),
    "run_id": (pl.String, "run"),
    "agent_name": (pl.String, "agent"),
    "service_name": (pl.String, "service that tells it, and so whose clock it is"),
    "lane": (pl.String, "`agent`, `model`, `tool`, `human` or `control`"),
    "what": (pl.String, "event and state"),
    "basis": (pl.String, "`explicit`, or `inferred` from a text, a result or absence; null of spans"),
    "tool_name": (pl.String, "tool"),
    "tool_call_id": (pl.String, "call"),
    "detail": (pl.String, "reason, content or arguments, cut"),
    "decided_by": (pl.String, "who decided"),
    "dialect": (pl.String, "dialect"),
    "trace_id": (pl.String, "trace"),
    "span_id": (pl.String, "span"),
    "evidence": (pl.String, "`receiver/seq/index`"),
}


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """A derived table: its name, its schema, what one row is, and what each column means."""

    name: str
    schema: pl.Schema
    brief: str
    briefs: dict[str, str]


def _table(name: str, columns: dict[str, tuple[object, str]], brief: str) -> DerivedTable:
    return DerivedTable(
        name,
        pl.Schema({column: kind for column, (kind, _) in columns.items()}),  # type: ignore[arg-type]  # DataType or its class
        brief,
        {column: text for column, (_, text) in columns.items()},
    )


DERIVED: Final = {
    table.name: table
    for table in (
        _table("calls", CALLS, "a tool call, from proposal to result"),
        _table("runs", RUNS, "one execution of an agent for one trigger, over however many traces"),
        _table("approvals", APPROVALS, "a request to a person or program, and its answer"),
        _table("decisions", DECISIONS, "a verdict on a call: none is overwritten, and the one that counted is marked"),
        _table("agents", AGENTS, "an agent of a run, and which agent set it to work"),
        _table("effects", EFFECTS, "a change in a system of record, or one that was blocked, by a receipt or a result"),
        _table("effect_findings", EFFECT_FINDINGS, "what calls, approvals and effects do not agree on"),
        _table("configurations", CONFIGURATIONS, "a version of an agent: its own, model, prompt, tools and policy"),
        _table("configuration_changes", CONFIGURATION_CHANGES, "a part of an agent's configuration that was changed"),
        _table("change_measures", CHANGE_MEASURES, "a change and a measure: what moved after it, and how sure that is"),
        _table("near_misses", CALLS, "a call that was one control away from happening"),
        _table("losses", LOSSES, "what was lost on the way, of one kind, source and day"),
    )
}
"""Derived tables by name."""

RATES_SCHEMA: Final = pl.Schema({column: kind for column, (kind, _) in RATES.items()})
REVIEWS_SCHEMA: Final = pl.Schema({column: kind for column, (kind, _) in REVIEWS.items()})
TIMELINE_SCHEMA: Final = pl.Schema({column: kind for column, (kind, _) in TIMELINE.items()})
