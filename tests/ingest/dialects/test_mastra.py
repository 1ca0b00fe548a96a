"""Mastra's spans become the events they state: who was asked, what they answered, what was proposed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import mastra
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span

from .recordings import make_log, make_span, values

RUN = {"mastra.metadata.runId": "r-1", "mastra.metadata.threadId": "t-1", "mastra.metadata.resourceId": "u-1"}
SUSPENDED = {"status": "suspended", "reason": "tool-call-approval", "toolCallId": "c-1", "toolName": "pay"}
KEYS = (
    "mastra.model_step.input",
    "mastra.model_step.step_index",
    "mastra.agent_run.input",
    "mastra.agent_run.output",
    "mastra.model_step.output",
    *RUN,
)


def of_kind(kind: str, operation: str, **attributes: Any) -> Span:
    """A span of Mastra's, with its metadata and JSON where the value is no text."""
    told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
    return make_span(f"{operation} x", {"mastra.span.type": kind, "gen_ai.operation.name": operation, **RUN, **told})


def run(**attributes: Any) -> list[Event]:
    """The events of an agent's run."""
    reading = mastra.read(of_kind("agent_run", "invoke_agent", **attributes))
    assert reading is not None
    return reading.events


def test_a_run_that_is_suspended_asks_and_the_next_one_is_given_the_answer() -> None:
    """By the call's own id, in the same trace."""
    assert run(**{"mastra.agent_run.output": SUSPENDED}) == [
        Event(event="approval.requested", time_ns=5_000_001_000, tool_name="pay", call_id="c-1")
    ]
    decided: dict[str, Any] = {"time_ns": 1_000, "call_id": "c-1", "decided_by": "human", "identity": "inferred"}
    assert run(**{"mastra.agent_run.input": {"approved": True, "toolCallId": "c-1"}}) == [
        Event(event="approval.granted", **decided)
    ]
    assert run(**{"mastra.agent_run.input": {"approved": False, "toolCallId": "c-1"}}) == [
        Event(event="approval.rejected", **decided)
    ]


@pytest.mark.parametrize(
    "output", [{**SUSPENDED, "reason": "sleep"}, {**SUSPENDED, "status": "success"}, {**SUSPENDED, "toolCallId": None}]
)
def test_a_run_that_ends_or_pauses_otherwise_asks_nobody(output: dict[str, Any]) -> None:
    """Nor is anything an answer that names no call."""
    assert run(**{"mastra.agent_run.output": output, "mastra.agent_run.input": {"approved": True}}) == []


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_step_proposes_and_a_model_call_over_all_steps_only_repeats(wrapped: bool) -> None:
    """It ends after the tools have run: a proposal then would be a second call."""
    call: dict[str, Any] = {"toolCallId": "c-1", "toolName": "pay", "args": {"amount": 9}}
    listed = [{"type": "tool-call", "payload": call} if wrapped else call]
    step = mastra.read(of_kind("model_step", "model_step", **{"mastra.model_step.output": {"toolCalls": listed}}))
    part = {"type": "tool_call", "id": "c-1", "name": "pay", "arguments": {"amount": 9}}
    made = [{"role": "assistant", "parts": [part]}]
    chat = mastra.read(of_kind("model_generation", "chat", **{"gen_ai.output.messages": made}))
    about: dict[str, Any] = {"tool_name": "pay", "call_id": "c-1", "arguments": {"amount": 9}, "position": 0}
    who = Who(conversation_id="t-1", turn_id="r-1", user_id="u-1")
    assert [step, chat] == [
        Reading(
            dialect="mastra",
            who=who,
            operation=operation,
            events=[Event(event="action.proposed", state=state, time_ns=5_000_001_000, **about)],
        )
        for operation, state in (("step", "proposed"), ("chat", "echoed"))
    ]


def test_what_the_provider_runs_is_not_the_programs_call() -> None:
    """It has no span, and nobody could have refused it here."""
    listed = [{"toolCallId": "c-1", "toolName": "web_search", "providerExecuted": True}]
    step = mastra.read(of_kind("model_step", "model_step", **{"mastra.model_step.output": {"toolCalls": listed}}))
    assert step is not None
    assert step.events == []


def test_a_step_names_the_tools_whose_answers_it_was_given() -> None:
    """Those of the step before it in its run; what a client answers comes with the first step of another."""
    given = [
        {"role": "assistant", "content": "[tool: read_db][tool: nope]"},
        {"role": "tool", "content": "[tool-result: read_db][tool-result: nope]"},
    ]
    answered: dict[str, Any] = {"state": "answered", "time_ns": 1_000, "basis": "inferred", "rule": "step_input"}
    by_index = {}
    for index in (0, 1):
        span = of_kind("model_step", "agent_step", **{"mastra.model_step.input": given})
        span.attributes["mastra.model_step.step_index"] = index
        reading = mastra.read(span)
        by_index[index] = reading.events if reading is not None else None
    assert by_index == {
        0: [],
        1: [
            Event(event="tool.called", tool_name="read_db", position=0, **answered),
            Event(event="tool.called", tool_name="nope", position=1, **answered),
        ],
    }


@pytest.mark.parametrize("given", ["clean up", [{"role": "user", "content": "clean up"}]])
def test_a_run_is_given_a_prompt(given: Any) -> None:
    """As a text, or as messages; an approval's answer is none."""
    assert run(**{"mastra.agent_run.input": given}) == [
        Event(event="input.resolved", state="user_prompt", time_ns=1_000, content="clean up")
    ]


def test_a_tool_span_is_read_by_the_standard_names() -> None:
    """A call that was declined has none."""
    span = of_kind("tool_call", "execute_tool", **{"gen_ai.tool.name": "pay", "gen_ai.tool.call.id": "c-1"})
    reading = mastra.read(span)
    assert reading is not None
    assert (reading.operation, reading.who.tool_name, reading.who.call_id) == ("execute_tool", "pay", "c-1")
    assert [event.state for event in reading.events] == ["completed"]


@pytest.mark.parametrize(
    "record",
    [
        make_span("chat m", {"gen_ai.operation.name": "chat"}),
        make_span("chat m", {"mastra.span.type": 7}),
        make_log("x", {"mastra.span.type": "agent_run"}),
    ],
)
def test_records_of_others_are_left_to_others(record: object) -> None:
    """Similar words are not enough."""
    assert mastra.read(record) is None  # type: ignore[arg-type]


@given(
    kind=st.sampled_from(["agent_run", "model_step", "tool_call", "model_chunk"]),
    attributes=st.dictionaries(
        st.sampled_from(KEYS),
        values
        | st.fixed_dictionaries({"approved": values, "toolCallId": values})
        | st.fixed_dictionaries({"toolCalls": st.lists(values | st.fixed_dictionaries({"payload": values}))}),
    ),
)
def test_no_span_makes_it_fail(kind: str, attributes: dict[str, Any]) -> None:
    """Whatever the attributes hold."""
    assert mastra.read(make_span("x", {**attributes, "mastra.span.type": kind})) is not None
