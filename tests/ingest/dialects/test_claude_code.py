"""Claude Code's log events and spans become the events they state, and nothing more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects import claude_code
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.messages import value_digest
from aftertrace.ingest.records import SpanEvent

from .claude_code_sessions import DEVICE, readings, terminal
from .recordings import make_log, make_span, values

TOUCH_DIGEST = "sha256:91bf1952b3d89965960e165910e087aa9b31a96b21666dcd89711d9f42a90be4"
KEYS = (
    "event.name", "span.type", "session.id", "prompt.id", "user.email", "user.id", "agent_id",
    "agent.name", "tool_name", "tool_use_id", "decision", "source", "success", "error", "error_type",
    "duration_ms", "decision_type", "decision_source", "tool_parameters", "tool_input",
    "tool_input_size_bytes", "permission_mode", "prompt", "command_name", "model", "input_tokens",
    "cost_usd", "query_source", "query_source_safe", "request_id", "body", "system_prompt_hash",
    "system_prompt", "tool", "tools", "new_context", "full_command", "file_path", "user_prompt",
    "gen_ai.request.model", "to_mode",
)  # fmt: skip
LOG_KINDS = (
    "user_prompt", "tool_decision", "tool_result", "api_request", "api_error", "api_request_body",
    "api_response_body", "system_prompt", "tool", "permission_mode_changed", "assistant_response",
    "made_up",
)  # fmt: skip
SPAN_KINDS = (
    "interaction",
    "llm_request",
    "tool",
    "tool.blocked_on_user",
    "tool.execution",
    "hook",
    "made_up",
)


def test_a_refused_call_has_a_tool_span_that_says_nothing_of_its_execution() -> None:
    """2.1.329 marks it as `execute_tool`, refused or not."""
    refused = readings("v2_1_329_headless_default", "claude_code.tool")[2]
    assert refused == Reading(
        dialect="claude_code",
        who=Who(
            conversation_id="32dc57da-8014-4858-8a40-1f54694f4379",
            agent_name="claude-code",
            agent_version="2.1.329",
            user_id=DEVICE,
            tool_name="Write",
            call_id="toolu_8d2fde8bd3684f8cb82f",
        ),
        operation="execute_tool",
        events=[
            Event(
                event="tool.called",
                state="entered",
                time_ns=1795248841778000000,
                end_ns=1795248841784336451,
                arguments={"file_path": "/home/user/project/new.txt"},
                attributes={"arguments_partial": True},
            )
        ],
    )


def test_an_output_on_the_tool_span_is_an_answer_and_the_execution_span_a_completion() -> None:
    """Only the latter is proof on its own."""
    entered = readings("headless_default_logs_traces", "claude_code.tool")[0]
    executed = readings("headless_default_logs_traces", "claude_code.tool.execution")[0]
    assert entered is not None
    assert executed is not None
    assert [*entered.events[1:], *executed.events] == [
        Event(
            event="tool.called",
            state="answered",
            time_ns=1795244911073572218,
            basis="inferred",
            content="hello-ok",
            rule="tool.output",
        ),
        Event(
            event="tool.called",
            state="completed",
            time_ns=1795244911052000000,
            end_ns=1795244911074411757,
        ),
    ]


@pytest.mark.parametrize(
    ("told", "states"),
    [
        ({"success": False, "gen_ai.provider.name": "anthropic"}, ["started", "cancelled"]),
        ({"success": False, "gen_ai.provider.name": "anthropic", "error.type": "tool_error"}, ["failed"]),
        ({"success": False}, ["failed"]),
        ({"success": True, "gen_ai.provider.name": "anthropic"}, ["completed"]),
        ({"gen_ai.provider.name": "anthropic"}, ["started"]),
    ],
)
def test_a_tool_that_was_stopped_has_no_error_type_of_its_own(told: dict[str, object], states: list[str]) -> None:
    """Versions that give every failure of a tool one, which name the provider too; of older ones it says nothing."""
    span = make_span(
        "claude_code.tool.execution",
        {"error": "Shell command failed", **told},
        scope="com.anthropic.claude_code.tracing",
    )
    reading = claude_code.read(span)
    assert reading is not None
    assert [event.state for event in reading.events] == states
    stopped = [event for event in reading.events if event.state == "cancelled"]
    assert [(event.basis, event.decided_by) for event in stopped] == [("inferred", "human_or_program")] * len(stopped)


def test_a_result_in_the_log_repeats_the_decision_and_shows_the_arguments_whole() -> None:
    """Its time is the start of the execution; headless runs leave the decision out."""
    result = readings("tty_approve", "claude_code.tool_result")[0]
    assert result is not None
    assert result.events == [
        Event(
            event="approval.granted",
            time_ns=1795245240831000000,
            decided_by="human_or_program",
            rule="tool_result_decision",
            attributes={"source": "user_temporary", "weight": "result"},
        ),
        Event(
            event="tool.called",
            state="completed",
            time_ns=1795245240831000000,
            end_ns=1795245240893000000,
            arguments={"command": "touch approved-once.txt", "description": "create"},
            attributes={
                "parameters_digest": TOUCH_DIGEST,
                "command_digest": value_digest("touch approved-once.txt"),
            },
        ),
    ]


def test_a_model_request_shows_the_entrypoint_and_the_model_that_answered() -> None:
    """`repl_main_thread` is the main loop of a terminal."""
    assert readings("tty_approve", "claude_code.api_request")[1] == Reading(
        dialect="claude_code",
        who=terminal(
            turn_id="5cbeb966-ae0a-4187-a4aa-80c2f64230ca",
            model_served="claude-opus-4-8",
            input_tokens=11,
            output_tokens=7,
            cost_usd=0.00025125,
        ),
        events=[
            Event(
                event="model.called",
                time_ns=1795245235863000000,
                attributes={
                    "query_source": "repl_main_thread",
                    "request_id": "req_fake_9634c5529ed1",
                    "entrypoint": "terminal",
                },
            )
        ],
    )


def test_a_request_for_the_session_title_costs_but_names_no_model_of_the_run() -> None:
    """A cheaper model often makes it."""
    assert readings("tty_approve", "claude_code.api_request")[0] == Reading(
        dialect="claude_code",
        who=terminal(
            turn_id="5cbeb966-ae0a-4187-a4aa-80c2f64230ca",
            input_tokens=11,
            output_tokens=7,
            cost_usd=0.00025125,
        ),
        events=[
            Event(
                event="model.called",
                time_ns=1795245235846000000,
                attributes={
                    "query_source": "generate_session_title",
                    "request_id": "req_fake_b19ebc49a13f",
                    "side_request": True,
                    "model": "claude-opus-4-8",
                },
            )
        ],
    )


def test_a_model_span_names_the_model_that_was_asked_for() -> None:
    """Tokens come as text."""
    assert readings("tty_approve", "claude_code.llm_request")[0] == Reading(
        dialect="claude_code",
        who=terminal(model="claude-opus-4-8[1m]", input_tokens=11, output_tokens=7),
        operation="chat",
    )


def test_a_prompt_is_an_input_and_a_withheld_one_has_no_content() -> None:
    """The interaction's span repeats it with less weight."""
    shown = readings("headless_default_logs_traces", "claude_code.user_prompt")[0]
    withheld = readings("tty_approve", "claude_code.user_prompt")[0]
    command = readings("tty_reject", "claude_code.user_prompt")[1]
    interaction = readings("headless_default_logs_traces", "claude_code.interaction")[0]
    assert [reading.events for reading in (shown, withheld, command, interaction) if reading] == [
        [
            Event(
                event="input.resolved",
                state="user_prompt",
                time_ns=1795244910998000000,
                content="please tidy the workspace",
            )
        ],
        [Event(event="input.resolved", state="user_prompt", time_ns=1795245235781000000)],
        [
            Event(
                event="input.resolved",
                state="user_prompt",
                time_ns=1795247099775000000,
                attributes={"command_name": "exit"},
            )
        ],
        [
            Event(
                event="input.resolved",
                state="user_prompt",
                time_ns=1795244910927000000,
                content="please tidy the workspace",
                attributes={"weight": "span"},
            )
        ],
    ]
    assert interaction is not None
    assert interaction.operation == "invoke_agent"


