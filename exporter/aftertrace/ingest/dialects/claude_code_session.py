"""Session files of Claude Code (1.0 to 2.1), imported as log records that hold one line each.

A session file tells what telemetry hides (every prompt, argument and result) and hides what telemetry tells: that a
rule or a hook let a call through, and how long a person took. A refusal is only the text that the model was given;
2.1.330 adds the decision in the words of telemetry, and where nobody could be asked, that the user rejected it.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages, permission_modes
from aftertrace.ingest.dialects.anthropic_content import answered, proposed
from aftertrace.ingest.dialects.claude_code_decisions import UNANSWERED_ASK, decision, entrypoint
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import flag, mapping, text
from aftertrace.ingest.records import Log, Record

NAME: Final = "claude_code_session"
SERVICE: Final = "claude-code"
SCOPE: Final = "aftertrace.import.claude_code_session"
"""Instrumentation scope of the records that `aftertrace import` makes of session files."""
EVENT: Final = "claude_code.session_entry"
PROMPT: Final = "claude_code.prompt.id"
"""Attribute: the prompt that an entry belongs to, its `promptId` or the uuid of the prompt's entry."""
SESSION: Final = "session.id"
"""Attribute: the session that the prompt was asked in. A session that goes on in another file keeps its old entries."""
FIRST: Final = "claude_code.message.is_first"
"""Attribute: whether an entry is the first of its message; the others repeat its token counts."""
READS: Final = (
    ("log: session.id, claude_code.prompt.id; entry: agentId, isSidechain, version",
     "conversation_id, turn_id, agent_id, agent_version"),
    ("entry user: message.content text", "input.resolved user_prompt"),
    ("entry user, permission-mode: permissionMode", "input.resolved permission_mode"),
    ("entry assistant: message.content tool_use", "action.proposed"),
    ("entry user: message.content tool_result", "tool.called completed, failed, refused, cancelled, unknown_tool …"),
    ("entry user: permissionDecision, toolDenialKind, entrypoint", "policy.evaluated, approval.granted, …rejected"),
    ("entry assistant: message.model, message.usage", "model.called"),
)  # fmt: skip

_DECISION: Final = "permission_decision"
_USER_REJECTED: Final = "user-rejected"
_SIDECHAIN: Final = "sidechain"
"""Id of the sub-agents of a session before 2.0, which wrote no other."""
_NOBODYS_MODEL: Final = "<synthetic>"
_INTERRUPTED: Final = "[Request interrupted by user"
_ABORTED: Final = ("Permission prompt was aborted", _INTERRUPTED, "Request was aborted")
_NO_PROMPT: Final = (_INTERRUPTED, "<command-", "<local-command-", "<bash-", "Caveat: The messages below")
"""What a user entry begins with when no person asks the model anything: interruptions, and commands of the product."""


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == SCOPE and not outline.is_span


def read(record: Record) -> Reading | None:
    """Read a log record that holds a line of a session file."""
    if record.origin.scope_name != SCOPE or not isinstance(record, Log):
        return None
    loaded = messages.load(record.body)
    entry = loaded if isinstance(loaded, dict) else {}
    reading = Reading(dialect=NAME, who=_who(entry, record))
    reading.events = _events(entry, record, reading.who)
    for event in reading.events:
        event.time_ns = record.time_ns
    return reading


def is_prompt(entry: dict[str, Any]) -> bool:
    """Whether an entry is what a person asked: no result of a tool, no command, nothing that the product added."""
    return entry.get("isSidechain") is not True and _asked(entry) is not None


def _asked(entry: dict[str, Any]) -> str | None:
    if entry.get("type") != "user" or entry.get("isMeta") is True or entry.get("isCompactSummary") is True:
        return None
    content = _content(entry)
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        if any(part.get("type") == "tool_result" for part in parts):
            return None
        content = "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    asked = text(content)
    return None if asked is None or asked.lstrip().startswith(_NO_PROMPT) else asked


