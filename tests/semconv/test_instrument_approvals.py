"""Approvals: asked, shown, answered, and answered later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from aftertrace.semconv.canonical import digest, digest_json
from aftertrace.semconv.instrument import (
    Call,
    Grant,
    GrantScope,
    Reason,
)

if TYPE_CHECKING:
    from tests.semconv.conftest import Trail


@pytest.mark.parametrize("answer", ["granted", "rejected", "modified", "expired"])
def test_an_approval_is_asked_and_answered_within_a_span_of_its_own(trail: Trail, answer: str) -> None:
    """Request and answer share an id; the answer says who, why, how long, and what was shown. No status is set."""
    edited: Call | None = None
    with trail.run():
        approval = trail.audit.approval_requested(trail.REFUND, asked=["team"], channel="chat", timeout_s=900)
        approval.shown("Refund 250?")
        if answer == "granted":
            approval.granted(trail.REVIEWER, Reason(text="ok"), Grant(scope=GrantScope.SESSION))
        elif answer == "rejected":
            approval.rejected(trail.REVIEWER, Reason(text="ok"))
        elif answer == "modified":
            edited = approval.modified({"amount": 1}, trail.REVIEWER, Reason(text="ok"))
        else:
            approval.expired(Reason(text="ok"))
    (requested, answered), (span, _) = trail.all_said(), trail.recorder.spans()
    identity = {"aftertrace.approval.id": approval.id, "aftertrace.approval.channel": "chat"}
    asking = {"aftertrace.approval.asked.ids": ("team",), "aftertrace.approval.timeout_s": 900}
    shown = {"aftertrace.approval.shown.digest": digest(b"Refund 250?")}
    assert requested == ("approval.requested", trail.AGENT | trail.CALL | identity | asking)
    extra: dict[str, dict[str, object]] = {
        "granted": {"aftertrace.grant.scope": "session"},
        "modified": {
            "aftertrace.tool.arguments.digest": digest_json({"amount": 1}),
            "aftertrace.tool.proposed_arguments.digest": digest_json(trail.ARGUMENTS),
        },
    }
    wait_s = answered[1].pop("aftertrace.approval.wait_s")
    assert isinstance(wait_s, float)
    assert wait_s > 0
    assert answered == (
        f"approval.{answer}",
        (trail.HUMAN if answer != "expired" else {"aftertrace.actor.type": "timeout"})
        | trail.CALL
        | identity
        | shown
        | {"aftertrace.reason.text": "ok"}
        | extra.get(answer, {}),
    )
    assert (span.name, span.status) == ("approval refund", "UNSET")
    assert span.attributes["aftertrace.approval.outcome"] == answer
    assert {event.span_id for event in trail.recorder.events()[1:-1]} == {span.span_id}
    assert edited is None or (edited.arguments, edited.id) == ({"amount": 1}, "call_1")


def test_a_second_answer_is_a_second_event(trail: Trail) -> None:
    """Nothing is overwritten: a grant that is taken back leaves both, and the span tells of the first."""
    with trail.run():
        approval = trail.audit.approval_requested(trail.REFUND)
        approval.granted(trail.REVIEWER)
        approval.rejected(trail.REVIEWER)
    assert [name for name, _ in trail.all_said()] == ["approval.requested", "approval.granted", "approval.rejected"]
    assert trail.recorder.spans()[0].attributes["aftertrace.approval.outcome"] == "granted"


def test_a_wait_can_outlive_its_process(trail: Trail) -> None:
    """The run pauses without an end; another trace answers the same request of the same run."""
    with trail.run() as run, trail.audit.approval_requested(trail.REFUND) as asked:
        run.pause()
    with trail.audit.resume("run-1", trail.configuration):
        trail.audit.approval_resumed(trail.REFUND, asked.id).granted(trail.REVIEWER)
    events = trail.recorder.events()
    assert [event.name.removeprefix("aftertrace.") for event in events] == [
        "run.created",
        "approval.requested",
        "approval.granted",
        "run.completed",
    ]
    assert {event.attributes["aftertrace.run.id"] for event in events} == {"run-1"}
    assert events[1].attributes["aftertrace.approval.id"] == events[2].attributes["aftertrace.approval.id"]
    assert "aftertrace.approval.wait_s" not in events[2].attributes
    wait, first, second = trail.recorder.spans()
    assert wait.trace_id == first.trace_id != second.trace_id
    assert "aftertrace.approval.outcome" not in wait.attributes
    assert second.attributes["aftertrace.run.resumed"] is True


def test_a_standing_grant_says_who_gave_it_and_when(trail: Trail) -> None:
    """Nobody was asked now: there is a grant and no request."""
    grant = Grant(id="g-1", scope=GrantScope.ALWAYS, granted_by="u-1", granted_at=datetime(2026, 11, 2, tzinfo=UTC))
    with trail.run():
        trail.audit.standing_grant_used(trail.REFUND, grant)
    ((name, attributes),) = trail.all_said()
    assert attributes.pop("aftertrace.approval.id")
    assert (name, attributes) == (
        "approval.granted",
        {"aftertrace.actor.type": "human", "aftertrace.actor.id": "u-1"}
        | trail.CALL
        | {
            "aftertrace.grant.standing": True,
            "aftertrace.grant.id": "g-1",
            "aftertrace.grant.scope": "always",
            "aftertrace.grant.granted_by": "u-1",
            "aftertrace.grant.granted_at": "2026-11-02T00:00:00+00:00",
        },
    )
