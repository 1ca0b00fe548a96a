"""OpenAI Codex: log events of its CLI, IDE extensions and app server, and the spans of its traces (0.169.0).

A log record has no body, no time but the observed one, and as OTLP event name the line of source code that sent it:
what it is stands in the attribute ``event.name``. The service is named after the program that embeds Codex. A span
is one of about 900 in a turn, most of which tell of Codex's own machinery: they are steps, with the conversation and
turn they lie in. Spans repeat some log events as span events, without what was said, run or printed.

A turn has a trace of its own. Only spans name the turn; every log record names the conversation.
"""

from __future__ import annotations

from typing import Final

from aftertrace.ingest.dialects import codex_logs, codex_spans
from aftertrace.ingest.dialects.events import Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import Log, Record, Span

NAME: Final = "codex"
READS: Final = (
    ("log, span: conversation.id; span: thread_id, thread.id", "conversation_id"),
    ("span, log turn_cost, guardian_assessment: turn.id, turn_id", "turn_id"),
    ("log: user.email, user.account_id", "user_id; user.email is the asserted reviewer too"),
    ("log, span: model; log: app.version", "model; agent_version"),
    ("log tool_result: agent_name", "agent_name, agent_id of a subagent"),
    ("log conversation_starts: mcp_servers and other settings", "input.resolved other"),
    ("log conversation_starts: approval_policy, sandbox_policy", "input.resolved permission_mode"),
    ("log user_prompt: prompt", "input.resolved user_prompt"),
    ("log sse_event response.completed: token counts", "model.called with input_tokens, output_tokens"),
    ("log sse_event, api_request, websocket_request: error.message", "model.called with a reason"),
    ("log turn_cost: usage.estimated_usd", "model.called with cost_usd"),
    ("log tool_decision: decision, source", "policy.evaluated, approval.granted, approval.rejected, approval.expired"),
    ("log tool_decision: decision=abort, source=User", "tool.called cancelled, approval.rejected"),
    ("log guardian_assessment: status, rationale, risk_level, item.id", "policy.evaluated by a guardrail"),
    ("log tool_result: success, output, arguments, duration_ms", "tool.called completed, failed, refused …"),
    ("log, span event sandbox_outcome: outcome", "effect.blocked; tool.called started"),
    ("span event tool_call_received: call_id, tool_name", "action.proposed proposed"),
    ("span event tool_result: success=true", "tool.called completed"),
    ("span: call_id, tool_name, aborted", "execute_tool; tool.called entered, cancelled"),
    ("span: gen_ai.usage.input_tokens, gen_ai.usage.output_tokens", "chat"),
    ("span codex.hooks.command: hook.event_name=PreToolUse", "policy.evaluated unknown, by a hook"),
    ("span turn/start: turn.id", "run.created"),
    ("span session_task.turn: model, codex.turn.token_usage.*", "invoke_agent; run.completed"),
)  # fmt: skip

_EVENTS: Final = "codex."
_SCOPE: Final = "codex_otel"
_MODULES: Final = "codex_"
_AGENT: Final = "codex"
_MAIN_AGENT: Final = "/root"
_ID_CHARACTERS: Final = 36
"""Of a conversation's id; `thread.id` may also be the number of a thread of the operating system."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    if outline.is_span:
        return outline.scope == outline.service and outline.has_any("code.module.name", "target")
    return outline.scope.startswith(_SCOPE)


def read(record: Record) -> Reading | None:
    """Read a log record or span of Codex."""
    if isinstance(record, Span):
        if not _is_module(record):
            return None
        reading = Reading(dialect=NAME, who=_who(record))
        codex_spans.describe(record, reading)
        return reading
    kind = _kind(record)
    if kind is None:
        return None
    reading = Reading(dialect=NAME, who=_who(record))
    reading.events = codex_logs.events(kind, record, reading.who)
    return reading


def _is_module(span: Span) -> bool:
    """Whether a module of Codex opened a span; its service may have any name, which is that of the scope too."""
    if span.origin.scope_name != span.origin.resource.get("service.name"):
        return False
    module = span.attributes.get("code.module.name") or span.attributes.get("target")
    return isinstance(module, str) and module.startswith(_MODULES)


def _kind(log: Log) -> str | None:
    """The event without its prefix, empty for what the exporter says about itself; None when it is not of Codex."""
    if not log.origin.scope_name.startswith(_SCOPE):
        return None
    name = log.attributes.get("event.name")
    return name.removeprefix(_EVENTS) if isinstance(name, str) and name.startswith(_EVENTS) else ""


def _who(record: Record) -> Who:
    attributes = record.attributes
    path = text(attributes.get("agent_name"))
    subagent = path if path is not None and path != _MAIN_AGENT else None
    return Who(
        run_key=text(attributes.get("aftertrace.run.id")),
        conversation_id=text(attributes.get("conversation.id"))
        or text(attributes.get("thread_id"))
        or _thread(attributes.get("thread.id")),
        turn_id=text(attributes.get("turn.id")) or text(attributes.get("turn_id")),
        agent_name=subagent or _AGENT,
        agent_id=subagent,
        agent_version=text(attributes.get("app.version")) or text(record.origin.resource.get("service.version")),
        model=text(attributes.get("model")),
        user_id=text(attributes.get("user.email")) or text(attributes.get("user.account_id")),
        tool_name=text(attributes.get("tool_name")),
        call_id=text(attributes.get("call_id")),
    )


def _thread(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) == _ID_CHARACTERS else None
