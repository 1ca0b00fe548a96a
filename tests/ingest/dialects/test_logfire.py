"""Logfire's spans of the OpenAI Agents SDK: function spans have no call id, and say little of a call that waits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import logfire
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.messages import instructions_digest, value_digest
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, read_recording, values

SCOPE = "logfire.openai_agents"
START_NS, END_NS = 1_000, 5_000_001_000
KEYS = (
    "agent_trace_id", "group_id", "metadata", "name", "tools", "handoffs", "triggered", "to_agent", "mcp_data", "input",
    "output", "error", "raw_input", "response", "events", "request_data", "response_data", "logfire.span_type",
)  # fmt: skip
REQUEST = {"type": "function_call", "call_id": "call_1", "id": "fc_1", "name": "pay", "arguments": '{"amount": 5}'}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "Tool execution was not approved."}
USER = {"role": "user", "content": "go"}


def logfire_span(title: str, /, **attributes: Any) -> Span:
    """A span of Logfire's; values that are no text are JSON text."""
    told = {key: value if isinstance(value, str | bool) else json.dumps(value) for key, value in attributes.items()}
    return make_span(title, told, scope=SCOPE)


def read(span: Span) -> Reading:
    """The reading of a span that is this dialect's."""
    reading = logfire.read(span)
    assert reading is not None
    return reading


def told(span: Span) -> list[tuple[Any, ...]]:
    """State, tool and call of each event that is about a call."""
    return [(e.state, e.tool_name, e.call_id) for e in read(span).events if e.event != "input.resolved"]


def test_a_model_call_is_read_from_its_input_items_and_its_response() -> None:
    """By the call's own id, and not that of its item."""
    response = {"model": "m-2026", "instructions": "Be careful.", "output": [REQUEST],
                "tools": [{"type": "function", "name": "pay"}]}  # fmt: skip
    span = logfire_span("Responses API", raw_input=[USER], response=response)
    assert read(span) == Reading(
        dialect="logfire",
        who=Who(model_served="m-2026", system_prompt_digest=instructions_digest("Be careful."), tool_names=["pay"],
                tools_digest=value_digest(["pay"])),
        operation="chat",
        events=[
            Event(event="input.resolved", state="system_prompt", time_ns=START_NS, content="Be careful."),
            Event(event="input.resolved", state="user_prompt", time_ns=START_NS, content="go"),
            Event(event="action.proposed", state="proposed", time_ns=END_NS, tool_name="pay", call_id="call_1",
                  arguments={"amount": 5}, position=0),
        ],
    )  # fmt: skip


CHAT_CALL = {"id": "call_2", "type": "function", "function": {"name": "mail", "arguments": "{}"}}
OLD_CALL = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 5}'}}
TURN = [("echoed", "pay", "call_1"), ("refused", "pay", "call_1"), ("proposed", "mail", "call_2")]


