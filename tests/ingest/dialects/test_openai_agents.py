"""OpenTelemetry's own instrumentations of the OpenAI Agents SDK: calls rendered as text, spans that prove nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import openai_agents, openllmetry, read
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, values

NEW = "opentelemetry.instrumentation.genai.openai_agents"
OLD = "opentelemetry.instrumentation.openai_agents"
EVERYWHERE = {"gen_ai.agent.name": "OpenAI Agent", "gen_ai.agent.id": "agent"}
"""What the older one writes on the spans of every agent."""
PAY = {"tool_name": "pay", "call_id": "call_1", "arguments": {"amount": 9}}
OBJECT = (
    "ResponseFunctionToolCall(arguments='{\"amount\": 9}', call_id='call_1', name='pay', type='function_call', "
    "id='fc_1', caller=None, status='completed')"
)
MESSAGE = (
    "{'content': None, 'role': 'assistant', 'tool_calls': [{'id': 'call_1', 'function': {'arguments': "
    "'{\"amount\": 9}', 'name': 'pay'}, 'type': 'function'}]}"
)


def spoken(*texts: str) -> str:
    """The model's output as the older one writes it: each of its items as a text."""
    return json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text} for text in texts]}])


def told(operation: str, *, scope: str = OLD, status: int = 0, **attributes: Any) -> Reading:
    """The reading of a span of that operation."""
    given = {f"gen_ai.{key}": value for key, value in attributes.items()}
    span = make_span(operation, {"gen_ai.operation.name": operation, **EVERYWHERE, **given}, scope=scope, status=status)
    reading = openai_agents.read(span)
    assert reading is not None
    return reading


@pytest.mark.parametrize("rendered", [OBJECT, MESSAGE])
def test_a_proposal_is_read_out_of_its_rendering_as_text(rendered: str) -> None:
    """Of the Responses API and of the chat completions; the constant agent is nobody's name."""
    reading = told("chat", **{"output.messages": spoken(rendered, "and then I am done")})
    assert reading == Reading(
        dialect="openai_agents",
        who=Who(),
        operation="chat",
        events=[Event(event="action.proposed", state="proposed", time_ns=5_000_001_000, position=0, **PAY)],
    )


@pytest.mark.parametrize(
    "text",
    [
        "I would call ResponseFunctionToolCall(name='pay')",
        OBJECT[:-1],
        "ResponseFunctionToolCall(" * 9_000,
        "{'tool_calls': " + "[" * 9_000,
        "{'tool_calls': __import__('os')}",
        "{'tool_calls': 7}",
        "x" * 70_000,
    ],
)
def test_what_is_no_rendering_of_a_call_proposes_nothing(text: str) -> None:
    """Nothing is ever run of it; the last two are too long and not of its form."""
    assert told("chat", **{"output.messages": spoken(text)}).events == []


@pytest.mark.parametrize(
    ("attributes", "status", "state"),
    [
        ({"tool.call.arguments": '{"amount": 9}'}, 0, ("entered", "null_output")),
        ({}, 0, ("entered", "no_content")),
        ({"tool.call.result": "paid"}, 0, ("completed", None)),
        ({}, 2, ("failed", None)),
    ],
)
@pytest.mark.parametrize("scope", [OLD, NEW])
def test_a_tool_span_without_a_result_may_only_wait(
    scope: str, attributes: dict[str, Any], status: int, state: tuple[str, str | None]
) -> None:
    """One with its result ran, and one that failed did."""
    reading = told("execute_tool", scope=scope, status=status, **{"tool.name": "pay"}, **attributes)
    assert [(event.state, event.rule) for event in reading.events] == [state]


@pytest.mark.parametrize(("triggered", "state"), [(True, "deny"), (False, "allow"), (None, "unknown")])
def test_a_guardrail_says_whether_it_tripped(triggered: bool | None, state: str) -> None:
    """By its name."""
    reading = told("guardrail_check", **{"guardrail.name": "no secrets", "guardrail.triggered": triggered})
    assert [(reading.operation, event.state, event.decider, event.decided_by) for event in reading.events] == [
        ("guardrail", state, "no secrets", "guardrail")
    ]


def test_a_handoff_is_the_tool_call_by_which_the_model_asked_for_it() -> None:
    """One without a target is none."""
    (event,) = told("agent_handoff", **{"handoff.to_agent": "Help Desk"}).events
    assert (event.state, event.tool_name) == ("completed", "transfer_to_help_desk")
    assert told("agent_handoff").events == []


def test_an_agents_own_span_names_it() -> None:
    """The newer one has the name on no other span."""
    assert told("invoke_agent", **{"agent.name": "clerk"}).who == Who(agent_name="clerk")
    assert told("execute_tool", scope=NEW, **{"agent.name": "clerk"}).who.agent_name == "clerk"


def test_openllmetry_has_the_same_scope_and_reads_its_own() -> None:
    """By the mark on its spans, and the name of its model calls."""
    marked = make_span("pay.tool", {"traceloop.span.kind": "tool", "gen_ai.tool.name": "pay"}, scope=OLD)
    chat = make_span("openai.response", {"gen_ai.operation.name": "chat"}, scope=OLD)
    assert [openai_agents.read(span) for span in (marked, chat)] == [None, None]
    assert [read(span).dialect for span in (marked, chat)] == [openllmetry.NAME] * 2


@pytest.mark.parametrize(
    "record",
    [
        make_span("execute_tool pay", {"gen_ai.operation.name": "execute_tool"}),
        make_span("GET /", {"http.request.method": "GET"}, scope=NEW),
        make_log("x", {"gen_ai.operation.name": "chat"}, scope=NEW),
    ],
)
def test_records_of_others_are_left_to_others(record: Span) -> None:
    """Another scope, no word of GenAI, and log records, which are read by the standard names."""
    assert openai_agents.read(record) is None


@given(
    operation=st.sampled_from(["chat", "execute_tool", "guardrail_check", "agent_handoff", "invoke_agent"]) | values,
    attributes=st.dictionaries(
        st.sampled_from(["gen_ai.output.messages", "gen_ai.tool.call.result", "gen_ai.handoff.to_agent"]),
        values | st.text(max_size=40).map(lambda text: spoken(f"ResponseFunctionToolCall({text})", f"{{'{text}")),
    ),
)
def test_no_span_makes_it_fail(operation: Any, attributes: dict[str, Any]) -> None:
    """Whatever the attributes hold."""
    span = make_span("x", {**attributes, "gen_ai.operation.name": operation}, scope=OLD)
    assert openai_agents.read(span) is not None
