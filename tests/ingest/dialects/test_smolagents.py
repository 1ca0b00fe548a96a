"""What smolagents tells of calls that have no span as a tool, through OpenInference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import openinference, smolagents
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_span, values

SCOPE = "openinference.instrumentation.smolagents"
CALLS = (
    "Calling tools:\n[{'id': 'c-1', 'type': 'function', 'function': {'name': 'helper', 'arguments': {'task': 't'}}}]"
)
TWO_CALLS = (
    "Calling tools:\n[{'id': 'c-1', 'type': 'function', 'function': {'name': 'pay', 'arguments': {'amount': 5}}}, "
    "{'id': 'c-2', 'type': 'function', 'function': {'name': 'read_db', 'arguments': {}}}]"
)
CODE = CALLS.replace("helper", "python_interpreter")
FINAL = CALLS.replace("helper", "final_answer")


def model_call(*messages: tuple[str, str], scope: str = SCOPE) -> Span:
    """A model call that was given these messages: role and text."""
    told: dict[str, Any] = {"openinference.span.kind": "LLM"}
    for index, (role, text) in enumerate(messages):
        told[f"llm.input_messages.{index}.message.role"] = role
        told[f"llm.input_messages.{index}.message.contents.0.message_content.text"] = text
    return make_span("OpenAIModel.generate", told, scope=scope)


def step(kind: str, text: str, *, scope: str = SCOPE) -> Span:
    """A step that ended with an error."""
    raised = {"exception.type": f"smolagents.utils.{kind}", "exception.message": text}
    span = make_span(
        "Step 2", {"openinference.span.kind": "CHAIN"}, scope=scope, events=[SpanEvent("exception", 9, raised)]
    )
    span.parent_span_id = "0" * 15 + "2"
    return span


def run(name: str, *, parent: str | None = "0" * 15 + "2", scope: str = SCOPE) -> Span:
    """The run of an agent."""
    span = make_span(name, {"openinference.span.kind": "AGENT"}, scope=scope)
    span.parent_span_id = parent
    return span


def events(span: Span) -> list[tuple[Any, ...]]:
    """Event, state, tool and call of what a span tells of calls."""
    reading = openinference.read(span)
    assert reading is not None
    told = [event for event in reading.events if event.event in ("action.proposed", "tool.called")]
    return [(event.state, event.tool_name, event.call_id, event.content) for event in told]


def test_a_call_and_its_result_are_told_to_the_model_in_two_texts() -> None:
    """The first in Python's words. This is all there is of a call of another agent but that one's run."""
    span = model_call(("user", "go"), ("tool-call", CALLS), ("tool-response", "Observation:\nHelped."))
    assert events(span) == [("echoed", "helper", "c-1", None), ("answered", "helper", "c-1", "Helped.")]


def test_the_results_of_several_calls_are_one_text_which_is_no_single_calls() -> None:
    """That they were answered is all that can be said of each."""
    span = model_call(("tool-call", TWO_CALLS), ("tool-response", "Observation:\npaid 5\nrows"))
    assert events(span) == [
        ("echoed", "pay", "c-1", None),
        ("echoed", "read_db", "c-2", None),
        ("answered", "pay", "c-1", None),
        ("answered", "read_db", "c-2", None),
    ]


@pytest.mark.parametrize(
    "span",
    [
        model_call(("tool-call", CALLS), ("tool-response", "Observation:\nHelped."), scope="another"),
        model_call(("tool-call", CODE), ("tool-response", "Observation:\nHelped.")),
        model_call(("tool-call", FINAL), ("tool-response", "Observation:\nHelped.")),
        model_call(("tool-response", "Observation:\nHelped.")),
        model_call(("user", CALLS), ("user", "Observation:\nHelped.")),
        model_call(("tool-call", CALLS[:-3]), ("tool-response", "Observation:\nHelped.")),
        model_call(("tool-call", "Calling tools:\n" + "[" * 9_000), ("tool-response", "Observation:\nHelped.")),
        model_call(("tool-call", CALLS + " " * smolagents.MAX_CHARACTERS), ("tool-response", "Observation:\n")),
    ],
    ids=["another's", "a code agent's own code", "the end", "no calls", "a user's words", "cut", "deep", "long"],
)
def test_what_is_no_list_of_calls_tells_of_none(span: Span) -> None:
    """Nor what others write in such words, a code agent's code, the end of an earlier run, or what cannot be read."""
    assert [told for told in events(span) if told[2] is not None] == []


def test_an_error_is_no_result() -> None:
    """Before 1.20 the calls of a step that failed were listed too."""
    span = model_call(("tool-call", CALLS), ("tool-response", "Call id: c-1\nError:\nno connection"))
    assert events(span) == [("echoed", "helper", "c-1", None)]


