"""Which records tell of one call, and which of two."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import ASKED, AT_NS, COMPLETED, ENDED, PROPOSED, calls_of, event, span

NINE_HUNDRED: Final = {"arguments": '{"amount":900}', "arguments_digest": "900"}
FIVE: Final = {"arguments": '{"amount":5}', "arguments_digest": "5"}


def test_records_of_a_sub_agent_belong_to_its_conversation() -> None:
    """Opencode's permissions name no session: they have that of the nearest span above, in a trace of several."""
    outer = event("tool.called", "completed", tool_name="task", call_id="c-0", span_id="1" * 16)
    inner = event("tool.called", "completed", s=2, conversation_id="s-2", span_id="2" * 16)
    allowed = event(
        "policy.evaluated",
        "allow",
        s=1,
        tool_name=None,
        call_id=None,
        conversation_id=None,
        span_id="3" * 16,
        decided_by="policy",
    )
    spans = tuple(
        span(operation, span_id=number * 16, parent_span_id=above * 16, conversation_id=conversation)
        for number, above, operation, conversation in (
            ("1", "f", "execute_tool", "s-1"),
            ("2", "1", "execute_tool", "s-2"),
            ("3", "2", "approval", None),
        )
    )
    calls = calls_of(outer, inner, allowed, spans=spans)
    columns = ("conversation_id", "tool_name", "outcome", "decided_by")
    assert sorted(calls.select(columns).rows()) == [
        ("s-1", "task", "executed", None),
        ("s-2", "pay", "executed", "policy"),
    ]


def test_a_decision_that_a_late_result_repeats_begins_no_call() -> None:
    """Claude Code on a busy machine logs a result after the span of its run has ended. One that no other record tells
    is a decision, as it is on its own.
    """
    decided, later = (event("approval.granted", s=s, decided_by="human") for s in (1, 9))
    repeated = {**later, "attributes": '{"weight":"result"}'}
    logged = event("tool.called", "completed", s=9, end_ns=None)
    assert calls_of(decided, COMPLETED, repeated, logged)["outcome"].to_list() == ["executed"]
    assert calls_of(decided, COMPLETED, later, logged)["outcome"].to_list() == ["executed", "executed"]
    assert calls_of(repeated, logged)["decided_by"].to_list() == ["human"]


def test_a_refused_call_that_is_proposed_again_under_its_id_is_two_calls() -> None:
    """The refusal is a near miss, whatever became of the second try."""
    refused = event("approval.rejected", s=2, decided_by="human")
    again = event("action.proposed", "proposed", s=5, arguments='{"amount":9}')
    calls = calls_of(PROPOSED, ASKED, refused, again, COMPLETED).sort("ordinal")
    assert calls.select("outcome", "near_miss").rows() == [("denied", True), ("executed", False)]


def test_two_agents_that_count_from_the_same_id_have_two_calls() -> None:
    """A sub-agent's ids begin anew, in the trace of the agent that called it."""
    outer = event("action.proposed", "proposed", call_id="call_0", tool_name="delegate")
    inner = event("action.proposed", "proposed", s=2, call_id="call_0", tool_name="rm")
    denied = event("policy.evaluated", "deny", s=3, call_id="call_0", tool_name="rm", decided_by="policy")
    ran = event("tool.called", "completed", s=1, end_ns=None, call_id="call_0", tool_name="delegate")
    calls = calls_of(outer, inner, denied, ran)
    assert dict(calls.select("tool_name", "outcome").rows()) == {"delegate": "executed", "rm": "denied"}


def test_an_id_that_two_tools_ran_under_is_two_calls_though_the_second_decision_is_lost() -> None:
    """Codex tells of no proposal, and a model may use an id again: only the name tells the two apart then."""
    allowed = event("policy.evaluated", "allow", decided_by="policy")
    again = event("tool.called", "failed", s=9, tool_name="mail")
    assert calls_of(allowed, COMPLETED, again).select("tool_name", "outcome", "decided_by").rows() == [
        ("pay", "executed", "policy"),
        ("mail", "failed", None),
    ]


