"""Strands' spans become the events they state: a call that a hook stopped has no span, an interrupt no answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import strands
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import SpanEvent

from .recordings import make_log, make_span, named, read_recording, values

SCOPE = "strands.telemetry.tracer"
DETAILS = "gen_ai.client.inference.operation.details"
LEGACY, LATEST = "legacy_hook_cancel_interrupt_no", "latest_hooks_and_interrupts"
INTERRUPT = "v1:before_tool_call:tooluse_pay:76caef23-8ae3-5ee1-9e8a-cbaa2ff22a9f"


def readings(case: str, name: str) -> list[Reading]:
    """The readings of all spans of one name."""
    found = [strands.read(record) for record in named(read_recording("strands", case), name)]
    return [reading for reading in found if reading is not None]


def tool_span(status: str | None, said: str = "", *, raised: bool = False, name: str = "pay") -> Reading:
    """The reading of a tool span with this status and, if it is an error, this text."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": "t1"}
    if status is not None:
        attributes["gen_ai.tool.status"] = status
    events = [SpanEvent("exception", 7, {"exception.type": "ValueError", "exception.message": said})] if raised else []
    failed = 2 if status == "error" else 1
    span = make_span("execute_tool", attributes, scope=SCOPE, status=failed, status_message=said, events=events)
    reading = strands.read(span)
    assert reading is not None
    return reading


def test_a_tool_that_ran_has_its_arguments_and_its_result_in_events() -> None:
    """Under the older conventions, the tool's message is its input."""
    assert readings(LEGACY, "execute_tool read_db") == [
        Reading(
            dialect="strands",
            who=Who(conversation_id="s1", user_id="u1", tool_name="read_db", call_id="tooluse_read"),
            operation="execute_tool",
            events=[
                Event(
                    event="tool.called",
                    state="completed",
                    time_ns=1795248229867703387,
                    end_ns=1795248229871094024,
                    arguments={"q": "a"},
                    content=[{"text": "row"}],
                )
            ],
        )
    ]


@pytest.mark.parametrize(("case", "name"), [(LEGACY, "dbbot"), (LATEST, "clerk")])
def test_an_agent_that_returns_an_interrupt_asks_about_the_calls_it_names(case: str, name: str) -> None:
    """With the reason that the hook gave as what was shown."""
    asked, done = readings(case, f"invoke_agent {name}")
    requests = [event for event in asked.events if event.event == "approval.requested"]
    expected = {LEGACY: [("tooluse_pay", {"amount": 900})]}.get(
        case, [("t4", {"amount": 900}), ("t5", {"amount": 5}), ("t9", {"to": "ann"})]
    )
    assert [(event.call_id, event.content) for event in requests] == expected
    assert [event for event in done.events if event.event == "approval.requested"] == []


def test_an_agent_names_its_tools_its_prompt_and_its_model() -> None:
    """The names come without a switch."""
    who = readings(LATEST, "invoke_agent clerk")[0].who
    assert (who.agent_name, who.model) == ("clerk", "fake-1")
    assert who.tool_names == ["read_db", "drop_db", "wipe", "pay", "boom", "soft", "send"]
    assert who.system_prompt_digest is not None
    assert who.system_prompt_digest == readings(LATEST, "chat")[0].who.system_prompt_digest


@pytest.mark.parametrize("case", [LEGACY, LATEST])
def test_a_model_call_states_what_it_was_given_and_what_it_proposed(case: str) -> None:
    """Whichever conventions its events follow."""
    first, second = readings(case, "chat")[:2]
    assert [(event.event, event.state) for event in first.events][:2] == [
        ("input.resolved", "system_prompt"),
        ("input.resolved", "user_prompt"),
    ]
    proposed = [event.call_id for event in first.events if event.event == "action.proposed"]
    answered = {event.call_id: event.state for event in second.events if event.event == "tool.called"}
    assert set(answered) == set(proposed)
    assert first.who.input_tokens == 11


