"""The AI SDK's spans become the events they state; what a resumed agent was given tells who let a call pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import ai_sdk
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_log, make_span, named, read_recording, values

MODEL_CALL = "ai.generateText.doGenerate"
AGENT = "ai.generateText"
TOOLS = ["read_db", "delete_db", "pay", "client_tool"]
KEYS = (
    "ai.prompt", "ai.prompt.messages", "ai.prompt.tools", "ai.response.toolCalls", "ai.response.finishReason",
    "ai.response.providerMetadata", "ai.telemetry.functionId", "ai.telemetry.metadata.sessionId", "ai.toolCall.name",
    "ai.toolCall.id", "ai.toolCall.args", "ai.toolCall.result", "ai.model.id", "ai.usage.inputTokens", "session.id",
)  # fmt: skip

USER = {"role": "user", "content": [{"type": "text", "text": "go"}]}
CALLS = {
    "role": "assistant",
    "content": [{"type": "tool-call", "toolCallId": "c-1", "toolName": "pay", "input": {"amount": 9}}],
}


def dbbot(**changes: Any) -> Who:
    """Who acts in the recordings, with what one record adds."""
    who = Who(conversation_id="s1", agent_name="dbbot", user_id="u1")
    for name, value in changes.items():
        setattr(who, name, value)
    return who


def readings(case: str, name: str) -> list[Reading]:
    """The readings of all spans of one name."""
    found = [ai_sdk.read(record) for record in named(read_recording("ai-sdk-6", case), name)]
    return [reading for reading in found if reading is not None]


def answered(content: list[dict[str, Any]]) -> dict[str, Any]:
    """A message of tool results."""
    return {"role": "tool", "content": content}


def result(output: Any, **changes: Any) -> dict[str, Any]:
    """The result of the call `c-1`."""
    return {"type": "tool-result", "toolCallId": "c-1", "toolName": "pay", "output": output, **changes}


def model_call(messages: list[dict[str, Any]], **attributes: Any) -> Span:
    """A model call that was given these messages."""
    told = {"ai.operationId": MODEL_CALL, "ai.prompt.messages": json.dumps(messages), **attributes}
    return make_span(MODEL_CALL, told, scope="ai")


def agent(messages: list[dict[str, Any]], **attributes: Any) -> Span:
    """An agent that was given these messages."""
    return make_span(
        AGENT, {"ai.operationId": AGENT, "ai.prompt": json.dumps({"messages": messages}), **attributes}, scope="ai"
    )


def called(span: Span) -> list[tuple[str | None, str, str | None, str | None]]:
    """State, basis, decider and rule of each `tool.called` that a span states."""
    reading = ai_sdk.read(span)
    assert reading is not None
    return [
        (event.state, event.basis, event.decided_by, event.rule)
        for event in reading.events
        if event.event == "tool.called"
    ]


def test_a_tool_span_is_a_call_that_ran() -> None:
    """Name, id, arguments and result are its own."""
    assert readings("pending", "ai.toolCall") == [
        Reading(
            dialect="ai_sdk",
            who=dbbot(tool_name="read_db", call_id="call_read"),
            operation="execute_tool",
            events=[
                Event(
                    event="tool.called",
                    state="completed",
                    time_ns=1795248390502000000,
                    end_ns=1795248390502614876,
                    arguments={"q": "a"},
                    content='"row"',
                )
            ],
        )
    ]


def test_a_model_call_states_its_models_tools_tokens_and_proposals() -> None:
    """Also of tools that do not exist, and of those that no span will tell of."""
    (chat,) = readings("pending", MODEL_CALL)
    assert (chat.operation, chat.who.model, chat.who.model_served) == ("chat", "mock-model-id", "fake-served")
    assert (chat.who.input_tokens, chat.who.output_tokens, chat.who.tool_names) == (11, 7, TOOLS)
    assert [(event.event, event.state, event.tool_name, event.call_id, event.arguments) for event in chat.events] == [
        ("input.resolved", "system_prompt", None, None, None),
        ("input.resolved", "user_prompt", None, None, None),
        ("action.proposed", "proposed", "read_db", "call_read", {"q": "a"}),
        ("action.proposed", "proposed", "delete_db", "call_del1", {"q": "b"}),
        ("action.proposed", "proposed", "pay", "call_pay", {"amount": 900}),
        ("action.proposed", "proposed", "client_tool", "call_client", {}),
        ("action.proposed", "proposed", "nope", "call_nope", {}),
    ]
    assert [event.content for event in chat.events[:2]] == ["You are careful.", "go"]


def test_an_agent_that_ends_with_open_calls_hands_them_back() -> None:
    """To a person or to its client: which, nothing tells. Its tokens are its model calls'."""
    (root,) = readings("pending", AGENT)
    assert (root.operation, root.who.input_tokens, root.who.output_tokens) == ("invoke_agent", None, None)
    assert [(event.event, event.state, event.call_id, event.attributes) for event in root.events] == [
        ("action.proposed", "echoed", call_id, {"handed_back": True})
        for call_id in ("call_read", "call_del1", "call_pay", "call_client", "call_nope")
    ]


