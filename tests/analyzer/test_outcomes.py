"""Every line of the judgement, each with the shortest story that it decides."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
import pytest

from aftertrace.analyzer.calls.outcomes import RULES
from aftertrace.analyzer.schemas.derived import DECIDERS, OUTCOMES

from .frames import LATER_NS
from .stories import ASKED, AT_NS, COMPLETED, DAY_NS, ENDED, PROPOSED, calls_of, event, span

ANSWERED: Final = event("tool.called", "answered", s=9, basis="inferred", content="no, not today")
HANDED_BACK: Final = event("action.proposed", "echoed", s=2, attributes='{"handed_back":true}')
PYDANTIC: Final = span("invoke_agent", scope_name="pydantic-ai")
"""From an instrumentation that opens a span for every tool it runs."""

GUARDED: Final = {**PROPOSED, "scope_name": "pydantic-ai", "attributes": '{"needs_approval":true}'}
"""A proposal of a tool that needs an approval, of Pydantic AI."""
SMALLER: Final = {"scope_name": "pydantic-ai", "arguments": '{"amount":5}'}

ADK: Final = {"scope_name": "gcp.vertex.agent"}
TWO_DAYS_LATER_NS: Final = LATER_NS + 2 * DAY_NS


def called(state: str, **columns: Any) -> dict[str, Any]:
    """A `tool.called` eight seconds into the story."""
    return event("tool.called", state, s=8, **columns)


STORIES: Final[dict[str, tuple[list[dict[str, Any]], tuple[str, str, str | None]]]] = {
    "refused_on_the_way": (
        [PROPOSED, event("policy.evaluated", "deny", s=7, decided_by="policy", dialect="gateway"), called("failed")],
        ("denied", "explicit", "policy"),
    ),
    "ran_edited": (
        [PROPOSED, ASKED, event("approval.modified", s=4, decided_by="human", arguments='{"amount":5}'), COMPLETED],
        ("modified", "explicit", "human"),
    ),
    "ran_otherwise": ([GUARDED, event("tool.called", "completed", s=8, **SMALLER)], ("modified", "inferred", "human")),
    "sandbox_denied": (
        [PROPOSED, event("effect.blocked", s=8, decided_by="policy", rule="sandbox_outcome"), COMPLETED],
        ("failed", "explicit", None),
    ),
    "ran_under_saved_grant": (
        [PROPOSED, ASKED, event("approval.granted", s=4, decided_by="human", rule="reject_of_a_run"), COMPLETED],
        ("executed", "explicit", "human"),
    ),
    "ran": ([PROPOSED, COMPLETED], ("executed", "explicit", None)),
    "ran_again_refused": (
        [PROPOSED, {**COMPLETED, **ADK}, called("failed", **ADK, trace_id="a" * 32, reason="TOOL_ERROR")],
        ("denied", "inferred", "human"),
    ),
    "interrupted": (
        [PROPOSED, called("failed"), event("tool.called", "cancelled", s=9, basis="inferred", decided_by="human")],
        ("cancelled", "inferred", "human"),
    ),
    "ran_failed": ([PROPOSED, called("failed", reason="no such account")], ("failed", "explicit", None)),
    "receipt": ([PROPOSED, event("effect.applied", s=8)], ("executed", "explicit", None)),
    "aborted_itself": (
        [PROPOSED, called("cancelled", rule="aborted", decided_by="human_or_program"), ANSWERED],
        ("failed", "inferred", None),
    ),
    "cancelled": ([PROPOSED, called("started"), called("cancelled")], ("cancelled", "explicit", "human")),
    "expired": ([PROPOSED, ASKED, event("approval.expired", s=60)], ("expired", "explicit", "timeout")),
    "refused_by_decision": (
        [PROPOSED, event("policy.evaluated", "deny", s=1, decided_by="hook"), called("entered")],
        ("denied", "explicit", "hook"),
    ),
    "refused_unasked": (
        [PROPOSED, called("refused", decided_by="human", rule="denied_response")],
        ("denied", "explicit", "policy"),
    ),
    "refused_by_field": ([PROPOSED, called("refused", decided_by="target")], ("denied", "explicit", "target")),
    "effect_blocked": ([PROPOSED, event("effect.blocked", s=8)], ("denied", "explicit", "target")),
    "refused_before_tool": (
        [PROPOSED, called("refused", basis="inferred", decided_by="target", rule="mcp_unreached")],
        ("denied", "inferred", "target"),
    ),
    "unknown_tool": ([PROPOSED, called("unknown_tool", basis="inferred")], ("unknown_tool", "inferred", None)),
    "invalid_arguments": ([PROPOSED, event("validation.failed", s=1)], ("invalid_arguments", "explicit", None)),
    "refused_by_text": (
        [PROPOSED, called("refused", basis="inferred", decided_by="policy", rule="text:codex_never")],
        ("denied", "inferred", "policy"),
    ),
    "answered_outside_tool_list": ([PROPOSED, ANSWERED], ("unknown_tool", "inferred", None)),
    "asked_and_answered_without_run": ([PROPOSED, ASKED, ANSWERED], ("denied", "inferred", "human")),
    "answered_without_output": (
        [PROPOSED, called("entered", rule="null_output"), ANSWERED],
        ("denied", "inferred", "human"),
    ),
    "supplied": ([PROPOSED, HANDED_BACK, ANSWERED], ("executed", "inferred", "program")),
    "final_result": ([{**PROPOSED, "attributes": '{"gives_result":true}'}, ANSWERED], ("executed", "inferred", None)),
    "answered_without_span": ([PROPOSED, ANSWERED], ("denied", "inferred", None)),
    "answered": ([PROPOSED, ANSWERED], ("executed", "inferred", None)),
    "not_offered": ([{**PROPOSED, "tool_names": '["read_db"]'}], ("unknown_tool", "inferred", None)),
    "stopped_at_hook": (
        [PROPOSED, event("policy.evaluated", "unknown", s=1, rule="hook_ran"), called("entered"), ENDED],
        ("denied", "inferred", "hook"),
    ),
    "silent_control": (
        [PROPOSED, event("policy.evaluated", "unknown", s=1), ENDED],
        ("expired", "inferred", "timeout"),
    ),
    "dropped": ([event("tool.considered", "dropped")], ("rejected_by_model", "explicit", "model")),
    "asked_long_ago": ([PROPOSED, ASKED], ("expired", "inferred", "timeout")),
    "waits": ([PROPOSED, ASKED], ("pending", "explicit", None)),
    "went_on": (
        [PROPOSED, called("entered", rule="null_output", span_id="1" * 16)],
        ("executed", "inferred", None),
    ),
    "waits_without_output": (
        [PROPOSED, called("entered", rule="null_output")],
        ("pending", "inferred", None),
    ),
    "handed_back": ([PROPOSED, HANDED_BACK], ("pending", "inferred", None)),
    "considered": (
        [event("tool.considered", "considered"), ENDED],
        ("rejected_by_model", "explicit", "model"),
    ),
    "over": ([PROPOSED, ENDED], ("unresolved", "inferred", None)),
    "open": ([PROPOSED], ("pending", "inferred", None)),
}
"""By rule: the events, and what the call becomes: outcome, basis, who decided."""

OTHER_TOOLS: Final = span("chat", scope_name="pydantic-ai", tool_names='["mail"]')
"""From the same, with a tool list that does not hold the tool."""
OUTSIDE: Final = span("invoke_agent", scope_name="@mastra/otel-exporter", tool_names='["mail"]')
"""From one that tells of answers without their text."""
CLOSED: Final = span("invoke_agent", s=19, parent_span_id=None)
"""The root of a run, closed."""
AGENT: Final = span("invoke_agent", span_id="a" * 16)
TOOL: Final = span("execute_tool", s=8, span_id="1" * 16, parent_span_id="a" * 16)
NEXT_TURN: Final = span("chat", s=12, parent_span_id="a" * 16)
"""One agent's spans: its call, and what its model was asked after it."""
SPANS: Final = {
    "went_on": (AGENT, TOOL, NEXT_TURN, CLOSED),
    "waits_without_output": (CLOSED,),
    "answered_outside_tool_list": (PYDANTIC, OTHER_TOOLS),
    "asked_and_answered_without_run": (PYDANTIC,),
    "answered_without_span": (PYDANTIC,),
    "supplied": (PYDANTIC,),
    "final_result": (PYDANTIC,),
}
LATE: Final = ("asked_long_ago",)


