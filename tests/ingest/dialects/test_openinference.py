"""OpenInference spans become the events they state: tool spans carry no call id, the node above them does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import openinference
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.messages import instructions_digest, value_digest
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_log, make_span, read_recording, values

START_NS, END_NS = 1_000, 5_000_001_000
AGENTS_SCOPE = "openinference.instrumentation.openai_agents"
KINDS = ("LLM", "TOOL", "CHAIN", "AGENT", "GUARDRAIL", "RETRIEVER", "llm")
KEYS = (
    "input.value", "output.value", "metadata", "tool.name", "session.id", "llm.model_name",
    "llm.tools.0.tool.json_schema",
    "llm.input_messages.0.message.role", "llm.input_messages.0.message.content",
    "llm.input_messages.0.message.contents.0.message_content.text",
    "llm.input_messages.1.message.tool_call_id", "llm.input_messages.1.message.role",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id", "llm.token_count.prompt", "agent.name",
)  # fmt: skip


def tool(output: Any = None, *, scope: str = "", status: int = 0, **attributes: Any) -> Span:
    """The span of a call of the tool `pay`."""
    told: dict[str, Any] = {"openinference.span.kind": "TOOL", "tool.name": "pay", "input.value": '{"amount":900}'}
    if output is not None:
        told["output.value"] = output if isinstance(output, str) else json.dumps(output)
    return make_span("pay", {**told, **attributes}, scope=scope, status=status)


def raised(kind: str, text: str) -> Span:
    """The span of a call that ended in an exception."""
    span = tool(status=2)
    span.events = [SpanEvent("exception", 9, {"exception.type": kind, "exception.message": text})]
    return span


def called(span: Span) -> tuple[Any, ...]:
    """Event, state, call, decider, rule and reason of the one event of a span."""
    reading = openinference.read(span)
    assert reading is not None
    (event,) = reading.events
    return event.event, event.state, event.call_id, event.decided_by, event.rule, event.reason


def test_a_model_call_is_read_from_its_flattened_attributes() -> None:
    """In the order of their numbers, whatever the order of the attributes."""
    schema = '{"type":"function","function":{"name":"pay"}}'
    made = "llm.output_messages.0.message.tool_calls."
    span = make_span(
        "M",
        {
            "openinference.span.kind": "LLM",
            "metadata": '{"thread_id":"t-1","lc_agent_name":"dbbot"}',
            "llm.model_name": "m",
            "llm.token_count.prompt": 7,
            "llm.tools.0.tool.json_schema": schema,
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.text": "go",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be careful.",
            f"{made}1.tool_call.function.name": "mail",
            f"{made}0.tool_call.id": "c-1",
            f"{made}0.tool_call.function.name": "pay",
            f"{made}0.tool_call.function.arguments": '{"amount":900}',
            "llm.output_messages.0.message.role": "assistant",
        },
    )
    assert openinference.read(span) == Reading(
        dialect="openinference",
        who=Who(conversation_id="t-1", agent_name="dbbot", model="m", input_tokens=7,
                system_prompt_digest=instructions_digest("Be careful."), tool_names=["pay"],
                tools_digest=value_digest([json.loads(schema)])),
        operation="chat",
        events=[
            Event(event="input.resolved", state="system_prompt", time_ns=START_NS, content="Be careful."),
            Event(event="input.resolved", state="user_prompt", time_ns=START_NS, content="go"),
            Event(event="action.proposed", state="proposed", time_ns=END_NS, tool_name="pay", call_id="c-1",
                  arguments={"amount": 900}, position=0),
            Event(event="action.proposed", state="proposed", time_ns=END_NS, tool_name="mail", arguments={},
                  position=1),
        ],
    )  # fmt: skip


MESSAGE = {"type": "tool", "data": {"content": "paid", "tool_call_id": "c-1", "status": "success"}}
FAILED = {"type": "tool", "data": {"content": "no such account", "tool_call_id": "c-1", "status": "error"}}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (tool("paid"), ("tool.called", "completed", None, None, None, None)),
        (tool(MESSAGE), ("tool.called", "completed", "c-1", None, None, None)),
        (tool(FAILED), ("tool.called", "failed", "c-1", None, None, None)),
        (tool(), ("tool.called", "completed", None, None, None, None)),
        (tool(scope=AGENTS_SCOPE), ("tool.called", "entered", None, None, "null_output", None)),
        (raised("ValueError", "no such account"), ("tool.called", "failed", None, None, None, "no such account")),
        (raised("pydantic.ValidationError", "1 error"),
         ("tool.called", "invalid_arguments", None, None, "validation_error", "1 error")),
        (raised("langgraph.errors.GraphInterrupt", "()"),
         ("approval.requested", None, None, None, "graph_interrupt", None)),
        (raised("ToolException", "Tool execution was not approved."),
         ("tool.called", "refused", None, "human", "text:openai_rejected", "Tool execution was not approved.")),
    ],
    ids=["text", "message", "error message", "nothing", "OpenAI Agents without output", "exception", "validation",
         "interrupt", "refusal"],
)  # fmt: skip
def test_a_tool_span_says_what_became_of_its_call(span: Span, expected: tuple[Any, ...]) -> None:
    """As far as it does: an OpenAI Agents span without output may only wait for an approval."""
    assert called(span) == expected


def test_a_tool_that_stopped_to_ask_had_failed_before_in_vain() -> None:
    """What it raised and caught first is not what became of it."""
    span = raised("ConnectionError", "try again")
    span.events.append(SpanEvent("exception", 10, {"exception.type": "langgraph.errors.GraphInterrupt"}))
    assert called(span) == ("approval.requested", None, None, None, "graph_interrupt", None)


@pytest.mark.parametrize(("title", "state"), [("pay_args", "entered"), ("Payment", "completed")])
def test_a_tool_in_an_export_is_of_openai_agents_by_its_own_marks(title: str, state: str) -> None:
    """An export does not keep the scope."""
    schema = json.dumps({"title": title, "properties": {}})
    assert called(tool(scope=openinference.EXPORT, **{"tool.parameters": schema}))[1] == state
    assert called(tool(scope=openinference.EXPORT))[1] == "completed"


@pytest.mark.parametrize(("told", "agent"), [({"input.value": "refund 7"}, "refund-clerk"), ({}, None)])
def test_an_agent_at_the_root_of_an_export_keeps_its_name(told: dict[str, str], agent: str | None) -> None:
    """A workflow of OpenAI Agents has nothing but a name, which is no agent's."""
    attributes = {"openinference.span.kind": "AGENT", **told}
    reading = openinference.read(make_span("refund-clerk", attributes, scope=openinference.EXPORT))
    assert reading is not None
    assert reading.who.agent_name == agent


