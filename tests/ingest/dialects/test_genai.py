"""GenAI spans become the events they state: a span named `execute_tool` does not prove that the tool ran."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import genai
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.messages import instructions_digest, value_digest
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_log, make_span, read_recording, values

START_NS, END_NS = 1_000, 5_000_001_000
KEYS = (
    "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
    "gen_ai.tool.definitions", "gen_ai.agent.name", "gen_ai.request.model", "gen_ai.usage.input_tokens",
    "pydantic_ai.tool.deferral.name", "pydantic_ai.tool.deferral.metadata", "pydantic_ai.all_messages",
    "model_request_parameters", "final_result", "error.type", "tool_response", "mcp.method.name", "event.name",
)  # fmt: skip
OPERATIONS = ("chat", "execute_tool", "invoke_agent", "generate_content", "embeddings")


def tool(result: Any = None, *, status: int = 0, **attributes: Any) -> Span:
    """The span of a call `c-1` of the tool `pay`."""
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1"}
    if result is not None:
        told["gen_ai.tool.call.result"] = result
    more = {key.replace("__", "."): value for key, value in attributes.items()}
    return make_span("execute_tool pay", {**told, **more}, status=status)


def called(span: Span) -> tuple[Any, ...]:
    """Event, state, basis, decider, rule and reason of the one event of a span."""
    reading = genai.read(span)
    assert reading is not None
    (event,) = reading.events
    return event.event, event.state, event.basis, event.decided_by, event.rule, event.reason


def raised(kind: str, text: str) -> Span:
    """The span of a call that ended in an exception."""
    span = tool(status=2)
    span.events = [SpanEvent("exception", 9, {"exception.type": kind, "exception.message": text})]
    return span


def test_a_model_call_states_what_it_was_told_and_what_it_proposed() -> None:
    """With its identity, the system prompt where the conversation opens, and the tools it could call."""
    tools = [{"name": "pay"}, {"name": "mail"}]
    span = make_span(
        "chat m",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.conversation.id": "s-1",
            "gen_ai.agent.name": "clerk",
            "gen_ai.request.model": "m",
            "gen_ai.response.model": "m-1",
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.system_instructions": '[{"type":"text","content":"Be careful."}]',
            "gen_ai.tool.definitions": json.dumps(tools),
            "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"pay Ana"}]}]',
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c-1", "name": "pay", "arguments": {}}]}]
            ),
        },
    )
    assert genai.read(span) == Reading(
        dialect="genai",
        who=Who(conversation_id="s-1", agent_name="clerk", model="m", model_served="m-1", input_tokens=7,
                system_prompt_digest=instructions_digest("Be careful."), tool_names=["pay", "mail"],
                tools_digest=value_digest(tools)),
        operation="chat",
        events=[
            Event(event="input.resolved", state="system_prompt", time_ns=START_NS, content="Be careful."),
            Event(event="input.resolved", state="user_prompt", time_ns=START_NS, content="pay Ana"),
            Event(event="action.proposed", state="proposed", time_ns=END_NS, tool_name="pay", call_id="c-1",
                  arguments={}, position=0),
        ],
    )  # fmt: skip


@pytest.mark.parametrize("as_log", [False, True])
def test_a_system_prompt_may_stand_at_the_head_of_the_messages(as_log: bool) -> None:
    """OpenTelemetry's instrumentation of LangChain writes it there, in spans and in log records."""
    given = [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "clean up"}]},
    ]
    told = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": given if as_log else json.dumps(given)}
    named = {**told, "event.name": "gen_ai.client.inference.operation.details"}
    reading = genai.read(make_log({}, named) if as_log else make_span("chat m", told))
    assert reading is not None
    assert reading.who.system_prompt_digest == instructions_digest("Be brief.")
    assert [(event.state, event.content) for event in reading.events] == [
        ("system_prompt", "Be brief."),
        ("user_prompt", "clean up"),
    ]


@pytest.mark.parametrize(
    ("scope", "attributes", "expected"),
    [
        ("gen_ai", {}, ("cancelled", "inferred", "human_or_program", "cut_off")),
        ("gen_ai", {"gen_ai.execute_tool.duration": 0.2}, ("completed", "explicit", None, None)),
        ("gen_ai", {"gen_ai.tool.call.result": "paid"}, ("completed", "explicit", None, None)),
        ("shop", {}, ("completed", "explicit", None, None)),
    ],
)
def test_a_span_that_ends_with_its_stream_and_not_with_its_tool_is_cut_off(
    scope: str, attributes: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    """AI SDK 7 closes what is open when a stream is aborted, and says how long a tool took once it has ended."""
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "gen_ai.tool.type": "function"}
    reading = genai.read(make_span("execute_tool pay", {**told, **attributes}, scope=scope))
    assert reading is not None
    assert [(e.state, e.basis, e.decided_by, e.rule) for e in reading.events] == [expected]


