"""OpenHands' spans: an action that a person rejected has one like an action that ran."""

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
REJECTED = {"role": "tool", "content": [{"type": "text", "text": "Action rejected: not on Fridays"}]}


def action(output: Any, *, status: int = 0, name: str = "ExecuteBashAction") -> Span:
    """The span of an action."""
    attributes = {
        "lmnr.span.type": "TOOL",
        "lmnr.span.path": ["conversation", name],
        "lmnr.span.input": '{"action": {"kind": "ExecuteBashAction", "command": "rm -rf build"}}',
        "lmnr.span.output": output if isinstance(output, str) else json.dumps(output),
        f"{ABOUT}session_id": "s-1",
        f"{ABOUT}user_id": "ana",
        f"{ABOUT}metadata.tool_call_id": "call_1",
    }
    return make_span(name, attributes, scope="lmnr.tracer", status=status)


def test_a_rejected_action_is_refused_although_it_has_a_span() -> None:
    """Its output is a message to the model, where that of a tool is what it observed."""
    assert laminar.read(action(REJECTED)) == Reading(
        dialect="laminar",
        who=Who(conversation_id="s-1", user_id="ana", tool_name="ExecuteBashAction", call_id="call_1"),
        operation="execute_tool",
        events=[
            Event(
                event="tool.called",
                state="refused",
                time_ns=1_000,
                end_ns=5_000_001_000,
                arguments={"command": "rm -rf build"},
                basis="inferred",
                decided_by="human",
                reason="Action rejected: not on Fridays",
                content=REJECTED,
                rule="text:openhands_rejected",
            )
        ],
    )


def test_a_hook_that_rejects_an_action_is_told_from_a_person() -> None:
    """The rejection says so itself."""
    blocked = {"role": "tool", "content": [{"type": "text", "text": "Action rejected: Blocked by hook: no network"}]}
    reading = laminar.read(action(blocked))
    assert reading is not None
    assert [(event.state, event.decided_by) for event in reading.events] == [("refused", "hook")]


@pytest.mark.parametrize(
    ("span", "states"),
    [
        (action({"kind": "ExecuteBashObservation", "is_error": False, "content": [{"text": "done"}]}), ["completed"]),
        (action({"kind": "ExecuteBashObservation", "is_error": True, "content": [{"text": "exit 1"}]}), ["failed"]),
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
    "record",
    [
        make_span("litellm.completion", {"lmnr.span.type": "LLM", "lmnr.span.path": ["x"]}, scope="lmnr.tracer"),
        make_span("chat", {"lmnr.span.path": ["x"], "gen_ai.operation.name": "chat"}, scope="lmnr.tracer"),
        make_span("GET /", {"http.method": "GET"}),
        make_log("x", {"lmnr.span.type": "TOOL"}),
    ],
)
def test_records_of_others_are_left_to_others(record: Any) -> None:
    """Model calls follow the conventions."""
    assert laminar.read(record) is None


@given(
    attributes=st.dictionaries(
        st.sampled_from(["lmnr.span.input", "lmnr.span.output", f"{ABOUT}session_id", f"{ABOUT}metadata.tool_call_id"]),
        values,
    ),
    kind=st.sampled_from(["TOOL", "DEFAULT"]) | values,
    status=st.sampled_from([0, 2]),
)
def test_no_span_makes_it_fail(attributes: dict[str, Any], kind: Any, status: int) -> None:
    """Whatever the attributes hold."""
    reading = laminar.read(make_span("x", {"lmnr.span.type": kind, **attributes}, status=status))
    assert reading is None or reading.dialect == "laminar"
