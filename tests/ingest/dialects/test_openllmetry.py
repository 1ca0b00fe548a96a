"""OpenLLMetry's spans: the conventions' form and the flattened one, LangGraph's steps and the OpenAI Agents SDK's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import openllmetry
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.messages import instructions_digest, value_digest
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_log, make_span, read_recording, values

START_NS, END_NS = 1_000, 5_000_001_000
AGENTS_SDK = "opentelemetry.instrumentation.openai_agents"
THREAD = "traceloop.association.properties.thread_id"
KEYS = (
    "traceloop.span.kind", "traceloop.entity.name", "traceloop.entity.input", "traceloop.entity.output", THREAD,
    "traceloop.association.properties.langgraph_node", "gen_ai.operation.name", "gen_ai.input.messages",
    "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.result", "llm.request.type",
    "llm.request.functions.0.name", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.prompt.1.tool_call_id",
    "gen_ai.completion.0.role", "gen_ai.completion.0.tool_calls.0.name", "gen_ai.completion.0.tool_calls.0.arguments",
    "gen_ai.handoff.to_agent",
)  # fmt: skip
KINDS = ("workflow", "agent", "task", "tool", "handoff")


def read(span: Span) -> Reading:
    """The reading of a span that is this dialect's."""
    reading = openllmetry.read(span)
    assert reading is not None
    return reading


def test_a_flattened_model_call_is_read_from_its_attributes() -> None:
    """In the order of their numbers, whatever the order of the attributes."""
    made = "gen_ai.completion.0.tool_calls."
    span = make_span(
        "ChatOpenAI.chat",
        {
            THREAD: "t-1",
            "traceloop.association.properties.lc_agent_name": "dbbot",
            "llm.request.type": "chat",
            "gen_ai.request.model": "m",
            "gen_ai.response.model": "unknown",
            "gen_ai.usage.prompt_tokens": 7,
            "llm.request.functions.1.name": "mail",
            "llm.request.functions.0.name": "pay",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": '[{"type": "text", "text": "go"}]',
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be careful.",
            f"{made}1.name": "mail",
            f"{made}0.id": "c-1",
            f"{made}0.name": "pay",
            f"{made}0.arguments": '{"amount":900}',
            "gen_ai.completion.0.role": "assistant",
        },
    )
    assert read(span) == Reading(
        dialect="openllmetry",
        who=Who(conversation_id="t-1", agent_name="dbbot", model="m", input_tokens=7,
                system_prompt_digest=instructions_digest("Be careful."), tool_names=["pay", "mail"],
                tools_digest=value_digest(["pay", "mail"])),
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


def test_a_flattened_history_answers_its_calls() -> None:
    """By id, and without ids in their order."""
    calls = {"gen_ai.prompt.0.role": "assistant", "gen_ai.prompt.0.tool_calls.0.name": "pay"}
    refused = {"gen_ai.prompt.1.role": "tool", "gen_ai.prompt.1.content": "User rejected the tool call for `pay`"}
    ids = {"gen_ai.prompt.0.tool_calls.0.id": "c-1", "gen_ai.prompt.1.tool_call_id": "c-1"}
    for told, call_id in (({**calls, **refused}, None), ({**calls, **refused, **ids}, "c-1")):
        (answer,) = [e for e in read(make_span("chat", told)).events if e.event == "tool.called"]
        assert (answer.tool_name, answer.call_id, answer.state, answer.decided_by) == (
            "pay",
            call_id,
            "refused",
            "human",
        )


def tool(given: Any, output: Any = None, *, scope: str = "", status: int = 0, message: str = "") -> Span:
    """The span of a call of the tool `pay`."""
    told = {"traceloop.span.kind": "tool", "traceloop.entity.name": "pay", "traceloop.entity.input": json.dumps(given)}
    if output is not None:
        told["traceloop.entity.output"] = json.dumps(output)
    return make_span("pay.tool", told, scope=scope, status=status, status_message=message)


def message(content: str, status: str) -> dict[str, Any]:
    """What LangChain's callback is told of a tool's end."""
    told = {"content": content, "type": "tool", "name": "pay", "tool_call_id": "c-1", "status": status}
    return {"output": {"lc": 1, "type": "constructor", "id": ["ToolMessage"], "kwargs": told}, "kwargs": {}}


CALLBACK = {"input_str": "{'amount': 5}", "inputs": {"amount": 5}, "kwargs": {"tool_call_id": "c-1"}}
DECORATED = {"args": [], "kwargs": {"amount": 5}}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (tool(CALLBACK, message("paid", "success")), ("completed", "c-1", None, "paid")),
        (tool(CALLBACK, message("no account", "error")), ("failed", "c-1", None, "no account")),
        (tool(DECORATED, "paid"), ("completed", None, None, "paid")),
        (tool({"amount": 5}), ("completed", None, None, None)),
        (tool({"amount": 5}, scope=AGENTS_SDK), ("entered", None, "null_output", None)),
        (tool({"amount": 5}, "paid", scope=AGENTS_SDK), ("completed", None, None, "paid")),
        (tool({"amount": 5}, scope=AGENTS_SDK, status=2, message="boom"), ("failed", None, None, None)),
        (tool(CALLBACK, status=2, message="1 validation error for pay"),
         ("invalid_arguments", "c-1", "text:pydantic_invalid", None)),
    ],
    ids=["callback", "callback error", "decorator", "nothing", "OpenAI Agents without output", "OpenAI Agents",
         "OpenAI Agents error", "validation"],
)  # fmt: skip
def test_a_tool_span_says_what_became_of_its_call(span: Span, expected: tuple[Any, ...]) -> None:
    """As far as it does: an OpenAI Agents span without output may only wait for an approval."""
    reading = read(span)
    (event,) = reading.events
    assert (event.state, reading.who.call_id, event.rule, event.content) == expected
    assert (event.event, reading.who.tool_name, event.arguments) == ("tool.called", "pay", {"amount": 5})


