"""Calls: choices, checks, execution and effects."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from aftertrace.semconv.canonical import digest, digest_json
from aftertrace.semconv.instrument import (
    Actor,
    ActorType,
    Call,
    DecisionOutcome,
    Effect,
    Policy,
    Reason,
    State,
    ToolState,
)

if TYPE_CHECKING:
    from tests.semconv.conftest import Trail


def test_choices_and_checks_say_who_why_and_on_what_state(trail: Trail) -> None:
    """Candidates and proposals are the model's; a check is the agent's own; a policy decides as its rule."""
    audit = trail.audit
    with trail.run():
        audit.tool_considered(Call("close"), selected=False, rank=2, score=0.1, reason=Reason("not_asked"))
        audit.action_proposed(trail.REFUND)
        audit.validated(trail.REFUND, "schema", passed=True)
        audit.validated(
            trail.REFUND, "limit", passed=False, reason=Reason("too_much"), by=Actor(ActorType.GUARDRAIL, "g")
        )
        audit.policy_evaluated(
            trail.REFUND,
            DecisionOutcome.DENY,
            Policy(id="payments", version="14", digest=digest(b"p"), rule="no-refunds"),
            reason=Reason("frozen", "Quarter end."),
            confidence=0.9,
            state=State(reference="checkpoint:41", digest=digest(b"s")),
            permission_mode="default",
        )
    considered = {"gen_ai.tool.name": "close", "aftertrace.target.type": "tool", "aftertrace.target.id": "close"}
    assert trail.all_said() == [
        (
            "tool.considered",
            trail.MODEL
            | considered
            | {
                "aftertrace.candidate.selected": False,
                "aftertrace.candidate.rank": 2,
                "aftertrace.candidate.score": 0.1,
                "aftertrace.reason.code": "not_asked",
            },
        ),
        ("action.proposed", trail.MODEL | trail.CALL | {"gen_ai.request.model": "model-1"}),
        ("validation.passed", trail.AGENT | trail.CALL | {"aftertrace.validation.name": "schema"}),
        (
            "validation.failed",
            {"aftertrace.actor.type": "guardrail", "aftertrace.actor.id": "g"}
            | trail.CALL
            | {"aftertrace.validation.name": "limit", "aftertrace.reason.code": "too_much"},
        ),
        (
            "policy.evaluated",
            {"aftertrace.actor.type": "policy", "aftertrace.actor.id": "no-refunds"}
            | trail.CALL
            | {
                "aftertrace.decision.outcome": "deny",
                "aftertrace.decision.confidence": 0.9,
                "aftertrace.policy.id": "payments",
                "aftertrace.policy.version": "14",
                "aftertrace.policy.digest": digest(b"p"),
                "security_rule.name": "no-refunds",
                "aftertrace.reason.code": "frozen",
                "aftertrace.reason.text": "Quarter end.",
                "aftertrace.state.reference": "checkpoint:41",
                "aftertrace.state.digest": digest(b"s"),
                "aftertrace.permission.mode": "default",
            },
        ),
    ]


def test_a_tool_call_starts_has_effects_and_ends_in_its_span(trail: Trail) -> None:
    """The start is sent before the tool runs; an effect finds its call by itself."""
    effect = Effect(
        system="stripe",
        operation="create",
        object_type="refund",
        object_id="re_1",
        object_url="https://stripe.example/re_1",
        before_digest=digest(b"a"),
        after_digest=digest(b"b"),
        idempotency_key="refund-812",
        receipt_id="req_1",
    )
    with trail.run(), trail.audit.tool_call(trail.REFUND, tool_type="function", mcp_session_id="m-1") as execution:
        assert len(trail.recorder.events()) == 2
        trail.audit.effect_applied(effect)
        trail.audit.effect_blocked(Effect(system="crm"), Actor(ActorType.TARGET, "crm"), Reason("403"), Call("note"))
        execution.result({"id": "re_1"})
    mcp = {"mcp.method.name": "tools/call", "mcp.session.id": "m-1"}
    result = {"aftertrace.tool.result.digest": digest_json({"id": "re_1"})}
    receipt = {
        "gen_ai.tool.name": "refund",
        "gen_ai.tool.call.id": "call_1",
        "aftertrace.target.type": "object",
        "aftertrace.target.id": "stripe:refund:re_1",
        "aftertrace.effect.system": "stripe",
        "aftertrace.effect.operation": "create",
        "aftertrace.effect.object.type": "refund",
        "aftertrace.effect.object.id": "re_1",
        "aftertrace.effect.object.url": "https://stripe.example/re_1",
        "aftertrace.effect.before.digest": digest(b"a"),
        "aftertrace.effect.after.digest": digest(b"b"),
        "aftertrace.effect.idempotency_key": "refund-812",
        "aftertrace.effect.receipt.id": "req_1",
    }
    blocked = {
        "aftertrace.actor.type": "target",
        "aftertrace.actor.id": "crm",
        "gen_ai.tool.name": "note",
        "aftertrace.target.type": "object",
        "aftertrace.target.id": "crm",
        "aftertrace.effect.system": "crm",
        "aftertrace.reason.code": "403",
    }
    assert trail.all_said() == [
        ("tool.called", trail.AGENT | trail.CALL | mcp | {"aftertrace.tool.state": "started"}),
        ("effect.applied", trail.AGENT | receipt),
        ("effect.blocked", blocked),
        ("tool.called", trail.AGENT | trail.CALL | mcp | result | {"aftertrace.tool.state": "completed"}),
    ]
    span = trail.recorder.spans()[0]
    assert (span.name, span.status) == ("execute_tool refund", "UNSET")
    assert span.attributes == {
        key: value
        for key, value in (
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.type": "function"} | trail.RUN | trail.CALL
        ).items()
        if "target" not in key
    } | mcp | result | {"aftertrace.tool.state": "completed"}
    assert {event.span_id for event in trail.recorder.events()[1:-1]} == {span.span_id}


@pytest.mark.parametrize(
    ("raised", "state", "actor", "status"),
    [
        (ValueError("secret"), "failed", "agent", "ERROR"),
        (KeyboardInterrupt(), "cancelled", "human", "UNSET"),
        (asyncio.CancelledError(), "cancelled", "program", "UNSET"),
    ],
)
def test_an_exception_passes_and_is_named_without_its_text(
    trail: Trail, raised: BaseException, state: str, actor: str, status: str
) -> None:
    """The call and the run say how they ended; the exception goes on; its text goes nowhere."""
    with pytest.raises(type(raised)), trail.run(), trail.audit.tool_call(trail.REFUND):
        raise raised
    _, _, ended, failed = trail.recorder.events()
    assert (ended.attributes["aftertrace.tool.state"], ended.attributes["aftertrace.actor.type"]) == (state, actor)
    assert (failed.name, failed.severity) == ("aftertrace.run.failed", "ERROR")
    kind = type(raised).__qualname__
    assert str(failed.attributes["error.type"]).endswith(kind)
    assert [span.status for span in trail.recorder.spans()] == [status, "ERROR"]
    assert "secret" not in repr(trail.recorder.events()) + repr(trail.recorder.spans())


def test_a_refusal_by_the_target_is_no_error(trail: Trail) -> None:
    """401 and 403: the span ends without a status, and says that it proves no execution."""
    with trail.run(), trail.audit.tool_call(trail.REFUND) as execution:
        execution.refused(Reason("403"), "stripe")
    name, attributes = trail.all_said()[1]
    assert (name, attributes) == (
        "tool.called",
        {"aftertrace.actor.type": "target", "aftertrace.actor.id": "stripe"}
        | trail.CALL
        | {"aftertrace.tool.state": "refused", "aftertrace.reason.code": "403"},
    )
    span = trail.recorder.spans()[0]
    assert (span.status, span.attributes["aftertrace.tool.state"]) == ("UNSET", "refused")


def test_a_tool_that_returns_an_error_has_failed(trail: Trail) -> None:
    """Said by the agent, since nothing was raised; and a call can end without ever having a span."""
    with trail.run():
        with trail.audit.tool_call(trail.REFUND) as execution:
            execution.failed("tool_error")
        trail.audit.call_ended(Call("refnd"), ToolState.UNKNOWN_TOOL, Reason("no_such_tool"))
    assert trail.all_said()[1][1]["error.type"] == "tool_error"
    assert trail.all_said()[2][1]["aftertrace.tool.state"] == "unknown_tool"
    assert [(span.name, span.status) for span in trail.recorder.spans()] == [
        ("execute_tool refund", "ERROR"),
        ("invoke_agent refunds", "UNSET"),
    ]


def test_arguments_without_a_canonical_form_break_nothing(trail: Trail, caplog: pytest.LogCaptureFixture) -> None:
    """The event goes without a digest, and a warning says so without the value."""
    with caplog.at_level(logging.WARNING, "aftertrace.semconv"), trail.run():
        trail.audit.action_proposed(Call("refund", {"account": 2**60, "name": "SECRET"}))
    assert "aftertrace.tool.arguments.digest" not in trail.all_said()[0][1]
    assert "integer beyond" in caplog.text
    assert "SECRET" not in caplog.text
