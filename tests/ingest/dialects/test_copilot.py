"""Copilot CLI's spans become the events they state: a refused call never ran, whatever its span is called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import copilot
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.records import SpanEvent

from .recordings import make_log, make_span, named, read_recording, values

SCOPE = "github.copilot"
UNANSWERED = "denied-no-approval-rule-and-could-not-request-from-user"
KEYS = (
    "gen_ai.operation.name", "gen_ai.conversation.id", "gen_ai.tool.name", "gen_ai.tool.call.id",
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.agent.name", "gen_ai.request.model",
    "gen_ai.response.model", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
    "gen_ai.tool.definitions", "gen_ai.usage.input_tokens", "error.type", "github.copilot.interaction_id",
    "github.copilot.permission.kind", "github.copilot.permission.result",
)  # fmt: skip


def headless(**changes: str) -> Who:
    """Who acts in the headless recording, with what one record adds."""
    who = Who(
        conversation_id="d939230c-e814-4a2e-89b7-4fafcf7cc031",
        agent_name="github-copilot",
        agent_version="1.0.102",
    )
    for name, value in changes.items():
        setattr(who, name, value)
    return who


def readings(case: str, name: str) -> list[Reading | None]:
    """The readings of all spans of one name."""
    return [copilot.read(record) for record in named(read_recording("copilot-cli", case), name)]


def test_a_call_that_a_rule_forbids_is_refused_by_that_rule() -> None:
    """No question was asked, and the span of the call is no execution."""
    assert readings("headless_content", "execute_tool bash") == [
        Reading(
            dialect="copilot",
            who=headless(tool_name="bash", call_id="call_4f6e24cb2e344226"),
            operation="execute_tool",
            events=[
                Event(
                    event="tool.called",
                    state="refused",
                    time_ns=1795246346916000000,
                    arguments={
                        "command": "rm -rf ./build-cache",
                        "description": "rm",
                        "mode": "sync",
                        "initial_wait": 10,
                    },
                    decided_by="policy",
                    decider="shell(rm:*)",
                    identity="asserted",
                    reason="Permission to run this tool was denied due to the following rules: `shell(rm:*)`",
                    rule="error_type_denied",
                )
            ],
        )
    ]


def test_a_call_that_ran_is_known_to_have_run_at_the_end_of_its_span() -> None:
    """The span began before the question."""
    assert readings("tty_approve_twice", "execute_tool bash bash") == [
        Reading(
            dialect="copilot",
            who=headless(
                conversation_id="af4e55ed-9515-4acc-86e2-c3816d00a659",
                tool_name="bash",
                call_id="call_ed00074fa1854dbf",
            ),
            operation="execute_tool",
            events=[Event(event="tool.called", state="completed", time_ns=1795248569004000000)],
        )
    ]


def test_a_permission_is_a_question_to_a_person_and_the_answer() -> None:
    """Its duration is the wait; call and tool are its parent's."""
    approved = readings("tty_approve_twice", "permission")[0]
    assert approved is not None
    assert approved.operation == "approval"
    assert approved.events == [
        Event(event="approval.requested", time_ns=1795248564231000000, attributes={"kind": "shell"}),
        Event(
            event="approval.granted",
            time_ns=1795248568975000000,
            end_ns=1795248568975000000,
            decided_by="human",
            wait_ns=4744000000,
            rule="permission",
            attributes={"kind": "shell", "result": "approved"},
        ),
    ]


def test_a_question_that_nobody_can_be_asked_is_a_refusal_by_policy() -> None:
    """It fails within a millisecond."""
    assert readings("headless_content", "permission") == [
        Reading(
            dialect="copilot",
            who=headless(),
            operation="approval",
            events=[
                Event(
                    event="policy.evaluated",
                    state="deny",
                    time_ns=1795246346971000000,
                    end_ns=1795246346971000000,
                    decided_by="policy",
                    wait_ns=1000000,
                    rule="unanswered_ask",
                    attributes={"kind": "write", "result": UNANSWERED},
                )
            ],
        )
    ]