def test_a_tool_span_without_any_content_says_even_less() -> None:
    """Its call may have run: nothing hints at an approval (TRACELOOP_TRACE_CONTENT=false)."""
    (event,) = read(tool({}, scope=AGENTS_SDK)).events
    assert (event.state, event.rule) == ("entered", "no_content")


def test_a_tool_that_interrupts_its_graph_asks() -> None:
    """The exception is none: the tool did not run yet."""
    span = tool(CALLBACK, status=2)
    span.events = [SpanEvent("exception", 9, {"exception.type": "langgraph.errors.GraphInterrupt"})]
    (event,) = read(span).events
    assert (event.event, event.state, event.rule) == ("approval.requested", None, "graph_interrupt")


def part(**fields: Any) -> dict[str, Any]:
    """A message of one part."""
    return {"role": "tool" if "response" in fields else "assistant", "parts": [fields]}


def test_an_item_id_in_the_input_names_no_call() -> None:
    """A turn of one call and one result needs none; in a longer one the repeated call is left to the analyzer."""
    paid = part(type="tool_call", id="fc_1", name="pay", arguments={"amount": 5})
    sent = part(type="tool_call", id="fc_2", name="mail", arguments={})
    results = [part(type="tool_call_response", id=f"call_{n}", response="done") for n in (2, 1)]
    told = []
    for history in ([paid, results[1]], [paid, sent, *results]):
        span = make_span("openai.response", {"gen_ai.input.messages": json.dumps(history)}, scope=AGENTS_SDK)
        told.append([(e.state, e.tool_name, e.call_id, e.rule) for e in read(span).events])
    assert told == [
        [("echoed", "pay", "call_1", None), ("answered", "pay", "call_1", None)],
        [("echoed", "mail", None, "item_id"), ("answered", None, "call_2", None), ("answered", None, "call_1", None)],
    ]


def test_a_proposal_under_an_item_id_names_no_call() -> None:
    """OpenAI's own client is instrumented beneath the SDK's spans."""
    made = {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.tool_calls.0.id": "fc_1",
            "gen_ai.completion.0.tool_calls.0.name": "pay", "llm.request.type": "chat"}  # fmt: skip
    (proposed,) = read(make_span("openai.response", made, scope="opentelemetry.instrumentation.openai.v1")).events
    assert (proposed.state, proposed.tool_name, proposed.call_id, proposed.rule) == ("proposed", "pay", None, "item_id")