def test_dspy_has_the_name_of_a_tool_in_that_of_its_span() -> None:
    """And the arguments in those of the call of its wrapper."""
    told = {"openinference.span.kind": "TOOL", "input.value": '{"kwargs":{"amount":9}}', "output.value": '"paid"'}
    reading = openinference.read(make_span("pay.__call__", told, scope="openinference.instrumentation.dspy"))
    assert reading is not None
    assert [(event.tool_name, event.state, event.arguments) for event in reading.events] == [
        ("pay", "completed", {"amount": 9})
    ]


@pytest.mark.parametrize(
    ("scope", "state"),
    [
        ("openinference.instrumentation.autogen_agentchat", "unknown_tool"),
        ("openinference.instrumentation.x", "completed"),
    ],
)
def test_autogens_workbench_answers_for_a_tool_that_it_does_not_hold(scope: str, state: str) -> None:
    """The same words of anybody else's tool are its result."""
    assert called(tool("Error: tool 'pay' not found in any workbench", scope=scope))[1] == state


def test_a_hand_off_is_a_call_of_the_tool_that_the_model_named() -> None:
    """`handoff to billing agent` runs `transfer_to_billing_agent`."""
    span = make_span("handoff to Billing agent", {"openinference.span.kind": "TOOL", "output.value": "Billing agent"})
    reading = openinference.read(span)
    assert reading is not None
    assert [(event.tool_name, event.state, event.arguments) for event in reading.events] == [
        ("transfer_to_billing_agent", "completed", None)
    ]