@pytest.mark.parametrize(
    "attributes",
    [
        {"raw_input": [USER, REQUEST, RESULT],
         "response": {"output": [{**REQUEST, "name": "mail", "call_id": "call_2", "arguments": "{}"}]}},
        {"events": [{"event.name": "gen_ai.user.message", **USER},
                    {"event.name": "gen_ai.assistant.message", "role": "assistant", "tool_calls": [OLD_CALL]},
                    {"event.name": "gen_ai.tool.message", "role": "tool", "id": "call_1", "name": "pay",
                     "content": RESULT["output"]},
                    {"event.name": "gen_ai.assistant.message", "role": "assistant", "tool_calls": [CHAT_CALL]}]},
        {"input": [USER, {"role": "assistant", "content": None, "tool_calls": [OLD_CALL]},
                   {"role": "tool", "tool_call_id": "call_1", "content": RESULT["output"]}],
         "output": [{"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}],
         "request_data": {"messages": []}},
        {"request_data": {"messages": [USER, {"role": "assistant", "tool_calls": [OLD_CALL]},
                                       {"role": "tool", "tool_call_id": "call_1", "content": RESULT["output"]}]},
         "response_data": {"message": {"role": "assistant", "tool_calls": [CHAT_CALL]}}},
    ],
    ids=["response", "events", "chat completion", "request and response data"],
)  # fmt: skip
def test_each_form_of_a_model_call_tells_the_same(attributes: dict[str, Any]) -> None:
    """What was repeated, what became of it, and what is new."""
    assert told(logfire_span("model", **attributes)) == TURN


ERROR = {"message": "Error running tool (non-fatal)", "data": {"tool_name": "pay", "error": "no such account"}}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"output": "paid"}, ("completed", None, None)),
        ({"output": 4}, ("completed", None, None)),
        ({"output": "null"}, ("entered", "null_output", None)),
        ({"output": "An error occurred", "error": ERROR}, ("failed", None, "no such account")),
    ],
    ids=["text", "number", "nothing", "error"],
)
def test_a_function_span_says_what_became_of_its_call(attributes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Without output it may only wait for an approval."""
    reading = read(logfire_span("Function: {name}", name="pay", input={"amount": 5}, mcp_data="null", **attributes))
    (event,) = reading.events
    assert (event.state, event.rule, event.reason) == expected
    assert (reading.who.tool_name, event.tool_name, event.arguments, event.call_id) == (
        "pay",
        "pay",
        {"amount": 5},
        None,
    )


def test_a_turn_tells_of_a_tool_that_does_not_exist() -> None:
    """In its error; another error says nothing of a call."""
    errors = (
        {"message": "Tool not found", "data": {"tool_name": "wipe"}},
        {"message": "Timed out", "data": {}},
        "null",
    )
    found = [read(logfire_span("Turn {turn}", type="custom", error=error)).events for error in errors]
    assert [[(e.state, e.tool_name, e.position, e.rule) for e in events] for events in found] == [
        [("unknown_tool", "wipe", 0, "openai_turn")],
        [],
        [],
    ]


def test_a_guardrail_states_its_verdict() -> None:
    """It tripped, it did not, or it does not say."""
    spans = [logfire_span("Guardrail", name="ig", triggered=triggered) for triggered in (True, False, "null")]
    assert [(e.state, e.decided_by, e.decider) for span in spans for e in read(span).events] == [
        ("deny", "guardrail", "ig"),
        ("allow", "guardrail", "ig"),
        ("unknown", "guardrail", "ig"),
    ]


def test_agents_groups_and_hand_offs_are_known() -> None:
    """A group of `null` is none."""
    root = logfire_span("trace", agent_trace_id="trace_1", group_id="g-1", metadata={"user": "ana"})
    assert read(root) == Reading(
        dialect="logfire", who=Who(conversation_id="g-1", user_id="ana"), operation="invoke_agent"
    )
    assert read(logfire_span("trace", agent_trace_id="trace_1", group_id="null")).who == Who()
    agent = read(logfire_span("Agent run", name="clerk", tools=["pay"], handoffs=[], output_type="str"))
    assert (agent.who.agent_name, agent.who.tool_names, agent.operation) == ("clerk", ["pay"], "invoke_agent")
    assert told(logfire_span("Handoff", from_agent="a", to_agent="Billing agent")) == [
        ("completed", "transfer_to_billing_agent", None)
    ]


def test_a_span_that_has_only_begun_states_nothing() -> None:
    """Logfire sends such ones ahead: the one that ended says it all."""
    pending = logfire_span("Function: {name}", name="pay", input={}, **{"logfire.span_type": "pending_span"})
    assert told(pending) == []


def test_the_calls_of_a_recording_are_proposed_under_their_own_ids() -> None:
    """And the guardrail that stopped its second run states so."""
    readings = [read(record) for record in read_recording("openai-agents", "logfire_reject_approve")
                if isinstance(record, Span)]  # fmt: skip
    events = [event for reading in readings for event in reading.events]
    assert [event.tool_name for event in events if event.state == "proposed"] == [
        "read_db", "delete_db", "pay", "void", "transfer_to_helper",
    ]  # fmt: skip
    assert [event.state for event in events if event.event == "policy.evaluated"] == ["allow", "deny"]
    assert {event.call_id for event in events if event.call_id and not event.call_id.startswith("call_")} == set()


def test_records_of_others_are_left_alone() -> None:
    """Also other spans of Logfire's."""
    for scope in ("logfire", "logfire.openai", "pydantic-ai", ""):
        assert logfire.read(make_span("Function: {name}", {"name": "pay", "output": "x"}, scope=scope)) is None
    assert logfire.read(make_log("x", {"name": "pay"}, scope=SCOPE)) is None


@given(st.dictionaries(st.sampled_from(KEYS), values | st.text(max_size=4).map(json.dumps), max_size=8))
def test_any_attributes_are_read_without_an_error(attributes: dict[str, Any]) -> None:
    """Whatever they hold."""
    assert logfire.read(make_span("Function: {name}", attributes, scope=SCOPE)) is not None


@given(value=values)
def test_any_messages_are_read_without_an_error(value: Any) -> None:
    """Also where they are almost of a known form."""
    for item in (value, [value], [{**REQUEST, "arguments": value, "call_id": value}], [{**RESULT, "output": value}],
                 [{"role": "assistant", "content": value, "tool_calls": value}, {"message": value}]):  # fmt: skip
        logfire.read(make_span("model", {"raw_input": item, "response": {"output": item}}, scope=SCOPE))
        logfire.read(make_span("model", {"events": item}, scope=SCOPE))