def test_an_agent_that_ends_otherwise_hands_nothing_back() -> None:
    """The control: it stopped because it was done."""
    assert [event for event in readings("reject_approve", AGENT)[1].events if event.state == "echoed"] == [
        Event(
            event="action.proposed",
            state="echoed",
            time_ns=1795248385047000000,
            tool_name=name,
            call_id=call_id,
            arguments=arguments,
            position=position,
        )
        for position, (name, call_id, arguments) in enumerate(
            [
                ("read_db", "call_read", {"q": "a"}),
                ("delete_db", "call_del1", {"q": "b"}),
                ("pay", "call_pay", {"amount": 900}),
                ("client_tool", "call_client", {}),
                ("nope", "call_nope", {}),
            ]
        )
    ]


def test_a_resumed_agent_tells_who_was_asked_and_what_they_answered() -> None:
    """The response names the request, and the request the call."""
    events = [event for event in readings("reject_approve", AGENT)[1].events if event.event.startswith("approval.")]
    asked = {"time_ns": 1795248385047000000, "tool_name": "delete_db", "call_id": "call_del1"}
    paid = {"time_ns": 1795248385047000000, "tool_name": "pay", "call_id": "call_pay"}
    first, second = "aitxt-TcTb8CPrHRDEoY9oTivIEwmy", "aitxt-NeowmewbfLiqRjGo8RVEJOLH"
    by_a_person: dict[str, Any] = {"decided_by": "human", "identity": "inferred"}
    assert events == [
        Event(event="approval.requested", arguments={"q": "b"}, group=first, rule="replayed_ask", **asked),
        Event(event="approval.rejected", group=first, reason="not on prod", **by_a_person, **asked),
        Event(event="approval.requested", arguments={"amount": 900}, group=second, rule="replayed_ask", **paid),
        Event(event="approval.granted", group=second, reason="ok by alice", **by_a_person, **paid),
    ]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"type": "text", "value": "paid"}, ("answered", "inferred", None, None)),
        ({"type": "json", "value": {"ok": True}}, ("answered", "inferred", None, None)),
        ({"type": "json", "value": {"denied": True}}, ("answered", "inferred", None, None)),
        ({"type": "content", "value": [{"type": "text", "text": "paid"}]}, ("answered", "inferred", None, None)),
        ({"type": "error-text", "value": "no such account"}, ("failed", "inferred", None, None)),
        ({"type": "error-json", "value": {"code": 7}}, ("failed", "inferred", None, None)),
        ({"type": "execution-denied", "reason": "no"}, ("refused", "explicit", "human", "denied_response")),
        (
            {"type": "error-text", "value": "Model tried to call unavailable tool 'pay'. Available tools: a."},
            ("unknown_tool", "inferred", None, "text:no_such_tool"),
        ),
        (
            {"type": "error-text", "value": "AI_NoSuchToolError: Model tried to call unavailable tool 'pay'."},
            ("unknown_tool", "inferred", None, "text:no_such_tool"),
        ),
        (
            {"type": "error-text", "value": "Invalid input for tool pay: Type validation failed: Value: {}."},
            ("invalid_arguments", "inferred", None, "text:sdk_invalid"),
        ),
        (
            {
                "type": "error-text",
                "value": "AI_InvalidToolInputError: Invalid input for tool pay",
            },
            ("invalid_arguments", "inferred", None, "text:sdk_invalid"),
        ),
    ],
)
def test_every_kind_of_result_has_its_meaning(output: Any, expected: tuple[Any, ...]) -> None:
    """A tool's own JSON is no refusal, whatever its keys."""
    assert called(model_call([USER, CALLS, answered([result(output)])])) == [expected]