def test_a_tool_span_with_a_result_is_an_execution() -> None:
    """With what it was given and what it returned."""
    span = tool("paid", **{"gen_ai.tool.call.arguments": '{"amount":900}'})
    assert genai.read(span) == Reading(
        dialect="genai",
        who=Who(tool_name="pay", call_id="c-1"),
        operation="execute_tool",
        events=[Event(event="tool.called", state="completed", time_ns=START_NS, end_ns=END_NS,
                      arguments={"amount": 900}, content="paid")],
    )  # fmt: skip


REFUSAL = "User rejected the tool call for `pay`"


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (tool("row"), ("tool.called", "completed", "explicit", None, None, None)),
        (tool(REFUSAL), ("tool.called", "completed", "explicit", None, None, None)),
        (tool({"error": "The tool call was denied."}),
         ("tool.called", "refused", "inferred", "human", "text:pydantic_denied", "The tool call was denied.")),
        (raised("ValueError", "no such account"),
         ("tool.called", "failed", "explicit", None, None, "no such account")),
        (raised("pydantic_core.ValidationError", "1 error"),
         ("tool.called", "invalid_arguments", "explicit", None, "validation_error", "1 error")),
        (raised("asyncio.exceptions.CancelledError", "stopped"),
         ("tool.called", "cancelled", "explicit", "human_or_program", "task_cancelled", "stopped")),
        (raised("AbortError", "stopped"),
         ("tool.called", "cancelled", "explicit", "human_or_program", "aborted", "stopped")),
        (raised("TimeoutError", "The operation was aborted due to timeout"),
         ("tool.called", "cancelled", "explicit", "human_or_program", "aborted",
          "The operation was aborted due to timeout")),
        (raised("TimeoutError", "timed out"), ("tool.called", "failed", "explicit", None, None, "timed out")),
        (raised("langgraph.errors.GraphInterrupt", "()"),
         ("approval.requested", None, "explicit", None, "deferral", None)),
        (tool(status=2, error__type="403"), ("tool.called", "refused", "explicit", "target", "target_status", None)),
        (tool(status=2, error__type="denied"), ("tool.called", "refused", "explicit", "policy", "error_type", None)),
        (tool(status=2, error__type="tool_not_found"),
         ("tool.called", "unknown_tool", "explicit", None, "error_type", None)),
        (tool(pydantic_ai__tool__deferral__name="ApprovalRequired",
              pydantic_ai__tool__deferral__metadata='{"reason":"amount>100"}'),
         ("approval.requested", None, "explicit", None, "deferral", "amount>100")),
        (tool(pydantic_ai__tool__deferral__name="CallDeferred"),
         ("tool.called", "entered", "explicit", None, "deferral", None)),
        (tool(pydantic_ai__tool__failure_stage="validation"),
         ("tool.called", "invalid_arguments", "explicit", None, "validation_stage", None)),
    ],
    ids=["result", "result that quotes", "error text", "exception", "validation", "cancelled", "aborted", "out of time",
         "late", "interrupt", "403",
         "denied", "not found", "approval", "deferred", "stage"],
)  # fmt: skip
def test_a_tool_span_says_what_became_of_its_call(span: Span, expected: tuple[Any, ...]) -> None:
    """Event, state, basis, who decided, the rule, the reason."""
    assert called(span) == expected


@pytest.mark.parametrize("key", ["gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"])
def test_a_tool_span_without_an_operation_is_taken_for_one(key: str) -> None:
    """By what only the call of a tool has; a name alone, as on an HTTP request that it makes, is none."""
    reading = genai.read(make_span("pay", {"gen_ai.tool.name": "pay", key: "x"}))
    assert reading is not None
    assert [(event.state, event.basis) for event in reading.events] == [("completed", "inferred")]
    named = genai.read(make_span("POST", {"gen_ai.tool.name": "pay"}))
    assert named is not None
    assert named.events == []


def test_a_tool_span_that_is_still_open_has_only_begun() -> None:
    """Exported before its end."""
    span = tool()
    span.end_ns = 0
    assert called(span) == ("tool.called", "started", "explicit", None, None, None)


def test_a_span_that_tells_of_a_call_a_second_time_states_nothing() -> None:
    """ADK's span over several tools."""
    merged = make_span("execute_tool", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "(merged tools)"})
    reading = genai.read(merged)
    assert reading is not None
    assert (reading.operation, reading.events, reading.who.tool_name) == ("execute_tool", [], None)


