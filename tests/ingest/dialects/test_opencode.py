"""opencode's spans become the events they state: a `Tool.execute` exists whether or not the tool ran."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import opencode
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Span, SpanEvent

from .recordings import make_log, make_span, named, read_recording, values

SESSION = "ses_e02f2554fffeKbC30c0oVB525x"
RULES = (
    "The user has specified a rule which prevents you from using this specific tool call. Here are some of the "
    'relevant rules [{"permission":"*","action":"allow","pattern":"*"},{"permission":"bash","pattern":"*",'
    '"action":"allow"},{"permission":"bash","pattern":"rm *","action":"deny"}]'
)
REJECTED = "The user rejected permission to use this specific tool call."
CORRECTED = f"{REJECTED[:-1]} with the following feedback: use the staging database"
NO_TOOL = "Model tried to call unavailable tool 'nope'. Available tools: bash."
MS = 1_000_000
KEYS_OF_EXCEPTION = ("exception.type", "exception.message")
ASKED = ("approval.requested", None, None)


def acting(**changes: Any) -> Who:
    """Who acts in the recording, with what one record adds."""
    who = Who(agent_name="opencode", agent_version="1.18.33")
    for name, value in changes.items():
        setattr(who, name, value)
    return who


def readings(name: str) -> list[Reading | None]:
    """The readings of all spans of one name."""
    return [opencode.read(record) for record in named(read_recording("opencode", "rule_deny_rich"), name)]


def effect(name: str, thrown: tuple[str, str] | None = None, *, lasted_ns: int = 2 * MS, **attributes: Any) -> Span:
    """A span of Effect's, that ended well or with an exception of this type and text."""
    events = [] if thrown is None else [SpanEvent("exception", 7, dict(zip(KEYS_OF_EXCEPTION, thrown, strict=True)))]
    span = make_span(name, attributes, scope="opencode", status=1 if thrown is None else 2, events=events)
    span.end_ns = span.start_ns + lasted_ns
    return span


def told(span: Span) -> list[tuple[str, str | None, str | None]]:
    """Event, state and decider of each event that a span states."""
    reading = opencode.read(span)
    assert reading is not None
    return [(event.event, event.state, event.decided_by) for event in reading.events]


def test_a_tool_that_ran_is_told_by_effect_alone() -> None:
    """No content is needed. Its span began before the question."""
    assert readings("Tool.execute")[0] == Reading(
        dialect="opencode",
        who=acting(conversation_id=SESSION, tool_name="bash", call_id="call_8a08467145fe4d8b"),
        operation="execute_tool",
        events=[
            Event(
                event="tool.called",
                state="completed",
                time_ns=1795246898218540823,
            )
        ],
    )


def test_a_call_that_a_rule_forbids_never_ran_though_both_its_spans_exist() -> None:
    """Effect's and the AI SDK's tell of the same call."""
    by_effect, by_sdk = readings("Tool.execute")[1], readings("ai.toolCall")[1]
    refused: dict[str, Any] = {
        "event": "tool.called",
        "state": "refused",
        "decided_by": "policy",
        "rule": "permission_error",
        "reason": RULES,
    }
    who: dict[str, Any] = {"conversation_id": SESSION, "tool_name": "bash", "call_id": "call_6a3888fbeef0469c"}
    assert [by_effect, by_sdk] == [
        Reading(
            dialect="opencode",
            who=acting(**who),
            operation="execute_tool",
            events=[Event(time_ns=1795246898639872853, **refused)],
        ),
        Reading(
            dialect="opencode",
            who=acting(**who),
            operation="execute_tool",
            events=[
                Event(
                    time_ns=1795246898652850792,
                    arguments={"command": "rm -rf ./build-cache", "description": "rm"},
                    **refused,
                )
            ],
        ),
    ]


def test_a_permission_that_passes_at_once_was_given_by_a_rule() -> None:
    """Nobody was asked, whatever the span is called."""
    allowed = readings("Permission.ask")[0]
    assert allowed is not None
    assert (allowed.operation, allowed.events) == (
        "approval",
        [
            Event(
                event="policy.evaluated",
                state="allow",
                time_ns=1795246898182731054,
                end_ns=1795246898182731054,
                decided_by="policy",
                rule="permission",
                attributes={"weight": "span"},
            )
        ],
    )


