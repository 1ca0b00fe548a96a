"""Cline's statistics become calls and decisions, as far as they tell of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import cline
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Record

from .recordings import make_log, make_span, values

TASK = {"ulid": "01J", "modelId": "m", "distinct_id": "u-1"}
AT_NS = 9_000_000_000


def told(name: Any, **attributes: Any) -> Reading:
    """The reading of one event."""
    reading = cline.read(make_log(name, {**TASK, **attributes}, scope="cline"))
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("automatic", "success", "expected"),
    [
        (False, False, [("approval.rejected", None, "human", "inferred"),
                        ("tool.called", "refused", "human", "inferred")]),
        (False, True, [("approval.granted", None, "human", "explicit"),
                       ("tool.called", "completed", None, "inferred")]),
        (True, True, [("policy.evaluated", "allow", "policy", "explicit"),
                      ("tool.called", "completed", None, "inferred")]),
        (True, False, [("policy.evaluated", "allow", "policy", "explicit"),
                       ("tool.called", "failed", None, "inferred")]),
        ("undefined", True, [("tool.called", "completed", None, "explicit")]),
        (None, False, [("tool.called", "failed", None, "inferred")]),
        (None, None, [("tool.called", "completed", None, "inferred")]),
        (False, None, [("approval.granted", None, "human", "inferred"),
                       ("tool.called", "completed", None, "inferred")]),
    ],
    ids=["refused", "agreed", "let through", "failed", "SDK", "SDK, failed", "unsaid", "answered, unsaid"],
)  # fmt: skip
def test_a_used_tool_tells_who_let_it_run_or_kept_it_from_running(
    automatic: Any, success: bool | None, expected: list[tuple[Any, ...]]
) -> None:
    """A handler writes `success` as soon as its question is answered; the SDK's `false` may be a refusal."""
    events = told("task.tool_used", tool="execute_command", autoApproved=automatic, success=success).events
    assert [(event.event, event.state, event.decided_by, event.basis) for event in events] == expected
    assert {event.tool_name for event in events} == {"execute_command"}


def test_a_model_call_and_a_task_are_told_by_their_task_model_and_user() -> None:
    """Tokens and cost come with the model call."""
    who = {"conversation_id": "01J", "agent_name": "cline", "model": "m", "user_id": "u-1"}
    tokens = {"tokensIn": 7, "tokensOut": 3, "totalCost": 0.5}
    for turn in (
        told("task.conversation_turn", source="assistant", **tokens),
        told("task.tokens", agentKind="root", **tokens),
    ):
        assert turn == Reading(
            dialect="cline",
            who=Who(**who, input_tokens=7, output_tokens=3, cost_usd=0.5),
            events=[Event(event="model.called", time_ns=AT_NS)],
        )
    for name, event in (("task.created", "run.created"), ("task.completed", "run.completed")):
        assert told(name).events == [Event(event=event, time_ns=AT_NS)]
    assert told("task.mode", mode="plan").events == [
        Event(event="input.resolved", state="other", time_ns=AT_NS, content="plan")
    ]


def test_a_model_call_that_two_events_tell_of_is_counted_once() -> None:
    """The extension's `task.tokens` repeats its turn; the SDK's turns have no tokens, nor has a user's."""
    assert told("task.tokens", tokensIn=7, tokensOut=3).events == []
    assert told("task.conversation_turn", source="assistant", agentKind="root").events == []
    assert told("task.conversation_turn", source="user").events == []


@pytest.mark.parametrize("record", [make_log("task.tool_used", TASK), make_span("task.tool_used", TASK, scope="cline")])
def test_records_of_others_are_left_to_others(record: Record) -> None:
    """The same words of another scope, and spans."""
    assert cline.read(record) is None


@given(
    name=st.sampled_from(["task.tool_used", "task.mode", "task.conversation_turn"]) | values,
    attributes=st.dictionaries(
        st.sampled_from(["ulid", "tool", "autoApproved", "success", "mode", "tokensIn"]), values
    ),
)
def test_no_record_makes_it_fail(name: Any, attributes: dict[str, Any]) -> None:
    """Whatever body and attributes hold."""
    assert told(name, **attributes).dialect == "cline"