def test_an_id_that_one_tool_was_decided_and_another_ran_under_is_two_calls() -> None:
    """The result of the first call is lost, and so is the decision on the second: they are not one, edited."""
    allowed = event("policy.evaluated", "allow", decided_by="policy", attributes='{"parameters_digest":"a"}')
    ran = event("tool.called", "completed", s=9, tool_name="mail", attributes='{"parameters_digest":"b"}')
    told = calls_of(allowed, ran).select("tool_name", "outcome", "basis").rows()
    assert told == [("pay", "pending", "inferred"), ("mail", "executed", "inferred")]


def test_a_run_that_two_instrumentations_name_otherwise_is_one_call() -> None:
    """The control: the id is the same, and each of them tells of one run."""
    told = event("tool.called", "completed", s=8, tool_name="Pay", scope_name="other")
    assert calls_of(PROPOSED, COMPLETED, told)["outcome"].to_list() == ["executed"]


def test_an_id_that_a_later_trace_proposes_itself_joins_nothing() -> None:
    """Programs without conversation ids count from `call_0` in every run."""
    first = event("action.proposed", "proposed", conversation_id=None, trace_id="a" * 32)
    second = event("action.proposed", "proposed", s=9, conversation_id=None, trace_id="b" * 32)
    calls = calls_of(first, second)
    assert (calls.height, calls["run_id"].n_unique()) == (2, 2)


def test_events_of_our_own_without_an_id_find_their_call() -> None:
    """By the tool: a failed validation, a receipt."""
    anonymous = {"call_id": None, "arguments": None}
    failed = event("validation.failed", s=1, **anonymous)
    applied = event("effect.applied", s=1, **anonymous)
    assert calls_of(PROPOSED, failed)["outcome"].to_list() == ["invalid_arguments"]
    assert calls_of(PROPOSED, applied)["outcome"].to_list() == ["executed"]


@pytest.mark.parametrize("operation", ["chat", "invoke_agent"])
def test_a_refusal_told_to_the_model_beside_an_earlier_result_is_of_another_call(operation: str) -> None:
    """A harness refuses, without an id, in the model call that is told the result of `c-1` as well."""
    in_model_call = {"s": 5, "span_id": "5" * 16, "seq": 9}
    answered = event("tool.called", "answered", basis="inferred", **in_model_call)
    refused = event("tool.called", "refused", call_id=None, basis="inferred", group="feedback", **in_model_call)
    model_call = span(operation, **in_model_call)
    ran = event("tool.called", "completed", s=1, span_id="1" * 16)
    calls = calls_of(PROPOSED, ran, answered, refused, spans=(model_call,))
    assert calls.select("tool_call_id", "outcome").rows() == [("c-1", "executed"), (None, "denied")]


def test_a_permission_under_a_tools_span_is_of_its_call() -> None:
    """The control: what has no id takes that of the span it lies in where that span is a tool's."""
    ran = event("tool.called", "refused", s=1, span_id="1" * 16)
    asked = event("policy.evaluated", "deny", s=1, call_id=None, span_id="2" * 16, decided_by="policy")
    spans = (span("execute_tool", s=1, span_id="1" * 16), span("approval", span_id="2" * 16, parent_span_id="1" * 16))
    calls = calls_of(PROPOSED, ran, asked, spans=spans)
    assert calls.select("tool_call_id", "outcome", "decided_by").rows() == [("c-1", "denied", "policy")]


def repeated(**columns: Any) -> dict[str, Any]:
    """A proposal told again under the id of its item, which no other record has."""
    return event("action.proposed", "echoed", s=6, call_id=None, rule="item_id", position=0, **columns)