@pytest.mark.parametrize(
    ("thrown", "lasted_ns", "expected"),
    [
        (None, 3 * MS, [("policy.evaluated", "allow", "policy")]),
        (None, 4_000 * MS, [ASKED, ("approval.granted", None, "human")]),
        (("PermissionDeniedError", RULES), 3 * MS, [("policy.evaluated", "deny", "policy")]),
        (("PermissionRejectedError", REJECTED), 30 * MS, [ASKED, ("approval.rejected", None, "program")]),
        (("PermissionRejectedError", REJECTED), 4_000 * MS, [ASKED, ("approval.rejected", None, "human")]),
        (("PermissionCorrectedError", CORRECTED), 90 * MS, [ASKED, ("approval.rejected", None, "human")]),
        (("SomethingNew", "…"), 3 * MS, [("policy.evaluated", "unknown", None)]),
    ],
)
def test_every_end_of_a_permission_has_its_meaning(
    thrown: tuple[str, str] | None, lasted_ns: int, expected: list[tuple[str, str | None, str | None]]
) -> None:
    """A rule and a program answer at once, a person takes a while."""
    assert told(effect("Permission.ask", thrown, lasted_ns=lasted_ns)) == expected


def test_a_person_is_waited_for_as_long_as_the_question_lasts() -> None:
    """And what they say instead is the reason."""
    reading = opencode.read(effect("Permission.ask", ("PermissionCorrectedError", CORRECTED), lasted_ns=4_000 * MS))
    assert reading is not None
    assert (reading.events[1].wait_ns, reading.events[1].reason) == (4_000 * MS, "use the staging database")


def test_a_question_that_was_interrupted_has_no_answer() -> None:
    """Effect ends such a span with the status OK."""
    assert told(effect("Permission.ask", lasted_ns=4_000 * MS, **{"status.interrupted": True})) == [ASKED]


@pytest.mark.parametrize(
    ("thrown", "attributes", "expected"),
    [
        (None, {}, ("tool.called", "completed", None)),
        (None, {"status.interrupted": True}, ("tool.called", "cancelled", None)),
        (("PermissionRejectedError", REJECTED), {}, ("tool.called", "refused", "human_or_program")),
        (("Error", REJECTED), {}, ("tool.called", "refused", "human_or_program")),
        (("Error", "File not found: a.txt"), {}, ("tool.called", "failed", None)),
        (
            ("Error", "The read tool was called with invalid arguments: filePath is missing"),
            {},
            ("tool.called", "invalid_arguments", None),
        ),
        (None, {"tool.name": "invalid"}, ("tool.called", "unknown_tool", None)),
    ],
)
def test_every_end_of_a_tool_has_its_meaning(
    thrown: tuple[str, str] | None, attributes: dict[str, Any], expected: tuple[str, str | None, str | None]
) -> None:
    """A failed tool is told from one that never ran by the type of its error."""
    assert told(effect("Tool.execute", thrown, **attributes)) == [expected]


@pytest.mark.parametrize(("code", "state"), [(4, "failed"), (0, "completed"), (None, "completed")])
def test_a_command_that_ended_with_an_error_failed(code: int | None, state: str) -> None:
    """Its exit code stands in what the tool tells of itself, beside the output."""
    attributes = {
        "ai.operationId": "ai.toolCall",
        "ai.telemetry.functionId": "session.llm",
        "ai.toolCall.name": "bash",
        "ai.toolCall.id": "call_1",
        "ai.toolCall.result": json.dumps({"output": "(no output)", "metadata": {"exit": code}}),
    }
    reading = opencode.read(make_span("ai.toolCall", attributes, scope="ai", service="opencode"))
    assert reading is not None
    assert [(event.state, event.rule) for event in reading.events] == [(state, "exit_code" if code else None)]


