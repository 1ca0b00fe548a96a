"""Codex's log events and spans become the events they state; of hundreds of spans, the few that state something."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import codex, genai
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import Log, SpanEvent

from .codex_sessions import SCOPE, TURN, embedded, headless, log, readings, recorded, stated
from .recordings import make_log, make_span, read_recording, values

MODULE = {"code.module.name": "codex_core::tools::parallel"}
AT_NS = 9_000_000_000
"""When log records made by hand were observed."""
KEYS = (
    "event.name", "event.timestamp", "event.kind", "conversation.id", "thread.id", "turn.id", "tool_name", "call_id",
    "decision", "source", "success", "output", "arguments", "duration_ms", "outcome", "aborted", "agent_name", "prompt",
    "input_token_count", "usage.estimated_usd", "error.message", "status", "rationale", "item.id", "approval_policy",
    "user.email", "originator", "mcp_server", "rpc.method", "gen_ai.usage.input_tokens", "code.module.name", "model",
)  # fmt: skip


def test_a_result_is_a_call_that_ran_from_when_it_was_received() -> None:
    """The arguments are whole; the time holds the wait, and the record says so."""
    assert readings("exec_never_logs_json", "codex.tool_result")[0] == Reading(
        dialect="codex",
        who=headless(
            conversation_id="01a1fd0f-0d2c-7313-8c7d-34d7bf94ed0f",
            tool_name="exec_command",
            call_id="call_644262d211d34753",
        ),
        events=[
            Event(
                event="tool.called",
                state="completed",
                time_ns=1795246984723466698,
                end_ns=1795246984854466698,
                arguments={"cmd": "echo hello-ok"},
                content="Chunk ID: ce4b1c\nWall time: 0.0000 seconds\nProcess exited with code 0\n"
                "Original token count: 3\nOutput:\nhello-ok\n",
                attributes={"includes_wait": True},
            )
        ],
    )


def test_the_settings_of_a_conversation_are_an_input() -> None:
    """What needs an approval, and how commands are confined."""
    (starts,) = readings("appserver_decline_accept", "codex.conversation_starts")
    assert starts == Reading(
        dialect="codex",
        who=embedded(),
        events=[
            Event(
                event="input.resolved",
                state="other",
                time_ns=1795248536881496715,
                attributes={
                    "input": "conversation_starts",
                    "approval_policy": "on-request",
                    "sandbox_policy": "workspace-write",
                    "provider_name": "fake",
                    "reasoning_summary": "auto",
                },
            ),
            Event(
                event="input.resolved",
                state="permission_mode",
                time_ns=1795248536881496715,
                content="on-request, workspace-write",
            ),
        ],
    )


def test_nobody_asked_and_nothing_held_back_is_a_bypass() -> None:
    """Either setting alone is none: a sandbox still holds what nobody is asked about."""
    told = [
        stated("conversation_starts", approval_policy=policy, sandbox_policy=sandbox)[-1]
        for policy, sandbox in (
            ("never", "danger-full-access"),
            ("never", "workspace-write"),
            ("on-request", "danger-full-access"),
        )
    ]
    assert [(event.content, event.attributes) for event in told] == [
        ("never, danger-full-access", {"bypass": True}),
        ("never, workspace-write", {}),
        ("on-request, danger-full-access", {}),
    ]


def test_a_prompt_is_an_input_unless_it_is_withheld() -> None:
    """Then that there was one is known, and not what it said."""
    prompted = Event(event="input.resolved", state="user_prompt", time_ns=AT_NS)
    assert stated("user_prompt", prompt="[REDACTED]", prompt_length="9") == [prompted]
    prompted.content = "tidy up"
    assert stated("user_prompt", prompt="tidy up", prompt_length="7") == [prompted]


def test_one_record_of_a_stream_states_a_model_call_with_its_tokens() -> None:
    """Numbers come as text; the rest of the stream, and its end without tokens, states nothing."""
    told = readings("exec_never_logs_json", "codex.sse_event")
    calls = [reading for reading in told if reading.events]
    assert (len(told), len(calls)) == (25, 5)
    assert [(reading.who.input_tokens, reading.who.output_tokens) for reading in calls] == [("11", "7")] * 5
    assert {(event.event, event.reason) for reading in calls for event in reading.events} == {("model.called", None)}


@pytest.mark.parametrize("kind", ["sse_event", "api_request", "websocket_request"])
def test_a_model_call_that_failed_says_why(kind: str) -> None:
    """One that went well is told by the stream."""
    failed = Event(event="model.called", time_ns=AT_NS, reason="overloaded")
    assert stated(kind, error__message="overloaded", duration_ms="12") == [failed]
    assert stated(kind, duration_ms="12") == []


def test_the_cost_of_a_turn_is_a_number_and_names_the_turn() -> None:
    """Logs tell of turns here alone."""
    reading = codex.read(log("turn_cost", turn__id="t-1", usage__estimated_usd="0.25"))
    assert reading == Reading(
        dialect="codex",
        who=Who(turn_id="t-1", agent_name="codex", cost_usd="0.25"),  # type: ignore[arg-type]
        events=[Event(event="model.called", time_ns=AT_NS, attributes={"whole_turn": True})],
    )


def test_a_command_that_the_sandbox_stopped_had_its_effect_blocked() -> None:
    """The log event and the span event that repeats it say the same."""
    blocked = Event(
        event="effect.blocked",
        time_ns=1795245291369201032,
        decided_by="policy",
        rule="sandbox_outcome",
        attributes={"outcome": "denied"},
    )
    (logged,) = readings("exec_never", "codex.sandbox_outcome")
    (span,) = (reading for reading in readings("exec_never", "unified_exec.open_session") if reading.events)
    assert logged.events == [blocked]
    (repeated,) = span.events
    assert (repeated.event, repeated.call_id, repeated.rule) == ("effect.blocked", logged.who.call_id, blocked.rule)


@pytest.mark.parametrize("outcome", ["escalated", "timed_out", "signal"])
def test_any_other_outcome_in_the_sandbox_means_that_the_command_began(outcome: str) -> None:
    """What came of it, the result tells."""
    assert stated("sandbox_outcome", outcome=outcome, call_id="c") == [
        Event(
            event="tool.called",
            state="started",
            time_ns=AT_NS,
            rule="sandbox_outcome",
            attributes={"outcome": outcome},
        )
    ]


def test_a_record_without_an_observed_time_happened_when_it_says() -> None:
    """And one whose own time is none has no time at all."""
    for timestamp, time_ns in (
        ("2026-11-21T08:08:57.974Z", 1795248537974000000),
        ("2026-11-21T08:08:57.974", 0),
        ("yesterday", 0),
        (12, 0),
    ):
        record = log("user_prompt", event__timestamp=timestamp)
        record.time_ns = 0
        reading = codex.read(record)
        assert reading is not None
        assert [event.time_ns for event in reading.events] == [time_ns]


def test_a_subagent_is_named_by_its_path() -> None:
    """The main agent's path is no name."""
    main, sub = (codex.read(log("tool_result", agent_name=path)) for path in ("/root", "/root/tester"))
    assert main is not None
    assert sub is not None
    assert (main.who.agent_name, main.who.agent_id) == ("codex", None)
    assert (sub.who.agent_name, sub.who.agent_id) == ("/root/tester", "/root/tester")


