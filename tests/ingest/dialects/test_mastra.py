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
UNFIT: dict[str, Any] = {
    "error": True,
    "message": "Tool input validation failed for pay.",
    "validationErrors": {},
}
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


def test_a_tool_that_suspends_itself_asks_from_within() -> None:
    """Its run so far was to ask: whoever joins must know."""
    assert run(**{"mastra.agent_run.output": {**SUSPENDED, "reason": "tool-call-suspended"}}) == [
        Event(event="approval.requested", time_ns=5_000_001_000, tool_name="pay", call_id="c-1", rule="asks_itself")
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


@pytest.mark.parametrize(("goes_on", "attributes"), [(False, {"handed_back": True}), (True, {}), (None, {})])
def test_a_call_without_a_body_is_handed_back_where_the_run_ends_with_it(
    goes_on: bool | None, attributes: dict[str, Any]
) -> None:
    """The client runs it. Where the run goes on, it was of a tool that does not exist, and the model was told so."""
    listed = [
        {"toolCallId": "c-1", "toolName": "render", "observability": {}},
        {"toolCallId": "c-2", "toolName": "pay"},
    ]
    span = of_kind("model_step", "agent_step", **{"mastra.model_step.output": {"toolCalls": listed}})
    if goes_on is not None:
        span.attributes["mastra.model_step.is_continued"] = goes_on
    reading = mastra.read(span)
    assert reading is not None
    assert [(event.call_id, event.attributes) for event in reading.events] == [("c-1", attributes), ("c-2", {})]


def test_a_chunk_of_an_answer_tells_of_a_call_that_its_step_may_not() -> None:
    """A suspended call breaks its step off. A chunk of a text, or of an ask, tells of none."""
    told = {"toolName": "pay", "toolCallId": "c-1", "toolInput": {"amount": 9}}
    ask = {"toolName": "pay", "toolCallId": "c-1", "args": {"amount": 9}, "resumeSchema": "{}"}
    found = {}
    for name, output in (("call", told), ("text", {"text": "Well."}), ("ask", ask)):
        reading = mastra.read(of_kind("model_chunk", "model_chunk", **{"mastra.model_chunk.output": output}))
        found[name] = None if reading is None else reading.events
    about: dict[str, Any] = {"tool_name": "pay", "call_id": "c-1", "arguments": {"amount": 9}}
    echo = Event(event="action.proposed", state="echoed", time_ns=5_000_001_000, **about)
    assert found == {"call": [echo], "text": [], "ask": []}


def test_a_run_is_given_the_answers_of_a_client_as_messages() -> None:
    """With the ids of the calls that the run before left open."""
    output = {"type": "text", "value": "9"}
    answer = {"type": "tool-result", "toolCallId": "c-1", "toolName": "pay", "output": output}
    given = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c-1", "toolName": "pay", "input": {}}]},
        {"role": "tool", "content": [answer]},
    ]
    answers = [event for event in run(**{"mastra.agent_run.input": given}) if event.event == "tool.called"]
    assert answers == [
        Event(
            event="tool.called",
            state="answered",
            time_ns=1_000,
            tool_name="pay",
            call_id="c-1",
            basis="inferred",
            content="9",
        )
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            {"error": True, "message": "Tool input validation failed for pay.", "validationErrors": {}},
            "invalid_arguments",
        ),
        ({"error": True, "message": "Tool output validation failed for pay.", "validationErrors": {}}, "failed"),
        ({"error": True, "message": "Tool input validation failed for pay."}, "completed"),
        ({"error": "no", "message": "Tool input validation failed", "validationErrors": {}}, "completed"),
        ("Tool input validation failed for pay.", "completed"),
    ],
)
def test_the_result_tells_of_a_tool_that_was_given_what_it_does_not_take(result: Any, expected: str) -> None:
    """Its span is that of one that ran. The controls: results of tools that ran, which read alike."""
    span = of_kind("tool_call", "execute_tool", **{"gen_ai.tool.name": "pay", "gen_ai.tool.call.result": result})
    reading = mastra.read(span)
    assert reading is not None
    assert [event.state for event in reading.events] == [expected]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("This operation was aborted", ("cancelled", "human_or_program", "aborted", "inferred")),
        ("The operation was aborted", ("cancelled", "human_or_program", "aborted", "inferred")),
        ("The operation was aborted due to timeout", ("cancelled", "human_or_program", "aborted", "inferred")),
        ("no connection", ("failed", None, None, "explicit")),
    ],
)
def test_a_tool_that_was_aborted_is_told_by_its_message(message: str, expected: tuple[str | None, ...]) -> None:
    """Mastra sends no name of the error."""
    span = of_kind("tool_call", "execute_tool", **{"gen_ai.tool.name": "pay"})
    span.status, span.status_message = 2, message
    reading = mastra.read(span)
    assert reading is not None
    told = [(event.state, event.decided_by, event.rule, event.basis) for event in reading.events]
    assert told == [expected]


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