def judged(calls: pl.DataFrame) -> list[tuple[str, str, str | None, str]]:
    """Outcome, basis, decider and deciding rule of each call."""
    return [(row["outcome"], row["basis"], row["decided_by"], row["rules"][0]) for row in calls.to_dicts()]


def test_every_rule_has_a_story() -> None:
    """And in the order of the judgement."""
    assert list(STORIES) == [rule.name for rule in RULES]


@pytest.mark.parametrize(("refusal", "state"), [("policy.evaluated", "deny"), ("approval.rejected", None)])
def test_what_was_refused_before_it_was_cancelled_was_denied(refusal: str, state: str | None) -> None:
    """Whoever refused it: the turn that is stopped afterwards adds nothing. A call let through was cancelled."""
    decided = event(refusal, state, s=1, decided_by="policy")
    (row,) = calls_of(PROPOSED, decided, called("cancelled")).select("outcome", "decided_by", "near_miss").rows()
    assert row == ("denied", "policy", True)
    allowed = event("policy.evaluated", "allow", s=1, decided_by="policy")
    assert judged(calls_of(PROPOSED, allowed, called("cancelled"))) == [("cancelled", "explicit", "human", "cancelled")]


@pytest.mark.parametrize("rule", STORIES)
def test_a_rule_decides_its_story(rule: str) -> None:
    """The whole judgement, and that it was this line of it."""
    told, expected = STORIES[rule]
    calls = calls_of(*told, spans=SPANS.get(rule, ()), now_ns=TWO_DAYS_LATER_NS if rule in LATE else LATER_NS)
    assert judged(calls) == [(*expected, rule)]


