"""Claude Code and the Claude Agent SDK: log events and the spans of the traces beta (2.1.197 and 2.1.329).

A log record has the body ``claude_code.<event>`` and the attribute ``event.name``; a span is named
``claude_code.<type>``. The span `claude_code.tool` stands for a call whether it ran or not, and 2.1.329 marks
it as `execute_tool` even when it was refused: only its child `claude_code.tool.execution` proves that the
tool ran. The children carry no tool name, and `blocked_on_user` no call id either: they have them from their
parent.

`tool_parameters` and the span's `full_command` or `file_path` show a call's arguments in part. Events that
hold such arguments have `arguments_partial` in their attributes; two of them are compared by
`parameters_digest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aftertrace.ingest.dialects import claude_code_logs, claude_code_spans
from aftertrace.ingest.dialects.claude_code_inputs import mcp_tool
from aftertrace.ingest.dialects.events import Reading, Who
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Record, Span

NAME: Final = "claude_code"
READS: Final = (
    ("log, span: session.id; log: prompt.id", "conversation_id; turn_id"),
    ("log, span: user.email, user.account_uuid, user.id", "user_id; user.email is the asserted reviewer too"),
    ("log, span: agent_id with agent.name, subagent_type", "agent_id, agent_name of a subagent"),
    ("log, span: parent_agent_id", "attributes: the agent that started it"),
    ("log user_prompt: prompt", "input.resolved user_prompt"),
    ("log: tool_name, tool_parameters.mcp_server_name, mcp_tool_name", "tool_name"),
    ("log tool_decision: decision, source", "policy.evaluated, approval.granted, approval.rejected"),
    ("log tool_decision: source=user_abort", "tool.called cancelled"),
    ("log tool_result: success, error, error_type", "tool.called completed, failed, invalid_arguments"),
    ("log tool_result: decision_type, decision_source", "as tool_decision, of less weight"),
    ("log tool_result: tool_parameters.git_commit_id", "effect.applied"),
    ("log api_request: model, tokens, cost_usd, query_source", "model.called; the entrypoint"),
    ("log api_error: error", "model.called with a reason"),
    ("log api_request_body: body, messages", "action.proposed echoed, tool.called answered, refused …"),
    ("log api_request_body: body, system and tools", "input.resolved system_prompt, tools"),
    ("log api_response_body: body", "action.proposed proposed"),
    ("log system_prompt, tool (detailed beta)", "input.resolved system_prompt, tools"),
    ("log permission_mode_changed: to_mode, from_mode, trigger", "input.resolved permission_mode"),
    ("log tool_decision: permission_mode", "the mode it was made under"),
    ("log skill_activated, at_mention, compaction", "input.resolved other"),
    ("span interaction: user_prompt", "invoke_agent; input.resolved user_prompt"),
    ("span llm_request: gen_ai.request.model, tokens, system_prompt_hash, tools", "chat"),
    ("span llm_request: new_context (detailed beta)", "tool.called answered …"),
    ("span tool: tool_use_id, tool_name, full_command, file_path", "execute_tool; tool.called entered"),
    ("span tool: event tool.output", "tool.called answered"),
    ("span tool.blocked_on_user: decision, source", "as tool_decision, of less weight, with the wait"),
    ("span tool.blocked_on_user: source=user_*", "approval.requested"),
    ("span tool.execution: success, error", "tool.called completed, failed, started"),
    ("span tool.execution: success=false without error.type (2.1.329)", "tool.called started, cancelled"),
)  # fmt: skip

_PREFIX: Final = "claude_code."
_SCOPE: Final = "com.anthropic.claude_code"
_SERVICE: Final = "claude-code"
_ANY_MCP_TOOL: Final = "mcp_tool"
"""What log records say instead of a tool of an MCP server."""


def read(record: Record) -> Reading | None:
    """Read a log record or span of Claude Code."""
    kind = _kind(record)
    if kind is None:
        return None
    reading = Reading(dialect=NAME, who=_who(record))
    parent = text(record.attributes.get("parent_agent_id"))
    if isinstance(record, Span):
        reading.operation = claude_code_spans.OPERATIONS.get(kind)
        reading.events = claude_code_spans.events(kind, record, reading.who)
    else:
        reading.events = claude_code_logs.events(kind, record, reading.who)
    if parent is not None:
        for event in reading.events:
            event.attributes["parent_agent_id"] = parent
    return reading


def _kind(record: Record) -> str | None:
    """What a record is, without the prefix; None when it is not of this dialect."""
    known = record.origin.scope_name.startswith(_SCOPE) or record.origin.resource.get("service.name") == _SERVICE
    if isinstance(record, Span):
        names: tuple[Any, ...] = (record.name,)
        inner = record.attributes.get("span.type")
    else:
        names = (record.body, record.event_name)
        inner = record.attributes.get("event.name")
    for name in names:
        if isinstance(name, str) and name.startswith(_PREFIX):
            return name.removeprefix(_PREFIX)
    if isinstance(inner, str) and (known or inner.startswith(_PREFIX)):
        return inner.removeprefix(_PREFIX)
    return "" if record.origin.scope_name.startswith(_SCOPE) else None


def _who(record: Record) -> Who:
    attributes = record.attributes
    agent_id = text(attributes.get("agent_id"))
    subagent = next((attributes[key] for key in ("agent.name", "subagent_type") if text(attributes.get(key))), None)
    account = (text(attributes.get(f"user.{key}")) for key in ("email", "account_uuid", "id"))
    return Who(
        run_key=text(attributes.get("aftertrace.run.id")),
        conversation_id=text(attributes.get("session.id")) or text(attributes.get("gen_ai.conversation.id")),
        turn_id=text(attributes.get("prompt.id")),
        agent_name=text(subagent) if agent_id and subagent else _SERVICE,
        agent_id=agent_id,
        agent_version=text(record.origin.resource.get("service.version")),
        user_id=next(filter(None, account), None),
        tool_name=_tool(attributes),
        call_id=text(attributes.get("tool_use_id")) or text(attributes.get("gen_ai.tool.call.id")),
    )


def _tool(attributes: Mapping[str, Any]) -> str | None:
    """The tool as the model names it, where the record does not hide which one of an MCP server it was."""
    name = text(attributes.get("tool_name")) or text(attributes.get("gen_ai.tool.name"))
    return mcp_tool(attributes.get("tool_parameters")) or name if name == _ANY_MCP_TOOL else name
