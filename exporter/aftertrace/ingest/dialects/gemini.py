"""Gemini CLI (0.61) and Qwen Code: log events and spans of one family of programs.

Both write log events under their own prefix, with one decision and one result per call and no call id; the analyzer
finds the call by the span that a record lies in, and by tool and arguments. Gemini's spans hold the calls of a batch in
full. Qwen's follow Claude Code's: a tool's span, and under it its wait and its execution.

A run is one prompt: `prompt_id`. In a headless run that is the session itself, and every model call and every batch is
a trace of its own; records without `prompt_id` take the session's.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import gemini_logs, gemini_qwen, gemini_spans
from aftertrace.ingest.dialects.events import Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import flag, text
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "gemini"
READS: Final = (
    ("log, span: session.id, gen_ai.conversation.id", "conversation_id"),
    ("log, span: prompt_id, gen_ai.prompt.name, qwen-code.prompt_id", "turn_id; the session where nobody is there"),
    ("log, span: user.email, gen_ai.user.id", "user_id"),
    ("log tool_call: decision=accept", "policy.evaluated allow; by policy where interactive=false"),
    ("log tool_call: decision=auto_accept, modify, reject", "approval.requested and its answer; duration_ms"),
    ("log tool_call: decision=reject beside a run", "approval.granted, grant_scope always"),
    ("log tool_call: success, status, error_type", "tool.called completed, failed, refused, unknown_tool, cancelled …"),
    ("log tool_call: error_type=policy_violation, execution_denied", "policy.evaluated deny"),
    ("log tool_call: metadata, lines that a person changed", "approval.modified"),
    ("log tool_call: metadata.exitCode", "tool.called failed"),
    ("log api_response, api_error: model, tokens", "model.called"),
    ("log gen_ai.client.inference.operation.details", "action.proposed; tool.called answered …; system_prompt_digest"),
    ("log user_prompt: prompt", "input.resolved user_prompt"),
    ("log conseca.verdict, hook_call: verdict, hook_output", "policy.evaluated by guardrail, by hook"),
    ("log config, model_routing: approval_mode; plan.approval_mode_switch: to_mode", "input.resolved permission_mode"),
    ("span: approvalMode of a call", "the mode its decision was made under"),
    ("span llm_call: messages, system instructions, tools", "chat; action.proposed; tool_names"),
    ("span schedule_tool_calls: gen_ai.output.messages", "the calls of a batch, as log tool_call"),
    ("span tool_call: gen_ai.tool.call_id, gen_ai.output.messages", "execute_tool; tool.called; what it waited"),
    ("span qwen-code.tool: tool.failure_kind, success", "execute_tool; policy.evaluated deny, tool.called"),
    ("span qwen-code.tool.blocked_on_user: decision, source", "approval.requested and its answer, with the wait"),
    ("span qwen-code.tool.execution: success, execution_status", "tool.called completed, failed, cancelled"),
)  # fmt: skip

_GEMINI: Final = "gemini-cli"
_QWEN: Final = "qwen-code"
_PREFIXES: Final = ("gemini_cli.", "qwen-code.")


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope in (_GEMINI, _QWEN)


def read(record: Record) -> Reading | None:
    """Read a log record or span of Gemini CLI or Qwen Code."""
    scope = record.origin.scope_name
    if scope not in (_GEMINI, _QWEN):
        return None
    attributes = record.attributes
    name = attributes.get("event.name")
    if isinstance(record, Log) and not isinstance(name, str):
        name = record.event_name
    told = isinstance(name, str) and name.startswith(_PREFIXES)
    reading = Reading(dialect=NAME, who=_who(record, scope))
    kind = str(name).split(".", 1)[1] if told else name
    if isinstance(kind, str):
        # Qwen Code writes its log events as spans where only traces are exported.
        time_ns = (record.end_ns or record.start_ns) if isinstance(record, Span) else record.time_ns
        batch = record.parent_span_id if isinstance(record, Span) else record.span_id
        reading.events = gemini_logs.events(kind, attributes, time_ns, batch, reading.who)
    elif isinstance(record, Span) and scope == _QWEN:
        reading.operation = gemini_qwen.OPERATIONS.get(record.name)
        reading.events = gemini_qwen.events(record, reading.who)
    elif isinstance(record, Span):
        operation = text(attributes.get("gen_ai.operation.name")) or record.name
        reading.operation = gemini_spans.OPERATIONS.get(operation)
        reading.events = gemini_spans.events(operation, record, reading.who)
    return reading


def _who(record: Record, product: str) -> Who:
    attributes, resource = record.attributes, record.origin.resource
    session = next(
        filter(None, (text(attributes.get(key)) for key in ("session.id", "gen_ai.conversation.id"))),
        text(resource.get("session.id")),
    )
    is_span = isinstance(record, Span) and not isinstance(attributes.get("event.name"), str)
    return Who(
        run_key=text(attributes.get("aftertrace.run.id")),
        conversation_id=session,
        turn_id=_turn(record, session),
        agent_name=text(attributes.get("gen_ai.agent.name")) or product,
        # Gemini CLI sends the version of Node in its place.
        agent_version=text(resource.get("service.version")) if product == _QWEN else None,
        model=text(attributes.get("gen_ai.request.model")) if is_span else None,
        model_served=text(attributes.get("gen_ai.response.model")) if is_span else None,
        user_id=text(attributes.get("user.email")) or text(attributes.get("gen_ai.user.id")),
        tool_name=text(attributes.get("gen_ai.tool.name")) or text(attributes.get("tool.name")),
        call_id=_call_id(attributes) if is_span else None,
        input_tokens=attributes.get("gen_ai.usage.input_tokens") if is_span else None,
        output_tokens=attributes.get("gen_ai.usage.output_tokens") if is_span else None,
    )


def _turn(record: Record, session: str | None) -> str | None:
    attributes = record.attributes
    if flag(attributes.get("interactive")) is False:
        return session
    keys = ("prompt_id", "qwen-code.prompt_id", "gen_ai.prompt.name")
    told = next(filter(None, (text(attributes.get(key)) for key in keys)), None)
    # At a terminal a batch lies under its prompt's span.
    alone = isinstance(record, Span) and record.parent_span_id is None
    headless = alone and attributes.get("gen_ai.operation.name") == "schedule_tool_calls"
    return session if told is None and headless else told


def _call_id(attributes: dict[str, Any]) -> str | None:
    keys = ("gen_ai.tool.call.id", "gen_ai.tool.call_id", "tool.call_id", "call_id")
    return next(filter(None, (text(attributes.get(key)) for key in keys)), None)