def test_a_cycle_tells_what_its_tools_gave_back() -> None:
    """Also where no model call follows; the framework's own words are told from a tool's."""
    cycle = readings(LATEST, "execute_event_loop_cycle")[1]
    told = {event.call_id: (event.state, event.decided_by, event.rule) for event in cycle.events}
    assert told == {
        "t1": ("answered", None, None),
        "t2": ("answered", None, None),
        "t3": ("refused", "hook", "hook_cancelled"),
        "t4": ("answered", None, None),
        "t5": ("answered", None, None),
        "t6": ("unknown_tool", None, "text:unknown_tool"),
        "t7": ("answered", None, None),
        "t8": ("answered", None, None),
        "t9": ("answered", None, None),
        "t10": ("invalid_arguments", None, "validation_failed"),
    }


def test_a_result_that_is_marked_as_an_error_keeps_its_text_as_the_reason() -> None:
    """It may be what a hook said."""
    told = {event.call_id: event for event in readings(LEGACY, "execute_event_loop_cycle")[1].events}
    assert told["tooluse_del1"] == Event(
        event="tool.called",
        state="answered",
        time_ns=1795248231874573374,
        call_id="tooluse_del1",
        basis="inferred",
        reason="blocked by policy",
        content=[{"text": "blocked by policy"}],
        attributes={"answer_status": "error"},
    )
    assert (told["tooluse_read"].reason, told["tooluse_read"].attributes) == (None, {"answer_status": "success"})


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (tool_span("success"), ("completed", "explicit", None, None)),
        (tool_span(None), ("entered", "explicit", None, "no_tool_status")),
        (tool_span("error", "disk full", raised=True), ("failed", "explicit", None, None)),
        (tool_span("error", "no such row"), ("failed", "inferred", None, None)),
        (tool_span("error", "tool cancelled by user"), ("refused", "inferred", "hook", "hook_cancelled")),
        (tool_span("error", "tool cancelled by user", raised=True), ("failed", "explicit", None, None)),
        (tool_span("error", "Unknown tool: nope", name="nope"), ("unknown_tool", "explicit", None, "unknown_tool")),
        (tool_span("error", "Unknown tool: nope", raised=True), ("failed", "explicit", None, None)),
        (
            tool_span("error", "Validation failed for input parameters: 1 …", raised=True),
            ("invalid_arguments", "explicit", None, "validation_failed"),
        ),
        (tool_span("error", "User declined the payment", raised=True), ("failed", "explicit", None, None)),
    ],
)
def test_the_status_of_a_tool_span_tells_what_became_of_the_call(
    reading: Reading, expected: tuple[str, str, str | None, str | None]
) -> None:
    """A tool's own words are no refusal; only the framework's for this very tool are."""
    (event,) = reading.events
    assert (event.state, event.basis, event.decided_by, event.rule) == expected


def test_a_stopped_agent_cancels_its_open_calls() -> None:
    """Each is answered in the framework's words."""
    result = (
        '[{"toolResult": {"toolUseId": "t1", "status": "error", "content": [{"text": "Tool execution cancelled"}]}}]'
    )
    span = make_span(
        "execute_event_loop_cycle",
        {"gen_ai.operation.name": "execute_event_loop_cycle"},
        scope=SCOPE,
        events=[SpanEvent("gen_ai.choice", 7, {"message": "[]", "tool.result": result})],
    )
    reading = strands.read(span)
    assert reading is not None
    assert [(event.call_id, event.state) for event in reading.events] == [("t1", "cancelled")]


def test_content_that_lies_on_the_span_reads_like_content_in_its_events() -> None:
    """`gen_ai_span_attributes_only` moves it."""
    made = (
        '[{"role": "assistant", "parts": [{"type": "tool_call", "id": "t1", "name": "pay", "arguments": {"eur": 9}}]}]'
    )
    common = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "strands-agents"}
    inside = make_span("chat", common, scope=SCOPE, events=[SpanEvent(DETAILS, 7, {"gen_ai.output.messages": made})])
    outside = make_span("chat", {**common, "gen_ai.output.messages": made}, scope=SCOPE)
    found = [strands.read(span) for span in (inside, outside)]
    assert found[0] is not None
    assert found[0] == found[1]
    assert [event.arguments for event in found[0].events] == [{"eur": 9}]


