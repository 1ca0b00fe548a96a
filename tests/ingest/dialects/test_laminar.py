"""OpenHands' spans through Laminar: an action that a person rejected has one like an action that ran."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import laminar
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, values

ABOUT = "lmnr.association.properties."
MESSAGES = "gen_ai.input.messages", "gen_ai.output.messages"


def message(words: str) -> dict[str, Any]:
    """What the model is told of an action that never ran."""
    return {
        "role": "tool",
        "content": [{"cache_prompt": False, "type": "text", "text": words}],
        "tool_calls": None,
        "tool_call_id": "call_1",
        "name": "delete_db",
        "thinking_blocks": [],
    }


def action(output: Any, given: Any = None, *, status: int = 0, name: str = "RecordsAction") -> Span:
    """The span of an action."""
    given = {"action": {"q": "b", "kind": "RecordsAction"}} if given is None else given
    attributes = {
        "lmnr.span.type": "TOOL",
        "lmnr.span.path": ["conversation", "conversation.run", "agent.step", name],
        "lmnr.span.input": json.dumps(given),
        "lmnr.span.output": output if isinstance(output, str) else json.dumps(output),
        f"{ABOUT}session_id": "s-1",
        f"{ABOUT}user_id": "ana",
        f"{ABOUT}metadata.tool_call_id": "call_1",
    }
    return make_span(name, attributes, scope="lmnr.tracer", status=status)


UNRUN = {"tool_input": {"q": "b", "kind": "RecordsAction"}}
UNKNOWN = {"tool_input": {"id": "call_1", "name": "wipe", "arguments": '{"q": "a"}', "origin": "completion"}}


def test_a_rejected_action_is_refused_although_it_has_a_span() -> None:
    """Its output is a message to the model, where that of a tool is what it observed."""
    rejected = message("Action rejected: not on Fridays")
    assert laminar.read(action(rejected, UNRUN)) == Reading(
        dialect="laminar",
        who=Who(conversation_id="s-1", user_id="ana", tool_name="delete_db", call_id="call_1"),
        operation="execute_tool",
        events=[
            Event(
                event="tool.called",
                state="refused",
                time_ns=1_000,
                end_ns=5_000_001_000,
                arguments={"q": "b"},
                basis="inferred",
                decided_by="human",
                reason="Action rejected: not on Fridays",
                content=rejected,
                rule="text:openhands_rejected",
            )
        ],
    )


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        ("Action rejected: Blocked by hook", UNRUN, ("delete_db", "refused", "hook", {"q": "b"})),
        ("Tool call cancelled by interrupt.", UNRUN, ("delete_db", "cancelled", "human_or_program", {"q": "b"})),
        ("Tool 'wipe' not found. Available: ['pay']", UNKNOWN, ("wipe", "unknown_tool", None, {"q": "a"})),
        ("Error validating tool 'wipe': 1 validation error", UNKNOWN, ("wipe", "invalid_arguments", None, {"q": "a"})),
        ("Something new", UNRUN, ("delete_db", "cancelled", "program", {"q": "b"})),
    ],
    ids=["hook", "interrupted", "unknown", "invalid", "unheard of"],
)
def test_what_the_model_is_told_says_why_an_action_never_ran(
    words: str, given: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    """Of words that are unheard of, that the SDK left it out; never that it ran."""
    reading = laminar.read(action(message(words), given))
    assert reading is not None
    (event,) = reading.events
    assert (reading.who.tool_name, event.state, event.decided_by, event.arguments) == expected


@pytest.mark.parametrize(
    ("span", "states"),
    [
        (action({"kind": "RecordsObservation", "is_error": False, "content": [{"text": "done"}]}), ["completed"]),
        (action({"kind": "RecordsObservation", "is_error": True, "content": [{"text": "exit 1"}]}), ["failed"]),
        (action({"content": [{"text": "Action rejected: quoted"}]}), ["completed"]),
        (action({"role": "tool", "tool_call_id": "call_1", "content": "paid"}), ["completed"]),
        (action("", status=2), ["failed"]),
        (action("", name="MCPToolExecutor.call_tool"), []),
    ],
)
def test_what_an_action_observed_tells_what_became_of_it(span: Span, states: list[str]) -> None:
    """A tool that prints a rejection was not rejected; the executor's inner span repeats the action's."""
    reading = laminar.read(span)
    assert reading is not None
    assert [event.state for event in reading.events] == states


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({"action": {"kind": "MCPToolAction", "data": {"sum": 5}}}, {"sum": 5}),
        ({"action": {"kind": "PayAction", "amount": 5}}, {"amount": 5}),
        ({"amount": 5}, {"amount": 5}),
        ({}, None),
        ("text", None),
    ],
    ids=["of an MCP server", "of its own", "of an observed function", "none", "no object"],
)
def test_the_arguments_of_an_action_are_told_without_its_class(given: Any, arguments: Any) -> None:
    """Those of a function under Laminar's decorator are its parameters."""
    reading = laminar.read(action({"is_error": False}, given))
    assert reading is not None
    assert reading.events[0].arguments == arguments


