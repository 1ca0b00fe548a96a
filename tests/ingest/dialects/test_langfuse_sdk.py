"""Langfuse's SDK: its spans state what its exports do. The payloads are those of a run with `langfuse` 5.0.4."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import langfuse_sdk
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Record, Span

from .recordings import make_log, make_span, values

ABOUT = "langfuse.observation."
SCOPE = "langfuse-sdk"
WHO = {"session.id": "s-1", "user.id": "ana"}


def observed(kind: str, name: str, **fields: Any) -> Span:
    """The span of an observation."""
    told = {f"{ABOUT}{field.replace('__', '.')}": value for field, value in fields.items()}
    return make_span(name, {**WHO, f"{ABOUT}type": kind, **told}, scope=SCOPE)


@pytest.mark.parametrize(
    ("given_", "arguments"),
    [
        ({"args": [], "kwargs": {"q": "a"}}, {"q": "a"}),
        ({"args": ["a"], "kwargs": {}}, {"args": ["a"], "kwargs": {}}),
        ({"q": "a"}, {"q": "a"}),
    ],
    ids=["by name", "by position", "as they are"],
)
def test_a_tool_is_read_with_its_arguments(given_: dict[str, Any], arguments: Any) -> None:
    """The decorator tells those of a function."""
    span = observed("tool", "read_db", input=json.dumps(given_), output="rows of a")
    assert dialects.read(span) == Reading(
        dialect="langfuse-sdk",
        who=Who(conversation_id="s-1", user_id="ana"),
        operation="execute_tool",
        events=[
            Event(
                event="tool.called",
                state="completed",
                time_ns=1_000,
                end_ns=5_000_001_000,
                tool_name="read_db",
                arguments=arguments,
                content="rows of a",
            )
        ],
    )


def test_a_tool_that_fails_says_so_by_its_level() -> None:
    """Its message is the error's."""
    span = observed("tool", "broken", level="ERROR", status_message="no connection for b")
    (event,) = dialects.read(span).events
    assert (event.state, event.reason) == ("failed", "no connection for b")


def test_a_generation_tells_its_messages_tools_and_tokens() -> None:
    """The OpenAI client's, in OpenAI's form."""
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": '{"q": "a"}'}}
    asked = {
        "tools": [{"type": "function", "function": {"name": "pay", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "Be careful."},
            {"role": "user", "content": "Do."},
            {"role": "assistant", "content": "", "tool_calls": [{**call, "id": "call_0"}]},
            {"role": "tool", "tool_call_id": "call_0", "content": "User rejected the tool call for `pay`"},
        ],
    }
    span = observed(
        "generation",
        "OpenAI-generation",
        input=json.dumps(asked),
        output=json.dumps({"role": "assistant", "content": "", "tool_calls": [call]}),
        model__name="scripted-1",
        usage_details=json.dumps({"prompt_tokens": 1200, "completion_tokens": 40, "total_tokens": 1240}),
    )
    reading = dialects.read(span)
    who = reading.who
    assert (reading.operation, who.model, who.input_tokens, who.output_tokens) == ("chat", "scripted-1", 1200, 40)
    assert who.tool_names == ["pay"]
    assert [(event.event, event.state, event.call_id) for event in reading.events if event.call_id] == [
        ("action.proposed", "echoed", "call_0"),
        ("tool.called", "refused", "call_0"),
        ("action.proposed", "proposed", "call_1"),
    ]


def test_an_agent_is_named_by_its_span() -> None:
    """Other observations are steps."""
    reading = dialects.read(observed("agent", "clerk", input='{"args": ["Do"], "kwargs": {}}', output="Done."))
    assert (reading.operation, reading.who.agent_name) == ("invoke_agent", "clerk")


@pytest.mark.parametrize(
    "record",
    [
        make_span("x", {f"{ABOUT}type": "tool"}),
        make_span("x", {}, scope=SCOPE),
        make_log("x", {f"{ABOUT}type": "tool"}, scope=SCOPE),
    ],
)
def test_records_of_others_are_left_to_others(record: Record) -> None:
    """What other instrumentations send through its processor has their scopes."""
    assert langfuse_sdk.read(record) is None


@given(
    kind=st.sampled_from(["tool", "generation", "agent", "span"]) | st.text(max_size=5),
    attributes=st.dictionaries(
        st.sampled_from([f"{ABOUT}{name}" for name in langfuse_sdk._FIELDS.values()]),
        values,
    ),
)
def test_no_span_makes_it_fail(kind: str, attributes: dict[str, Any]) -> None:
    """Whatever the attributes hold."""
    span = make_span("x", {f"{ABOUT}type": kind, **attributes}, scope=SCOPE)
    assert isinstance(langfuse_sdk.read(span), Reading)
