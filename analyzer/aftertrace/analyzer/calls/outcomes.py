"""What became of a call: one judgement, made of named rules in order.

The evidence is a lattice, *considered → proposed → asked → decided → started → result seen*. A span alone does not
prove that a tool ran, and no span does not prove that it was refused; each rule says which facts it needs. The first
rule that applies decides the outcome, its basis and who decided, and its name is kept with the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aftertrace.analyzer.calls.asks import QUESTION
from aftertrace.analyzer.calls.evidence import CONTROLS, NO_RESULT
from aftertrace.analyzer.calls.grounds import (
    ASKED,
    EDITED,
    LET_THROUGH,
    RAN,
    RAN_OTHERWISE,
    RUN_BASIS,
    UNDECIDED,
    WAITS,
)
from aftertrace.analyzer.identity.copies import UNREACHED


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the judgement."""

    name: str
    when: pl.Expr
    """Over the columns of `evidence.gather` and `run_state`, `run_waits`, `is_quiet`, `is_span_certain`,
    `is_unlisted`, `is_followed`, `is_told_back`."""
    outcome: str
    basis: pl.Expr
    decided_by: pl.Expr
    brief: str
    """For the docs: what the rule says and which emitter made it necessary."""


_EXPLICIT: Final = pl.lit("explicit")
_INFERRED: Final = pl.lit("inferred")
_NOBODY: Final = pl.lit(None, dtype=pl.String)
_REFUSING: Final = pl.col("verdict").is_in(("deny", "rejected")).fill_null(value=False)
_EXPIRED: Final = (pl.col("verdict") == "expired").fill_null(value=False)
_SPAN_AWAITED: Final = pl.col("is_span_certain") | pl.col("rules").list.contains("step_input")
"""Mastra opens a span for every tool that it runs between two steps; its client may run others between two runs."""
_EMPTY_ANSWER: Final = pl.col("answer").is_null() | pl.col("answer").is_in(NO_RESULT)
_CANDIDATE: Final = pl.col("was_considered") & ~pl.col("was_proposed")
_NO_SPAN_BY: Final = pl.when(pl.col("dialect") == "strands").then(pl.lit("hook"))
RULES: Final = (
    Rule(
        "refused_on_the_way",
        (pl.col("is_denied_on_the_way") & _REFUSING & (~pl.col("was_completed_beyond") | pl.col("is_told_back")))
        | (pl.col("is_blocked_on_the_way") & pl.col("was_failed") & ~pl.col("was_completed")),
        "denied",
        pl.coalesce(pl.when(_REFUSING).then("decision_basis"), _EXPLICIT),
        pl.coalesce(pl.when(_REFUSING).then("decider_class"), "blocked_by", pl.lit("policy")),
        "A gateway refused it: it never came to its tool, which nobody else says completed, but with the gateway's "
        "reason for a result. Or it refused a request of the tool's own, and the tool failed. A gateway that only "
        "reports refuses what runs all the same.",
    ),
    Rule(
        "ran_edited",
        RAN & EDITED,
        "modified",
        _EXPLICIT,
        pl.coalesce("decider_class", pl.lit("human")),
        "It ran with arguments other than those proposed, by an edit that is recorded; or with others than were shown "
        "before it was let through (Claude Code's hooks and callbacks).",
    ),
    Rule(
        "ran_otherwise",
        RAN & RAN_OTHERWISE,
        "modified",
        _INFERRED,
        pl.lit("human"),
        "Somebody was asked, and it ran with arguments other than those proposed, where the emitter shows them as they "
        "were proposed unless the reviewer gave others (Pydantic AI).",
    ),
    Rule(
        "sandbox_denied",
        RAN & pl.col("is_sandbox_denied"),
        "failed",
        _EXPLICIT,
        LET_THROUGH,
        "It ran, and the sandbox kept it from what it tried. The result says `success` all the same (Codex).",
    ),
    Rule(
        "ran_under_saved_grant",
        RAN & (pl.col("last_run_state") == "completed") & pl.col("rules").list.contains("reject_of_a_run"),
        "executed",
        pl.col("run_basis"),
        LET_THROUGH,
        "The log says `reject` of a call that ran: a person allowed it for all future sessions, which Gemini CLI's log "
        "has no word for.",
    ),
    Rule(
        "ran",
        RAN & (pl.col("last_run_state") == "completed"),
        "executed",
        RUN_BASIS,
        LET_THROUGH,
        "A result or an execution-specific record was seen. It outweighs any text that reads like a refusal. Inferred "
        "where its decision is lost, which the emitter tells of every call (Claude Code): it may have been edited.",
    ),
    Rule(
        "ran_again_refused",
        RAN & pl.col("is_run_again") & (pl.col("error") == "TOOL_ERROR").fill_null(value=False),
        "denied",
        _INFERRED,
        pl.lit("human"),
        "It was opened in one trace and ended in another with an error that is no exception: a confirmation was asked "
        "for and refused (Google ADK without content).",
    ),
    Rule(
        "interrupted",
        RAN & pl.col("was_cancelled") & (pl.col("last_run_state") == "failed"),
        "cancelled",
        pl.coalesce("cancelled_basis", _EXPLICIT),
        pl.coalesce("cancelled_by", pl.lit("human")),
        "It was stopped while it ran. The result says `failed` all the same (Claude Code's Esc and Ctrl-C).",
    ),
    Rule("ran_failed", RAN, "failed", RUN_BASIS, LET_THROUGH, "It ran and returned an error."),
    Rule(
        "receipt",
        pl.col("has_receipt"),
        "executed",
        _EXPLICIT,
        LET_THROUGH,
        "A receipt says that it changed something.",
    ),
    Rule(
        "aborted_itself",
        pl.col("was_cancelled") & pl.col("is_abort_answered"),
        "failed",
        _INFERRED,
        LET_THROUGH,
        "It ended with an abort, and its agent went on and told the model: so the abort was the tool's own, as "
        "that of a request with a time limit (AI SDK 7, Mastra).",
    ),
    Rule(
        "cancelled",
        pl.col("was_cancelled") & ~_REFUSING & ~_EXPIRED,
        "cancelled",
        pl.coalesce("cancelled_basis", _EXPLICIT),
        pl.coalesce(
            "cancelled_by",
            pl.when(~pl.col("decider_class").is_in(CONTROLS)).then("decider_class"),
            pl.lit("human"),
        ),
        "A person interrupted it, and nobody had refused it before, nor had its ask expired; the rule or hook that had "
        "let it through did not. Or the framework says that it left it out (Pydantic AI, after the final result).",
    ),
    Rule(
        "expired",
        _EXPIRED,
        "expired",
        pl.coalesce("decision_basis", _EXPLICIT),
        pl.coalesce("decider_class", pl.lit("timeout")),
        "Asked, and the sender says that nobody answered in time.",
    ),
    Rule(
        "refused_by_decision",
        _REFUSING,
        "denied",
        pl.coalesce("decision_basis", _EXPLICIT),
        pl.col("decider_class"),
        "A decision record refuses it, and nothing shows that it ran.",
    ),
    Rule(
        "refused_unasked",
        pl.col("is_refused_explicitly") & pl.col("is_denied_in_run") & ~pl.col("was_asked"),
        "denied",
        _EXPLICIT,
        pl.lit("policy"),
        "The model was told of a denial in the trace of its proposal, and nobody had been asked (AI SDK 7's automatic "
        "approvals): a person's answer comes with a later trace, or with a record of the question.",
    ),
    Rule(
        "refused_by_field",
        pl.col("is_refused_explicitly"),
        "denied",
        _EXPLICIT,
        pl.col("refused_by"),
        "A field of a span or answer says that it was refused.",
    ),
    Rule(
        "effect_blocked",
        pl.col("is_effect_blocked"),
        "denied",
        _EXPLICIT,
        pl.coalesce("blocked_by", pl.lit("target")),
        "A record says that its effect was kept from happening.",
    ),
    Rule(
        "refused_before_tool",
        pl.col("is_refused") & pl.col("rules").list.contains(UNREACHED),
        "denied",
        _INFERRED,
        pl.lit("target"),
        "Its sender tells of an error, and the span of the server that answered names no tool (what the middleware of "
        "an MCP server refuses).",
    ),
    Rule(
        "unknown_tool",
        pl.col("is_unknown_tool"),
        "unknown_tool",
        pl.coalesce("invalid_basis", _INFERRED),
        _NOBODY,
        "The tool is not in the tool list.",
    ),
    Rule(
        "invalid_arguments",
        pl.col("is_invalid"),
        "invalid_arguments",
        pl.coalesce("invalid_basis", _EXPLICIT),
        _NOBODY,
        "The arguments failed validation; the tool's body never ran.",
    ),
    Rule(
        "refused_by_text",
        pl.col("is_refused"),
        "denied",
        _INFERRED,
        pl.col("refused_by"),
        "The model was told a refusal in an observed wording, and nothing shows that the call ran.",
    ),
    Rule(
        "answered_outside_tool_list",
        pl.col("was_answered") & _SPAN_AWAITED & pl.col("is_unlisted") & ~pl.col("is_output_missing"),
        "unknown_tool",
        _INFERRED,
        _NOBODY,
        "The model was given an answer, an emitter that opens a span for every run opened none, and the tool is in "
        "none of the run's tool lists (Pydantic AI without content, where the answer has no text; Mastra, whose "
        "answers never have one).",
    ),
    Rule(
        "asked_and_answered_without_run",
        pl.col("was_answered")
        & ASKED
        & (pl.col("is_span_certain") | pl.col("rules").list.contains(QUESTION))
        & (pl.col("verdict").is_null() & ~pl.col("is_answer_good")),
        "denied",
        _INFERRED,
        pl.lit("human"),
        "Somebody was asked, the model was given an answer, and an emitter that opens a span for every run opened none "
        "(Pydantic AI's denials with a message of one's own, LangGraph's after a question of one's own).",
    ),
    Rule(
        "answered_without_output",
        pl.col("was_answered") & pl.col("is_output_missing") & ~_EMPTY_ANSWER,
        "denied",
        _INFERRED,
        pl.lit("human"),
        "The tool span has no output and yet the model was given a text (OpenAI Agents' rejections).",
    ),
    Rule(
        "supplied",
        pl.col("was_answered") & pl.col("is_handed_back") & ~pl.col("was_asked") & pl.col("verdict").is_null(),
        "executed",
        _INFERRED,
        pl.lit("program"),
        "The agent left the call open and unasked for the program that runs it, which gave the model a result (the AI "
        "SDK's client-side tools, Pydantic AI's external ones).",
    ),
    Rule(
        "final_result",
        pl.col("was_answered") & pl.col("is_final_result"),
        "executed",
        _INFERRED,
        _NOBODY,
        "The call is how the model gives its final result, and it was taken (Pydantic AI's output tools).",
    ),
    Rule(
        "answered_without_span",
        pl.col("was_answered") & pl.col("is_span_certain") & ~(pl.col("is_output_missing") | pl.col("is_answer_good")),
        "denied",
        _INFERRED,
        _NO_SPAN_BY,
        "The model was given an answer, and an emitter that opens a span for every run opened none. In Strands it is a "
        "hook that may answer in a tool's place. An answer that the emitter marks as a success is one.",
    ),
    Rule(
        "answered",
        pl.col("was_answered"),
        "executed",
        _INFERRED,
        LET_THROUGH,
        "The model was given a result (tools run by the client or the provider, spans that were lost).",
    ),
    Rule(
        "not_offered",
        pl.col("is_not_offered")
        & (pl.col("is_handed_back") | ~(pl.col("is_over") | pl.col("is_offer_awaited")))
        & ~(pl.col("was_asked") | pl.col("is_control_silent") | pl.col("was_entered") | pl.col("was_started")),
        "unknown_tool",
        _INFERRED,
        _NOBODY,
        "The model call that proposed it lists its tools, this is none of them, nor of its agent's where that span is "
        "still awaited, and the agent goes on, or ended with the call open before the model was told (AI SDK).",
    ),
    Rule(
        "stopped_at_hook",
        pl.col("is_hook_silent")
        & pl.col("verdict").is_null()
        & pl.col("was_entered")
        & ~(pl.col("was_started") | pl.col("was_answered"))
        & pl.col("is_over"),
        "denied",
        _INFERRED,
        pl.lit("hook"),
        "A hook ran before the call, and after it nobody decided and nothing ran: Codex keeps to itself what its hooks "
        "refuse.",
    ),
    Rule(
        "silent_control",
        pl.col("is_control_silent") & UNDECIDED & ~pl.col("was_started") & pl.col("is_over"),
        "expired",
        _INFERRED,
        pl.lit("timeout"),
        "A control point was passed without a verdict and nothing ran after it (Claude Code's unanswered asks).",
    ),
    Rule(
        "dropped",
        _CANDIDATE & pl.col("was_dropped"),
        "rejected_by_model",
        _EXPLICIT,
        pl.lit("model"),
        "The agent named it as a candidate and says that it dropped it, whatever another call waits for.",
    ),
    Rule(
        "asked_long_ago",
        WAITS & (pl.col("is_quiet") | pl.col("is_told_over")),
        "expired",
        _INFERRED,
        pl.lit("timeout"),
        "Asked, and never answered before the agent ended its run, or within the time in which a call can be resumed.",
    ),
    Rule(
        "waits",
        WAITS | (pl.col("run_waits") & ~pl.col("is_quiet") & ~pl.col("is_told_over")),
        "pending",
        pl.when(pl.col("was_asked") & UNDECIDED).then(_EXPLICIT).otherwise(_INFERRED),
        _NOBODY,
        "It waits for an approval, or is held back while a sibling waits.",
    ),
    Rule(
        "went_on",
        pl.col("is_followed"),
        "executed",
        _INFERRED,
        LET_THROUGH,
        "Its span has no output, and its agent called its model again: so nothing waited (OpenAI Agents).",
    ),
    Rule(
        "waits_without_output",
        pl.col("is_output_missing") & pl.col("is_over") & ~pl.col("is_quiet") & ~pl.col("is_told_over"),
        "pending",
        _INFERRED,
        _NOBODY,
        "Its span has no output, the trace ended, and the model was never told a result: so an OpenAI Agents run stops "
        "that waits for an approval.",
    ),
    Rule(
        "handed_back",
        pl.col("is_handed_back") & ~pl.col("is_quiet") & ~pl.col("is_told_over"),
        "pending",
        _INFERRED,
        _NOBODY,
        "The agent ended with the call open, for a person to approve or its client to run, and can still be resumed "
        "(AI SDK).",
    ),
    Rule(
        "considered",
        _CANDIDATE & pl.col("is_over"),
        "rejected_by_model",
        _EXPLICIT,
        pl.lit("model"),
        "The agent named it as a candidate, and its run ended without a proposal.",
    ),
    Rule("over", pl.col("is_over"), "unresolved", _INFERRED, _NOBODY, "Proposed, then nothing, in a run that ended."),
    Rule("open", pl.lit(value=True), "pending", _INFERRED, _NOBODY, "The run is still open."),
)
"""The judgement, in order."""
