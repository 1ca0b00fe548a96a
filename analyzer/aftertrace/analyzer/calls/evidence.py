"""What the events of a call say, gathered into one row per call: facts, and no judgement yet.

Where two records disagree about a decision, the one of more weight counts: dialects mark what only repeats a decision
with `weight` (`result`, `span`; `check` for a control before the one that decides). Claude Code's `blocked_on_user`
span says `unknown` where its log says `accept`. The same goes for a result: Codex's span tells of success where its log
holds the exit code of a command that failed.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.matches import DECISIONS
from aftertrace.analyzer.identity.gateways import GATEWAY

_WEIGHTS: Final = {"check": 0, "span": 1, "result": 2}
_UNMARKED: Final = 3
VERDICTS: Final = {
    "approval.granted": "granted",
    "approval.rejected": "rejected",
    "approval.modified": "modified",
    "approval.expired": "expired",
}
"""What each answer is, in a word."""
CONTROLS: Final = ("policy", "guardrail", "hook")
"""Deciders that are no person and no program of the sender: their leave cancels nothing and overrules nobody."""
_RAN: Final = ("completed", "failed")
BEGUN: Final = ("started", *_RAN)
_PYDANTIC_AI: Final = "pydantic-ai"
"""Scope of Pydantic AI, whose tool span shows the arguments that the model gave, unless a reviewer gave others."""
ADK: Final = "gcp.vertex.agent"
"""Scope of Google ADK, which runs a call again under its id after a confirmation, and only then."""
UNANSWERED: Final = (
    "unanswered_ask",
    "text:copilot_unanswered",
    "text:claude_unanswered",
    "text:claude_unapproved",
    "text:codex_mcp_unasked",
    "text:gemini_headless",
    "text:qwen_unanswered",
)
"""Rules by which a refusal was an ask that nobody could answer."""
NO_RESULT: Final = ("None", "null", "", '""', "undefined")
"""What an answer reads where a tool returned nothing."""


_OF_GRANT: Final = ("grant_scope", "grant_granted_by", "grant_granted_at")


def gather(events: pl.DataFrame) -> pl.DataFrame:
    """One row per `call_key`: what was proposed, asked, decided, run and answered, with the evidence.

    Of events as `weighed` gives them. The columns with a leading `is_` or `was_` are facts that the outcome is judged
    from.
    """
    event, state, basis = pl.col("event"), pl.col("state"), pl.col("basis")
    called = event == "tool.called"
    proposed = (event == "action.proposed") & (state == "proposed")
    denied = (event == "policy.evaluated") & (state == "deny")
    refused = called & (state == "refused")
    deciding = pl.col("is_deciding")
    by_gateway = (pl.col("dialect") == GATEWAY).fill_null(value=False)
    ran = called & state.is_in(_RAN)
    # OpenAI Agents open a span without output for a call that waits for an answer.
    # Without content, ADK's span of a call that waits for a confirmation looks like one that ran: the call runs again.
    ran_by_adk = ran & (pl.col("scope_name") == ADK).fill_null(value=False)
    first_trace = pl.col("trace_id").filter(ran_by_adk).first().over("call_key")
    run_again = pl.col("trace_id").filter(ran_by_adk).n_unique().over("call_key") > 1
    # What the model is told in between is no answer: ADK goes on talking while the call waits.
    before_run_again = (pl.col("run_again") & (pl.col("trace_id") == pl.col("asking_trace"))).fill_null(value=False)
    asked = event.is_in(DECISIONS)
    # Gemini CLI's log tells the wait and the run as one time.
    with_run = _says("wait_includes_run")
    # A tool that needs an approval is asked about as it is proposed, where no record of the question says when.
    guarded = _says("needs_approval")
    asking = (
        (event == "approval.requested")
        | (guarded & ~(event == "approval.requested").any().over("call_key"))
        | (
            (pl.col("rule") == "null_output") | (run_again & ran_by_adk & (pl.col("trace_id") == first_trace))
        ).fill_null(value=False)
    )
    told = (
        events.sort("time_ns", maintain_order=True)
        .with_columns(
            is_asking=asking,
            run_again=run_again,
            is_partial=is_partial(),
            parameters_digest=_attribute("parameters_digest"),
            command_digest=_attribute("command_digest"),
        )
        .with_columns(
            asking_ns=pl.col("time_ns").filter("is_asking").min().over("call_key"),
            asking_trace=pl.col("trace_id").filter("is_asking").first().over("call_key"),
        )
    )
    return (
        told.group_by("call_key")
        .agg(
            _first("run_id"),
            _first("thread"),
            _first("conversation_id"),
            pl.coalesce(
                pl.col("trace_id").filter(ran).drop_nulls().last(),
                pl.col("trace_id").filter(refused | denied).drop_nulls().last(),
                pl.col("trace_id").drop_nulls().first(),
            ).alias("trace_id"),
            pl.col("call_id").drop_nulls().first().alias("tool_call_id"),
            *(
                _first(name)
                for name in (
                    "tool_name",
                    "agent_name",
                    "agent_id",
                    "agent_version",
                    "model",
                    "model_served",
                    "system_prompt_digest",
                    "tools_digest",
                    "service_name",
                    "source",
                    "tenant",
                    "environment",
                )
            ),
            pl.coalesce(
                pl.col("dialect").filter(~by_gateway).drop_nulls().first(), pl.col("dialect").drop_nulls().first()
            ).alias("dialect"),
            pl.col("time_ns").min().alias("first_ns"),
            pl.col("received_ns").max().alias("received_ns"),
            pl.col("position").filter(event == "action.proposed").drop_nulls().first().alias("position"),
            pl.coalesce(
                pl.col("time_ns").filter(proposed).min(), pl.col("time_ns").filter(event == "action.proposed").min()
            ).alias("proposed_ns"),
            pl.col("time_ns").filter(called & state.is_in(BEGUN)).min().alias("started_ns"),
            pl.coalesce("end_ns", "time_ns").filter(ran).max().alias("ended_ns"),
            (event == "action.proposed").any().alias("was_proposed"),
            (event == "tool.considered").any().alias("was_considered"),
            ((event == "tool.considered") & (state == "dropped")).fill_null(value=False).any().alias("was_dropped"),
            _attribute("tool_risk_class").drop_nulls().last().alias("declared_risk"),
            (called & (state == "completed")).any().alias("was_completed"),
            (called & (state == "completed") & ~by_gateway).any().alias("was_completed_beyond"),
            basis.filter(ran).min().alias("run_basis"),
            pl.col("time_ns")
            .filter(called & (state != "entered") & (pl.col("time_ns") > pl.col("asking_ns")) & ~before_run_again)
            .min()
            .alias("resumed_ns"),
            (called & (state != "entered") & (pl.col("trace_id") != pl.col("asking_trace")))
            .fill_null(value=False)
            .any()
            .alias("is_resumed"),
            (called & (state == "failed")).any().alias("was_failed"),
            (called & (state == "started")).any().alias("was_started"),
            (called & (state == "entered")).any().alias("was_entered"),
            (pl.col("rule") == "null_output").fill_null(value=False).any().alias("is_output_missing"),
            (called & (state == "answered")).any().alias("was_answered"),
            pl.col("content").filter(called & (state == "answered")).last().alias("answer"),
            pl.col("reason").filter(called & (state == "answered")).drop_nulls().last().alias("answer_reason"),
            (called & (_attribute("answer_status") == "success")).fill_null(value=False).any().alias("is_answer_good"),
            pl.col("time_ns").filter(called & state.is_in(("answered", "refused"))).min().alias("answered_ns"),
            (called & (state == "answered") & (pl.col("rule") == "text:langchain_edited"))
            .fill_null(value=False)
            .any()
            .alias("is_edit_told"),
            (called & (state == "cancelled")).any().alias("was_cancelled"),
            pl.col("decided_by").filter(called & (state == "cancelled")).drop_nulls().first().alias("cancelled_by"),
            basis.filter(called & (state == "cancelled")).min().alias("cancelled_basis"),
            (called & (state == "unknown_tool")).any().alias("is_unknown_tool"),
            (called & (state == "invalid_arguments") | (event == "validation.failed")).any().alias("is_invalid"),
            basis.filter(called & state.is_in(("unknown_tool", "invalid_arguments"))).min().alias("invalid_basis"),
            (refused & (basis == "explicit")).any().alias("is_refused_explicitly"),
            refused.any().alias("is_refused"),
            (event == "effect.applied").any().alias("has_receipt"),
            (event == "effect.blocked").any().alias("is_effect_blocked"),
            ((event == "effect.blocked") & (pl.col("rule") == "sandbox_outcome"))
            .fill_null(value=False)
            .any()
            .alias("is_sandbox_denied"),
            pl.col("decided_by").filter(event == "effect.blocked").drop_nulls().first().alias("blocked_by"),
            pl.col("decided_by").filter(refused).sort_by(basis.filter(refused)).drop_nulls().first().alias("refused_by"),
            pl.col("reason").filter(refused).drop_nulls().first().alias("refusal"),
            pl.col("reason").filter(event == "tool.considered").drop_nulls().last().alias("considered_reason"),
            (denied & by_gateway).any().alias("is_denied_on_the_way"),
            ((event == "effect.blocked") & by_gateway).any().alias("is_blocked_on_the_way"),
            ((event == "policy.evaluated") & (state == "unknown")).any().alias("is_control_silent"),
            ((event == "policy.evaluated") & (state == "unknown") & (pl.col("rule") == "hook_ran"))
            .fill_null(value=False)
            .any()
            .alias("is_hook_silent"),
            ((event == "approval.requested") | pl.col("run_again")).any().alias("was_asked"),
            pl.col("run_again").any().alias("is_run_again"),
            pl.col("asking_ns").first().alias("asked_ns"),
            pl.col("time_ns").filter(_says("includes_wait")).min().alias("received_call_ns"),
            pl.col("decider").filter(event == "approval.requested").drop_nulls().first().alias("asker"),
            guarded.any().alias("is_guarded"),
            _says("gives_result").any().alias("is_final_result"),
            _says("handed_back").any().alias("is_handed_back"),
            (
                called
                & (state == "answered")
                & (pl.col("trace_id") == pl.col("trace_id").filter(pl.col("rule") == "aborted").first())
            )
            .fill_null(value=False)
            .any()
            .alias("is_abort_answered"),
            (
                (pl.col("trace_id").filter(pl.col("rule") == "denied_response").first())
                == pl.col("trace_id").filter(proposed).first()
            ).fill_null(value=False).alias("is_denied_in_run"),
            pl.coalesce(
                pl.col("wait_ns").filter(asked & ~with_run).max(), pl.col("wait_ns").filter(asked & with_run).max()
            ).alias("stated_wait_ns"),
            _attribute("permission_mode").filter(deciding).drop_nulls().last().alias("own_mode"),
            pl.col("arguments").filter(event == "action.proposed").drop_nulls().first().alias("proposed_arguments"),
            pl.col("parameters_digest").filter(deciding).drop_nulls().first().alias("decided_parameters"),
            pl.col("parameters_digest").filter(ran).drop_nulls().last().alias("run_parameters"),
            pl.col("command_digest").filter(called & (state == "entered")).drop_nulls().first()
            .alias("entered_command"),
            pl.col("command_digest").filter(ran).drop_nulls().last().alias("run_command"),
            pl.col("arguments").filter(deciding).drop_nulls().first().alias("decided_arguments"),
            pl.col("arguments").filter(called & (state == "entered")).drop_nulls().first().alias("entered_arguments"),
            pl.col("arguments").filter(event == "approval.modified").drop_nulls().last().alias("approved_arguments"),
            pl.col("arguments").filter(ran).drop_nulls().last().alias("run_arguments"),
            _is_partial(event == "action.proposed").first().fill_null(value=False).alias("is_proposal_partial"),
            _is_partial(ran).last().fill_null(value=False).alias("is_run_partial"),
            (pl.col("scope_name") == _PYDANTIC_AI).fill_null(value=False).any().alias("is_as_proposed"),
            pl.col("arguments").filter(_attribute("arguments_partial").is_null()).drop_nulls().first()
            .alias("whole_arguments"),
            # Claude Code's tool span shows one argument of several, its log records all or most of them.
            pl.coalesce(
                pl.col("arguments").filter((state != "entered").fill_null(value=True)).drop_nulls().first(),
                pl.col("arguments").drop_nulls().first(),
            ).alias("any_arguments"),
            pl.col("reason").filter(called & (state == "failed")).drop_nulls().last().alias("error"),
            pl.col("rule").drop_nulls().unique().sort().alias("rules"),
            pl.col("pointer").unique().sort().alias("evidence"),
            pl.col("flags").str.contains('"left_out:', literal=True).fill_null(value=False).any()
            .alias("content_left_out"),
            pl.col("trace_id").filter(proposed).first().alias("proposal_trace"),
        )
        .join(_last_run(told.filter(ran)), on="call_key", how="left")
        .join(_decision(told.filter(deciding)), on="call_key", how="left")
        .with_columns(pl.col("is_grant_used", "is_own_bypass").fill_null(value=False))
        .with_columns(was_asked=pl.col("was_asked") | _was_unanswered())
        .with_columns(_without_wait(), asked_ns=pl.coalesce("asked_ns", _asked_on_receipt()))
        .drop("received_call_ns")
    )  # fmt: skip


def _was_unanswered() -> pl.Expr:
    """Refused for want of an answer: by the decision that counts, or by what the model was told of it."""
    told = pl.col("rules").list.set_intersection([rule for rule in UNANSWERED if rule.startswith("text:")])
    return pl.col("decision_rule").is_in(UNANSWERED).fill_null(value=False) | (told.list.len() > 0)


def _asked_on_receipt() -> pl.Expr:
    """When a reviewer was asked whose answer alone is told: as the call was received, where a record holds the wait."""
    return pl.when(pl.col("verdict").is_in(tuple(VERDICTS.values()))).then("received_call_ns")


def _without_wait() -> pl.Expr:
    """A call whose record holds the wait began to run once it was let through."""
    let = pl.col("received_call_ns").is_not_null() & pl.col("verdict").is_in(("granted", "modified", "allow"))
    return pl.when(let).then(pl.max_horizontal("started_ns", "decided_ns")).otherwise("started_ns").alias("started_ns")


def weighed(events: pl.DataFrame) -> pl.DataFrame:
    """The call events with `weight`, how much a record counts where two tell of one decision (the more the later in
    order), and `is_deciding`, whether it is a verdict on its call.
    """
    weight = _attribute("weight").replace_strict(_WEIGHTS, default=_UNMARKED, return_dtype=pl.Int8)
    return events.with_columns(weight=weight).with_columns(is_deciding=_is_deciding())


def _is_deciding() -> pl.Expr:
    said = (pl.col("state") != "unknown").fill_null(value=True)
    return pl.col("event").is_in(DECISIONS) & (pl.col("event") != "approval.requested") & said & ~_is_overruled()


def _is_overruled() -> pl.Expr:
    """Whether it is a control's leave for a call that was rejected and never ran: a rule has no say after that."""
    allows = (pl.col("event") == "policy.evaluated") & (pl.col("state") == "allow")
    rejected = pl.col("weight").filter(pl.col("event") == "approval.rejected").max().over("call_key")
    ran = (pl.col("event") == "tool.called") & pl.col("state").is_in(_RAN)
    overruled = allows & pl.col("decided_by").is_in(CONTROLS) & (rejected >= pl.col("weight"))
    return overruled.fill_null(value=False) & ~ran.fill_null(value=False).any().over("call_key")


