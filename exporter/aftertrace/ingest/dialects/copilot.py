"""GitHub Copilot CLI (1.0.102): spans with GenAI attributes, one for each question to the user; no logs.

Content is there only where it is switched on. What sets the emitter apart:

- A `permission` span, child of `execute_tool`, is one question to a person and its answer; its duration is
  the wait. A call that a rule allows or forbids has none.
- An `execute_tool` span exists whether the tool ran or not. `error.type` `denied` tells a refusal; by whom,
  its text may tell, or its `permission`, whose answer outweighs it. `cancelled` tells of a turn that a person
  stopped, while a tool ran or while they were asked.
- `execute_tool` starts before the question, so that its end is when the call is known to have run.
"""

from __future__ import annotations

import re
from typing import Final

from aftertrace.ingest.dialects import genai, messages, refusals, text_calls
from aftertrace.ingest.dialects.events import Decider, Event, Reading, Who
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import elapsed_ns, text
from aftertrace.ingest.records import Record, Span

NAME: Final = "copilot"
READS: Final = (
    ("span: gen_ai.conversation.id", "conversation_id"),
    ("span chat: github.copilot.interaction_id", "turn_id"),
    ("span invoke_agent: event github.copilot.user.message", "turn_id"),
    ("span chat: gen_ai.input.messages", "tool.called answered, refused …; input.resolved user_prompt"),
    ("span chat: gen_ai.output.messages", "action.proposed"),
    ("span execute_tool without error", "tool.called completed"),
    ("span execute_tool: process.exit.code", "tool.called failed"),
    ("span execute_tool: error.type=denied", "tool.called refused; a permission outweighs its decider"),
    ("span execute_tool: error.type=cancelled", "tool.called cancelled"),
    ("span execute_tool: another error", "tool.called failed, unknown_tool, invalid_arguments, refused"),
    ("span permission: result approved, denied-interactively-by-user", "approval.requested and its answer"),
    ("span permission: result denied-no-approval-rule-…", "policy.evaluated deny; after a wait expired"),
    ("span permission without a result", "approval.requested, and no answer: the turn was stopped"),
    ("span: gen_ai.system_instructions, gen_ai.tool.definitions", "system_prompt_digest, tool_names"),
)  # fmt: skip

ASKED_AFTER_NS: Final = 1_000_000_000
"""A question that nobody can be asked fails at once; after a longer wait it was asked, in vain."""

_SCOPE: Final = "github.copilot"
_SERVICE: Final = "github-copilot"
_ERROR: Final = 2
_MISSING_TOOL: Final = re.compile(r"Tool '.{1,256}' does not exist", re.DOTALL)
_WITHHELD: Final = "Tool failed"
"""Stands for every error where content is not sent."""
_RULES: Final = re.compile(r"denied due to the following rules: (.+)", re.DOTALL)
_UNANSWERED: Final = "denied-no-approval-rule-and-could-not-request-from-user"
_STANDING: Final = {"approved-for-session": "session", "approved-for-": "always", "approved-permanently": "always"}
"""How long an answer holds, by what its word begins with."""
_DENIERS: Final[dict[str, Decider]] = {
    "denied-by-rules": "policy",
    "denied-by-content-exclusion-policy": "policy",
    "denied-by-permission-request-hook": "hook",
}


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope.startswith(_SCOPE) or outline.service == _SERVICE


def read(record: Record) -> Reading | None:
    """Read a span of the Copilot CLI; a log record from it has no events."""
    origin = record.origin
    if not origin.scope_name.startswith(_SCOPE) and origin.resource.get("service.name") != _SERVICE:
        return None
    attributes = record.attributes
    reading = Reading(dialect=NAME, who=_who(record))
    if not isinstance(record, Span):
        return reading
    operation = attributes.get("gen_ai.operation.name")
    if record.name == "permission" or "github.copilot.permission.result" in attributes:
        reading.operation, reading.events = "approval", _permission_events(record)
    elif operation == "chat":
        reading.operation = "chat"
        reading.events = genai.model_call_events(attributes, record.start_ns, record.end_ns)
    elif operation == "execute_tool":
        reading.operation, reading.events = "execute_tool", [_tool_event(record)]
    elif operation == "invoke_agent":
        reading.operation = "invoke_agent"
        reading.events = _prompts(record)
        # The sums of its model calls, which state their own.
        reading.who.input_tokens = reading.who.output_tokens = None
    return reading


def _who(record: Record) -> Who:
    attributes, resource = record.attributes, record.origin.resource
    who = genai.who(attributes)
    who.agent_name = text(attributes.get("gen_ai.agent.name")) or _SERVICE
    who.agent_version = text(resource.get("service.version"))
    who.turn_id = text(attributes.get("github.copilot.interaction_id")) or _interaction(record)
    return who