def test_results_of_version_4_are_read() -> None:
    """They have no `output`, and arguments instead of an input."""
    old_call = {"type": "tool-call", "toolCallId": "c-1", "toolName": "pay", "args": {"amount": 9}}
    ran = {"type": "tool-result", "toolCallId": "c-1", "toolName": "pay", "result": "paid"}
    failed = {**ran, "result": "no such account", "isError": True}
    asked = [USER, {"role": "assistant", "content": [old_call]}]
    assert called(model_call([*asked, answered([ran])])) == [("answered", "inferred", None, None)]
    assert called(model_call([*asked, answered([failed])])) == [("failed", "inferred", None, None)]


def test_what_earlier_turns_were_answered_is_not_told_again() -> None:
    """A new turn in a trace without a conversation would have their calls as its own."""
    done = {"role": "assistant", "content": [{"type": "text", "text": "done"}]}
    ran = answered([result({"type": "text", "value": "paid"})])
    assert called(model_call([USER, CALLS, ran, done, USER])) == []
    assert called(model_call([USER, CALLS, ran])) == [("answered", "inferred", None, None)]
    assert called(model_call([USER, CALLS, ran, USER])) == [("answered", "inferred", None, None)]


def test_only_the_latest_answers_of_a_person_are_decisions() -> None:
    """A second resume repeats the first one's."""
    first, second = (
        {
            "role": "assistant",
            "content": [
                {"type": "tool-call", "toolCallId": f"c-{number}", "toolName": "pay", "input": {}},
                {"type": "tool-approval-request", "approvalId": f"a-{number}", "toolCallId": f"c-{number}"},
            ],
        }
        for number in (1, 2)
    )
    granted, rejected = (
        {"type": "tool-approval-response", "approvalId": approval, "approved": approval == "a-1"}
        for approval in ("a-1", "a-2")
    )
    resumed = ai_sdk.read(agent([USER, first, answered([granted]), second, answered([rejected])]))
    assert resumed is not None
    assert [
        (event.event, event.call_id) for event in resumed.events if event.event.startswith("approval.")
    ] == [("approval.requested", "c-2"), ("approval.rejected", "c-2")]  # fmt: skip


@pytest.mark.parametrize(("approved", "state"), [(True, "allow"), (False, "deny")])
def test_an_automatic_answer_is_a_policys_and_nobody_was_asked(approved: bool, state: str) -> None:
    """Version 7 lets a program's own function answer."""
    request = {"type": "tool-approval-request", "approvalId": "a-1", "toolCallId": "c-1", "isAutomatic": True}
    response = {"type": "tool-approval-response", "approvalId": "a-1", "approved": approved, "reason": "limit"}
    asked = {**CALLS, "content": [*CALLS["content"], request]}
    resumed = ai_sdk.read(agent([USER, asked, answered([response])]))
    assert resumed is not None
    assert [event for event in resumed.events if event.event != "action.proposed"] == [
        Event(
            event="policy.evaluated",
            state=state,
            time_ns=1_000,
            tool_name="pay",
            call_id="c-1",
            group="a-1",
            decided_by="policy",
            reason="limit",
        )
    ]


def test_a_tool_that_the_provider_runs_needs_no_span() -> None:
    """The model went on with its result; a tool of the program's own would have ended the step."""
    calls = json.dumps([{"toolCallId": "c-1", "toolName": "web_search", "input": "{}"}])
    tools = ['{"type":"provider","name":"web_search","id":"openai.web_search","args":{}}']
    given: dict[str, Any] = {"ai.response.toolCalls": calls, "ai.prompt.tools": tools}
    assert called(model_call([USER], **given, **{"ai.response.finishReason": "stop"})) == [
        ("answered", "inferred", None, "provider_executed")
    ]
    assert called(model_call([USER], **given, **{"ai.response.finishReason": "tool-calls"})) == []