def test_the_span_of_a_call_proves_only_that_there_was_one() -> None:
    """It is the same for a call that was declined."""
    declined = readings("appserver_decline_accept", "exec_command")[1]
    assert declined == Reading(
        dialect="codex",
        who=embedded(
            model=None,
            turn_id="01a1fd26-bd4a-7a01-be12-9d4ba171d243",
            tool_name="exec_command",
            call_id="call_77c58eafc8534dec",
        ),
        operation="execute_tool",
        events=[
            Event(
                event="tool.called",
                state="entered",
                time_ns=1795248537059521957,
                end_ns=1795248538565781280,
                attributes={"includes_wait": True},
            )
        ],
    )


def test_the_span_of_a_call_that_was_aborted_is_all_there_is_of_it() -> None:
    """No decision and no result come with it."""
    aborted = make_span("exec_command", {**MODULE, "call_id": "c", "tool_name": "exec_command", "aborted": True})
    reading = codex.read(aborted)
    assert reading is not None
    assert [(event.event, event.state) for event in reading.events] == [
        ("tool.called", "entered"),
        ("tool.called", "cancelled"),
    ]
    assert reading.events[1].time_ns == aborted.end_ns


def test_span_events_tell_of_proposals_and_of_success_but_not_of_refusals() -> None:
    """A declined call and a failed one have the same `success=false`."""
    told = [
        (event.event, event.state, event.call_id)
        for name in ("handle_output_item_done", "dispatch_tool_call_with_state")
        for reading in readings("appserver_decline_accept", name)
        for event in reading.events
    ]
    auto, declined, accepted = "call_dd4eea7b8b2c4865", "call_77c58eafc8534dec", "call_b12c5178cd374357"
    assert sorted(told) == sorted(
        [("action.proposed", "proposed", call_id) for call_id in (auto, declined, accepted)]
        + [("tool.called", "completed", auto), ("tool.called", "completed", accepted)]
        + [("tool.called", "entered", declined)]
    )


