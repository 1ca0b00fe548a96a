"""GitHub Copilot Chat in VS Code: GenAI spans; a tool's span lasts from before the question to the answer.

By the source of its extension and of VS Code (March 2026): `tools/vscode-node/toolsService.ts` opens a span for each
call that is invoked, and VS Code asks while it is open. A call that a person denies ends it as `Canceled`, as does one
that a person stops; one that is skipped ends it well, with a text in the place of a result. A hook has a span of its
own (`chat/vscode-node/chatHookService.ts`), which holds what it was given and what it answered. Messages of the role
`tool` lose the ids of their calls, so that they tell of none.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import genai, messages, refusals
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "vscode-copilot"
READS: Final = (
    ("span chat: gen_ai.output.messages", "action.proposed"),
    ("span execute_tool: status, gen_ai.tool.call.result", "tool.called completed, failed; refused if it was skipped"),
    ("span execute_tool: status message Canceled", "tool.called cancelled, by a person"),
    ("span execute_hook PreToolUse: copilot_chat.hook_input, hook_output, hook_result_kind",
     "policy.evaluated allow, deny, ask"),
    ("span: gen_ai.conversation.id, copilot_chat.session_id, copilot_chat.chat_session_id", "conversation_id"),
)  # fmt: skip

_SCOPE: Final = "copilot-chat"
_SESSIONS: Final = ("copilot_chat.session_id", "copilot_chat.chat_session_id")
_CANCELED: Final = ("Canceled", "Cancelled")
_SKIPPED: Final = "vscode_skipped"
_DENIED: Final = "Tool execution denied: "
"""How a result begins that stands in the place of a call which a hook denied."""
_COPY: Final = "__vscode-"
"""What VS Code appends to the id of a call."""
_VERDICTS: Final = ("allow", "deny", "ask")
_ERROR: Final = 2


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return (
        outline.is_span
        and outline.has_any("gen_ai.operation.name")
        and (outline.scope == _SCOPE or outline.has_any(*_SESSIONS))
    )


def read(record: Record) -> Reading | None:
    """Read a span of the extension; its log records state nothing more."""
    attributes = record.attributes
    if not isinstance(record, Span) or "gen_ai.operation.name" not in attributes:
        return None
    if record.origin.scope_name != _SCOPE and attributes.keys().isdisjoint(_SESSIONS):
        return None
    reading = genai.read(record) or Reading(NAME, genai.who(attributes), operation="step")
    reading.dialect = NAME
    who = reading.who
    who.conversation_id = who.conversation_id or next(
        filter(None, (text(attributes.get(key)) for key in _SESSIONS)), None
    )
    operation = attributes["gen_ai.operation.name"]
    if operation == "invoke_agent":
        # The sums of its model calls, which state their own.
        who.input_tokens = who.output_tokens = None
    elif operation == "execute_tool":
        for event in reading.events:
            _settle(event, record)
    elif operation == "execute_hook":
        reading.operation, reading.events = "guardrail", _hook(record)
    return reading


def _settle(event: Event, span: Span) -> None:
    """What a person did while the span was open."""
    if span.status == _ERROR and (span.status_message or "") in _CANCELED:
        event.state, event.decided_by, event.basis, event.rule = "cancelled", "human", "inferred", "vscode_canceled"
        return
    told = event.content if isinstance(event.content, str) else None
    verdict = refusals.classify(told) if told else None
    if event.state != "completed" or told is None:
        return
    if told.startswith(_DENIED):
        event.state, event.decided_by, event.basis, event.rule = "refused", "hook", "inferred", "vscode_denied"
        event.reason = told.removeprefix(_DENIED)
    elif verdict is not None and verdict.rule == _SKIPPED:
        messages.judged(event, told)


def _hook(span: Span) -> list[Event]:
    """The verdict of a hook on a call, if it gave one."""
    if span.attributes.get("copilot_chat.hook_type") != "PreToolUse":
        return []
    given = mapping(messages.load(span.attributes.get("copilot_chat.hook_input")))
    answer = mapping(messages.load(span.attributes.get("copilot_chat.hook_output")))
    told: dict[str, Any] = mapping(answer.get("hookSpecificOutput")) or answer
    verdict = (
        "deny" if span.attributes.get("copilot_chat.hook_result_kind") == "error" else told.get("permissionDecision")
    )
    tool = text(given.get("tool_name"))
    if verdict not in _VERDICTS or tool is None:
        return []
    reason = text(told.get("permissionDecisionReason")) or text(span.status_message)
    return [
        Event(
            event="policy.evaluated",
            state=verdict,
            time_ns=span.start_ns,
            end_ns=span.end_ns or None,
            tool_name=tool,
            call_id=(text(given.get("tool_use_id")) or "").partition(_COPY)[0] or None,
            arguments=given.get("tool_input"),
            decided_by="hook",
            decider=text(span.attributes.get("copilot_chat.hook_command")),
            reason=reason,
            rule="pre_tool_use_hook",
        )
    ]