@pytest.mark.parametrize(
    ("error", "state"),
    [(NO_TOOL, "unknown_tool"), ("Invalid input for tool nope: JSON parsing failed", "invalid_arguments")],
)
def test_a_call_of_the_tool_invalid_is_one_of_the_tool_that_was_meant(error: str, state: str) -> None:
    """Opencode repairs calls that it cannot run into calls of a tool that says so."""
    given_input = {"tool": "nope", "error": error}
    call = {"type": "tool-call", "toolCallId": "c-1", "toolName": "invalid", "input": given_input}
    output = {"type": "text", "value": f"The arguments provided to the tool are invalid: {error}"}
    answer = {"type": "tool-result", "toolCallId": "c-1", "toolName": "invalid", "output": output}
    history = [{"role": "assistant", "content": [call]}, {"role": "tool", "content": [answer]}]
    made = {"ai.operationId": "ai.streamText.doStream", "ai.response.toolCalls": json.dumps([call])}
    heard = {"ai.operationId": "ai.streamText.doStream", "ai.prompt.messages": json.dumps(history)}
    ran = {
        "ai.operationId": "ai.toolCall",
        "ai.toolCall.name": "invalid",
        "ai.toolCall.id": "c-1",
        "ai.toolCall.args": json.dumps(given_input),
    }
    found = [opencode.read(effect("ai", **attributes)) for attributes in (made, heard, ran)]
    events = [(event, reading.who.tool_name) for reading in found if reading for event in reading.events]
    assert [(event.event, event.state, event.tool_name or name, event.reason) for event, name in events] == [
        ("action.proposed", "proposed", "nope", None),
        ("action.proposed", "echoed", "nope", None),
        ("tool.called", state, None, output["value"]),
        ("tool.called", state, "nope", error),
    ]


def test_a_step_that_ends_with_calls_hands_nothing_back() -> None:
    """Opencode runs them itself and goes on with another step."""
    (*_, step) = readings("ai.streamText")
    assert step is not None
    assert [event.attributes for event in step.events if event.state == "echoed"] == [{}, {}]
    assert (step.operation, step.who.user_id, step.who.tool_names) == ("invoke_agent", None, None)


def test_spans_of_its_database_and_files_state_nothing() -> None:
    """They are most of what it sends, and only keep their place in the trace."""
    (first, *_) = named(read_recording("opencode", "rule_deny_rich"), "sql.execute")
    assert opencode.read(first) == Reading(dialect="opencode", who=acting())


@pytest.mark.parametrize(
    "record",
    [
        make_span("Tool.execute", {"tool.name": "bash"}, scope="effect"),
        make_span("ai.toolCall", {"ai.operationId": "ai.toolCall"}, scope="ai", service="shop"),
        make_log("Permission.ask", {}, service="opencode-fork"),
    ],
)
def test_records_of_others_are_left_to_others(record: object) -> None:
    """Similar words are not enough."""
    assert opencode.read(record) is None  # type: ignore[arg-type]


def test_a_log_record_of_it_states_nothing() -> None:
    """Its logs are for its developers."""
    assert opencode.read(make_log("hello", {"session.id": "s-1"}, service="opencode")) == Reading(
        dialect="opencode", who=Who(conversation_id="s-1", agent_name="opencode")
    )


@given(
    name=st.sampled_from(["Tool.execute", "Permission.ask", "ai.toolCall", "ai.streamText.doStream", "sql.execute"]),
    attributes=st.dictionaries(
        st.sampled_from(
            ["tool.name", "tool.call_id", "session.id", "status.interrupted", "ai.toolCall.args", "ai.toolCall.name"]
        ),
        st.just("invalid") | values,
    ),
    operation=st.sampled_from(["ai.toolCall", "ai.streamText.doStream", "ai.streamText"]) | values,
    thrown=values,
)
def test_no_span_makes_it_fail(name: str, attributes: dict[str, Any], operation: object, thrown: object) -> None:
    """Whatever the attributes hold."""
    span = make_span(name, {**attributes, "ai.operationId": operation}, scope="opencode", status=2)
    span.events.append(SpanEvent("exception", 7, dict.fromkeys(KEYS_OF_EXCEPTION, thrown)))
    assert opencode.read(span) is not None