def test_a_tool_that_does_not_exist_is_told_apart_from_one_that_failed() -> None:
    """By the text, which the emitter writes itself."""
    unknown = readings("headless_content", "execute_tool no_such_tool")[0]
    assert unknown is not None
    assert unknown.events == [
        Event(
            event="tool.called",
            state="unknown_tool",
            time_ns=1795246347046000000,
            arguments={"a": 1},
            reason="Tool 'no_such_tool' does not exist.",
            rule="missing_tool",
        )
    ]


def test_a_model_call_states_answers_and_proposals_and_its_interaction_is_the_turn() -> None:
    """Content is switched on here."""
    chat = readings("headless_content", "chat fake-model")[1]
    assert chat is not None
    assert (chat.operation, chat.who.turn_id) == ("chat", "2b6b936f-8abf-4a7f-bd3f-cfb29bb586b8")
    assert (chat.who.model, chat.who.model_served, chat.who.input_tokens) == ("fake-model", "fake-model", 11)
    assert chat.who.tool_names is not None
    assert chat.who.tool_names[:2] == ["bash", "read_bash"]
    assert [(event.event, event.state, event.call_id) for event in chat.events] == [
        ("tool.called", "refused", "call_4f6e24cb2e344226"),
        ("tool.called", "answered", "call_0f36016a28874a5a"),
        ("action.proposed", "proposed", "call_129aec7db8f34eed"),
    ]


def test_an_agent_span_has_the_turn_and_not_the_sum_of_tokens() -> None:
    """Its model calls state their own."""
    assert readings("tty_approve_twice", "invoke_agent") == [
        Reading(
            dialect="copilot",
            who=headless(
                conversation_id="af4e55ed-9515-4acc-86e2-c3816d00a659",
                turn_id="852690e4-2126-4947-9477-5befdd6cc3ac",
            ),
            operation="invoke_agent",
        )
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("approved", [("approval.requested", None, None), ("approval.granted", None, "human")]),
        ("approved-for-session", [("approval.requested", None, None), ("approval.granted", None, "human")]),
        (
            "denied-interactively-by-user",
            [("approval.requested", None, None), ("approval.rejected", None, "human")],
        ),
        (UNANSWERED, [("approval.requested", None, None), ("approval.expired", None, "timeout")]),
        ("denied-by-rules", [("policy.evaluated", "deny", "policy")]),
        ("denied-by-permission-request-hook", [("policy.evaluated", "deny", "hook")]),
        ("something-new", [("policy.evaluated", "unknown", None)]),
    ],
)
def test_every_result_of_a_question_has_its_meaning(
    result: str, expected: list[tuple[str, str | None, str | None]]
) -> None:
    """After a wait of five seconds."""
    span = make_span("permission", {"github.copilot.permission.result": result}, scope=SCOPE)
    reading = copilot.read(span)
    assert reading is not None
    assert [(event.event, event.state, event.decided_by) for event in reading.events] == expected
    scope = reading.events[-1].attributes.get("grant_scope")
    assert scope == ("session" if result == "approved-for-session" else None)


def test_a_person_who_stops_the_turn_cancels_the_call_and_leaves_the_question_open() -> None:
    """Esc where Copilot asks; a question that has not ended says nothing yet."""
    attributes = {"gen_ai.operation.name": "execute_tool", "error.type": "cancelled"}
    stopped = copilot.read(
        make_span("execute_tool bash", attributes, scope=SCOPE, status=2, status_message="Operation aborted")
    )
    asked = copilot.read(make_span("permission", {"github.copilot.permission.kind": "shell"}, scope=SCOPE))
    waits = copilot.read(replace(make_span("permission", {}, scope=SCOPE), end_ns=0))
    told = [
        (event.event, event.state, event.decided_by)
        for reading in (stopped, asked, waits)
        for event in (reading.events if reading else [])
    ]
    assert told == [
        ("tool.called", "cancelled", "human"),
        ("approval.requested", None, None),
        ("policy.evaluated", "unknown", None),
        ("policy.evaluated", "unknown", None),
    ]