def test_the_judgement_speaks_the_words_of_the_design() -> None:
    """Every outcome has a rule, and no rule has a word of its own."""
    assert {rule.outcome for rule in RULES} == set(OUTCOMES)
    assert {expected[2] for _, expected in STORIES.values()} - {None} <= set(DECIDERS)


def test_a_result_outweighs_a_text_that_reads_like_a_refusal() -> None:
    """A tool may print the words of a refusal."""
    refusal = called("refused", basis="inferred", decided_by="human", rule="text:user_declined")
    assert judged(calls_of(PROPOSED, COMPLETED, refusal)) == [("executed", "explicit", None, "ran")]


def test_a_call_that_adk_opens_in_two_traces_was_asked_about() -> None:
    """Without content its first span looks like an execution; within one trace, it is one."""
    again = {**COMPLETED, **ADK, "trace_id": "a" * 32, "time_ns": COMPLETED["time_ns"] + 2 * 10**9}
    columns = ("outcome", "decided_by", "approval_asked", "wait_ns")
    assert calls_of(PROPOSED, {**COMPLETED, **ADK}, again).select(columns).rows() == [
        ("executed", "human", True, 2_000_000_000)
    ]
    assert calls_of(PROPOSED, {**COMPLETED, **ADK}).select(columns).rows() == [("executed", None, False, None)]
    meanwhile = called("answered", time_ns=COMPLETED["time_ns"] + 10**9)
    assert calls_of(PROPOSED, {**COMPLETED, **ADK}, meanwhile, again)["wait_ns"].to_list() == [2_000_000_000]


def test_a_tool_that_needs_an_approval_is_asked_about_as_it_is_proposed() -> None:
    """Pydantic AI without content: no record of the question, nor of the answer; it waits, runs, or is answered."""
    told = (
        (GUARDED,),
        (GUARDED, {**COMPLETED, "trace_id": "a" * 32}),
        (GUARDED, {**ANSWERED, "trace_id": "a" * 32, "content": None}),
    )
    columns = ("outcome", "decided_by", "approval_asked", "wait_ns")
    calls = [calls_of(*events, spans=(PYDANTIC, CLOSED)).select(columns).row(0) for events in told]
    assert calls == [
        ("pending", None, True, None),
        ("executed", "human", True, 8_000_000_000),
        ("denied", "human", True, 9_000_000_000),
    ]


def test_other_arguments_without_a_question_are_no_edit() -> None:
    """The control: of a tool that needs no approval, and of an emitter that fills in what the model left out."""
    ran = event("tool.called", "completed", s=8, **SMALLER)
    unasked = calls_of({**PROPOSED, "scope_name": "pydantic-ai"}, ran)
    elsewhere = calls_of({**GUARDED, "scope_name": "shop"}, {**ran, "scope_name": "shop"})
    assert [*judged(unasked), *judged(elsewhere)] == [
        ("executed", "explicit", None, "ran"),
        ("executed", "explicit", "human", "ran"),
    ]


