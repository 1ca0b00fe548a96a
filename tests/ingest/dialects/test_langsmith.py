"""LangSmith's runs as spans: inputs and outputs are JSON text, errors are text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import langsmith
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.messages import instructions_digest, value_digest
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_log, make_span, read_recording, values

START_NS, END_NS = 1_000, 5_000_001_000
KEYS = (
    "langsmith.span.kind", "gen_ai.prompt", "gen_ai.completion", "gen_ai.tool.name", "gen_ai.tool.definitions",
    "langsmith.metadata.thread_id", "langsmith.metadata.langgraph_node", "langsmith.metadata.ls_integration",
)  # fmt: skip


def run(kind: str, given_value: Any, made: Any = None, *, status: int = 1, **metadata: str) -> Span:
    """The span of a run."""
    told = {"langsmith.span.kind": kind, "gen_ai.prompt": json.dumps(given_value)}
    if made is not None:
        told["gen_ai.completion"] = json.dumps(made)
    if kind == "tool":
        told |= {"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1"}
    told |= {f"langsmith.metadata.{key}": value for key, value in metadata.items()}
    return make_span("pay", told, scope="langsmith", status=status)


def raised(text: str) -> Span:
    """The span of a tool that raised; the exporter names each exception `Exception`."""
    span = run("tool", {"amount": 5}, {}, status=2)
    span.events = [SpanEvent("exception", 9, {"exception.type": "Exception", "exception.message": text})]
    return span


def read(span: Span) -> Reading:
    """The reading of a span that is this dialect's."""
    reading = langsmith.read(span)
    assert reading is not None
    return reading


def constructor(kind: str, **fields: Any) -> dict[str, Any]:
    """A message as LangChain serialises it."""
    return {"lc": 1, "type": "constructor", "id": ["langchain", kind], "kwargs": fields}


CALL = {"name": "pay", "args": {"amount": 900}, "id": "c-1", "type": "tool_call"}
SYSTEM = constructor("SystemMessage", type="system", content="Be careful.")
USER = constructor("HumanMessage", type="human", content="go")


def test_a_model_call_of_langchain_is_read_from_its_serialised_messages() -> None:
    """The model that served stands in the metadata of its answer."""
    tools = [{"type": "function", "function": {"name": "pay"}}]
    answer = constructor("AIMessage", type="ai", content="", tool_calls=[CALL],
                         response_metadata={"model_name": "m-2026"})  # fmt: skip
    span = run(
        "llm",
        {"messages": [[SYSTEM, USER]]},
        {"generations": [[{"text": "", "message": answer}]]},
        thread_id="t-1",
        lc_agent_name="dbbot",
        user_id="u-1",
        ls_model_name="m",
    )
    span.attributes["gen_ai.tool.definitions"] = json.dumps(tools)
    assert read(span) == Reading(
        dialect="langsmith",
        who=Who(conversation_id="t-1", agent_name="dbbot", user_id="u-1", model="m", model_served="m-2026",
                system_prompt_digest=instructions_digest("Be careful."), tool_names=["pay"],
                tools_digest=value_digest(tools)),
        operation="chat",
        events=[
            Event(event="input.resolved", state="system_prompt", time_ns=START_NS, content="Be careful."),
            Event(event="input.resolved", state="user_prompt", time_ns=START_NS, content="go"),
            Event(event="action.proposed", state="proposed", time_ns=END_NS, tool_name="pay", call_id="c-1",
                  arguments={"amount": 900}, position=0),
        ],
    )  # fmt: skip


OPENAI_CALL = {"id": "c-1", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 900}'}}


@pytest.mark.parametrize(
    "made",
    [
        {"generations": [[{"message": constructor("AIMessage", type="ai", content="", tool_calls=[CALL])}]]},
        {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]}}]},
        {"output": [{"type": "function_call", "call_id": "c-1", "id": "fc_1", "name": "pay",
                     "arguments": '{"amount": 900}'}]},
        {"role": "assistant", "content": "", "tool_calls": [OPENAI_CALL]},
        {"message": {"role": "assistant", "tool_calls": [OPENAI_CALL]}},
    ],
    ids=["LangChain", "chat completions", "Responses", "message", "one message"],
)  # fmt: skip
def test_a_completion_of_any_form_proposes_its_calls(made: Any) -> None:
    """LangSmith passes on what the traced library returned."""
    proposed = [event for event in read(run("llm", {"messages": []}, made)).events if event.state == "proposed"]
    assert [(e.tool_name, e.call_id, e.arguments) for e in proposed] == [("pay", "c-1", {"amount": 900})]


