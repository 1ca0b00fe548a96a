"""Copilot Chat in VS Code: what a person or a hook did while the span of a tool was open.

Not recorded from a run. Where each value is from, in the extension's repository as of March 2026: names of attributes
`src/platform/otel/common/genAiAttributes.ts`; the tool's span, its status and result
`src/extension/tools/vscode-node/toolsService.ts:121-208`; ids without `__vscode-`
`src/extension/prompts/node/panel/toolCalling.tsx` (`chatStreamToolCallId`); messages
`src/platform/otel/common/messageFormatters.ts` (`toInputMessages`, which drops ids of answers); the span of a hook
`src/extension/chat/vscode-node/chatHookService.ts:156-205`, its input `:332-340`; the scope, which is the service's
name, `src/platform/otel/node/otelServiceImpl.ts` (`getTracer`). The words of a skipped call, and that a denied one is
cancelled, are VS Code's (`languageModelToolsService.ts`).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest import dialects
from aftertrace.ingest.dialects import vscode_copilot
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.records import Record, Span

from .recordings import make_log, make_span, values

SCOPE = "copilot-chat"
TOOL = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "run_in_terminal",
    "gen_ai.tool.type": "function",
    "gen_ai.tool.call.id": "call_1",
    "gen_ai.tool.call.arguments": '{"command":"rm -rf build"}',
    "copilot_chat.chat_session_id": "s-1",
}
SKIPPED = "The user chose to skip the tool call, they want to proceed without running it"


def tool(result: str, *, status: int = 1, message: str = "") -> Span:
    """The span of a call."""
    span = make_span(
        "execute_tool run_in_terminal", {**TOOL, "gen_ai.tool.call.result": result}, scope=SCOPE, status=status
    )
    span.status_message = message
    return span


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (tool("done"), ("completed", None, "explicit")),
        (tool("ERROR: exit 1", status=2, message="exit 1"), ("failed", None, "explicit")),
        (tool("ERROR: Canceled", status=2, message="Canceled"), ("cancelled", "human", "inferred")),
        (tool(SKIPPED), ("refused", "human", "inferred")),
        (tool("Tool execution denied: no deletions"), ("refused", "hook", "inferred")),
        (tool(f"grep: {SKIPPED}"), ("completed", None, "explicit")),
    ],
    ids=["ran", "failed", "denied or stopped", "skipped", "denied by a hook", "only printed"],
)
def test_a_tools_span_tells_what_became_of_the_question(span: Span, expected: tuple[str, str | None, str]) -> None:
    """A call that a person skips ends well, with a text in the place of its result."""
    reading = dialects.read(span)
    (event,) = reading.events
    assert (reading.dialect, reading.who.conversation_id, reading.who.call_id) == ("vscode-copilot", "s-1", "call_1")
    assert (event.state, event.decided_by, event.basis) == expected


def hook(**more: Any) -> Span:
    """The span of a hook that is asked before a tool is used."""
    given = {"tool_name": "run_in_terminal", "tool_input": {"command": "ls"}, "tool_use_id": "call_1__vscode-7"}
    attributes = {
        "gen_ai.operation.name": "execute_hook",
        "copilot_chat.hook_type": "PreToolUse",
        "copilot_chat.hook_command": "guard.sh",
        "copilot_chat.hook_input": json.dumps(given),
        "copilot_chat.hook_result_kind": "success",
        **more,
    }
    return make_span("execute_hook PreToolUse", attributes, scope=SCOPE)


def test_a_hook_tells_its_verdict_on_a_call() -> None:
    """By the id of the call that VS Code does not number once more."""
    told = {"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "no deletions"}}
    reading = dialects.read(hook(**{"copilot_chat.hook_output": json.dumps(told)}))
    assert reading.events == [
        Event(
            event="policy.evaluated",
            state="deny",
            time_ns=1_000,
            end_ns=5_000_001_000,
            tool_name="run_in_terminal",
            call_id="call_1",
            arguments={"command": "ls"},
            decided_by="hook",
            decider="guard.sh",
            reason="no deletions",
            rule="pre_tool_use_hook",
        )
    ]


@pytest.mark.parametrize(
    ("more", "states"),
    [
        ({"copilot_chat.hook_result_kind": "error"}, ["deny"]),
        ({"copilot_chat.hook_result_kind": "non_blocking_error"}, []),
        ({"copilot_chat.hook_output": '{"hookSpecificOutput": {"permissionDecision": "ask"}}'}, ["ask"]),
        ({"copilot_chat.hook_output": "fine"}, []),
        ({"copilot_chat.hook_type": "PostToolUse", "copilot_chat.hook_result_kind": "error"}, []),
        ({"copilot_chat.hook_input": "{}", "copilot_chat.hook_result_kind": "error"}, []),
    ],
    ids=["blocks", "warns", "asks", "says nothing", "of another kind", "on no tool"],
)
def test_a_hook_that_gives_no_verdict_states_none(more: dict[str, Any], states: list[str]) -> None:
    """One that fails to run is no refusal."""
    reading = dialects.read(hook(**more))
    assert [event.state for event in reading.events] == states


def test_a_model_call_proposes_and_its_answers_without_ids_tell_nothing() -> None:
    """Messages of the role `tool` are texts alone."""
    given = [{"role": "user", "parts": [{"type": "text", "content": "Clean up."}]},
             {"role": "tool", "parts": [{"type": "text", "content": "The user cancelled the tool call."}]}]  # fmt: skip
    call = {"type": "tool_call", "id": "call_1", "name": "run_in_terminal", "arguments": '{"command":"ls"}'}
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.input.messages": json.dumps(given),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [call]}]),
        "gen_ai.usage.input_tokens": 7,
        "copilot_chat.chat_session_id": "s-1",
    }
    reading = dialects.read(make_span("chat gpt-5", attributes, scope=SCOPE))
    assert (reading.dialect, reading.operation, reading.who.input_tokens) == ("vscode-copilot", "chat", 7)
    assert [(e.event, e.state, e.call_id) for e in reading.events if e.event != "input.resolved"] == [
        ("action.proposed", "proposed", "call_1")
    ]


def test_the_sums_of_an_agent_are_not_counted_beside_its_model_calls() -> None:
    """They state their own."""
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "GitHub Copilot Chat",
        "gen_ai.conversation.id": "s-1",
        "gen_ai.usage.input_tokens": 70,
    }
    reading = dialects.read(make_span("invoke_agent GitHub Copilot Chat", attributes, scope=SCOPE))
    assert (reading.operation, reading.who.conversation_id, reading.who.input_tokens) == ("invoke_agent", "s-1", None)


@pytest.mark.parametrize(
    "record",
    [
        make_span("execute_tool x", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x"}),
        make_span("x", {"copilot_chat.session_id": "s-1"}, scope=SCOPE),
        make_log("copilot_chat.tool.call: x", {"event.name": "copilot_chat.tool.call"}, scope=SCOPE),
    ],
)
def test_records_of_others_are_left_to_others(record: Record) -> None:
    """The log record of a call says less than its span."""
    assert vscode_copilot.read(record) is None


@given(
    operation=st.sampled_from(["execute_tool", "execute_hook", "chat", "invoke_agent", "embeddings"]) | values,
    attributes=st.dictionaries(
        st.sampled_from(
            [
                "copilot_chat.hook_type",
                "copilot_chat.hook_input",
                "copilot_chat.hook_output",
                "gen_ai.tool.call.result",
                "copilot_chat.session_id",
            ]
        ),
        values | st.just("PreToolUse"),
    ),
    status=st.sampled_from([0, 2]),
)
def test_no_span_makes_it_fail(operation: Any, attributes: dict[str, Any], status: int) -> None:
    """Whatever the attributes hold."""
    span = make_span("x", {"gen_ai.operation.name": operation, **attributes}, scope=SCOPE, status=status)
    assert isinstance(vscode_copilot.read(span), Reading)