def test_a_commit_that_a_command_made_is_an_effect_and_no_argument() -> None:
    """Only the result knows the commit, so that it must not count as an edit of the arguments."""
    shown = '{"bash_command":"git","full_command":"git commit -m x"}'
    receipt = '{"bash_command":"git","full_command":"git commit -m x","git_commit_id":"0a1b2c"}'
    decided = claude_code.read(make_log("claude_code.tool_decision", {"tool_parameters": shown}))
    ran = claude_code.read(
        make_log("claude_code.tool_result", {"success": "true", "duration_ms": "66", "tool_parameters": receipt})
    )
    assert decided is not None
    assert ran is not None
    parameters_digest = decided.events[0].attributes["parameters_digest"]
    assert ran.events == [
        Event(
            event="tool.called",
            state="completed",
            time_ns=8_934_000_000,
            end_ns=9_000_000_000,
            arguments={"command": "git commit -m x"},
            attributes={
                "parameters_digest": parameters_digest,
                "command_digest": value_digest("git commit -m x"),
                "arguments_partial": True,
            },
        ),
        Event(
            event="effect.applied",
            time_ns=9_000_000_000,
            attributes={"system": "git", "object": "commit", "id": "0a1b2c"},
        ),
    ]


def test_a_tool_of_an_mcp_server_is_named_as_the_model_names_it() -> None:
    """Log records have its name in `tool_parameters`, which are no arguments; without them nobody knows it."""
    shown = '{"mcp_server_name":"crm","mcp_tool_name":"drop_table"}'
    told = [
        claude_code.read(make_log("claude_code.tool_decision", {"tool_name": "mcp_tool", "decision": "reject"} | more))
        for more in ({"tool_parameters": shown}, {})
    ]
    assert [(each.who.tool_name, each.events[0].arguments) for each in told if each is not None] == [
        ("mcp__crm__drop_table", None),
        ("mcp_tool", None),
    ]


