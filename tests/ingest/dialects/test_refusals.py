"""Refusals that exist only as text: what is taken for one, and what is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.dialects.refusals import HEAD_CHARACTERS, classify
from aftertrace.ingest.dialects.wordings import WORDINGS

OBSERVED = {
    "This tool call requires confirmation, please approve or reject.": ("asked", None, "adk_asked"),
    "Invoking `wipe()` failed as no tool with that name is available.": ("unknown_tool", None, "adk_unknown"),
    "Invoking `pay()` failed as the following mandatory input parameters are not present:\namount": (
        "invalid_arguments",
        None,
        "adk_invalid",
    ),
    "Invoking `pay()` failed due to argument validation errors:\namount": ("invalid_arguments", None, "adk_invalid"),
    "This tool call is rejected.": ("refused", "human", "adk_rejected"),
    "Error: Tool call invocation was rejected by user.": ("refused", "human", "maf_rejected"),
    "Action rejected: Blocked by hook": ("refused", "hook", "openhands_hook"),
    "Action rejected: not on Fridays": ("refused", "human", "openhands_rejected"),
    "Error validating tool 'pay': 1 validation error for PayAction": ("invalid_arguments", None, "openhands_invalid"),
    "Tool call cancelled by interrupt.": ("cancelled", "human_or_program", "openhands_interrupted"),
    "Error executing tool pay: 1 validation error for payArguments": ("invalid_arguments", None, "mcp_invalid"),
    "The user chose to skip the tool call, they want to proceed without running it": (
        "refused", "human", "vscode_skipped",
    ),
    "The user cancelled the tool call.": ("refused", "human", "vscode_cancelled"),
    "Let the user know the tool call was skipped in goose chat mode.": ("refused", "policy", "goose_chat_mode"),
    "This tool call was blocked by a safety inspector and cannot be": ("refused", "guardrail", "goose_inspector"),
    "Tool 'read' was not advertised for this model turn": ("unknown_tool", None, "goose_unlisted"),
    "Tool execution blocked by hook. Tool: delete_db": ("refused", "hook", "crewai_hook"),
    "Tool 'pay' arguments validation failed: 1 validation error for Pay": (
        "invalid_arguments",
        None,
        "crewai_invalid",
    ),
    "Tool not found": ("unknown_tool", None, "crewai_unknown"),
    "User rejected the tool call for `delete_db` with id call_del1": ("refused", "human", "langchain_rejected"),
    "Note: a human reviewer replaced this tool call; it ran as pay(amount=5)": ("edited", "human", "langchain_edited"),
    "The tool call was denied.": ("refused", "human", "pydantic_denied"),
    "Tool execution was not approved.": ("refused", "human", "openai_rejected"),
    "The user has declined this operation": ("refused", "human", "user_declined"),
    "exec_command rejected by user": ("refused", "human", "by_user"),
    "The user doesn't want to proceed with this tool use.": ("refused", "human_or_program", "claude_user"),
    "Permission to use Bash with command rm -rf has been denied.": ("refused", "policy", "claude_rule"),
    "Claude requested permissions to use Write, but you haven't granted it yet.": (
        "refused", "policy", "claude_unanswered",
    ),
    "Permission to run this tool was denied due to the following rules: shell(rm)": (
        "refused", "policy", "copilot_rule",
    ),
    "Permission denied because no interactive user response was possible": (
        "refused", "policy", "copilot_unanswered",
    ),
    "approval policy is Never; reject command - you cannot ask": ("refused", "policy", "codex_never"),
    "`rm -rf build` rejected: policy forbids commands starting with `rm`": ("refused", "policy", "codex_rule"),
    "patch rejected: writing outside of the project; rejected by user approval settings": (
        "refused", "policy", "codex_settings",
    ),
    "rejected by configuration": ("refused", "hook", "codex_configuration"),
    "Command blocked by PreToolUse hook: not on Fridays. Command: rm a": ("refused", "hook", "codex_hook"),
    "This action was rejected due to unacceptable risk.\nReason: it deletes": (
        "refused", "guardrail", "codex_reviewer",
    ),
    "approval request timed out": ("refused", "timeout", "codex_timeout"),
    "user cancelled MCP tool call": ("refused", "human", "codex_mcp_cancelled"),
    "user rejected MCP tool call": ("refused", "human", "codex_mcp_rejected"),
    "MCP tool call requires approval, but approval policy is never": ("refused", "policy", "codex_mcp_unasked"),
    "PreToolUse:Bash hook error: not on Fridays": ("refused", "hook", "claude_hook"),
    "ls in '/nonexistent' was blocked. For security, Claude Code may only list files in": (
        "refused", "policy", "claude_outside",
    ),
    "touch in '/home/user/project/a' needs approval. The path is inside": ("refused", "policy", "claude_unapproved"),
    "Cannot write to /home/user/project/a while in plan mode.": ("refused", "policy", "claude_plan"),
    "Permission for this action has been denied. Reason: it deletes": ("refused", "guardrail", "claude_classifier"),
    "Auto mode is unavailable: its safety check does not run for this session": (
        "refused", "guardrail", "claude_unchecked",
    ),
    "approval required by policy, but AskForApproval is set to Never": ("refused", "policy", "codex_unasked"),
    'Tool execution for "Shell" denied by policy.': ("refused", "policy", "gemini_policy"),
    'Tool execution for "WriteFile" requires user confirmation, which is not supported in non-interactive mode.': (
        "refused", "policy", "gemini_headless",
    ),
    "[Operation Cancelled] Reason: User denied execution.": ("refused", "human", "gemini_rejected"),
    'Qwen Code requires permission to use "edit", but that permission was declined (non-interactive mode cannot …': (
        "refused", "policy", "qwen_unanswered",
    ),
    'Qwen Code requires permission to use "edit", but that permission was declined. Matching deny rule: "edit".': (
        "refused", "policy", "qwen_declined",
    ),
    "The user has specified a rule which prevents you from using this tool": ("refused", "policy", "opencode_rule"),
    "The user rejected permission to use this specific tool call.": ("refused", "human_or_program", "opencode_user"),
    "The read tool was called with invalid arguments: filePath": ("invalid_arguments", None, "opencode_invalid"),
    "Tool 'send_money' is not allowed. Please try other tools or arguments": ("refused", "policy", "progent"),
    "The function calling of send_money has been refused": ("refused", "guardrail", "drift"),
    "Error: nope is not a valid tool, try one of [pay].": ("unknown_tool", None, "tool_not_valid"),
    "The tool call with name `P-nope` is not part of the provided tools, please try again": (
        "unknown_tool", None, "kernel_unknown",
    ),
    "Error: Tool execution was aborted by middleware before a result was produced.": (
        "refused", "hook", "maf_middleware",
    ),
    "Error: Function invocation limit reached before the deferred tool could run.": (
        "cancelled", "program", "maf_limit",
    ),
    'Error: Requested function "wipe" not found.': ("unknown_tool", None, "maf_unknown"),
    "Error: Argument parsing failed.": ("invalid_arguments", None, "maf_invalid"),
    "Tool not executed - a final result was already processed.": ("cancelled", "program", "pydantic_skipped"),
    "The tool call was interrupted before a result was produced.": (
        "cancelled", "human_or_program", "pydantic_interrupted",
    ),
    "Unknown tool name: 'nope'. Available tools: 'pay'": ("unknown_tool", None, "pydantic_unknown"),
    "AI_NoSuchToolError: Model tried to call unavailable tool 'nope'": ("unknown_tool", None, "no_such_tool"),
    "Tool 'no_such_tool' does not exist.": ("unknown_tool", None, "tool_missing"),
    "Unknown tool: nope": ("unknown_tool", None, "unknown_tool"),
    "Invalid tool nope provided.": ("unknown_tool", None, "dojo_unknown"),
    "unsupported call: nope": ("unknown_tool", None, "codex_unknown"),
    "<tool_use_error>Error: No such tool available: nope</tool_use_error>": ("unknown_tool", None, "claude_unknown"),
    "<tool_use_error>InputValidationError: Bash failed": ("invalid_arguments", None, "claude_invalid"),
    "1 validation error for pay\namount\n  Input should be a valid integer": (
        "invalid_arguments", None, "pydantic_invalid",
    ),
    "AI_InvalidToolInputError: Invalid input for tool pay": ("invalid_arguments", None, "sdk_invalid"),
    "failed to parse function arguments: missing field": ("invalid_arguments", None, "codex_invalid"),
    "amount is wrong. Input schema: {}": ("invalid_arguments", None, "dojo_invalid"),
}  # fmt: skip

RESULTS = (
    "paid",
    "",
    "row 1\nrow 2",
    '{"status": "rejected", "by": "the bank"}',
    "drwxr-xr-x 2 user user 4096 user rejected the tool call for",
    "cat: notes.txt: Permission denied",
    "Mail from Ana: 'The user rejected the offer'",
    "grep: Unknown tool name: is in line 4",
    "error: tests failed\n\nThe tool call was denied.",
    "2 errors found while validating",
)


@pytest.mark.parametrize("text", OBSERVED)
def test_an_observed_wording_is_known(text: str) -> None:
    """With what it says, who it says decided, and the line of the table."""
    verdict = classify(text)
    assert verdict is not None
    assert (verdict.state, verdict.decided_by, verdict.rule) == OBSERVED[text]


def test_every_line_of_the_table_is_observed_and_none_hides_another() -> None:
    """Each has a wording of its own here that it is the first to know."""
    assert {wording.rule for wording in WORDINGS} == {rule for _, _, rule in OBSERVED.values()}


@pytest.mark.parametrize("text", RESULTS)
def test_a_result_that_only_holds_such_words_is_no_refusal(text: str) -> None:
    """A refusal is the message; a result quotes one."""
    assert classify(text) is None


@given(st.text(alphabet=st.characters(categories=("Lu", "Ll", "Zs", "Nd")), max_size=40), st.sampled_from(RESULTS))
def test_what_stands_before_a_fixed_wording_makes_it_a_quotation(before: str, result: str) -> None:
    """For the lines that must stand at the start."""
    if before.strip():
        assert classify(f"{result}\nReport {before}: This tool call is rejected.") is None


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str) -> None:
    """Telemetry is hostile."""
    verdict = classify(text)
    assert verdict is None or verdict.rule in {wording.rule for wording in WORDINGS}


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.rule)
def test_no_line_of_the_table_can_be_made_slow(wording: object) -> None:
    """Text that nearly fits, a megabyte of it: only the head is looked at, and in linear steps."""
    start = time.perf_counter()
    for part in ("function calling of ", "Permission to use ", "Tool '", "1 validation error", "by the ", "a" * 20):
        classify(part * (1_000_000 // len(part)))
    assert time.perf_counter() - start < 2


def test_a_wording_beyond_the_head_is_not_looked_for() -> None:
    """The bound of the search."""
    told = "x" * (HEAD_CHARACTERS - 40) + " Please try other tools or arguments"
    assert classify(told) is not None
    assert classify("x" * HEAD_CHARACTERS + " Please try other tools or arguments") is None
