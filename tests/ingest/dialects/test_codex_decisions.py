"""The words of Codex's decisions, in the spelling of every version, and what its results state of a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aftertrace.ingest.dialects.codex_decisions import decision
from aftertrace.ingest.dialects.events import Event

from .codex_sessions import embedded, readings, stated

AT_NS = 9_000_000_000

VERDICTS = {
    ("approved", "Config"): ("policy.evaluated", "allow", "policy"),
    ("approved", "User"): ("approval.granted", None, "human"),
    ("approved", "AutomatedReviewer"): ("policy.evaluated", "allow", "guardrail"),
    ("approved", None): ("policy.evaluated", "allow", None),
    ("denied", "Config"): ("policy.evaluated", "deny", "hook"),
    ("denied", "User"): ("approval.rejected", None, "human"),
    ("denied", "AutomatedReviewer"): ("policy.evaluated", "deny", "guardrail"),
    ("denied_with_network_policy_deny", "User"): ("approval.rejected", None, "human"),
    ("deniedwithreason", "User"): ("approval.rejected", None, "human"),
    ("abort", "AutomatedReviewer"): ("policy.evaluated", "deny", "guardrail"),
    ("timed_out", "AutomatedReviewer"): ("approval.expired", None, "timeout"),
    ("timedout", "User"): ("approval.expired", None, "timeout"),
    ("networkpolicyamendment", "User"): ("policy.evaluated", "unknown", None),
    (None, "User"): ("policy.evaluated", "unknown", None),
}
STANDING = {
    "approved_for_session": "session",
    "approvedforsession": "session",
    "approved_with_amendment": "always",
    "approvedexecpolicyamendment": "always",
    "approved_mcp_policy_amendment": "always",
    "approved_with_network_policy_allow": "always",
}
REJECTED = 'exec_command failed: CreateProcess {{ message: "Rejected(\\"{}\\")" }}'
OLDER = 'exec_command failed for `/bin/bash -lc \'rm "a"\'`: CreateProcess {{ message: "Rejected(\\"{}\\")" }}'
RESULTS: dict[tuple[Any, str], tuple[str, str, str | None, str | None]] = {
    ("true", "Wall time: 0.1 seconds\nProcess exited with code 0\nOutput:\n"): ("completed", "explicit", None, None),
    ("true", "Process running with session ID 7\nOutput:\n"): ("completed", "explicit", None, None),
    ("true", "the user rejected the offer"): ("completed", "explicit", None, None),
    ("true", "Chunk ID: a1\nWall time: 0.1 seconds\nProcess exited with code 2\nOutput:\nno"): (
        "failed", "explicit", "exit_code", None,
    ),
    ("true", "Exit code: 1\nWall time: 0.2 seconds\nOutput:\nno"): ("failed", "explicit", "exit_code", None),
    ("true", '{"output":"no","metadata":{"exit_code":1,"duration_seconds":0.1}}'): (
        "failed", "explicit", "exit_code", None,
    ),
    ("false", "Exit code: 1\nWall time: 0.2 seconds\nOutput:\nPlease try other tools or arguments"): (
        "failed", "explicit", None, None,
    ),
    (False, 'exec_command failed: CreateProcess { message: "No such file" }'): ("failed", "explicit", None, None),
    ("false", "connection refused"): ("failed", "explicit", None, None),
    ("false", REJECTED.format("rejected by user")): ("refused", "inferred", "text:by_user", "human"),
    ("false", OLDER.format("rejected by user")): ("refused", "inferred", "text:by_user", "human"),
    ("false", "patch rejected by user"): ("refused", "inferred", "text:by_user", "human"),
    ("false", REJECTED.format("`rm a` rejected: blocked by policy")): (
        "refused", "inferred", "text:codex_rule", "policy",
    ),
    ("false", REJECTED.format("not while we deploy")): ("refused", "inferred", "text:codex_rejected", "policy"),
    ("false", "Command blocked by PreToolUse hook: no. Command: rm a"): (
        "refused", "inferred", "text:codex_hook", "hook",
    ),
    ("false", "Wall time: 1.3 seconds\nOutput:\nuser rejected MCP tool call"): (
        "refused", "inferred", "text:codex_mcp_rejected", "human",
    ),
    ("false", "Wall time: 0.0 seconds\nOutput:\nMCP tool call requires approval, but approval policy is never"): (
        "refused", "inferred", "text:codex_mcp_unasked", "policy",
    ),
    ("false", 'Wall time: 1.2 seconds\nOutput:\n[{"type":"text","text":"user cancelled MCP tool call"}]'): (
        "refused", "inferred", "text:codex_mcp_cancelled", "human",
    ),
    ("false", "Wall time: 0.1 seconds\nOutput:\nThe user declined the invitation"): ("failed", "explicit", None, None),
    ("false", "approval policy is Never; reject command"): ("refused", "inferred", "text:codex_never", "policy"),
    ("false", "unsupported call: nope"): ("unknown_tool", "inferred", "text:codex_unknown", None),
    ("false", "unsupported custom tool call: nope"): ("unknown_tool", "inferred", "text:codex_unknown", None),
    ("false", "failed to parse function arguments: EOF"): ("invalid_arguments", "inferred", "text:codex_invalid", None),
    ("false", "aborted by user after 3.1s"): ("cancelled", "inferred", "text:codex_aborted", None),
    ("", "who knows"): ("entered", "explicit", None, None),
}  # fmt: skip
"""By `success` and `output`: state, basis, rule, who decided."""


@pytest.mark.parametrize(("decided", "source"), VERDICTS)
def test_a_word_and_a_source_say_what_was_decided_and_by_whom(decided: str | None, source: str | None) -> None:
    """A refusal in the name of the configuration is a hook's: what a rule forbids has no decision."""
    (event,) = decision(decided, source)
    assert (event.event, event.state, event.decided_by) == VERDICTS[decided, source]
    assert "grant_scope" not in event.attributes