def test_a_refusal_without_text_and_a_failure_are_told_from_an_execution() -> None:
    """With content off the message says only that the tool failed."""
    denied = make_span(
        "execute_tool bash",
        {"gen_ai.operation.name": "execute_tool", "error.type": "denied"},
        scope=SCOPE,
        status=2,
        status_message="Tool failed",
    )
    failed = make_span(
        "execute_tool bash",
        {"gen_ai.operation.name": "execute_tool", "error.type": "ToolError"},
        scope=SCOPE,
        status=2,
        events=[SpanEvent("gen_ai.client.operation.exception", 7, {"exception.message": "exit 1"})],
    )
    found = [copilot.read(span) for span in (denied, failed)]
    assert [reading.events for reading in found if reading] == [
        [
            Event(
                event="tool.called",
                state="refused",
                time_ns=5_000_001_000,
                decided_by="policy",
                reason="Tool failed",
                rule="error_type_denied",
            )
        ],
        [Event(event="tool.called", state="failed", time_ns=5_000_001_000, reason="exit 1")],
    ]


@pytest.mark.parametrize(("code", "state"), [(2, "failed"), ("2", "failed"), (0, "completed"), ("0", "completed")])
def test_a_command_that_ended_with_an_error_failed(code: object, state: str) -> None:
    """The span is OK all the same: the tool did what it is for."""
    attributes = {"gen_ai.operation.name": "execute_tool", "process.exit.code": code}
    reading = copilot.read(make_span("execute_tool bash", attributes, scope=SCOPE))
    assert reading is not None
    assert [event.state for event in reading.events] == [state]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Tool 'x' does not exist.", ("unknown_tool", None, "explicit", "missing_tool")),
        ("Tool failed", ("failed", None, "inferred", None)),
        ("2 validation errors for pay", ("invalid_arguments", None, "inferred", "text:pydantic_invalid")),
        (
            "Please always provide EXACTLY ONE action in triple backticks, found 2 actions.",
            ("refused", "program", "inferred", "text:mini_swe_format"),
        ),
        ("Permission to run this tool was denied due to", ("failed", None, "explicit", None)),
    ],
)
def test_the_text_of_an_error_tells_what_was_no_execution(
    told: str, expected: tuple[str, str | None, str, str | None]
) -> None:
    """A refusal by Copilot itself has its own error type, so that a tool which prints one has failed."""
    attributes = {"gen_ai.operation.name": "execute_tool", "error.type": "ToolError"}
    span = make_span("execute_tool x", attributes, scope=SCOPE, status=2, status_message=told)
    reading = copilot.read(span)
    assert reading is not None
    (event,) = reading.events
    assert (event.state, event.decided_by, event.basis, event.rule) == expected


@pytest.mark.parametrize(
    "record",
    [
        make_span("execute_tool bash", {"gen_ai.operation.name": "execute_tool"}, scope="copilot-chat"),
        make_span("permission", {}, service="some-agent"),
        make_log("github.copilot", {}, service="copilot-chat"),
    ],
)
def test_records_of_others_are_left_to_others(record: object) -> None:
    """Similar words are not enough."""
    assert copilot.read(record) is None  # type: ignore[arg-type]


@given(
    name=st.sampled_from(["permission", "execute_tool bash", "chat m", "invoke_agent", "custom_notification"]),
    operation=st.sampled_from(["execute_tool", "chat", "invoke_agent"]) | values,
    attributes=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    told=values,
)
def test_no_span_makes_it_fail(name: str, operation: object, attributes: dict[str, object], told: object) -> None:
    """Whatever the attributes hold."""
    keys = ("exception.message", "github.copilot.user.message.interaction_id")
    span = make_span(name, {"gen_ai.operation.name": operation, **attributes}, scope=SCOPE, status=2)
    span.events.append(SpanEvent("gen_ai.client.operation.exception", 7, dict.fromkeys(keys, told)))
    assert copilot.read(span) is not None
