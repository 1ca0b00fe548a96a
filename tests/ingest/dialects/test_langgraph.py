"""Steps of a LangGraph graph tell the same in the envelopes of three instrumentations."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.langgraph import step_events
from aftertrace.ingest.records import Span

from .recordings import make_span, values

ENVELOPES = {
    "OpenInference": json.dumps,
    "OpenLLMetry": lambda value: json.dumps({"inputs": value, "tags": [], "kwargs": {"name": "tools"}}),
    "LangSmith": lambda value: json.dumps({"input": value}),
    "none": lambda value: value,
}
CALL = {"name": "pay", "args": {"eur": 9}, "id": "c-1", "type": "tool_call"}
MESSAGE = {"type": "tool", "name": "pay", "tool_call_id": "c-1", "content": "paid", "status": "success"}


def inner() -> Span:
    """A step inside a graph."""
    return replace(make_span("tools", {}), parent_span_id="0" * 15 + "2")


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_tools_node_names_its_calls_and_their_results(envelope: str) -> None:
    """With the ids that tool spans lack."""
    wrap = ENVELOPES[envelope]
    found = step_events(inner(), wrap([CALL]), wrap({"messages": [MESSAGE]}), "tools")
    assert [(e.state, e.tool_name, e.call_id, e.arguments, e.content, e.rule) for e in found] == [
        ("entered", "pay", "c-1", {"eur": 9}, None, "langgraph_tools"),
        ("answered", "pay", "c-1", None, "paid", None),
    ]
    assert step_events(inner(), wrap([CALL]), wrap({"messages": [MESSAGE]}), "model") == []


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_resume_answers_in_any_step(envelope: str) -> None:
    """A resume of nothing is none."""
    resume = {"graph": None, "resume": {"decisions": [{"type": "approve"}]}, "goto": []}
    found = step_events(inner(), ENVELOPES[envelope](resume), None, None)
    assert [(e.event, e.position) for e in found] == [("approval.granted", 0)]
    assert step_events(inner(), ENVELOPES[envelope]({**resume, "resume": None}), None, None) == []


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_outermost_step_was_asked_by_its_user(envelope: str) -> None:
    """Steps inside repeat the whole history: they are not read for it."""
    told = ENVELOPES[envelope]({"messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": "?"}]})
    assert [(e.state, e.content) for e in step_events(make_span("bot", {}), told, None, None)] == [
        ("user_prompt", "go")
    ]
    assert step_events(inner(), told, None, None) == []


@given(given_value=values, output=values, node=values | st.just("tools"), outer=st.booleans())
def test_any_step_is_read_without_an_error(given_value: Any, output: Any, node: Any, outer: bool) -> None:
    """Whatever its values hold."""
    span = make_span("tools", {}) if outer else inner()
    for value in (given_value, {"inputs": {"resume": given_value}}, {"messages": [given_value]}, [given_value]):
        step_events(span, value, {"messages": [output]}, node)
