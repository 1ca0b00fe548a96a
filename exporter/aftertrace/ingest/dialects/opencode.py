"""opencode (1.18): Effect's spans, which need no switch, and the AI SDK's `ai.*` spans, which do.

What sets the emitter apart:

- `Tool.execute` is entered before the permission is looked up, so that it exists, with an error, for calls that never
  ran. Both it and `ai.toolCall` tell of the same call under the same id.
- `Permission.ask` is a control point within it. A rule answers at once: OK, or `PermissionDeniedError`. Otherwise it
  lasts until somebody answers; a program without a terminal rejects by itself, within milliseconds.
- A call to a tool that is not there, or with unreadable arguments, is turned into one of the tool `invalid`.
- An interrupted span has the status OK and says `status.interrupted`.
- Hundreds of spans of a run are about its database and files; they state nothing here.
"""

from __future__ import annotations

from typing import Final

from aftertrace.ingest.dialects import ai_sdk, messages, refusals
from aftertrace.ingest.dialects.events import Decider, Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import elapsed_ns, flag, mapping, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "opencode"
READS: Final = (
    ("span Tool.execute, ai.toolCall: status, exception.type", "tool.called completed, failed, refused …"),
    ("span Tool.execute, ai.toolCall: status.interrupted", "tool.called cancelled"),
    ("span Permission.ask, OK at once", "policy.evaluated allow"),
    ("span Permission.ask: PermissionDeniedError", "policy.evaluated deny"),
    ("span Permission.ask, OK after a wait", "approval.requested, approval.granted"),
    ("span Permission.ask: PermissionRejectedError, PermissionCorrectedError", "approval.requested, approval.rejected"),
    ("span ai.*", "as the dialect ai_sdk, of the calls that Tool.execute tells of"),
    ("tool invalid: tool, error", "tool.called unknown_tool, invalid_arguments of the tool that was meant"),
    ("span: session.id, ai.telemetry.metadata.sessionId", "conversation_id"),
)  # fmt: skip

ASKED_AFTER_NS: Final = 250_000_000
"""A rule, or a program that answers for a person, takes less than this; a person takes longer."""

_SCOPE: Final = "opencode"
_ERROR: Final = 2
_INVALID_TOOL: Final = "invalid"
_INVALID_ANSWER: Final = "The arguments provided to the tool are invalid: "
_INTERRUPTED: Final = "All fibers interrupted"
_REJECTIONS: Final = ("PermissionRejectedError", "PermissionCorrectedError")
_DENIED: Final = "PermissionDeniedError"
_FEEDBACK: Final = "with the following feedback: "


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return _SCOPE in (outline.scope, outline.service)


def read(record: Record) -> Reading | None:
    """Read a span or log record of opencode; most of them state nothing."""
    origin = record.origin
    if origin.scope_name != _SCOPE and origin.resource.get("service.name") != _SCOPE:
        return None
    if not isinstance(record, Span):
        return Reading(dialect=NAME, who=_who(record))
    operation = record.attributes.get("ai.operationId")
    if isinstance(operation, str) and operation.startswith("ai."):
        return _model_reading(record, operation)
    reading = Reading(dialect=NAME, who=_who(record))
    if record.name == "Tool.execute":
        reading.who.tool_name = text(record.attributes.get("tool.name"))
        reading.who.call_id = text(record.attributes.get("tool.call_id"))
        reading.operation, reading.events = "execute_tool", [_tool_event(record)]
    elif record.name == "Permission.ask":
        reading.operation, reading.events = "approval", _permission_events(record)
    return reading


def _who(record: Record) -> Who:
    return Who(
        conversation_id=text(record.attributes.get("session.id")),
        agent_name=NAME,
        agent_version=text(record.origin.resource.get("service.version")),
    )


def _model_reading(span: Span, operation: str) -> Reading:
    reading = ai_sdk.reading(span, operation, NAME)
    who = reading.who
    who.agent_name, who.agent_version = NAME, text(span.origin.resource.get("service.version"))
    who.user_id = None if who.user_id == "unknown" else who.user_id
    if operation == "ai.toolCall":
        reading.events = [_ended(_tool_event(span))]
    for event in reading.events:
        # It runs the tools itself and goes on: a step's end hands nothing back.
        event.attributes.pop(ai_sdk.HANDED_BACK, None)
    reading.events = [_meant(event, who) for event in reading.events]
    return reading