def test_what_was_redacted_passes_for_no_content() -> None:
    """Neither for a prompt nor for a result."""
    redacted = "[REDACTED]"
    events = [
        SpanEvent("gen_ai.system.message", 7, {"content": redacted}),
        SpanEvent("gen_ai.user.message", 7, {"content": redacted}),
        SpanEvent("gen_ai.choice", 7, {"message": redacted}),
    ]
    chat = strands.read(make_span("chat", {"gen_ai.operation.name": "chat"}, scope=SCOPE, events=events))
    tool = strands.read(make_span("t", {"gen_ai.operation.name": "execute_tool"}, scope=SCOPE, events=events))
    assert chat == Reading(dialect="strands", who=Who(), operation="chat")
    assert tool is not None
    assert [(event.arguments, event.content) for event in tool.events] == [(None, None)]


def test_an_interrupt_whose_reason_is_no_literal_still_names_its_call() -> None:
    """A reason may be any object."""
    said = f"[{{'id': '{INTERRUPT}', 'name': 'approve', 'reason': <Order 7>, 'response': None}}]"
    choice = SpanEvent("gen_ai.choice", 7, {"message": said, "finish_reason": "interrupt"})
    operation = {"gen_ai.operation.name": "invoke_agent"}
    reading = strands.read(make_span("invoke_agent x", operation, scope=SCOPE, events=[choice]))
    assert reading is not None
    assert reading.events == [
        Event(
            event="approval.requested",
            time_ns=5_000_001_000,
            call_id="tooluse_pay",
            group=INTERRUPT,
            rule="interrupt",
        )
    ]


@pytest.mark.parametrize(
    "record",
    [
        make_span("chat", {"gen_ai.operation.name": "chat"}, scope="strands_tools"),
        make_span("chat", {"gen_ai.operation.name": "chat"}, service="strands-agents"),
        make_log("chat", {}, scope=SCOPE),
    ],
)
def test_records_of_others_are_left_to_others(record: Any) -> None:
    """A tool's own spans, another instrumentation's in the same program, and log records."""
    assert strands.read(record) is None


@given(
    operation=st.sampled_from(["chat", "execute_tool", "execute_event_loop_cycle", "invoke_agent", "invoke_swarm"]),
    attributes=st.dictionaries(
        st.sampled_from(
            ["gen_ai.tool.status", "gen_ai.tool.name", "gen_ai.agent.tools", "gen_ai.input.messages",
             "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.result"]
        ),
        values,
        max_size=5,
    ),
    names=st.lists(
        st.sampled_from(["gen_ai.choice", "gen_ai.tool.message", "gen_ai.system.message", DETAILS, "exception"]),
        max_size=4,
    ),
    told=st.dictionaries(
        st.sampled_from(
            ["message", "content", "id", "finish_reason", "tool.result", "tool_calls", "gen_ai.event.content",
             "gen_ai.input.messages", "gen_ai.output.messages", "exception.message"]
        ),
        values | st.sampled_from(["[REDACTED]", "interrupt", '[{"toolUse": {}}]', '[{"toolResult": {}}]']),
        max_size=5,
    ),
    status=st.sampled_from([0, 1, 2]),
)  # fmt: skip
def test_no_span_makes_it_fail(
    operation: str, attributes: dict[str, Any], names: list[str], told: dict[str, Any], status: int
) -> None:
    """Whatever attributes and events hold."""
    events = [SpanEvent(name, 7, told) for name in names]
    span = make_span("x", {"gen_ai.operation.name": operation, **attributes}, scope=SCOPE, status=status, events=events)
    assert strands.read(span) is not None