def test_a_hand_off_that_names_its_agent_is_a_call() -> None:
    """Where the instrumentation does not know the agent, the result in the next input tells."""
    known = {"traceloop.span.kind": "handoff", "gen_ai.handoff.to_agent": "Billing agent"}
    (event,) = read(make_span("a → b.handoff", known, scope=AGENTS_SDK)).events
    assert (event.tool_name, event.state) == ("transfer_to_billing_agent", "completed")
    assert read(make_span("a → unknown.handoff", {"traceloop.span.kind": "handoff"}, scope=AGENTS_SDK)).events == []


def test_the_spans_of_a_recording_state_a_rejection_an_edit_and_an_unknown_tool() -> None:
    """LangChain's human in the loop; what only repeats is left out here."""
    told = []
    for record in read_recording("langchain", "openllmetry_reject_edit"):
        reading = openllmetry.read(record)
        for event in reading.events if reading is not None else []:
            if event.event.startswith("approval.") or event.state in ("proposed", "completed", "unknown_tool"):
                call_id = event.call_id or (reading.who.call_id if reading is not None else None)
                told.append((event.event, event.state, event.tool_name, call_id, event.position))
    assert sorted(set(told), key=repr) == sorted(
        {
            ("action.proposed", "proposed", "read_db", "call_read", 0),
            ("action.proposed", "proposed", "delete_db", "call_del1", 1),
            ("action.proposed", "proposed", "pay", "call_pay", 2),
            ("action.proposed", "proposed", "nope", "call_nope", 0),
            ("approval.requested", None, "delete_db", None, 0),
            ("approval.requested", None, "pay", None, 1),
            ("approval.rejected", None, None, None, 0),
            ("approval.modified", None, "pay", None, 1),
            ("tool.called", "completed", None, "call_read", None),
            ("tool.called", "completed", None, "call_pay", None),
            ("tool.called", "unknown_tool", "nope", "call_nope", None),
        },
        key=repr,
    )


def test_records_of_others_are_left_alone() -> None:
    """The conventions' own, OpenInference's, and any log."""
    for attributes in ({"gen_ai.operation.name": "chat"}, {"openinference.span.kind": "LLM"}, {"gen_ai.prompt": "{}"}):
        assert openllmetry.read(make_span("chat", attributes)) is None
    assert openllmetry.read(make_span("chat m", {"gen_ai.operation.name": "chat"}, scope=AGENTS_SDK)) is None
    assert openllmetry.read(make_log("x", {"traceloop.span.kind": "tool"})) is None


def test_a_span_of_another_instrumentation_stays_its_own_whatever_the_sdk_adds() -> None:
    """Traceloop's SDK names workflow and thread on every span of the program; a call that waits still waits."""
    stamped = {THREAD: "t-1", "traceloop.workflow.name": "shop"}
    own = {"gen_ai.operation.name": "execute_tool", "pydantic_ai.tool.deferral.name": "ApprovalRequired"}
    reading = dialects.read(make_span("execute_tool pay", {**own, **stamped}, scope="pydantic-ai"))
    assert (reading.dialect, [event.event for event in reading.events]) == ("genai", ["approval.requested"])
    ours = make_span("step", stamped, scope="opentelemetry.instrumentation.langchain")
    assert dialects.read(ours).dialect == "openllmetry"


@given(
    attributes=st.dictionaries(st.sampled_from(KEYS), values | st.sampled_from(KINDS), max_size=10),
    name=st.sampled_from(("openai.response", "tools")),
    scope=st.sampled_from(("", AGENTS_SDK)),
)
def test_any_attributes_are_read_without_an_error(attributes: dict[str, Any], name: str, scope: str) -> None:
    """Whatever they hold."""
    reading = openllmetry.read(make_span(name, attributes, scope=scope, status=2))
    assert reading is None or reading.dialect == "openllmetry"


@given(value=values)
def test_any_messages_are_read_without_an_error(value: Any) -> None:
    """Also where their parts are nonsense."""
    history = [{"role": "assistant", "parts": [{"type": "tool_call", "id": value, "name": value}]}, value]
    answered = [*history, {"role": "tool", "parts": [{"type": "tool_call_response", "id": value, "response": value}]}]
    openllmetry.read(make_span("openai.response", {"gen_ai.input.messages": answered}, scope=AGENTS_SDK))