def _attribute(name: str) -> pl.Expr:
    return pl.col("attributes").str.json_path_match(f"$.{name}")


def _says(attribute: str) -> pl.Expr:
    return pl.col("attributes").str.contains(f'"{attribute}":true', literal=True).fill_null(value=False)


def _is_partial(events: pl.Expr) -> pl.Expr:
    """Of each of these events that holds arguments, whether it holds some of them alone."""
    return pl.col("is_partial").filter(events & pl.col("arguments").is_not_null())


def is_partial() -> pl.Expr:
    """Whether an event holds arguments in part: it says so, or they are the beginning of a JSON value, cut off.

    What is no JSON is kept as a text: where it begins as an object or a list, the end is missing.
    """
    text = pl.col("arguments").str
    is_cut = text.starts_with('"{') | text.starts_with('"[')
    return _says("arguments_partial") | is_cut.fill_null(value=False)


def _first(name: str) -> pl.Expr:
    return pl.col(name).drop_nulls().first().alias(name)


def _last_run(ran: pl.DataFrame) -> pl.DataFrame:
    """`call_key`, `last_run_state`: of events that tell how a call ended, the state of the one that counts most."""
    return (
        ran.select("call_key", "weight", last_run_state="state")
        .sort("weight", maintain_order=True)
        .group_by("call_key")
        .agg(pl.col("last_run_state").last())
    )


def _decision(deciding: pl.DataFrame) -> pl.DataFrame:
    """Per `call_key`, the decision that counts: told by a log record before a span, then the latest."""
    verdict = (
        pl.when(pl.col("event") == "policy.evaluated")
        .then("state")
        .otherwise(pl.col("event").replace_strict(VERDICTS, default=None))
    )
    return (
        deciding.sort("weight", "time_ns", maintain_order=True)
        .group_by("call_key")
        .agg(
            verdict.last().alias("verdict"),
            pl.col("decided_by").last().alias("decider_class"),
            pl.col("decider").last().alias("reviewer"),
            pl.col("identity").last().alias("reviewer_identity"),
            pl.col("reason").last().alias("decision_reason"),
            pl.col("rule").last().alias("decision_rule"),
            pl.col("basis").last().alias("decision_basis"),
            pl.coalesce("end_ns", "time_ns").last().alias("decided_ns"),
            *(_attribute(name).last().alias(name) for name in _OF_GRANT),
            _says("grant_standing").any().alias("is_grant_used"),
            _says("bypass").any().alias("is_own_bypass"),
        )
    )