def result(status: str, content: str) -> dict[str, Any]:
    """What a tool of LangChain gives back."""
    return {"output": {"type": "tool", "name": "pay", "tool_call_id": "c-1", "content": content, "status": status}}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (run("tool", {"amount": 5}, result("success", "paid")), ("tool.called", "completed", None, None)),
        (run("tool", {"amount": 5}, result("error", "boom")), ("tool.called", "failed", None, None)),
        (run("tool", {"amount": 5}, {"output": None}), ("tool.called", "completed", None, None)),
        (run("tool", {"amount": 5}, {"output": None}, ls_integration="openai-agents-sdk"),
         ("tool.called", "entered", "null_output", None)),
        (raised("ValueError('no such account')Traceback (most recent call last):\n  File …"),
         ("tool.called", "failed", None, "no such account")),
        (raised("ValidationError(1 error for pay)"),
         ("tool.called", "invalid_arguments", "validation_error", "1 error for pay")),
        (raised("GraphInterrupt((Interrupt(value='approve?', id='0123456789'),))"),
         ("approval.requested", None, "graph_interrupt", None)),
        (raised("it broke"), ("tool.called", "failed", None, "it broke")),
    ],
    ids=["message", "error message", "nothing", "OpenAI Agents", "exception", "validation", "interrupt", "text"],
)  # fmt: skip
def test_a_tool_span_says_what_became_of_its_call(span: Span, expected: tuple[Any, ...]) -> None:
    """Its status, its message's status, or the text of its exception."""
    (event,) = read(span).events
    assert (event.event, event.state, event.rule, event.reason) == expected
    assert (event.tool_name, event.arguments) == ("pay", {"amount": 5})


def test_the_spans_of_a_recording_state_a_rejection_an_edit_and_an_unknown_tool() -> None:
    """LangGraph's human in the loop; what only repeats is left out here."""
    told = []
    for record in read_recording("langchain", "langsmith_reject_edit"):
        reading = langsmith.read(record)
        assert reading is not None
        for event in reading.events:
            if event.event.startswith("approval.") or event.state in ("proposed", "completed", "unknown_tool"):
                told.append((event.event, event.state, event.tool_name, event.call_id, event.position))
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
            ("tool.called", "completed", "read_db", "call_read", None),
            ("tool.called", "completed", "pay", "call_pay", None),
            ("tool.called", "unknown_tool", "nope", "call_nope", None),
        },
        key=repr,
    )


def test_records_of_others_are_left_alone() -> None:
    """The conventions' own, Traceloop's flattened form, and any log."""
    for attributes in ({"gen_ai.operation.name": "chat", "gen_ai.prompt": "{}"}, {"gen_ai.prompt.0.role": "user"}):
        assert langsmith.read(make_span("chat", attributes)) is None
    assert langsmith.read(make_log("x", {"langsmith.span.kind": "llm"})) is None


@given(
    attributes=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    kind=st.sampled_from(("llm", "tool", "chain", "retriever")),
    message=values,
)
def test_any_attributes_are_read_without_an_error(attributes: dict[str, Any], kind: str, message: Any) -> None:
    """Whatever they hold."""
    told = {**attributes, "langsmith.span.kind": kind}
    exception = SpanEvent("exception", 9, {"exception.type": "Exception", "exception.message": message})
    assert langsmith.read(make_span("x", told, status=2, events=[exception])) is not None


@given(value=values)
def test_any_messages_are_read_without_an_error(value: Any) -> None:
    """Also where they are almost of a known form."""
    for item in (value, {"messages": [value]}, {"messages": [[value, {"role": "tool", "content": value}]]},
                 {"generations": [[{"message": value}]]}, {"choices": [value]}, {"output": value}):  # fmt: skip
        langsmith.read(make_span("m", {"langsmith.span.kind": "llm", "gen_ai.prompt": item, "gen_ai.completion": item}))