FORBIDDEN = (
    "Code execution failed at line 'f(1)' due to: InterpreterError: "
    "Forbidden function evaluation: '{}' is not among the explicitly allowed tools"
)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("AgentToolExecutionError", "Unknown tool wipe, should be one of: pay.", ("unknown_tool", "wipe", None)),
        ("AgentToolCallError", "Argument rows is not in the tool's input schema", ("invalid_arguments", None, None)),
        (
            "AgentToolExecutionError",
            "Error executing request to team member 'helper' with arguments {'task': 't'}: no connection",
            ("failed", "helper", None),
        ),
        ("AgentExecutionError", FORBIDDEN.format("wipe"), ("unknown_tool", "wipe", None)),
        ("AgentExecutionError", FORBIDDEN.format("open"), ("refused", "open", "policy")),
    ],
)
def test_a_step_tells_of_a_call_that_has_no_span(kind: str, text: str, told: tuple[Any, ...]) -> None:
    """What Python has and the agent's code may not use was refused; what nobody has is no tool."""
    reading = openinference.read(step(kind, text))
    assert reading is not None
    (event,) = reading.events
    assert (event.state, event.tool_name, event.decided_by) == told
    assert (event.rule, event.reason, event.basis) == ("smolagents_step", text, "explicit")


@pytest.mark.parametrize(
    "span",
    [
        step("AgentToolExecutionError", "Error executing tool 'broken' with arguments {}: RuntimeError: down"),
        step("AgentExecutionError", "Code execution failed at line 'pay(5)' due to: RuntimeError: down"),
        step("AgentMaxStepsError", "Reached max steps."),
        step("AgentToolCallError", "Argument rows is not in the tool's input schema", scope="another"),
    ],
)
def test_a_step_tells_nothing_of_a_call_that_has_a_span(span: Span) -> None:
    """The tool's own span says that it failed. Another's words are another's."""
    assert events(span) == []


def test_the_run_of_a_named_agent_is_told_as_a_call() -> None:
    """Of which the analyzer keeps those in a step. A run of its own, or of an agent without a name, is none."""
    assert events(run("helper.run")) == [("completed", "helper", None, None)]
    for other in (
        run("helper.run", parent=None),
        run("CodeAgent.run"),
        run("helper"),
        run("helper.run", scope="another"),
    ):
        assert events(other) == []


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("read_db() got an unexpected keyword argument 'rows'", "invalid_arguments"),
        ("ReadDb.forward() missing 1 required positional argument: 'q'", "invalid_arguments"),
        ("connect() got an unexpected keyword argument 'rows'", "failed"),
        ("unsupported operand", "failed"),
    ],
)
def test_a_tool_that_takes_no_such_arguments_never_ran(text: str, state: str) -> None:
    """Python names the function that was called wrongly: the tool's own, or one that its body called."""
    span = make_span("SimpleTool", {"openinference.span.kind": "TOOL", "tool.name": "read_db"}, scope=SCOPE, status=2)
    span.events = [SpanEvent("exception", 9, {"exception.type": "TypeError", "exception.message": text})]
    assert [told[0] for told in events(span)] == [state]


@given(
    kind=st.sampled_from(("LLM", "CHAIN", "AGENT", "TOOL")),
    role=st.sampled_from(("tool-call", "tool-response")) | values,
    text=st.sampled_from((CALLS, "Observation:\n", "Calling tools:\n[1]", "Calling tools:\n[{'function': 1}]"))
    | st.just("Calling tools:\n[{[]: 1}]")
    | values,
    message=values,
)
def test_any_values_are_read(kind: str, role: Any, text: Any, message: Any) -> None:
    """Whatever an attribute holds."""
    told = {
        "openinference.span.kind": kind,
        "llm.input_messages.0.message.role": role,
        "llm.input_messages.0.message.content": text,
        "llm.input_messages.1.message.role": "tool-response",
        "llm.input_messages.1.message.content": "Observation:\nx",
    }
    raised = SpanEvent("exception", 9, {"exception.message": message, "exception.type": message})
    assert openinference.read(make_span("helper.run", told, scope=SCOPE, events=[raised])) is not None


def test_calls_that_python_cannot_make_are_none() -> None:
    """A list is no key: what was told beside them is read all the same."""
    assert len(events(model_call(("tool-call", CALLS), ("tool-response", "Observation:\nx")))) == 2
    assert events(model_call(("tool-call", "Calling tools:\n[{[]: 1}]"), ("tool-response", "Observation:\nx"))) == []
