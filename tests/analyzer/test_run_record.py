"""The run record: everything that is told of one run, as one document that is the same to the byte."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Final

import pytest

from aftertrace.analyzer import Invalid
from aftertrace.analyzer.records.call_record import Approval, Call, Change, Decision, Effect, Reference
from aftertrace.analyzer.records.record_json import document
from aftertrace.analyzer.records.run_record import (
    FORMAT,
    Finding,
    Input,
    Moment,
    Output,
    Plan,
    Policy,
    RunRecord,
    Tools,
    Trigger,
    Usage,
)

from .frames import LATER_NS
from .stories import ENDED, PROPOSED, TRACE, event, span, stored

SMALL: Final = '{"amount":60}'
OF_RUN: Final = {"tool_name": None, "call_id": None, "run_key": "r-77"}
CREATED: Final = event(
    "run.created", user_id="ana", environment="prod", service_version="2.1", agent_version="1.4", model="big",
    attributes='{"run_trigger_type":"webhook","run_trigger_id":"issue 12","run_parent_id":"r-1"}', **OF_RUN,
)  # fmt: skip
ASKED_WITH: Final = event(
    "approval.requested", s=1, group="a-1", content="Pay 900?", content_digest="sha256:aa", arguments='{"amount":900}'
)
EDITED: Final = event(
    "approval.modified", s=5, decided_by="human", decider="bob", identity="authenticated", group="a-1", arguments=SMALL,
    reason="less will do", wait_ns=4 * 10**9,
)  # fmt: skip
RULED: Final = event(
    "policy.evaluated", "ask", s=0.5, decided_by="policy", decider="limit", reason="over the limit",
    attributes='{"policy_id":"payments","policy_version":"3"}',
)  # fmt: skip
RAN: Final = event(
    "tool.called", "completed", s=8, end_ns=None, arguments=SMALL, content='{"receipt":"re_1"}',
    content_digest="sha256:bb",
)  # fmt: skip
RECEIPT: Final = event(
    "effect.applied", s=9,
    attributes='{"effect_system":"ledger","effect_operation":"pay","effect_object_id":"1042","effect_receipt_id":"re_1"}',
)  # fmt: skip
STORY: Final = (
    CREATED,
    event("input.resolved", "user_prompt", content="Pay Ana.", content_digest="sha256:cc", **OF_RUN),
    event("plan.recorded", s=0.1, content="1. pay", content_digest="sha256:dd",
          attributes='{"plan_id":"p","plan_revision":0}', **OF_RUN),
    event("action.proposed", "proposed", s=0.2, arguments='{"amount":900}'),
    RULED,
    ASKED_WITH,
    EDITED,
    RAN,
    RECEIPT,
    ENDED,
)  # fmt: skip


def record_of(*events: dict[str, Any], spans: tuple[dict[str, Any], ...] = (), now_ns: int = LATER_NS) -> RunRecord:
    """The record of the one run that a story tells."""
    analysis = stored(*events, spans=spans).analysis(now_ns)
    (run_id,) = analysis.runs["run_id"]
    return analysis.record(run_id)


def at(s: float) -> str:
    """A moment of a story: stories begin a minute before 2027-01-15T08:00:00."""
    return f"2027-01-15T07:59:{s:012.9f}Z"


def test_a_call_is_told_from_its_proposal_to_its_receipt() -> None:
    """What was proposed, ruled, shown, approved, executed and given back, each with its record."""
    record = record_of(*STORY)
    edit = (Change("/amount", "900", "60"),)
    assert record.calls == (
        Call(
            number=1, tool="pay", call_id="c-1", agent="clerk", outcome="modified", basis="explicit", near_miss=True,
            consequential=True, risk="money", risk_basis="guess", decided_by="human", allowed_by="human",
            allowed_basis="explicit", granted_by=None, permission_mode=None, reason="less will do",
            proposed_at=at(0.2), decided_at=at(5), started_at=at(8), ended_at=at(8),
            arguments='{"amount":900}', executed_arguments=SMALL, changes=edit,
            result=Reference('{"receipt":"re_1"}', "sha256:bb", "main/8/0"),
            approval=Approval(
                id="a-1", calls=1, asked_at=at(1), shown="Pay 900?", shown_digest="sha256:aa", decision="modified",
                decided_by="human", reviewer="bob", reviewer_identity="authenticated", decided_at=at(5), wait_s=4.0,
                grant_scope=None, reason="less will do", approved_arguments=SMALL, edits=edit, deviations=(),
                basis="explicit", signals=(),
            ),
            decisions=(
                Decision(at(0.5), "ask", False, "policy", "limit", "asserted", "over the limit", "main/5/0"),
                Decision(at(5), "modified", True, "human", "bob", "authenticated", "less will do", "main/7/0"),
            ),
            signals=(), rules=("ran_edited",), trace_id=TRACE,
            evidence=("main/4/0", "main/5/0", "main/6/0", "main/7/0", "main/8/0", "main/9/0"),
        ),
    )  # fmt: skip
    assert record.effects == (
        Effect(
            call=1, state="applied", basis="explicit", rule=None, http_status=None, rows=None, tool="pay",
            system="ledger", operation="pay", object_type=None, object_id="1042",
            object_url=None, before_digest=None, after_digest=None, idempotency_key=None, receipt_id="re_1",
            decided_by=None, reason=None, at=at(9), signals=(), evidence="main/9/0",
        ),
    )  # fmt: skip


def test_a_run_is_told_with_what_set_it_off_and_what_it_went_by() -> None:
    """Identity, trigger, principal, versions, inputs, plans and outputs by reference."""
    record = record_of(*STORY)
    assert (record.format, record.as_of) == (FORMAT, "2027-01-15T08:16:40.000000000Z")
    assert (record.run_keys, record.user_id, record.environment) == (("r-77",), "ana", "prod")
    assert (record.state, record.state_basis, record.duration_s) == ("completed", "explicit", 20.0)
    assert (record.service_name, record.service_version, record.workflow) == ("shop", "2.1", None)
    assert record.trigger == Trigger("webhook", "issue 12", "r-1")
    assert record.inputs == (Input("user_prompt", None, at(0), Reference("Pay Ana.", "sha256:cc", "main/2/0")),)
    assert record.plans == (Plan("p", 0, at(0.1), Reference("1. pay", "sha256:dd", "main/3/0")),)
    assert record.configuration.policies == (Policy("payments", "3", None, "main/5/0"),)
    assert record.tools == Tools(None, called=("pay",), rejected=("pay",))
    assert record.outputs == (
        Output("tool_result", 1, at(8), Reference('{"receipt":"re_1"}', "sha256:bb", "main/8/0")),
    )
    (trigger,) = (answer for answer in record.more_answers if answer.question == "trigger")
    assert (trigger.state, trigger.value) == ("known", "webhook issue 12, run r-1, user ana")
    assert record.timeline[1] == Moment(
        at(0),
        0.0,
        None,
        "agent",
        "input.resolved user_prompt",
        None,
        None,
        None,
        "Pay Ana.",
        "main/2/0",
        order="unsure",
        behind_s=None,
        behind_of=None,
        service="shop",
    )


def test_what_is_not_told_is_null_and_never_zero() -> None:
    """A run of one proposal says nothing of tokens, cost, tenant, trigger, tools or what is missing."""
    record = record_of(PROPOSED)
    assert record.usage == Usage(None, None, None)
    assert (record.tools.available, record.missing, record.state, record.state_basis) == (
        None,
        None,
        "open",
        "inferred",
    )
    assert record.trigger == Trigger(None, None, None)
    assert (record.tenant, record.user_id, record.workflow, record.configuration.system_prompt_digest) == (None,) * 4
    (call,) = record.calls
    assert (call.executed_arguments, call.changes, call.result, call.approval) == (None,) * 4


def test_a_cost_that_is_no_number_is_not_told() -> None:
    """JSON has no NaN, and nobody knows what it would cost."""
    assert record_of(PROPOSED, spans=(span("chat", cost_usd=float("nan")),)).usage.cost_usd is None
    assert record_of(PROPOSED, spans=(span("chat", cost_usd=0.25),)).usage.cost_usd == 0.25


def test_a_control_failure_is_a_finding_with_the_number_of_its_call() -> None:
    """Refused, and it ran all the same."""
    refused = event("approval.rejected", s=2, decided_by="human", decider="bob")
    record = record_of(PROPOSED, ASKED_WITH, refused, RAN)
    brief = "it ran although it was refused, or its approval expired"
    shown = tuple(f"main/{nth}/0" for nth in (1, 2, 3, 4))
    told = Finding(
        "ran_refused", brief, "call", 1, what="refused by human", certainty="certain", basis="explicit", evidence=shown
    )
    assert record.findings == (told,)
    assert record_of(*STORY).findings == ()


def test_a_workflow_is_told_by_its_span() -> None:
    """By the standard's name, or by OpenLLMetry's."""
    for key in ("gen_ai.workflow.name", "traceloop.workflow.name"):
        assert (
            record_of(PROPOSED, spans=(span("invoke_agent", attributes=json.dumps({key: "refunds"})),)).workflow
            == "refunds"
        )


def test_a_run_that_never_told_its_end_is_abandoned_after_half_an_hour() -> None:
    """The control: it is open before; and logs alone, which tell of no end, leave nothing abandoned."""
    begun = event("run.created", **OF_RUN)
    later_ns = LATER_NS + 3600 * 10**9
    assert record_of(begun, PROPOSED).state == "open"
    told = record_of(begun, PROPOSED, now_ns=later_ns)
    assert (told.state, told.state_basis) == ("abandoned", "inferred")
    told = record_of(PROPOSED, now_ns=later_ns)
    assert (told.state, told.state_basis) == ("completed", "inferred")


def test_the_document_is_the_same_to_the_byte_whatever_the_order_of_the_rows() -> None:
    """Canonical: sorted, ASCII, two spaces; another time of judging is another document."""
    told = document(record_of(*STORY))
    frames = stored(*STORY)
    turned = type(frames)(frames.spans, frames.events.reverse()).analysis()
    assert document(turned.record(turned.runs["run_id"][0])) == told
    assert told.isascii()
    assert json.dumps(json.loads(told), sort_keys=True, indent=2) + "\n" == told
    assert document(record_of(*STORY, now_ns=LATER_NS + 1)) != told


def test_a_run_that_is_not_there_is_said_so() -> None:
    """As everywhere."""
    with pytest.raises(Invalid, match="not found"):
        stored(PROPOSED).analysis().record("0" * 16)


def test_every_part_of_the_document_is_frozen_and_holds_values_alone() -> None:
    """A dict or a list in it could be changed, or told in another order."""

    def parts(value: Any) -> Any:
        assert not isinstance(value, dict | list | set)
        if is_dataclass(value):
            assert type(value).__dataclass_params__.frozen  # type: ignore[attr-defined]
            for item in fields(value):
                parts(getattr(value, item.name))
        elif isinstance(value, tuple):
            for each in value:
                parts(each)

    parts(record_of(*STORY))
    assert asdict(record_of(*STORY))["calls"][0]["approval"]["reviewer"] == "bob"