STATED = {
    ("pydantic-ai", "v5_deny_approve"): [
        ("call_read", "tool.called", "completed", None),
        ("call_pay", "approval.requested", None, "deferral"),
        ("call_pay", "tool.called", "completed", None),
        ("call_bad", "tool.called", "invalid_arguments", "validation_stage"),
    ],
}


@pytest.mark.parametrize(("emitter", "case"), STATED)
def test_the_tool_spans_of_a_recording_state_what_happened(emitter: str, case: str) -> None:
    """Pydantic AI and Google ADK open one for a call that only waits."""
    told = []
    for record in read_recording(emitter, case):
        reading = genai.read(record)
        if reading is not None and reading.operation == "execute_tool":
            told += [(reading.who.call_id, event.event, event.state, event.rule) for event in reading.events]
    assert told == STATED[emitter, case]


def test_a_tool_says_by_its_kind_what_becomes_of_its_calls() -> None:
    """Pydantic AI lists the kinds in the parameters of the model call, with content and without."""
    kinds = {"pay": "unapproved", "read": "function", "render": "external"}
    functions = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    parameters = {"function_tools": functions, "output_tools": [{"name": "close", "kind": "output"}]}
    calls = [{"type": "tool_call", "id": name, "name": name} for name in (*kinds, "close")]
    made = [{"role": "assistant", "parts": calls}]
    told = genai.model_call_events({"gen_ai.output.messages": made, "model_request_parameters": parameters}, 1, 2)
    assert [(event.tool_name, event.attributes) for event in told] == [
        ("pay", {"needs_approval": True}),
        ("read", {}),
        ("render", {"handed_back": True}),
        ("close", {"gives_result": True}),
    ]


def test_a_deferred_call_is_handed_to_whoever_runs_the_agent() -> None:
    """Pydantic AI's `CallDeferred`: its body was entered and gave no result."""
    reading = genai.read(tool(pydantic_ai__tool__deferral__name="CallDeferred"))
    assert reading is not None
    assert [event.attributes for event in reading.events] == [{"handed_back": True}]


@pytest.mark.parametrize("listed", [None, 3, True, "pay", {"pay": 1}, [None, 3, "pay", {}]])
def test_odd_parameters_of_a_model_call_guard_nothing(listed: Any) -> None:
    """They are the sender's."""
    made = [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c-1", "name": "pay"}]}]
    told = {"gen_ai.output.messages": made, "model_request_parameters": {"function_tools": listed}}
    assert [event.attributes for event in genai.model_call_events(told, 1, 2)] == [{}]


def test_the_deprecated_log_events_are_read() -> None:
    """`gen_ai.choice` proposes, `gen_ai.tool.message` answers; Semantic Kernel makes a text of the body."""
    choice = make_log({"message": {"tool_calls": [{"id": "c-1", "function": {"name": "pay", "arguments": "{}"}}]}},
                      {"event.name": "gen_ai.choice"})  # fmt: skip
    answer = make_log({"id": "c-1", "content": "paid"}, {"event.name": "gen_ai.tool.message"})
    as_text = make_log('{"role":"tool","content":"paid","tool_call_id":"c-1"}', {"event.name": "gen_ai.tool.message"})
    readings = [genai.read(log) for log in (choice, answer, as_text)]
    assert [reading and [(e.event, e.state, e.call_id, e.time_ns) for e in reading.events] for reading in readings] == [
        [("action.proposed", "proposed", "c-1", 9_000_000_000)],
        [("tool.called", "answered", "c-1", 9_000_000_000)],
        [("tool.called", "answered", "c-1", 9_000_000_000)],
    ]


def test_records_of_others_are_left_to_them() -> None:
    """No `gen_ai.*`, no reading."""
    assert genai.read(make_span("GET /", {"http.method": "GET"})) is None
    assert genai.read(make_log("hello", {"event.name": "click"})) is None


attributes = st.dictionaries(st.sampled_from(KEYS), values | st.sampled_from(OPERATIONS), max_size=10)


@given(told=attributes, operation=st.sampled_from(OPERATIONS), body=values, status=st.integers(0, 2))
def test_any_attributes_are_read_without_an_error(told: dict[str, Any], operation: str, body: Any, status: int) -> None:
    """Whatever they hold, on spans and on log records."""
    assert genai.read(make_span("work", {**told, "gen_ai.operation.name": operation}, status=status)) is not None
    for name in ("gen_ai.choice", "gen_ai.tool.message", "gen_ai.client.inference.operation.details"):
        assert genai.read(make_log(body, {**told, "event.name": name})) is not None