def _interaction(record: Record) -> str | None:
    spoken = record.events if isinstance(record, Span) else []
    for event in spoken:
        interaction = text(event.attributes.get("github.copilot.user.message.interaction_id"))
        if interaction is not None:
            return interaction
    return None


def _prompts(span: Span) -> list[Event]:
    prompt = messages.user_text(span.attributes.get("gen_ai.input.messages"))
    if prompt is None:
        return []
    return [Event(event="input.resolved", state="user_prompt", time_ns=span.start_ns, content=prompt)]


def _tool_event(span: Span) -> Event:
    attributes = span.attributes
    event = Event(
        event="tool.called",
        state="completed",
        time_ns=span.end_ns or span.start_ns,
        arguments=messages.load(attributes.get("gen_ai.tool.call.arguments")),
        content=attributes.get("gen_ai.tool.call.result"),
    )
    if attributes.get("error.type") == "denied":
        _refuse(event, _error_text(span))
    elif attributes.get("error.type") == "cancelled":
        event.state, event.decided_by, event.rule = "cancelled", "human", "error_type_cancelled"
    elif span.status == _ERROR or attributes.get("error.type") is not None:
        _fail(event, _error_text(span))
    elif not span.end_ns:
        event.state = "started"
    elif attributes.get("process.exit.code") not in (None, 0, "0"):
        event.state, event.rule = "failed", "exit_code"
        event.reason = f"exit code {attributes['process.exit.code']}"
    return event


def _refuse(event: Event, told: str | None) -> None:
    verdict = refusals.classify(told) if told else None
    event.state, event.rule, event.reason = "refused", "error_type_denied", told
    event.decided_by = (verdict.decided_by if verdict is not None else None) or "policy"
    rules = _RULES.search(told or "")
    if rules is not None:
        event.decider, event.identity = rules[1].strip("` \n"), "asserted"


def _fail(event: Event, told: str | None) -> None:
    event.state, event.reason = "failed", told
    if told is None or told == _WITHHELD:
        # It may as well be a tool that does not exist.
        event.basis = "inferred"
        return
    if _MISSING_TOOL.match(told):
        event.state, event.rule = "unknown_tool", "missing_tool"
        return
    harness = next(iter(text_calls.told(told)), None)
    if harness is not None:
        event.state, event.decided_by = harness.state, harness.decided_by
        event.rule, event.basis = harness.rule, harness.basis
        return
    verdict = refusals.classify(told)
    if verdict is not None and verdict.state in ("unknown_tool", "invalid_arguments"):
        event.state, event.rule, event.basis = verdict.state, f"text:{verdict.rule}", "inferred"


def _error_text(span: Span) -> str | None:
    told = (text(event.attributes.get("exception.message")) for event in span.events)
    return text(span.status_message) or next(filter(None, told), None)


def _permission_events(span: Span) -> list[Event]:
    result = text(span.attributes.get("github.copilot.permission.result")) or ""
    decided = Event(
        event="policy.evaluated",
        state="unknown",
        time_ns=span.end_ns or span.start_ns,
        end_ns=span.end_ns or None,
        wait_ns=elapsed_ns(span.start_ns, span.end_ns),
        rule="permission",
    )
    kind = text(span.attributes.get("github.copilot.permission.kind"))
    about = {} if kind is None else {"kind": kind}
    decided.attributes |= about
    if not _decide(decided, result) and (result or not span.end_ns):
        return [decided]
    # Without a result the question was open when the turn was stopped.
    return [Event(event="approval.requested", time_ns=span.start_ns, attributes=about), decided]


def _decide(decided: Event, result: str) -> bool:
    """State what a permission's result says. True when a person was asked."""
    decided.attributes["result"] = result
    if result.startswith("approved"):
        decided.event, decided.state, decided.decided_by = "approval.granted", None, "human"
        scope = next((_STANDING[word] for word in _STANDING if result.startswith(word)), None)
        decided.attributes |= {} if scope is None else {"grant_scope": scope}
        return True
    if result == "denied-interactively-by-user":
        decided.event, decided.state, decided.decided_by = "approval.rejected", None, "human"
        return True
    if result == _UNANSWERED and (decided.wait_ns or 0) > ASKED_AFTER_NS:
        decided.event, decided.state, decided.decided_by = "approval.expired", None, "timeout"
        return True
    if result.startswith("denied"):
        decided.state, decided.decided_by = "deny", _DENIERS.get(result, "policy")
        if result == _UNANSWERED:
            decided.rule = "unanswered_ask"
    return False
