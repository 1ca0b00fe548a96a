"""The table of observed wordings: what products, frameworks and harnesses tell a model when a call did not run.

`VERSION` is raised with each change, so that a reading can be made again under the old table. How it is read is in
`refusals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from aftertrace.ingest.dialects.events import Decider

VERSION: Final = 6

State: TypeAlias = Literal["refused", "unknown_tool", "invalid_arguments", "asked", "edited", "cancelled"]


@dataclass(frozen=True, slots=True)
class Wording:
    """One observed wording, and the product it was seen in."""

    rule: str
    pattern: str
    state: State
    decided_by: Decider | None
    seen_in: str


WORDINGS: Final = (
    Wording("adk_asked", r"This tool call requires confirmation, please approve", "asked", None, "Google ADK 2.13"),
    Wording(
        "adk_unknown", r"Invoking `[^`\n]{1,200}\(\)` failed as no tool with", "unknown_tool", None, "Google ADK 2.13"
    ),
    Wording(
        "adk_invalid",
        r"Invoking `[^`\n]{1,200}\(\)` failed (as the following mandatory input|due to argument validation errors)",
        "invalid_arguments",
        None,
        "Google ADK 2.13",
    ),
    Wording("adk_rejected", r"This tool call is rejected\.", "refused", "human", "Google ADK 2.13"),
    Wording(
        "maf_rejected",
        r"(Error: )?Tool call invocation was rejected by user",
        "refused",
        "human",
        "Agent Framework 1.23",
    ),
    Wording(
        "maf_middleware",
        r"(Error: )?Tool execution was aborted (by middleware )?before a result was produced",
        "refused",
        "hook",
        "Agent Framework 1.23",
    ),
    Wording(
        "maf_limit",
        r"(Error: )?Function invocation limit reached before",
        "cancelled",
        "program",
        "Agent Framework 1.23",
    ),
    Wording("openhands_hook", r"Action rejected: Blocked by hook", "refused", "hook", "OpenHands SDK 1.58"),
    Wording("openhands_rejected", r"Action rejected: ", "refused", "human", "OpenHands SDK 1.58"),
    Wording("openhands_invalid", r"Error validating tool '", "invalid_arguments", None, "OpenHands SDK 1.58"),
    Wording(
        "openhands_interrupted",
        r"Tool call (cancelled by interrupt\.|interrupted before completion\. The conversation was paused)",
        "cancelled",
        "human_or_program",
        "OpenHands SDK 1.58",
    ),
    Wording(
        "vscode_skipped",
        r"The user chose to skip the tool call, they want to proceed without running it",
        "refused",
        "human",
        "VS Code's source, 2026",
    ),
    Wording(
        "vscode_cancelled", r"The user cancelled the tool call\.", "refused", "human", "VS Code Copilot's source, 2026"
    ),
    Wording(
        "goose_chat_mode",
        r"Let the user know the tool call was skipped in goose chat mode",
        "refused",
        "policy",
        "Goose's source, 2026",
    ),
    Wording(
        "goose_inspector",
        r"This tool call was blocked by a safety inspector",
        "refused",
        "guardrail",
        "Goose's source, 2026",
    ),
    Wording(
        "goose_unlisted",
        r"Tool '[^'\n]{1,200}' was not advertised for this model turn",
        "unknown_tool",
        None,
        "Goose's source, 2026",
    ),
    Wording("crewai_hook", r"Tool execution blocked by hook\. Tool: ", "refused", "hook", "CrewAI 1.15"),
    Wording("langchain_rejected", r"User rejected the tool call for", "refused", "human", "LangChain 1.4"),
    Wording(
        "langchain_edited",
        r"Note: a human reviewer replaced this tool call",
        "edited",
        "human",
        "LangChain 1.4",
    ),
    Wording("pydantic_denied", r"The tool call was denied\.", "refused", "human", "Pydantic AI 2.68"),
    Wording("openai_rejected", r"Tool execution was not approved\.", "refused", "human", "OpenAI Agents 0.24"),
    Wording("codex_rule", r"`.{1,8000}?` rejected: ", "refused", "policy", "Codex 0.169"),
    Wording(
        "codex_settings",
        r".{0,300}?\brejected by user approval settings",
        "refused",
        "policy",
        "Codex 0.169",
    ),
    Wording("codex_configuration", r"rejected by configuration$", "refused", "hook", "Codex 0.169"),
    Wording(
        "codex_hook",
        r"(Command|Tool call) blocked by PreToolUse hook",
        "refused",
        "hook",
        "Codex 0.169",
    ),
    Wording(
        "codex_reviewer",
        r"(This action was rejected due to unacceptable risk|automatic approval review denied)",
        "refused",
        "guardrail",
        "Codex 0.169",
    ),
    Wording(
        "codex_timeout",
        r"(approval request timed out|The automatic permission approval review did not finish)",
        "refused",
        "timeout",
        "Codex 0.169",
    ),
    Wording("codex_mcp_cancelled", r"user cancelled MCP tool call", "refused", "human", "Codex 0.169"),
    Wording("codex_mcp_rejected", r"user rejected MCP tool call", "refused", "human", "Codex 0.169"),
    Wording(
        "codex_mcp_unasked",
        r"MCP tool call requires approval, but approval policy is never",
        "refused",
        "policy",
        "Codex 0.169",
    ),
    Wording(
        "opencode_user",
        r".*rejected permission to use this specific tool call",
        "refused",
        "human_or_program",
        "opencode 1.18",
    ),
    Wording(
        "user_declined",
        r"(The )?[Uu]ser (has )?(rejected|declined|denied|refused)\b",
        "refused",
        "human",
        "several",
    ),
    Wording("by_user", r".{0,200}?\b(rejected|denied|declined) by (the )?user\b", "refused", "human", "several"),
    Wording(
        "claude_user",
        r"The user doesn't want to (proceed with|take) this",
        "refused",
        "human_or_program",
        "Claude Code 2.1",
    ),
    Wording("claude_rule", r"Permission to use .{1,200} has been denied", "refused", "policy", "Claude Code 2.1"),
    Wording(
        "claude_unanswered",
        r"Claude requested permissions to (use|write|read|edit) .{1,300}, but you haven't granted it yet",
        "refused",
        "policy",
        "Claude Code 2.1",
    ),
    Wording("claude_hook", r"PreToolUse:\S{1,200} hook error: ", "refused", "hook", "Claude Code 2.1"),
    Wording(
        "claude_outside",
        r"\S{1,100} in '.{1,3000}?' was blocked\. For security, Claude Code may only",
        "refused",
        "policy",
        "Claude Code 2.1",
    ),
    Wording(
        "claude_unapproved",
        r"(\S{1,100} in '.{1,3000}?' needs approval\.|This (Bash )?command (requires approval|"
        r"contains multiple operations\. The following parts? requires? approval))",
        "refused",
        "policy",
        "Claude Code 2.1",
    ),
    Wording("claude_plan", r"Cannot \w{1,20} .{0,3000}?while in plan mode", "refused", "policy", "Claude Code 2.1"),
    Wording(
        "claude_classifier",
        r"Permission for this (action|command) (has been|was) denied",
        "refused",
        "guardrail",
        "Claude Code 2.1",
    ),
    Wording(
        "claude_unchecked",
        r"Auto mode is unavailable: its safety check",
        "refused",
        "guardrail",
        "Claude Code 2.1.330",
    ),
    Wording(
        "copilot_rule",
        r"Permission to run this tool was denied due to",
        "refused",
        "policy",
        "Copilot CLI 1.0",
    ),
    Wording(
        "copilot_unanswered",
        r"Permission denied because no interactive user response",
        "refused",
        "policy",
        "Copilot CLI 1.0",
    ),
    Wording("codex_never", r".*approval policy is Never; reject command", "refused", "policy", "Codex 0.169"),
    Wording("codex_unasked", r"approval required by policy\b", "refused", "policy", "Codex 0.169"),
    Wording("gemini_policy", r".{0,200}?\bdenied by policy\b", "refused", "policy", "Gemini CLI 0.61"),
    Wording(
        "gemini_headless",
        r".*requires user confirmation, which is not supported in non-interactive mode",
        "refused",
        "policy",
        "Gemini CLI 0.61",
    ),
    Wording(
        "gemini_rejected",
        r"\[Operation Cancelled\] Reason: User denied execution\.",
        "refused",
        "human",
        "Gemini CLI 0.61",
    ),
    Wording(
        "qwen_unanswered",
        r"Qwen Code requires permission to use .{1,300}, but that permission was declined \(non-interactive mode",
        "refused",
        "policy",
        "Qwen Code 0.15",
    ),
    Wording(
        "qwen_declined",
        r"Qwen Code requires permission to use .{1,300}, but that permission was declined",
        "refused",
        "policy",
        "Qwen Code 0.15",
    ),
    Wording("opencode_rule", r".*has specified a rule which prevents you", "refused", "policy", "opencode 1.18"),
    Wording(
        "opencode_invalid",
        r"The \S{1,200} tool was called with invalid arguments",
        "invalid_arguments",
        None,
        "opencode 1.18",
    ),
    Wording(
        "progent",
        r".*Please try other tools or arguments",
        "refused",
        "policy",
        "Progent policies on AgentDojo",
    ),
    Wording(
        "drift",
        r".*function calling of .{1,4000}has been refused",
        "refused",
        "guardrail",
        "DRIFT on AgentDojo",
    ),
    Wording(
        "tool_not_valid",
        r"(Error: )?\S{1,200} is not a valid tool, try one of",
        "unknown_tool",
        None,
        "LangChain 1.4",
    ),
    Wording(
        "pydantic_skipped",
        r"(Tool not executed|Output tool not used) - ",
        "cancelled",
        "program",
        "Pydantic AI 2.66",
    ),
    Wording(
        "pydantic_interrupted",
        r"The tool call was interrupted before a result was produced\.",
        "cancelled",
        "human_or_program",
        "Pydantic AI 2.66",
    ),
    Wording("pydantic_unknown", r"Unknown tool name: ", "unknown_tool", None, "Pydantic AI 2.68"),
    Wording(
        "no_such_tool",
        r"(AI_NoSuchToolError|Model tried to call unavailable tool)",
        "unknown_tool",
        None,
        "AI SDK 7",
    ),
    Wording(
        "tool_missing",
        r"(Error: )?Tool ['\"`]?[^'\"`\n]{1,200}?['\"`]? (does not exist|not found)",
        "unknown_tool",
        None,
        "Copilot CLI 1.0, Gemini CLI 0.61",
    ),
    Wording(
        "crewai_invalid",
        r"(Error executing tool: )?Tool '[^'\n]{1,200}' arguments validation failed",
        "invalid_arguments",
        None,
        "CrewAI 1.15",
    ),
    Wording("crewai_unknown", r"Tool not found\s*\Z", "unknown_tool", None, "CrewAI 1.15"),
    Wording(
        "maf_unknown",
        r"(Error: )?Requested function \"[^\"\n]{1,200}\" not found",
        "unknown_tool",
        None,
        "Agent Framework 1.23",
    ),
    Wording("unknown_tool", r"(Error: )?Unknown tool:? ", "unknown_tool", None, "Strands 1.62"),
    Wording("dojo_unknown", r"Invalid tool ", "unknown_tool", None, "AgentDojo"),
    Wording(
        "kernel_unknown",
        r"The tool call with name `.{1,200}` is not part of the provided tools",
        "unknown_tool",
        None,
        "Semantic Kernel 1.45",
    ),
    Wording("codex_unknown", r"unsupported (custom tool )?call: ", "unknown_tool", None, "Codex 0.169"),
    Wording(
        "claude_unknown",
        r"(<tool_use_error>)?(Error: )?No such tool available",
        "unknown_tool",
        None,
        "Claude Code 2.1",
    ),
    Wording(
        "claude_invalid",
        r"(<tool_use_error>)?InputValidationError",
        "invalid_arguments",
        None,
        "Claude Code 2.1",
    ),
    Wording(
        "maf_invalid",
        r"(Error: )?Argument parsing failed\.",
        "invalid_arguments",
        None,
        "Agent Framework 1.23",
    ),
    Wording(
        "mcp_invalid",
        r"Error executing tool \S{1,200}: \d+ validation errors? for \S{1,200}Arguments\b",
        "invalid_arguments",
        None,
        "MCP Python SDK 2.3",
    ),
    Wording("pydantic_invalid", r"\d+ validation errors? for ", "invalid_arguments", None, "Pydantic"),
    Wording(
        "sdk_invalid",
        r"(AI_InvalidToolInputError|Invalid input for tool |Error repairing tool call: )",
        "invalid_arguments",
        None,
        "AI SDK 6, 7",
    ),
    Wording("codex_invalid", r"failed to parse function arguments", "invalid_arguments", None, "Codex 0.169"),
    Wording("dojo_invalid", r".*Input schema", "invalid_arguments", None, "Progent on AgentDojo"),
)