def test_a_guardrail_was_passed_and_its_verdict_is_not_exported() -> None:
    """So it is unknown, and never an allowance."""
    reading = openinference.read(make_span("ig", {"openinference.span.kind": "GUARDRAIL"}))
    assert reading is not None
    assert reading.events == [
        Event(event="policy.evaluated", state="unknown", time_ns=START_NS, end_ns=END_NS, decided_by="guardrail",
              decider="ig", rule="guardrail_without_verdict")
    ]  # fmt: skip


def test_the_spans_of_a_recording_state_a_rejection_an_edit_and_an_unknown_tool() -> None:
    """LangChain's human in the loop; what only repeats is left out here."""
    told = []
    for record in read_recording("langchain", "openinference_reject_edit"):
        reading = openinference.read(record)
        assert reading is not None
        told += [
            (event.event, event.state, event.tool_name, event.call_id)
            for event in reading.events
            if event.event.startswith("approval.") or event.state in ("proposed", "completed", "unknown_tool")
        ]
    assert sorted(set(told), key=str) == [
        ("action.proposed", "proposed", "delete_db", "call_del1"),
        ("action.proposed", "proposed", "nope", "call_nope"),
        ("action.proposed", "proposed", "pay", "call_pay"),
        ("action.proposed", "proposed", "read_db", "call_read"),
        ("approval.modified", None, "pay", None),
        ("approval.rejected", None, None, None),
        ("approval.requested", None, "delete_db", None),
        ("approval.requested", None, "pay", None),
        ("tool.called", "completed", "pay", "call_pay"),
        ("tool.called", "completed", "read_db", "call_read"),
        ("tool.called", "unknown_tool", "nope", "call_nope"),
    ]


def test_records_of_others_are_left_to_them() -> None:
    """No kind, no reading; it sends no log records."""
    assert openinference.read(make_span("chat", {"gen_ai.operation.name": "chat"})) is None
    assert openinference.read(make_span("chat", {"openinference.span.kind": 3})) is None
    assert openinference.read(make_log("hello", {"openinference.span.kind": "LLM"})) is None


def test_a_span_of_pydantic_ai_stays_its_own_whatever_a_processor_adds() -> None:
    """Its own attributes alone tell that the tool only waits. A span without them is OpenInference's."""
    added = {"openinference.span.kind": "TOOL", "tool.name": "pay"}
    own = {"gen_ai.operation.name": "execute_tool", "pydantic_ai.tool.deferral.name": "ApprovalRequired"}
    span = make_span("execute_tool pay", {**own, **added}, scope="pydantic-ai")
    reading = dialects.read(span)
    assert (reading.dialect, [event.event for event in reading.events]) == ("genai", ["approval.requested"])
    assert dialects.read(make_span("pay", added, scope="pydantic-ai")).dialect == "openinference"


attributes = st.dictionaries(st.sampled_from(KEYS), values | values.map(repr), max_size=10)


@given(told=attributes, kind=st.sampled_from(KINDS), status=st.integers(0, 2), name=st.sampled_from(("tools", "M")))
def test_any_attributes_are_read_without_an_error(told: dict[str, Any], kind: str, status: int, name: str) -> None:
    """Whatever they hold."""
    span = make_span(name, {**told, "openinference.span.kind": kind}, status=status, scope=AGENTS_SCOPE)
    assert openinference.read(span) is not None