def test_a_repeated_proposal_that_names_its_item_joins_the_call_of_the_same_arguments() -> None:
    """OpenLLMetry tells so of the calls of the OpenAI Agents SDK; two records that repeat one are both its evidence."""
    five = event("action.proposed", "proposed", **FIVE)
    nine_hundred = event("action.proposed", "proposed", s=1, call_id="c-2", **NINE_HUNDRED)
    calls = calls_of(five, nine_hundred, repeated(**NINE_HUNDRED), repeated(**NINE_HUNDRED), ENDED)
    assert [(row["tool_call_id"], len(row["evidence"])) for row in calls.to_dicts()] == [("c-1", 1), ("c-2", 3)]


def test_a_proposal_that_names_its_item_is_a_call_where_no_other_record_proposes_it() -> None:
    """Twice the same tool and arguments: the first is told by two instrumentations, the second by one."""
    item = {"call_id": None, "rule": "item_id", "position": 0, **NINE_HUNDRED}
    calls = calls_of(
        event("action.proposed", "proposed", **NINE_HUNDRED),
        event("action.proposed", "proposed", s=0.001, **item),
        event("action.proposed", "proposed", s=5, **item),
        ENDED,
    )
    assert [(row["tool_call_id"], len(row["evidence"])) for row in calls.to_dicts()] == [("c-1", 2), (None, 1)]


@pytest.mark.parametrize("lost", [FIVE, {**NINE_HUNDRED, "tool_name": "mail"}], ids=["arguments", "tool"])
def test_a_repeated_proposal_whose_call_is_lost_is_no_call_of_its_own(lost: dict[str, Any]) -> None:
    """Nor does it join one with other arguments, or of another tool."""
    calls = calls_of(event("action.proposed", "proposed", **NINE_HUNDRED), repeated(**lost), ENDED)
    assert [(row["tool_call_id"], len(row["evidence"])) for row in calls.to_dicts()] == [("c-1", 1)]


def asked_twice(scope: str, *, s: float) -> list[dict[str, Any]]:
    """An interrupt about one call and its answer, as one instrumentation of LangGraph tells them."""
    shared = {"call_id": None, "position": 0, "scope_name": scope}
    return [
        event("approval.requested", s=1 + s, group="i-1", arguments='{"amount":900}', **shared),
        event("approval.rejected", s=4 + s, decided_by="human", tool_name=None, **shared),
    ]


def test_an_interrupt_that_two_instrumentations_tell_of_is_one_ask_and_one_answer() -> None:
    """Both are evidence of the one call; a second call of the same tool is left as it was."""
    second = event("action.proposed", "proposed", call_id="c-2", arguments='{"amount":900}', position=1)
    calls = calls_of(PROPOSED, second, *asked_twice("openinference", s=0), *asked_twice("openllmetry", s=0.004), ENDED)
    assert [(row["outcome"], len(row["evidence"])) for row in calls.to_dicts()] == [("denied", 5), ("unresolved", 1)]


def test_each_round_of_two_instrumentations_is_one_answer() -> None:
    """Also where a later round asks the same again."""
    rounds = [
        {**told, "group": told.get("group") and f"i-{s}"}
        for s in (0, 9)
        for scope, late in (("openinference", 0.0), ("openllmetry", 0.004))
        for told in asked_twice(scope, s=s + late)
    ]
    second = event("action.proposed", "proposed", s=8, call_id="c-2", arguments='{"amount":900}')
    third = event("action.proposed", "proposed", s=18, call_id="c-3", arguments='{"amount":900}')
    calls = calls_of(PROPOSED, second, third, *rounds, ENDED)
    assert [(row["outcome"], len(row["evidence"])) for row in calls.to_dicts()] == [
        ("denied", 5),
        ("denied", 5),
        ("unresolved", 1),
    ]