def test_a_call_that_was_left_out_was_cancelled_by_whom_the_record_names() -> None:
    """The framework's own word, in an answer (Pydantic AI); without a name it was a person."""
    skipped = called("cancelled", basis="inferred", decided_by="program", rule="text:pydantic_skipped")
    calls = calls_of(PROPOSED, skipped)
    assert judged(calls) == [("cancelled", "inferred", "program", "cancelled")]
    assert calls["near_miss"].to_list() == [False]


STRANDS: Final = {"dialect": "strands", "scope_name": "strands.telemetry.tracer"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("error", ("denied", "inferred", "hook", "answered_without_span")),
        ("success", ("executed", "inferred", None, "answered")),
    ],
)
def test_an_answer_without_a_span_is_a_hooks_unless_it_is_marked_as_a_success(
    status: str, expected: tuple[str, str, str | None, str]
) -> None:
    """In Strands a hook's words answer the call it cancels; a lost span, or a tool in the background, succeeds."""
    answered = {**ANSWERED, **STRANDS, "attributes": f'{{"answer_status":"{status}"}}'}
    calls = calls_of({**PROPOSED, **STRANDS}, answered, spans=(span("invoke_agent", **STRANDS),))
    assert judged(calls) == [expected]


def test_the_reason_of_a_refusal_is_what_the_model_was_told() -> None:
    """Where no decision gives one."""
    answered = {**ANSWERED, **STRANDS, "reason": "blocked by change freeze"}
    calls = calls_of({**PROPOSED, **STRANDS}, answered, spans=(span("invoke_agent", **STRANDS),))
    ran = calls_of(PROPOSED, COMPLETED, {**ANSWERED, "reason": "blocked by change freeze"})
    assert [*calls["reason"], *ran["reason"]] == ["blocked by change freeze", None]


def test_a_decision_outweighs_the_span_that_repeats_it_wrongly() -> None:
    """Claude Code's span says `unknown` or `policy` where its log says that a hook refused."""
    span_says = event("policy.evaluated", "deny", s=5, decided_by="policy", attributes='{"weight":"span"}')
    log_says = event("policy.evaluated", "deny", s=1, decided_by="hook")
    assert judged(calls_of(PROPOSED, span_says, log_says)) == [("denied", "explicit", "hook", "refused_by_decision")]


def test_an_answer_by_a_person_is_timed_from_the_ask() -> None:
    """The wait is between the ask and the decision, unless the sender states it."""
    granted = event("approval.granted", s=4, decided_by="human", decider="ana", identity="asserted")
    columns = ("approval_asked", "approval", "reviewer", "reviewer_identity", "wait_ns")
    told = calls_of(PROPOSED, ASKED, granted, COMPLETED).select(columns)
    stated = calls_of(PROPOSED, ASKED, {**granted, "wait_ns": 2_500_000_000}, COMPLETED).select(columns)
    assert told.rows() == [(True, "granted", "ana", "asserted", 3_000_000_000)]
    assert stated.rows() == [(True, "granted", "ana", "asserted", 2_500_000_000)]


def test_an_answer_alone_is_timed_from_where_the_record_that_holds_the_wait_begins() -> None:
    """Codex tells of no ask; its result lasts from when the call was received, and the call ran once it was let."""
    granted = event("approval.granted", s=4, decided_by="human")
    result = event("tool.called", "completed", s=1, end_ns=AT_NS + 6 * 10**9, attributes='{"includes_wait":true}')
    columns = ("approval_asked", "wait_ns", pl.col("started_at").dt.epoch("ns") - AT_NS)
    told = calls_of(granted, result).select(columns)
    plain = calls_of(granted, {**result, "attributes": None}).select(columns)
    assert told.rows() == [(True, 3_000_000_000, 4_000_000_000)]
    assert plain.rows() == [(True, None, 1_000_000_000)]


def test_a_policy_that_lets_a_call_through_waits_for_nobody() -> None:
    """However long the call then took."""
    allowed = event("policy.evaluated", "allow", s=1, decided_by="policy")
    result = event("tool.called", "completed", end_ns=AT_NS + 6 * 10**9, attributes='{"includes_wait":true}')
    told = calls_of(allowed, result).select("approval_asked", "wait_ns", "decided_by")
    assert told.rows() == [(False, None, "policy")]