NODE_KEYS = ("messages", "data", "type", "resume", "decisions", "content", "tool_call_id", "role")
node_values = st.recursive(
    values | st.sampled_from(("human", "user", "tool", "tool_call")),
    lambda inner: st.dictionaries(st.sampled_from(NODE_KEYS), inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)


@pytest.mark.parametrize("data", ["x", 3, [1], None, {"content": 3}])
def test_a_message_without_a_text_is_no_prompt(data: Any) -> None:
    """Applications put what they like into their state."""
    given_messages = {"messages": [{"type": "human", "data": data}]}
    reading = openinference.read(
        make_span("dbbot", {"openinference.span.kind": "CHAIN", "input.value": given_messages})
    )
    assert reading is not None
    assert reading.events == []


@given(node_values)
def test_any_input_and_output_of_a_node_are_read_without_an_error(value: Any) -> None:
    """They are JSON of the application's own making."""
    told = {"openinference.span.kind": "CHAIN", "input.value": value, "output.value": value}
    for name in ("tools", "dbbot"):
        span = make_span(name, told)
        assert openinference.read(span) is not None
        span.parent_span_id = "0" * 15 + "2"
        assert openinference.read(span) is not None


SMOLAGENTS = "openinference.instrumentation.smolagents"


@pytest.mark.parametrize(
    ("given_value", "arguments"),
    [
        ('{"args": [], "sanitize_inputs_outputs": true, "kwargs": {"amount": 900}}', {"amount": 900}),
        ('{"args": [900], "sanitize_inputs_outputs": true, "kwargs": {}}', None),
        ('{"kwargs": {"amount": 900}}', {"kwargs": {"amount": 900}}),
    ],
)
def test_a_tool_of_smolagents_has_the_arguments_that_its_wrapper_was_given(
    given_value: str, arguments: dict[str, Any] | None
) -> None:
    """Those by position have no names; another's tool may have a parameter named `kwargs`."""
    reading = openinference.read(tool("paid", scope=SMOLAGENTS, **{"input.value": given_value}))
    assert reading is not None
    assert [event.arguments for event in reading.events] == [arguments]


@pytest.mark.parametrize(
    ("scope", "name", "key", "states"),
    [
        (SMOLAGENTS, "agent.step_recovery", "message", ["unknown_tool"]),
        (SMOLAGENTS, "exception", "exception.message", ["unknown_tool"]),
        ("another", "exception", "exception.message", []),
    ],
)
def test_a_step_of_smolagents_tells_of_a_tool_that_does_not_exist(
    scope: str, name: str, key: str, states: list[str]
) -> None:
    """Such a call has no span of its own."""
    events = [SpanEvent(name, 9, {key: "Unknown tool nope, should be one of: pay, final_answer."})]
    step = make_span("Step 2", {"openinference.span.kind": "CHAIN"}, scope=scope, events=events)
    step.parent_span_id = "0" * 15 + "2"
    reading = openinference.read(step)
    assert reading is not None
    assert [(event.state, event.tool_name) for event in reading.events] == [(state, "nope") for state in states]


def test_a_turn_of_openai_agents_tells_of_a_tool_that_does_not_exist() -> None:
    """In its status; the same words of another scope are somebody else's."""
    told = []
    for scope in ("openinference.instrumentation.openai_agents", "another"):
        turn = make_span("turn", {"openinference.span.kind": "CHAIN"}, scope=scope, status=2,
                         status_message="Tool not found: {'tool_name': 'nope'}")  # fmt: skip
        reading = openinference.read(turn)
        assert reading is not None
        told.append([(event.state, event.tool_name, event.position, event.rule) for event in reading.events])
    assert told == [[("unknown_tool", "nope", 0, "openai_turn")], []]


def test_an_agent_of_smolagents_names_its_tools() -> None:
    """A list of names, not of definitions."""
    attributes = {"openinference.span.kind": "AGENT", "smolagents.tools_names": ["pay", "final_answer"]}
    reading = openinference.read(make_span("ToolCallingAgent.run", attributes, scope=SMOLAGENTS))
    assert reading is not None
    assert reading.who.tool_names == ["pay", "final_answer"]
