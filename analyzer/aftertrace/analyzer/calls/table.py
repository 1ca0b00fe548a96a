"""Calls: every tool call from proposal to result, with what became of it and who decided."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls import controls, evidence, modes, risk
from aftertrace.analyzer.calls.allowances import allowed
from aftertrace.analyzer.calls.certainty import span_certain
from aftertrace.analyzer.calls.decisions import identity
from aftertrace.analyzer.calls.denials import ran_after_denial
from aftertrace.analyzer.calls.edits import differ
from aftertrace.analyzer.calls.evidence import NO_RESULT
from aftertrace.analyzer.calls.followed import followed
from aftertrace.analyzer.calls.held import held
from aftertrace.analyzer.calls.judgement import judge
from aftertrace.analyzer.calls.let_on import LET_ON, denied_later, let_on
from aftertrace.analyzer.calls.offers import unoffered
from aftertrace.analyzer.calls.verdicts import told_back
from aftertrace.analyzer.identity.identity import Identified
from aftertrace.analyzer.identity.run_states import RUN_STATES
from aftertrace.analyzer.schemas.derived import DERIVED, NEAR_MISS_OUTCOMES, RAN_OUTCOMES
from aftertrace.analyzer.schemas.order import ordered
from aftertrace.analyzer.schemas.timestamp import TIMESTAMP
from aftertrace.analyzer.schemas.untimed import ONE_MOMENT_NS, timed

SCHEMA: Final = DERIVED["calls"].schema
_OF_SOME: Final = ("is_span_certain", "is_followed", "is_told_back", "is_not_offered", "is_offer_awaited")
"""Facts that are gathered of some calls alone, by a step of their own."""


def calls(identified: Identified, call_events: pl.DataFrame, run_states: pl.DataFrame) -> pl.DataFrame:
    """One row per call, columns as in `SCHEMA`, in the order in which they began.

    Args:
        identified: events and spans with their runs.
        call_events: the events that speak of a call (`joins.call_events`).
        run_states: per `run_id`, whether the run is over, waits or has gone quiet (`run_states.run_states`).
    """
    if not call_events.height:
        return SCHEMA.to_frame()
    gathered = evidence.gather(_with_identity(call_events, identified))
    certain = span_certain(call_events, identified.spans)
    went_on = followed(call_events, identified.spans).with_columns(is_followed=pl.lit(value=True))
    states = run_states.select("run_id", *RUN_STATES)
    gathered = _denied_later(gathered, call_events, identified)
    asked = _let_on(_blank_asks(gathered, identified), call_events, identified)
    judged = judge(
        _held(asked, call_events)
        .join(states, on="run_id", how="left")
        .join(certain, on="call_key", how="left")
        .join(went_on, on="call_key", how="left")
        .join(told_back(call_events), on="call_key", how="left")
        .join(unoffered(call_events, identified.spans), on="call_key", how="left")
        .join(_tool_lists(identified), on="run_id", how="left")
        .with_columns(
            pl.col(*_OF_SOME, *RUN_STATES).fill_null(value=False),
            is_unlisted=(~pl.col("listed").list.contains(pl.col("tool_name"))).fill_null(value=False),
        )
        .with_columns(run_waits=_waits().any().over("run_id"))
    )
    return _columns(allowed(modes.in_force(_person_or_program(judged, identified), identified.events)))


def _tool_lists(identified: Identified) -> pl.DataFrame:
    """Per run, `listed`: the tools in any of its tool lists; runs whose lists are unknown or empty are left out."""
    lists = identified.spans.select("run_id", "tool_names").drop_nulls().unique()
    names = lists.select("run_id", listed=pl.col("tool_names").str.json_decode(pl.List(pl.String)))
    return (
        names.explode("listed", empty_as_null=True, keep_nulls=True)
        .drop_nulls()
        .group_by("run_id")
        .agg(pl.col("listed").unique())
    )


def _person_or_program(judged: pl.DataFrame, identified: Identified) -> pl.DataFrame:
    """Settle `human_or_program` where the session shows its door: a person's terminal, or a program's SDK.

    Claude Code says `user_*` for both. A program that runs in a signed-in account stays `human_or_program`, since the
    account may be the one of the person behind it.
    """
    doors = (
        identified.events.select("thread", door=pl.col("attributes").str.json_path_match("$.entrypoint"))
        .drop_nulls()
        .group_by("thread")
        .agg(
            (pl.col("door") == "terminal").any().alias("at_terminal"),
            (pl.col("door") == "sdk").all().alias("in_program"),
        )
    )
    settled = (
        pl.when(pl.col("at_terminal").fill_null(value=False))
        .then(pl.lit("human"))
        .when(pl.col("in_program").fill_null(value=False) & pl.col("reviewer").is_null())
        .then(pl.lit("program"))
        .otherwise("decided_by")
    )
    return judged.join(doors, on="thread", how="left").with_columns(
        decided_by=pl.when(pl.col("decided_by") == "human_or_program").then(settled).otherwise("decided_by")
    )


def _blank_asks(gathered: pl.DataFrame, identified: Identified) -> pl.DataFrame:
    """Asks whose ids the emitter dropped (AI SDK 7): they were about the calls of the run that went on in a later
    trace.
    """
    blank = (
        identified.events.filter(pl.col("rule") == "ask_without_id")
        .select("run_id", was_blankly_asked=pl.lit(value=True))
        .unique()
    )
    if not blank.height:
        return gathered
    later = (pl.col("was_completed") | pl.col("was_failed")) & (pl.col("trace_id") != pl.col("proposal_trace"))
    refused = pl.col("rules").list.contains("denied_response")
    asked = (pl.col("was_blankly_asked") & (later | (refused & ~pl.col("is_denied_in_run")))).fill_null(value=False)
    return (
        gathered.join(blank, on="run_id", how="left")
        .with_columns(
            was_asked=pl.col("was_asked") | asked,
            asked_ns=pl.when(asked & pl.col("asked_ns").is_null()).then("proposed_ns").otherwise("asked_ns"),
            resumed_ns=pl.when(asked)
            .then(pl.coalesce("resumed_ns", "started_ns", "answered_ns"))
            .otherwise("resumed_ns"),
        )
        .drop("was_blankly_asked")
    )


def _denied_later(gathered: pl.DataFrame, call_events: pl.DataFrame, identified: Identified) -> pl.DataFrame:
    """A denial that a later run in the same trace was told of is not told in the run of its proposal."""
    later = denied_later(call_events, identified.spans)
    if not later.height:
        return gathered
    return (
        gathered.join(later.with_columns(is_later=pl.lit(value=True)), on="call_key", how="left")
        .with_columns(is_denied_in_run=pl.col("is_denied_in_run") & ~pl.col("is_later").fill_null(value=False))
        .drop("is_later")
    )


def _let_on(gathered: pl.DataFrame, call_events: pl.DataFrame, identified: Identified) -> pl.DataFrame:
    """Calls that only the place of their span tells to have been asked about (AI SDK without content)."""
    told = let_on(call_events, identified.spans)
    if not told.height:
        return gathered
    is_told = pl.col("is_let_on").fill_null(value=False) & ~pl.col("was_asked") & pl.col("verdict").is_null()
    return (
        gathered.join(told.with_columns(is_let_on=pl.lit(value=True)), on="call_key", how="left")
        .with_columns(
            was_asked=pl.col("was_asked") | is_told,
            asked_ns=pl.when(is_told).then(pl.coalesce("asked_ns", "proposed_ns")).otherwise("asked_ns"),
            resumed_ns=pl.when(is_told).then(pl.coalesce("resumed_ns", "started_ns")).otherwise("resumed_ns"),
            rules=pl.when(is_told).then(pl.concat_list("rules", pl.lit(LET_ON))).otherwise("rules"),
        )
        .drop("is_let_on")
    )


def _held(gathered: pl.DataFrame, call_events: pl.DataFrame) -> pl.DataFrame:
    """Who let a call run, where its records say only that it was accepted: told by how long it was held."""
    some = held(call_events)
    if not some.height:
        return gathered
    told = pl.col("held_rule").is_not_null()
    return (
        gathered.join(some, on="call_key", how="left")
        .with_columns(
            was_asked=pl.col("was_asked") | pl.col("held_ns").is_not_null(),
            asked_ns=pl.coalesce("asked_ns", "control_ns"),
            stated_wait_ns=pl.coalesce("stated_wait_ns", "held_ns"),
            decider_class=pl.coalesce("decider_class", "held_by"),
            rules=pl.when(told).then(pl.concat_list("rules", "held_rule")).otherwise("rules"),
        )
        .drop("held_rule", "held_by", "held_ns", "control_ns")
    )


def _waits() -> pl.Expr:
    nothing = ~(pl.col("was_completed") | pl.col("was_failed") | pl.col("was_answered") | pl.col("is_refused"))
    return (pl.col("was_asked") & pl.col("verdict").is_null() & nothing).fill_null(value=False)


def _with_identity(events: pl.DataFrame, identified: Identified) -> pl.DataFrame:
    """Fill in what a record does not say itself from its run: agent, models, prompt and tools, where there is one."""
    columns = ("agent_name", "agent_version", "model", "model_served", "system_prompt_digest", "tools_digest")
    known = pl.concat([identified.spans.select("run_id", *columns), identified.events.select("run_id", *columns)])
    per_run = known.group_by("run_id").agg(
        pl.when(pl.col(name).drop_nulls().n_unique() == 1).then(pl.col(name).drop_nulls().first()).alias(f"run_{name}")
        for name in columns
    )
    return events.join(per_run, on="run_id", how="left").with_columns(
        pl.coalesce(name, f"run_{name}").alias(name) for name in columns
    )


def _columns(judged: pl.DataFrame) -> pl.DataFrame:
    near = pl.col("outcome").is_in(NEAR_MISS_OUTCOMES) & (
        (pl.col("outcome") != "cancelled") | (pl.col("decided_by") == "human").fill_null(value=False)
    )
    asked = (
        pl.col("was_asked")
        | pl.col("verdict").is_in(("granted", "rejected", "modified", "expired")).fill_null(value=False)
        | pl.col("is_guarded")
        | (
            pl.col("is_output_missing")
            & pl.col("is_resumed")
            & pl.col("outcome").is_in(("executed", "denied", "failed"))
        )
        | (pl.col("is_output_missing") & pl.col("is_over") & (pl.col("outcome") == "pending"))
    )
    # A person who refused or edited was asked, even where the emitter keeps the question to itself.
    asked |= ((pl.col("decided_by") == "human") & pl.col("outcome").is_in(("denied", "modified"))).fill_null(
        value=False
    )
    # Where an earlier answer stood in, nobody was asked now.
    asked &= ~pl.col("is_granted_before")
    asked &= ~(pl.col("is_output_missing") & pl.col("answer").is_in(NO_RESULT)).fill_null(value=False)
    # Without a record of the answer, what went on after the ask followed it.
    answered_ns = pl.coalesce("decided_ns", pl.when(asked & pl.col("asked_ns").is_not_null()).then("resumed_ns"))
    between = answered_ns - pl.col("asked_ns")
    between = pl.when((between >= ONE_MOMENT_NS) | (between == 0)).then(between)
    waited = pl.when(asked).then(pl.coalesce("stated_wait_ns", between))
    approval = pl.when(pl.col("verdict").is_in(("granted", "rejected", "modified", "expired"))).then("verdict")
    ran = pl.col("outcome").is_in(RAN_OUTCOMES)
    told = (
        judged.with_columns(near_miss=near, risk=pl.coalesce("declared_risk", risk.guess(pl.col("tool_name"))))
        .with_columns(
            answered_ns.alias("answered_ns"),
            ordinal=pl.int_range(pl.len(), dtype=pl.Int64).over(
                pl.when(pl.col("conversation_id").is_null()).then("run_id").otherwise("thread"),
                order_by=["first_ns", "position", "tool_name", "tool_call_id", "any_arguments", "call_key"],
            ),
            consequential=pl.col("near_miss") & (pl.col("risk") != "read"),
            risk_basis=pl.when(pl.col("declared_risk").is_null()).then(pl.lit("guess")).otherwise(pl.lit("declared")),
            approval_asked=asked,
            approval=approval,
            wait_ns=pl.when(waited >= 0).then(waited),
            reviewer_identity=identity(pl.col("reviewer"), pl.col("reviewer_identity")),
            reason=pl.coalesce(
                "decision_reason",
                "refusal",
                "error",
                pl.when(pl.col("outcome") == "denied").then("answer_reason"),
                pl.when(pl.col("outcome") == "rejected_by_model").then("considered_reason"),
            ),
            arguments=pl.coalesce("proposed_arguments", _shown_arguments(), "whole_arguments", "any_arguments"),
            executed_arguments=pl.when(ran).then(pl.coalesce("run_arguments", "approved_arguments")),
        )
        .with_columns(
            pl.col("near_miss").fill_null(value=False),
            timed("first_ns"),
            proposed_at=timed("proposed_ns").cast(TIMESTAMP),
            decided_at=timed("answered_ns").cast(TIMESTAMP),
            started_at=pl.when(ran).then(timed("started_ns")).cast(TIMESTAMP),
            ended_at=pl.when(ran).then(timed("ended_ns")).cast(TIMESTAMP),
        )
    )
    after = ran_after_denial(told).filter(pl.col("certainty") != "possible")
    return (
        told.join(after.select("call_key", was_refused=pl.lit(value=True)), on="call_key", how="left")
        .with_columns(signals=controls.named(controls.FAILURES))
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .pipe(ordered, "calls")
    )


def _shown_arguments() -> pl.Expr:
    """Of a call that was edited: what was decided on where the edit came with the answer, else what came in."""
    edited_by_answer = differ("decided_parameters", "run_parameters").fill_null(value=False)
    shown = pl.when(edited_by_answer).then("decided_arguments").otherwise("entered_arguments")
    return pl.when(pl.col("outcome") == "modified").then(shown)