def test_a_failure_in_the_log_outweighs_the_span_that_calls_it_a_success() -> None:
    """Codex's span event says `success` where its log holds the exit code."""
    logged = event("tool.called", "failed", s=8, end_ns=None, reason="Process exited with code 1")
    repeated = event("tool.called", "completed", s=9, end_ns=None, attributes='{"weight":"span"}')
    assert judged(calls_of(PROPOSED, logged, repeated)) == [("failed", "explicit", None, "ran_failed")]
    unmarked = {**repeated, "attributes": None}
    assert judged(calls_of(PROPOSED, logged, unmarked)) == [("executed", "explicit", None, "ran")]


def test_only_a_sandbox_makes_a_success_a_failure() -> None:
    """Any other blocked effect of a call that completed is told beside it."""
    blocked = event("effect.blocked", s=8, decided_by="target")
    assert judged(calls_of(PROPOSED, blocked, COMPLETED)) == [("executed", "explicit", None, "ran")]


def test_a_call_held_back_by_its_siblings_ask_is_pending_and_not_unresolved() -> None:
    """LangGraph stops a whole batch of calls while one of them waits."""
    other = event("action.proposed", "proposed", call_id="c-2", tool_name="read_db")
    calls = calls_of(PROPOSED, other, ASKED, spans=(span("invoke_agent"),))
    assert dict(calls.select("tool_call_id", "outcome").rows()) == {"c-1": "pending", "c-2": "pending"}


def test_a_persons_denial_in_the_trace_of_the_question_stays_a_persons() -> None:
    """A program may ask and go on within one trace; without the question it was its own rule."""
    denied = called("refused", decided_by="human", rule="denied_response")
    replayed = event("approval.requested", s=7, rule="replayed_ask")
    later = {**denied, "trace_id": "b" * 32}
    assert judged(calls_of(PROPOSED, replayed, denied)) == [("denied", "explicit", "human", "refused_by_field")]
    assert judged(calls_of(PROPOSED, later)) == [("denied", "explicit", "human", "refused_by_field")]


def test_an_abort_that_the_model_is_told_of_in_a_later_trace_was_no_abort_of_the_tools_own() -> None:
    """The run was stopped: what is told of it when the conversation goes on is no answer. Nor is one to Python's."""
    by_rule = {
        rule: judged(
            calls_of(
                PROPOSED, called("cancelled", rule=rule, decided_by="human_or_program"), {**ANSWERED, "trace_id": trace}
            )
        )
        for rule, trace in (("aborted", "b" * 32), ("task_cancelled", PROPOSED["trace_id"]))
    }
    stopped = [("cancelled", "explicit", "human_or_program", "cancelled")]
    assert by_rule == {"aborted": stopped, "task_cancelled": stopped}


def test_a_denial_in_the_run_of_its_proposal_is_the_programs_though_asks_without_ids_are_told() -> None:
    """AI SDK 7 tells of its automatic approvals as of those that people answer; a later trace is a person's."""
    blank = event("approval.requested", s=7, rule="ask_without_id", tool_name=None, call_id=None)
    denied = called("refused", decided_by="human", rule="denied_response")
    columns = ("outcome", "decided_by", "approval_asked")
    told = [calls_of(PROPOSED, blank, row).select(columns).rows() for row in (denied, {**denied, "trace_id": "b" * 32})]
    assert told == [[("denied", "policy", False)], [("denied", "human", True)]]


def test_a_call_that_was_handed_back_is_no_longer_resumed_after_days() -> None:
    """And then it is not known what became of it; somebody who was asked did not answer."""
    asked = calls_of(PROPOSED, HANDED_BACK, ASKED, now_ns=TWO_DAYS_LATER_NS)
    assert judged(calls_of(PROPOSED, HANDED_BACK, now_ns=TWO_DAYS_LATER_NS)) == [
        ("unresolved", "inferred", None, "over")
    ]
    assert judged(asked) == [("expired", "inferred", "timeout", "asked_long_ago")]


def test_an_approval_counts_where_only_the_next_prompt_tells_that_the_call_ran() -> None:
    """AI SDK 7 opens no span for it: a person let it pass, and no client supplied the result."""
    granted = event("approval.granted", s=7, decided_by="human")
    calls = calls_of(PROPOSED, HANDED_BACK, granted, ANSWERED)
    assert judged(calls) == [("executed", "inferred", "human", "answered")]


