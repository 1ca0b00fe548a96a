"""CrewAI's spans, its own and those of OpenInference: what a hook blocked, and what is told twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import crewai, openinference
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, values

OPENINFERENCE = "openinference.instrumentation.crewai"
KIND = "openinference.span.kind"
BLOCKED = "Tool execution blocked by hook. Tool: pay"
RUN = {"crewai.execution_uuid": "k-1", "crewai.agent.role": "clerk", "gen_ai.conversation.id": "c-1"}
WHO = {"conversation_id": "c-1", "turn_id": "k-1", "agent_name": "clerk"}


def told(name: str, operation: str | None, *, status: int = 0, **attributes: Any) -> Reading:
    """The reading of one of CrewAI's own spans."""
    given = {"gen_ai.operation.name": operation} if operation else {}
    reading = crewai.read(make_span(name, {**RUN, **given, **attributes}, scope="crewai", status=status))
    assert reading is not None
    return reading


def tool(result: str, *, status: int = 0, **failure: str) -> list[tuple[Any, ...]]:
    """State, decider and rule of a tool's span."""
    given = {"gen_ai.tool.name": "pay", "gen_ai.tool.call.result": json.dumps(result)}
    about = {f"crewai.tool.failure.{key}": value for key, value in failure.items()}
    reading = told("call tool", "execute_tool", status=status, **given, **about)
    return [(event.state, event.decided_by, event.rule) for event in reading.events]


def test_a_call_that_a_hook_blocked_is_refused_though_its_span_ended_well() -> None:
    """By the words that stand for the tool's result."""
    assert tool(BLOCKED) == [("refused", "hook", "text:crewai_hook")]


@pytest.mark.parametrize("result", ["paid", f"The log says: {BLOCKED}", "Permission to use pay has been denied"])
def test_a_tools_own_words_are_a_result(result: str) -> None:
    """Also where it quotes those of a hook, or speaks of a refusal of its own."""
    assert tool(result) == [("completed", None, None)]


def test_a_failure_is_told_once_and_a_tool_that_does_not_exist_is_none() -> None:
    """The span at an instant repeats that of the tool."""
    assert tool("Error", status=2, reason="exception") == [("failed", None, None)]
    assert tool("Tool not found", status=2, reason="unknown_tool") == [("unknown_tool", None, "failure_reason")]
    again = told("tool failure", "execute_tool", **{"crewai.event_name": "tool_failure_detected"})
    assert again == Reading(dialect="crewai", who=Who(**WHO), operation="step")


def test_of_a_model_call_only_what_it_proposed_is_new() -> None:
    """What it was given repeats the names in quotation marks."""
    part = {"type": "tool_call", "id": "call_1", "name": "pay", "arguments": {"amount": 9}}
    given = [{"role": "assistant", "parts": [{**part, "name": "'pay'", "id": "call_0"}]}]
    reading = told(
        "call llm",
        "chat",
        **{
            "gen_ai.input.messages": json.dumps(given),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [part]}]),
        },
    )
    proposed: dict[str, Any] = {"tool_name": "pay", "call_id": "call_1", "arguments": {"amount": 9}, "position": 0}
    assert reading.events == [Event(event="action.proposed", state="proposed", time_ns=5_000_001_000, **proposed)]


@pytest.mark.parametrize(
    ("event_name", "attributes", "content"),
    [
        ("human_feedback_requested", {"message": "delete it all?"}, "delete it all?"),
        ("human_feedback_received", {"feedback": "no", "outcome": "rejected"}, "rejected"),
        ("human_feedback_received", {"feedback": "no"}, "no"),
    ],
)
def test_a_persons_feedback_is_an_input_and_no_decision_on_a_call(
    event_name: str, attributes: dict[str, str], content: str
) -> None:
    """A step of a flow asks for it, not a tool call."""
    given = {f"crewai.human_feedback.{key}": value for key, value in attributes.items()}
    reading = told("x", None, **{"crewai.event_name": event_name}, **given)
    assert reading.events == [
        Event(event="input.resolved", state="other", time_ns=1_000, content=content, rule="human_feedback")
    ]
    assert told("x", None, **{"crewai.event_name": event_name}).events == []


@pytest.mark.parametrize(("success", "state"), [(True, "allow"), (False, "deny"), ("yes", "unknown")])
def test_a_guardrail_says_whether_a_tasks_result_passed(success: Any, state: str) -> None:
    """With its description for a name."""
    given = {"crewai.guardrail.success": success, "crewai.guardrail.description": "no names"}
    (event,) = told("evaluate guardrail", None, **given).events
    assert (event.event, event.state, event.decider) == ("policy.evaluated", state, "no names")


def test_through_openinference_the_agents_output_tells_of_calls_without_a_span() -> None:
    """The calls are repeated there; their answers are told only by what the next model call is given."""
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 9}'}}
    said = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": BLOCKED, "tool_call_id": "call_1", "name": "pay"},
    ]
    kind = {"openinference.span.kind": "AGENT", "graph.node.id": "clerk"}
    span = make_span(
        "clerk._execute_core", {**kind, "output.value": json.dumps({"messages": said})}, scope=OPENINFERENCE
    )
    reading = crewai.read(span)
    assert reading is not None
    assert [(event.event, event.state, event.tool_name, event.call_id, event.rule) for event in reading.events] == [
        ("action.proposed", "echoed", "pay", "call_1", None),
        ("tool.called", "refused", "pay", "call_1", "text:crewai_hook"),
    ]


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("Delegate work to coworker", "delegate_work_to_coworker"),
        ("ReadDB", "read_db"),
        ("read_db", "read_db"),
        ("π", "π"),
    ],
)
def test_a_tool_has_the_name_that_the_model_knows(name: str, known_as: str) -> None:
    """Its span has another: CrewAI gives the model names of small letters and `_`."""
    told = {KIND: "TOOL", "tool.name": name}
    names = []
    for read in (crewai.read, openinference.read):
        reading = read(make_span(name, told, scope=OPENINFERENCE))
        assert reading is not None
        names.append((reading.who.tool_name, reading.events[0].tool_name))
    assert names == [(known_as, known_as), (name, name)]


@pytest.mark.parametrize(
    "record",
    [
        make_span("call tool", {"gen_ai.operation.name": "execute_tool"}, scope="my.crewai"),
        make_span("call tool", {"crewai.event_name": "tool_failure_detected"}),
        make_span("x", {}, scope=OPENINFERENCE),
        make_log("x", RUN, scope="crewai"),
    ],
)
def test_records_of_others_are_left_to_others(record: Span) -> None:
    """Another scope, a span of OpenInference without a kind, and log records."""
    assert crewai.read(record) is None


KEYS = (
    KIND,
    "output.value",
    "gen_ai.operation.name",
    "gen_ai.tool.call.result",
    "crewai.event_name",
    "crewai.guardrail.success",
    "crewai.human_feedback.message",
)


@given(
    scope=st.sampled_from(["crewai", OPENINFERENCE]),
    attributes=st.dictionaries(
        st.sampled_from(KEYS),
        values | st.sampled_from(["execute_tool", "AGENT"]) | st.fixed_dictionaries({"messages": values}),
    ),
)
def test_no_span_makes_it_fail(scope: str, attributes: dict[str, Any]) -> None:
    """Whatever the attributes hold."""
    for name in ("evaluate guardrail", "call tool"):
        reading = crewai.read(make_span(name, attributes, scope=scope))
        assert (reading is None) == (scope == OPENINFERENCE and not isinstance(attributes.get(KIND), str))