def _content(entry: dict[str, Any]) -> Any:
    message = entry.get("message")
    return message.get("content") if isinstance(message, dict) else None


def _who(entry: dict[str, Any], log: Log) -> Who:
    return Who(
        conversation_id=text(log.attributes.get(SESSION)) or text(entry.get("sessionId")),
        turn_id=text(log.attributes.get(PROMPT)),
        agent_name=SERVICE,
        agent_id=text(entry.get("agentId")) or (_SIDECHAIN if entry.get("isSidechain") is True else None),
        agent_version=text(entry.get("version")) or text(log.origin.resource.get("service.version")),
    )


def _events(entry: dict[str, Any], log: Log, who: Who) -> list[Event]:
    if entry.get("type") == "assistant":
        return _model_events(entry, log, who)
    mode = text(entry.get("permissionMode"))
    entered = [] if mode is None else [permission_modes.entered(mode, log.time_ns)]
    if entry.get("type") != "user":
        return entered
    answers = answered(_content(entry))
    found = entered + [told for event in answers for told in (*_decided(event, entry), _result(event, entry))]
    asked = _asked(entry) if is_prompt(entry) else None
    if asked is not None:
        found.append(Event(event="input.resolved", state="user_prompt", content=asked))
    return found


def _model_events(entry: dict[str, Any], log: Log, who: Who) -> list[Event]:
    message = entry["message"] if isinstance(entry.get("message"), dict) else {}
    model = text(message.get("model"))
    who.model_served = None if model == _NOBODYS_MODEL else model
    found = proposed(message.get("content"), "proposed")
    for event in found:
        event.group = text(message.get("id"))
    if who.model_served is not None and flag(log.attributes.get(FIRST)) is not False:
        usage = message["usage"] if isinstance(message.get("usage"), dict) else {}
        # The first line of a message is written before its last token: its count of tokens written is not final.
        who.input_tokens = usage.get("input_tokens")
        who.output_tokens = usage.get("output_tokens") if message.get("stop_reason") is not None else None
        found.insert(0, Event(event="model.called"))
    return found


def _decided(event: Event, entry: dict[str, Any]) -> list[Event]:
    """The decision on the call that an entry answers, where it holds one."""
    stated = mapping(entry.get("permissionDecision"))
    word, source = text(stated.get("decision")), text(stated.get("source"))
    if word is None:
        return []
    decided = decision(word, source, rule=_DECISION)
    decided.call_id = event.call_id
    if decided.state == "deny" and source == "config" and entry.get("toolDenialKind") == _USER_REJECTED:
        decided.rule = UNANSWERED_ASK
    door = entrypoint(None, text(entry.get("entrypoint")))
    if door is not None:
        decided.attributes["entrypoint"] = door
    return [decided]


def _result(event: Event, entry: dict[str, Any]) -> Event:
    """What the result of a tool states; `toolUseResult` is the product's own account of it."""
    own = entry.get("toolUseResult")
    told = messages.response_text(event.content)
    if isinstance(own, dict) and own.get("interrupted") is True:
        event.state, event.decided_by, event.basis, event.rule = "cancelled", "human", "explicit", "interrupted"
    elif event.state == "answered" and told is not None and told.lstrip().startswith(_ABORTED):
        # A program that uses the SDK may interrupt in a person's place; the versions that name no door had no other.
        by_program = entrypoint(None, text(entry.get("entrypoint"))) == "sdk"
        event.state, event.rule, event.reason = "cancelled", "aborted", told
        event.decided_by = "human_or_program" if by_program else "human"
    elif event.state == "answered" and text(entry.get("toolDenialKind")) is not None:
        # In the words of a hook or a program, which no table of wordings knows.
        event.state, event.basis, event.rule, event.reason = "refused", "explicit", "denial_kind", told
    elif event.state == "answered":
        failed = event.attributes.get("is_error") is True
        event.state, event.basis, event.reason = (
            "failed" if failed else "completed",
            "explicit",
            told if failed else None,
        )
    return event