def test_an_interrupt_that_one_instrumentation_answers_again_is_another_answer() -> None:
    """The control: the second rejection of a later run is of the second call."""
    first, later = asked_twice("openllmetry", s=0), asked_twice("openllmetry", s=9)
    second = event("action.proposed", "proposed", s=8, call_id="c-2", arguments='{"amount":900}')
    calls = calls_of(PROPOSED, *first, second, {**later[0], "group": "i-2"}, later[1], ENDED)
    assert [(row["outcome"], len(row["evidence"])) for row in calls.to_dicts()] == [("denied", 3), ("denied", 3)]


def test_of_two_calls_without_an_id_the_one_that_was_not_refused_is_the_one_that_ran() -> None:
    """One after the other, or at once; where both were refused, the first is the one that ran all the same."""

    def rows(second_s: float, verdict: str) -> list[dict[str, Any]]:
        about = {"call_id": None, "arguments": None}
        asked = [{**PROPOSED, **about, "position": 0}, event("approval.rejected", s=2, decided_by="human", **about)]
        again = {**PROPOSED, **about, "position": 1, "time_ns": AT_NS + int(second_s * 1e9)}
        return [*asked, again, event(verdict, s=6, decided_by="human", **about), {**COMPLETED, **about}]

    for second_s in (0, 4):
        found = calls_of(*rows(second_s, "approval.granted")).sort("ordinal")
        assert found.select("outcome", "approval", "signals").rows() == [
            ("denied", "rejected", []),
            ("executed", "granted", []),
        ]
    found = calls_of(*rows(4, "approval.rejected")).sort("ordinal")
    assert found.select("outcome", "signals").rows() == [("executed", ["ran_refused"]), ("denied", [])]


def test_a_risk_that_is_declared_outweighs_the_name() -> None:
    """`pay` reads like money; its sender says that it only reads."""
    declared = {**PROPOSED, "attributes": '{"tool_risk_class":"read"}'}
    refusal = event("policy.evaluated", "deny", s=1, decided_by="policy")
    told = calls_of(declared, refusal).select("near_miss", "consequential", "risk", "risk_basis")
    assert told.rows() == [(True, False, "read", "declared")]


def test_what_ran_with_the_refused_arguments_is_the_refused_call_that_ran() -> None:
    """No record has an id. The control that failed is seen, and the other call is not taken for one that ran."""
    other = {**PROPOSED, **FIVE, "call_id": None, "ordinal": 1}
    refused = event("approval.rejected", s=2, call_id=None, decided_by="human", arguments_digest="900")
    ran = {**COMPLETED, **NINE_HUNDRED, "call_id": None}
    found = calls_of({**PROPOSED, **NINE_HUNDRED, "call_id": None}, other, refused, ran)
    assert found.sort("arguments").select("arguments", "outcome", "signals").rows() == [
        (FIVE["arguments"], "pending", []),
        (NINE_HUNDRED["arguments"], "executed", ["ran_refused"]),
    ]


def test_of_two_runs_at_once_a_second_instrumentation_tells_of_the_one_with_the_same_arguments() -> None:
    """Though it heard of that one later: what failed for it is no other call."""

    def runs(scope: str, ids: tuple[str | None, str | None], failed_s: float, good_s: float) -> list[dict[str, Any]]:
        at = (("failed", failed_s, FIVE), ("completed", good_s, NINE_HUNDRED))
        told = [
            event("tool.called", state, s=s, call_id=call_id, scope_name=scope, **arguments)
            for (state, s, arguments), call_id in zip(at, ids, strict=True)
        ]
        return [{**row, "end_ns": row["time_ns"] + 10**9} for row in told]

    proposed = [{**PROPOSED, **FIVE}, {**PROPOSED, **NINE_HUNDRED, "call_id": "c-2", "ordinal": 1}]
    own, second = runs("own", ("c-1", "c-2"), 2, 2.002), runs("second", (None, None), 2.006, 2.003)
    found = calls_of(*proposed, *own, *second).sort("tool_call_id")
    assert found.select("tool_call_id", "outcome").rows() == [("c-1", "failed"), ("c-2", "executed")]
