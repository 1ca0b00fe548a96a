"""Spans of Qwen Code: `qwen-code.interaction`, `.llm_request`, `.tool` and under it `.blocked_on_user`, `.execution`.

A `qwen-code.tool` span exists whether the tool ran or not and is always an `execute_tool`: only its child
`qwen-code.tool.execution` shows a run, and `tool.failure_kind` tells what kept it from one.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import genai, messages
from aftertrace.ingest.dialects.events import Decider, Event, Who
from aftertrace.ingest.dialects.values import elapsed_ns, flag, text
from aftertrace.ingest.records import Span

OPERATIONS: Final = {
    "qwen-code.interaction": "invoke_agent",
    "qwen-code.subagent": "invoke_agent",
    "qwen-code.llm_request": "chat",
    "qwen-code.tool": "execute_tool",
    "qwen-code.tool.execution": "step",
    "qwen-code.tool.blocked_on_user": "approval",
    "qwen-code.hook": "step",
}
_REFUSERS: Final[dict[str, Decider]] = {
    "permission_denied": "policy",
    "plan_mode_blocked": "policy",
    "non_interactive_denied": "policy",
    "background_agent_denied": "policy",
    "invocation_guard_denied": "guardrail",
    "pre_hook_blocked": "hook",
    "permission_hook_denied": "hook",
}
_ANSWERERS: Final[dict[str, Decider]] = {"cli": "human", "ide": "human", "hook": "hook", "auto": "policy"}
_ERROR: Final = 2
_HEADING: Final = re.compile(r"\A\[[A-Z ]+(?:: [^\]\n]{1,256})?\]\n")


def events(span: Span, who: Who) -> list[Event]:
    """What a span states; those of model calls also complete `who`."""
    match span.name:
        case "qwen-code.interaction":
            return _prompt(span)
        case "qwen-code.llm_request":
            return _model_call(span, who)
        case "qwen-code.tool":
            return _tool(span)
        case "qwen-code.tool.blocked_on_user":
            return _answer(span)
        case "qwen-code.tool.execution":
            return [_execution(span)]
    return []


def _prompt(span: Span) -> list[Event]:
    prompt = _content(span.attributes.get("new_context"))
    if prompt is None:
        return []
    return [Event(event="input.resolved", state="user_prompt", time_ns=span.start_ns, content=prompt)]


def _model_call(span: Span, who: Who) -> list[Event]:
    attributes = span.attributes
    stated = genai.who(attributes)
    who.system_prompt_digest = stated.system_prompt_digest or text(attributes.get("system_prompt_hash"))
    who.tool_names = stated.tool_names or messages.tool_names(messages.load(attributes.get("tools")))
    who.tools_digest = stated.tools_digest or messages.repeated_digest(text(attributes.get("tools")))
    found = genai.model_call_events(attributes, span.start_ns, span.end_ns)
    system = text(attributes.get("system_prompt"))
    if system is not None:
        found.append(Event(event="input.resolved", state="system_prompt", time_ns=span.start_ns, content=system))
    return found


def _tool(span: Span) -> list[Event]:
    attributes = span.attributes
    kind = text(attributes.get("tool.failure_kind"))
    called = Event(
        event="tool.called",
        state="entered",
        time_ns=span.end_ns or span.start_ns,
        arguments=_arguments(attributes),
        reason=text(attributes.get("error")) or text(span.status_message),
    )
    if kind in _REFUSERS:
        called.state, called.decided_by, called.rule = "refused", _REFUSERS[kind], kind
        rule = "unanswered_ask" if kind == "non_interactive_denied" else kind
        denied = Event(event="policy.evaluated", state="deny", time_ns=called.time_ns, rule=rule)
        denied.decided_by, denied.reason = called.decided_by, called.reason
        return [denied, called]
    if kind == "cancelled":
        called.state, called.rule = "cancelled", kind
    elif kind in ("tool_error", "tool_exception", "timeout"):
        called.state = "failed"
    elif kind is None and flag(attributes.get("success")) is True:
        called.state, called.reason = "completed", None
        called.content = _content(attributes.get("tool_result"))
    if called.state in ("completed", "failed"):
        called.time_ns, called.end_ns = span.start_ns, span.end_ns or None
    return [called]


def _answer(span: Span) -> list[Event]:
    attributes = span.attributes
    decision = text(attributes.get("decision"))
    source = text(attributes.get("source")) or ""
    event = Event(
        event="policy.evaluated",
        state="unknown",
        time_ns=span.end_ns or span.start_ns,
        wait_ns=elapsed_ns(span.start_ns, span.end_ns),
        decided_by=_ANSWERERS.get(source, "human_or_program"),
        rule="blocked_on_user",
        attributes={"source": source} if source else {},
    )
    asked = Event(event="approval.requested", time_ns=span.start_ns)
    if decision is not None and decision.startswith("proceed"):
        event.event, event.state = "approval.granted", None
        if decision.startswith("proceed_always"):
            event.attributes["grant_scope"] = "always"
    elif decision == "cancel":
        event.event, event.state = "approval.rejected", None
    elif decision == "auto_approved":
        event.state, event.decided_by = "allow", _ANSWERERS.get(source, "policy")
        event.wait_ns = None
        return [event]
    elif decision == "aborted" and attributes.get("qwen-code.span.ttl_expired") is True:
        event.event, event.state, event.decided_by = "approval.expired", None, "timeout"
    elif decision == "aborted":
        return [asked, Event(event="tool.called", state="cancelled", time_ns=event.time_ns, rule="aborted")]
    else:
        return [asked]
    return [asked, event]


def _execution(span: Span) -> Event:
    attributes = span.attributes
    status = text(attributes.get("execution_status"))
    success = flag(attributes.get("success"))
    event = Event(event="tool.called", state="completed", time_ns=span.start_ns, end_ns=span.end_ns or None)
    if status == "cancelled":
        event.state, event.rule = "cancelled", status
    elif status == "not_started":
        event.state = "entered"
    elif not span.end_ns:
        event.state = "started"
    elif success is False or status not in (None, "success", "unknown") or span.status == _ERROR:
        event.state, event.reason = "failed", text(attributes.get("error")) or text(span.status_message)
    return event


def _arguments(attributes: dict[str, Any]) -> Any:
    stated = attributes.get("gen_ai.tool.call.arguments")
    return messages.load(_content(attributes.get("tool_input")) if stated is None else stated)


def _content(value: Any) -> str | None:
    """A text without the heading that names what it is."""
    told = text(value)
    return None if told is None else _HEADING.sub("", told, count=1) or None