def test_a_stream_proposes_with_its_first_chunk() -> None:
    """Its span ends after the tools that ran meanwhile."""
    calls = json.dumps([{"toolCallId": "c-1", "toolName": "pay", "input": {}}])
    span = model_call([USER], **{"ai.response.toolCalls": calls})
    before = ai_sdk.read(span)
    span.events.append(SpanEvent("ai.stream.firstChunk", 2_000, {}))
    after = ai_sdk.read(span)
    assert [found.events[-1].time_ns for found in (before, after) if found] == [5_000_001_000, 2_000]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Error", ("failed", "explicit", None, None)),
        ("AI_InvalidToolInputError", ("invalid_arguments", "explicit", None, "validation_error")),
        ("AbortError", ("cancelled", "explicit", "human_or_program", "aborted")),
        ("TimeoutError", ("failed", "explicit", None, None)),
    ],
)
def test_a_tool_that_threw_has_failed(kind: str, expected: tuple[Any, ...]) -> None:
    """Unless it was its arguments that were refused, or it was stopped."""
    thrown = SpanEvent("exception", 7, {"exception.type": kind, "exception.message": "no such account"})
    span = make_span("ai.toolCall", {"ai.operationId": "ai.toolCall"}, scope="ai", status=2, events=[thrown])
    assert called(span) == [expected]


@pytest.mark.parametrize("key", ["sessionId", "session_id", "langfuseSessionId", "thread.id", "chatId"])
def test_a_conversation_is_found_under_the_names_that_programs_give_it(key: str) -> None:
    """The metadata is the program's own."""
    reading = ai_sdk.read(model_call([], **{f"ai.telemetry.metadata.{key}": "s-1"}))
    other = ai_sdk.read(model_call([], **{"ai.telemetry.metadata.feature": "s-1"}))
    assert [found.who.conversation_id for found in (reading, other) if found] == ["s-1", None]


@pytest.mark.parametrize(
    ("metadata", "cost"),
    [
        ({"gateway": {"cost": "0.0045"}}, "0.0045"),
        ({"openrouter": {"usage": {"cost": 0.5}}}, 0.5),
        ({"openai": {"responseId": "r"}}, None),
    ],
)
def test_a_gateway_tells_the_cost(metadata: dict[str, Any], cost: Any) -> None:
    """The provider itself does not."""
    reading = ai_sdk.read(model_call([], **{"ai.response.providerMetadata": json.dumps(metadata)}))
    assert reading is not None
    assert reading.who.cost_usd == cost


@pytest.mark.parametrize(
    "record",
    [
        make_span("chat m", {"gen_ai.operation.name": "chat"}, scope="ai"),
        make_span("ai.toolCall", {"ai.operationId": 7}, scope="ai"),
        make_span("work", {"ai.operationId": "embed"}, scope="ai"),
        make_log("ai.toolCall", {"ai.operationId": "ai.toolCall"}, scope="ai"),
    ],
)
def test_records_of_others_are_left_to_others(record: object) -> None:
    """Similar words are not enough."""
    assert ai_sdk.read(record) is None  # type: ignore[arg-type]


parts = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "tool-call", "tool-result", "tool-approval-request", "tool-approval-response"])
        | values,
        "toolCallId": st.sampled_from(["c-1", "c-2"]) | values,
        "toolName": values,
        "approvalId": st.sampled_from(["a-1"]) | values,
        "approved": st.booleans() | values,
        "input": values,
        "output": values | st.fixed_dictionaries({"type": st.just("execution-denied")}) | st.builds(dict, value=values),
        "text": values,
    },
)
prompts = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system"]) | values, "content": st.lists(parts) | values}
    ),
    max_size=4,
)


@given(
    operation=st.sampled_from([MODEL_CALL, AGENT, "ai.toolCall", "ai.embed"]),
    attributes=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    prompt=prompts,
    told=values,
)
def test_no_span_makes_it_fail(operation: str, attributes: dict[str, Any], prompt: Any, told: object) -> None:
    """Whatever the attributes hold, and whatever the prompt does."""
    for given_prompt in ({"ai.prompt.messages": prompt, "ai.prompt": {"messages": prompt}}, {}):
        span = make_span(operation, {**given_prompt, **attributes, "ai.operationId": operation}, scope="ai", status=2)
        keys = ("exception.type", "exception.message")
        span.events.append(SpanEvent("exception", 7, dict.fromkeys(keys, told)))
        assert ai_sdk.read(span) is not None