def test_a_hook_before_a_tool_is_a_control_point_that_says_nothing() -> None:
    """Which call it was before, is told by the span it lies in; hooks after a tool decide nothing."""
    attributes = {"hook.event_name": "PreToolUse", "hook.command_outcome": "completed"} | MODULE
    reading = codex.read(make_span("codex.hooks.command", attributes))
    assert reading is not None
    assert (reading.operation, reading.events) == (
        "guardrail",
        [Event(event="policy.evaluated", state="unknown", time_ns=5_000_001_000, decided_by="hook", rule="hook_ran")],
    )
    after = codex.read(make_span("codex.hooks.command", attributes | {"hook.event_name": "PostToolUse"}))
    assert after is not None
    assert after.events == []


def test_a_turn_begins_with_its_request_and_ends_with_its_task() -> None:
    """The request is answered at once; the task has the tokens of the whole turn."""
    (request,) = readings("exec_never", "turn/start")
    (turn,) = readings("exec_never", "session_task.turn")
    assert (request.operation, [(event.event, event.time_ns) for event in request.events]) == (
        None,
        [("run.created", 1795245291090806470)],
    )
    assert turn == Reading(
        dialect="codex",
        who=headless(turn_id=TURN, input_tokens=55, output_tokens=35),
        operation="invoke_agent",
        events=[Event(event="run.completed", time_ns=1795245291423406602)],
    )


@pytest.mark.parametrize(("case", "spans"), [("exec_never", 843), ("appserver_decline_accept", 720)])
def test_all_but_a_few_spans_of_a_turn_are_steps(case: str, spans: int) -> None:
    """Neither operation nor events: they cost a row each, and make no run and no call."""
    found = [(record, reading) for record, reading in recorded(case) if not isinstance(record, Log)]
    speaking = [reading for _, reading in found if reading.operation is not None or reading.events]
    operations = Counter(reading.operation for reading in speaking)
    assert len(found) == spans
    assert len(speaking) <= 25
    assert operations["invoke_agent"] == 1
    assert operations["chat"] == len(readings(case, "codex.sampling"))


def test_every_record_of_a_recording_is_claimed_and_no_other_reader_would_know_better() -> None:
    """`gen_ai.usage.*` on internal spans would make a generic reader think of model calls elsewhere."""
    for case in ("exec_never", "exec_never_logs_json", "appserver_decline_accept"):
        found = read_recording("codex", case)
        assert all(codex.read(record) is not None for record in found)
    (span, *_) = (
        record for record in read_recording("codex", "exec_never") if "gen_ai.usage.input_tokens" in record.attributes
    )
    assert genai.read(span) is not None


def test_what_the_exporter_says_about_itself_states_nothing() -> None:
    """A DEBUG line without an event name lies in the same stream."""
    stray = make_log("flushing OTEL metrics", {}, scope="codex_otel::metrics::client")
    assert codex.read(stray) == Reading(dialect="codex", who=Who(agent_name="codex"))


@pytest.mark.parametrize(
    "record",
    [
        make_log(None, {"event.name": "tool_decision"}, scope="com.anthropic.claude_code.events"),
        make_log("codex.tool_decision", {}, service="codex_exec"),
        make_log(None, {"event.name": "codex.tool_decision"}, scope="shop"),
        make_span("execute_tool", {"target": "codex_bridge"}, service="shop", scope="bridge"),
        make_log(None, {"event.name": 7}),
        make_span("exec_command", {"call_id": "c", "aborted": True}, service="codex_exec", scope="codex_exec"),
        make_span("codex.sampling", {"code.module.name": "shop::codex_"}),
        make_span("execute_tool", {"code.module.name": 7, "target": "shop"}),
    ],
)
def test_records_of_others_are_left_alone(record: Any) -> None:
    """Also of a program that calls itself codex and instruments itself."""
    assert codex.read(record) is None


@given(st.dictionaries(st.sampled_from(KEYS), values))
def test_any_attributes_are_read_without_an_error(attributes: dict[str, Any]) -> None:
    """Telemetry is hostile: of any type, in log records, spans and span events."""
    for name in ("tool_decision", "tool_result", "sse_event", "guardian_assessment", "conversation_starts"):
        assert codex.read(make_log(None, {**attributes, "event.name": f"codex.{name}"}, scope=SCOPE)) is not None
    codex.read(make_log(None, attributes))
    event = SpanEvent("event", 5, {**attributes, "event.name": "codex.tool_result"})
    for name in ("session_task.turn", "turn/start"):
        assert codex.read(make_span(name, {**attributes, **MODULE}, events=[event])) is not None