def _meant(event: Event, who: Who) -> Event:
    """A call of the tool `invalid` as the call that was meant, and what was wrong with it."""
    if (event.tool_name or who.tool_name) != _INVALID_TOOL:
        return event
    given = event.arguments if isinstance(event.arguments, dict) else {}
    meant = text(given.get("tool"))
    if event.event == "action.proposed":
        event.tool_name = meant
    elif event.event == "tool.called":
        told = text(given.get("error")) or messages.response_text(event.content)
        event.state, event.basis, event.rule, event.reason = _wrong(told), "explicit", "invalid_tool", told
        event.tool_name = who.tool_name = meant
    event.arguments = None
    return event


def _wrong(told: str | None) -> str:
    verdict = refusals.classify((told or "").removeprefix(_INVALID_ANSWER))
    return "invalid_arguments" if verdict is not None and verdict.state == "invalid_arguments" else "unknown_tool"


def _tool_event(span: Span) -> Event:
    event = ai_sdk.tool_event(span)
    # It is entered before the question, so that its end is when the call is known to have run.
    event.time_ns, event.end_ns = span.end_ns or span.start_ns, None
    kind, told = ai_sdk.exception(span)
    if _interrupted(span):
        event.state, event.reason = "cancelled", None
    elif span.status == _ERROR:
        _judge(event, kind, told)
    if span.attributes.get("tool.name") == _INVALID_TOOL:
        event.state, event.rule, event.basis = "unknown_tool", "invalid_tool", "inferred"
    return event


def _ended(event: Event) -> Event:
    """A command that ended with an error has a result like any other, and its exit code in it."""
    metadata = mapping(mapping(messages.load(event.content)).get("metadata"))
    code = metadata.get("exit")
    if event.state == "completed" and isinstance(code, int) and code:
        event.state, event.rule, event.reason = "failed", "exit_code", f"exit code {code}"
    return event


def _judge(event: Event, kind: str | None, told: str | None) -> None:
    verdict = refusals.classify(told) if told else None
    if kind == _DENIED:
        event.state, event.decided_by, event.rule = "refused", "policy", "permission_error"
    elif kind in _REJECTIONS:
        event.state, event.decided_by, event.rule = "refused", "human_or_program", "permission_error"
    elif verdict is not None and verdict.rule.startswith("opencode_"):
        event.state, event.decided_by, event.basis = verdict.state, verdict.decided_by, "inferred"
        event.rule = f"text:{verdict.rule}"


def _permission_events(span: Span) -> list[Event]:
    wait_ns = elapsed_ns(span.start_ns, span.end_ns) if span.end_ns else None
    kind, told = ai_sdk.exception(span)
    asked = Event(event="approval.requested", time_ns=span.start_ns)
    decided = Event(
        event="policy.evaluated",
        state="unknown",
        time_ns=span.end_ns or span.start_ns,
        end_ns=span.end_ns or None,
        wait_ns=wait_ns,
        rule="permission",
    )
    took_long = (wait_ns or 0) > ASKED_AFTER_NS
    if _interrupted(span) or not span.end_ns:
        return [asked]
    if span.status != _ERROR:
        if took_long:
            decided.event, decided.state, decided.decided_by = "approval.granted", None, "human"
            return [asked, decided]
        # A later ask within the same call may still be a person's: that one counts.
        decided.state, decided.decided_by, decided.wait_ns = "allow", "policy", None
        decided.attributes["weight"] = "span"
        return [decided]
    decided.reason = told
    if kind == _DENIED:
        decided.state, decided.decided_by, decided.wait_ns = "deny", "policy", None
    elif kind in _REJECTIONS:
        person: Decider = "human" if took_long or kind == "PermissionCorrectedError" else "program"
        decided.event, decided.state, decided.decided_by = "approval.rejected", None, person
        if told is not None and _FEEDBACK in told:
            decided.reason = told.partition(_FEEDBACK)[2]
        return [asked, decided]
    return [decided]


def _interrupted(span: Span) -> bool:
    return flag(span.attributes.get("status.interrupted")) is True or span.status_message.startswith(_INTERRUPTED)