def test_a_failed_result_tells_why_and_a_cut_input_is_marked() -> None:
    """The stated size is that of the whole input."""
    given_attributes = {
        "success": "false",
        "error_type": "Error",
        "error": "exit 1",
        "tool_input": '{"command":"x"}',
        "tool_input_size_bytes": "9000",
    }
    reading = claude_code.read(make_log("claude_code.tool_result", given_attributes))
    assert reading is not None
    assert reading.events == [
        Event(
            event="tool.called",
            state="failed",
            time_ns=9_000_000_000,
            end_ns=9_000_000_000,
            arguments={"command": "x"},
            reason="exit 1",
            attributes={"arguments_partial": True},
        )
    ]


def test_a_changed_permission_mode_is_an_input_and_decides_on_no_call() -> None:
    """One that lets everything through is marked, on either side of the change."""
    attributes = {"session.id": "s", "from_mode": "default", "to_mode": "bypassPermissions", "trigger": "shift_tab"}
    reading = claude_code.read(make_log("claude_code.permission_mode_changed", attributes))
    assert reading is not None
    assert reading.events == [
        Event(
            event="input.resolved",
            state="permission_mode",
            time_ns=9_000_000_000,
            content="bypassPermissions",
            attributes={"trigger": "shift_tab", "bypass": True, "from_mode": "default"},
        )
    ]
    back = {"from_mode": "bypassPermissions", "to_mode": "plan"}
    reading = claude_code.read(make_log("claude_code.permission_mode_changed", back))
    assert reading is not None
    assert reading.events[0].attributes == {"from_mode": "bypassPermissions", "from_bypass": True}


def test_other_records_of_the_emitter_are_its_own_and_state_nothing() -> None:
    """They keep their identity."""
    assert readings("hook_deny", "claude_code.hook_registered")[0] == Reading(
        dialect="claude_code", who=terminal(conversation_id="e4f1f773-c039-49e4-a857-0d2a1a6bd355")
    )


@pytest.mark.parametrize(
    "record",
    [
        make_log("user_prompt", {"event.name": "user_prompt"}, service="another-agent"),
        make_log({"event.name": "claude_code.tool_decision"}, {}),
        make_log(None, {"event.name": 7}, service="claude-code"),
        make_span("execute_tool Bash", {"gen_ai.operation.name": "execute_tool"}, scope="some.agent"),
        make_span("claude_code", {"tool_name": "Bash"}),
    ],
)
def test_records_of_others_are_left_to_others(record: object) -> None:
    """Similar words are not enough."""
    assert claude_code.read(record) is None  # type: ignore[arg-type]


@given(
    kind=st.sampled_from(LOG_KINDS),
    attributes=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    body=st.booleans(),
)
def test_no_log_event_makes_it_fail(kind: str, attributes: dict[str, object], body: bool) -> None:
    """Whatever the attributes hold."""
    log = make_log(f"claude_code.{kind}" if body else None, attributes, scope="com.anthropic.claude_code.events")
    if not body:
        log.attributes["event.name"] = kind
    assert claude_code.read(log) is not None


@given(
    kind=st.sampled_from(SPAN_KINDS),
    attributes=st.dictionaries(st.sampled_from(KEYS), values, max_size=8),
    output=values,
)
def test_no_span_makes_it_fail(kind: str, attributes: dict[str, object], output: object) -> None:
    """Whatever the attributes hold."""
    events = [SpanEvent("tool.output", 7, {"output": output})]
    assert claude_code.read(make_span(f"claude_code.{kind}", attributes, events=events)) is not None