def test_a_tool_that_is_listed_or_whose_list_is_not_known_is_not_unknown() -> None:
    """Nor one whose model call lists no tools at all, nor one that ran all the same."""
    listed = {**PROPOSED, "tool_names": '["read_db","pay"]'}
    empty = {**PROPOSED, "tool_names": "[]"}
    unlisted = {**PROPOSED, "tool_names": '["read_db"]'}
    told = [judged(calls_of(*rows))[0][0] for rows in ([listed], [PROPOSED], [empty], [unlisted, COMPLETED])]
    assert told == ["pending", "pending", "pending", "executed"]


def test_an_ask_that_is_only_told_with_its_answer_is_as_old_as_the_proposal() -> None:
    """Where the proposal was lost, so was the time of the ask; an ask with a time of its own keeps it."""
    replayed = event("approval.requested", s=7, rule="replayed_ask")
    granted = event("approval.granted", s=7, decided_by="human")
    columns = ("approval_asked", "wait_ns")
    told = [
        calls_of(*rows).select(columns).row(0)
        for rows in (
            [PROPOSED, replayed, granted, COMPLETED],
            [replayed, granted, COMPLETED],
            [PROPOSED, {**replayed, "rule": None}, granted, COMPLETED],
        )
    ]
    assert told == [(True, 7_000_000_000), (True, None), (True, 0)]


def test_an_agent_that_ends_its_run_waits_for_nobody() -> None:
    """Its word outweighs the pause that a closed root may be."""
    other = event("action.proposed", "proposed", call_id="c-2", tool_name="read_db")
    calls = calls_of(PROPOSED, other, ASKED, ENDED)
    assert dict(calls.select("tool_call_id", "outcome").rows()) == {"c-1": "expired", "c-2": "unresolved"}


def test_a_tool_outside_an_unknown_list_is_not_unknown() -> None:
    """Neither where no list was told, nor where one of the run's agents lists it, nor where it ran."""
    listed = span("chat", scope_name="pydantic-ai", tool_names='["pay"]', s=1)
    for told, spans in (
        ([PROPOSED, ANSWERED], (PYDANTIC,)),
        ([PROPOSED, ANSWERED], (OTHER_TOOLS, listed)),
        ([PROPOSED, COMPLETED, ANSWERED], (OTHER_TOOLS,)),
        ([PROPOSED, ANSWERED], (span("chat", scope_name="shop", tool_names='["mail"]'),)),
    ):
        assert "unknown_tool" not in calls_of(*told, spans=spans)["outcome"].to_list()


def test_an_answer_between_two_steps_of_a_run_outside_the_tool_list_is_of_an_unknown_tool() -> None:
    """Mastra says no more of it. The control: the client of an agent runs tools that the agent does not list."""
    told = [(rule, calls_of(PROPOSED, {**ANSWERED, "rule": rule}, spans=(OUTSIDE,))) for rule in ("step_input", None)]
    assert [(rule, *calls["outcome"].to_list()) for rule, calls in told] == [
        ("step_input", "unknown_tool"),
        (None, "executed"),
    ]


def test_a_call_without_output_waits_until_it_is_answered_or_too_old() -> None:
    """Somebody is being asked, as far as can be told; a day later nobody will be."""
    told = [PROPOSED, called("entered", rule="null_output")]
    seen = [
        calls_of(*told, spans=(CLOSED,)),
        calls_of(*told, spans=(CLOSED,), now_ns=TWO_DAYS_LATER_NS),
        calls_of(*told, event("tool.called", "answered", s=18, basis="inferred", content="None"), spans=(CLOSED,)),
        calls_of(*told),
    ]
    assert [(row["outcome"], row["approval_asked"]) for calls in seen for row in calls.to_dicts()] == [
        ("pending", True),
        ("unresolved", False),
        ("executed", False),
        ("pending", False),
    ]


def test_an_unanswered_ask_of_a_program_that_cannot_ask_is_a_refusal_by_policy() -> None:
    """And counts as asked, though nobody was there."""
    refusal = event("policy.evaluated", "deny", s=1, decided_by="policy", rule="unanswered_ask")
    columns = ("outcome", "decided_by", "approval_asked", "near_miss", "consequential", "risk", "risk_basis")
    told = calls_of(PROPOSED, refusal).select(columns)
    assert told.rows() == [("denied", "policy", True, True, True, "money", "guess")]