def test_a_model_call_is_read_in_the_form_of_its_provider() -> None:
    """The span has no operation; its messages are OpenAI's."""
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 5}'}}
    given = [
        {"role": "system", "content": [{"type": "text", "text": "Be careful."}]},
        {"role": "user", "content": "Pay."},
    ]
    attributes = {
        "lmnr.span.type": "LLM",
        MESSAGES[0]: json.dumps(given),
        MESSAGES[1]: json.dumps([{"role": "assistant", "content": "", "tool_calls": [call]}]),
        "gen_ai.request.model": "scripted-1",
        "gen_ai.usage.input_tokens": 1200,
        f"{ABOUT}session_id": "s-1",
    }
    reading = laminar.read(make_span("litellm.completion", attributes, scope="lmnr.tracer"))
    assert reading is not None
    assert (reading.operation, reading.who.model, reading.who.input_tokens) == ("chat", "scripted-1", 1200)
    assert [(event.event, event.state, event.call_id, event.arguments) for event in reading.events] == [
        ("input.resolved", "system_prompt", None, None),
        ("input.resolved", "user_prompt", None, None),
        ("action.proposed", "proposed", "call_1", {"amount": 5}),
    ]


def test_the_span_around_a_model_call_is_a_step() -> None:
    """It has no messages of its own, and would count the call twice."""
    around = make_span("llm.openai/scripted-1", {"lmnr.span.type": "LLM"}, scope="lmnr.tracer")
    reading = laminar.read(around)
    assert reading is not None
    assert (reading.operation == "chat", reading.events) == (False, [])


@pytest.mark.parametrize(
    "record",
    [
        make_span("chat", {"lmnr.span.path": ["x"], "gen_ai.operation.name": "chat"}, scope="lmnr.tracer"),
        make_span("GET /", {"http.method": "GET"}),
        make_log("x", {"lmnr.span.type": "TOOL"}),
    ],
)
def test_records_of_others_are_left_to_others(record: Any) -> None:
    """A span that follows the conventions is read by them."""
    assert laminar.read(record) is None


@given(
    attributes=st.dictionaries(
        st.sampled_from(
            ["lmnr.span.input", "lmnr.span.output", f"{ABOUT}session_id", f"{ABOUT}metadata.tool_call_id", *MESSAGES]
        ),
        values,
    ),
    kind=st.sampled_from(["TOOL", "DEFAULT", "LLM"]) | values,
    status=st.sampled_from([0, 2]),
)
def test_no_span_makes_it_fail(attributes: dict[str, Any], kind: Any, status: int) -> None:
    """Whatever the attributes hold."""
    reading = laminar.read(make_span("x", {"lmnr.span.type": kind, **attributes}, status=status))
    assert reading is None or reading.dialect == "laminar"