@pytest.mark.parametrize("decided", STANDING)
def test_an_answer_for_more_than_one_call_says_how_far_it_reaches(decided: str) -> None:
    """For the session, by a rule, or for a host."""
    (event,) = decision(decided, "User", reviewer="ana@example.com")
    assert event == Event(
        event="approval.granted",
        decided_by="human",
        decider="ana@example.com",
        identity="asserted",
        rule="tool_decision",
        attributes={"decision": decided, "source": "User", "grant_scope": STANDING[decided]},
    )


def test_a_user_who_aborts_refuses_the_call_and_interrupts_it() -> None:
    """Two facts of one word."""
    attributes = {"decision": "abort", "source": "User"}
    assert decision("abort", "User") == [
        Event(event="approval.rejected", decided_by="human", rule="tool_decision", attributes=attributes),
        Event(event="tool.called", state="cancelled", decided_by="human", rule="tool_decision"),
    ]


@pytest.mark.parametrize("decided", ["denied", "abort"])
def test_nobody_sits_at_a_headless_run(decided: str) -> None:
    """What `codex exec` refuses in the user's name is an ask that nobody could answer."""
    (event,) = decision(decided, "User", originator="codex_exec", reviewer="ana@example.com")
    assert (event.event, event.state, event.decided_by, event.decider, event.rule) == (
        "policy.evaluated",
        "deny",
        "policy",
        None,
        "unanswered_ask",
    )


def test_a_recorded_decision_is_told_with_its_time_and_call() -> None:
    """Of a call that the user of an app server declined."""
    told = readings("appserver_decline_accept", "codex.tool_decision")[1]
    assert told.who == embedded(tool_name="exec_command", call_id="call_77c58eafc8534dec")
    assert told.events == [
        Event(
            event="approval.rejected",
            time_ns=1795248538565442526,
            decided_by="human",
            rule="tool_decision",
            attributes={"decision": "denied", "source": "User"},
        )
    ]


@pytest.mark.parametrize(
    ("status", "state"), [("approved", "allow"), ("denied", "deny"), ("timed_out", "unknown"), ("aborted", "unknown")]
)
def test_the_automatic_reviewer_says_why(status: str, state: str) -> None:
    """A review that came to no end decides nothing; `tool_decision` tells what followed."""
    told = stated("guardian_assessment", status=status, rationale="it deletes", risk_level="high", item__id="call_1")
    assert told == [
        Event(
            event="policy.evaluated",
            state=state,
            time_ns=AT_NS,
            decided_by="guardrail",
            reason="it deletes",
            rule="guardian_assessment",
            attributes={"status": status, "risk_level": "high"},
        )
    ]


@pytest.mark.parametrize(("success", "output"), RESULTS)
def test_a_result_says_by_its_text_what_success_leaves_open(success: Any, output: str) -> None:
    """An exit code is Codex's own word, a refusal an observed wording; what a command printed is neither."""
    (event,) = stated("tool_result", success=success, output=output, call_id="c", originator="codex_cli_rs")
    assert (event.state, event.basis, event.rule, event.decided_by) == RESULTS[success, output]


def test_a_text_that_names_the_user_of_a_headless_run_means_its_policy() -> None:
    """It cancels what it would have to ask."""
    for originator, decided_by in (("codex_exec", "policy"), ("codex_cli_rs", "human"), (None, "human")):
        told = stated("tool_result", success="false", output="user cancelled MCP tool call", originator=originator)
        assert [(event.state, event.decided_by) for event in told] == [("refused", decided_by)]


def test_an_ask_about_an_mcp_tool_that_nobody_could_answer_is_no_persons_refusal() -> None:
    """Older versions say that the user cancelled it."""
    output = 'Wall time: 0.0 seconds\nOutput:\n[{"type":"text","text":"user cancelled MCP tool call"}]'
    (event,) = stated("tool_result", success="false", output=output, originator="codex_exec")
    assert (event.state, event.decided_by, event.rule) == ("refused", "policy", "text:codex_mcp_unasked")


def test_a_result_holds_time_arguments_and_server() -> None:
    """Its time begins when the call was received."""
    told = stated(
        "tool_result",
        success="true",
        output="ok",
        duration_ms="1500",
        arguments=json.dumps({"a": 1}),
        mcp_server="files",
    )
    assert told == [
        Event(
            event="tool.called",
            state="completed",
            time_ns=AT_NS - 1_500_000_000,
            end_ns=AT_NS,
            arguments={"a": 1},
            content="ok",
            attributes={"includes_wait": True, "mcp_server": "files"},
        )
    ]
