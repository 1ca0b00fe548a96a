"""Spans of Claude Code's traces beta: what each states, once `claude_code` has told them from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.claude_code_bodies import context_events
from aftertrace.ingest.dialects.claude_code_decisions import (
    BLOCKED_ON_USER,
    decision,
    is_side_request,
    is_user,
)
from aftertrace.ingest.dialects.claude_code_inputs import prompt_event, show_command
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.values import NS_PER_MS, elapsed_ns, flag, text

if TYPE_CHECKING:
    from aftertrace.ingest.records import Span

OPERATIONS: Final = {
    "interaction": "invoke_agent",
    "llm_request": "chat",
    "tool": "execute_tool",
    "tool.blocked_on_user": "approval",
    "tool.execution": "step",
    "hook": "guardrail",
}
"""What `spans.operation` holds for a kind of span."""
INTERRUPTED: Final = "execution_interrupted"
"""A tool that did not succeed and has no `error.type`, which newer versions give to every failure of its own."""


def events(kind: str, span: Span, who: Who) -> list[Event]:
    """What a span states. That of a model call also completes `who`."""
    match kind:
        case "interaction":
            prompted = prompt_event(span.attributes.get("user_prompt"), span.start_ns)
            prompted.attributes["weight"] = "span"
            return [prompted]
        case "llm_request":
            _describe_model_call(span, who)
            return context_events(span.attributes.get("new_context"), span.start_ns)
        case "tool":
            return _tool_events(span)
        case "tool.blocked_on_user":
            return _blocked_events(span)
        case "tool.execution":
            return _execution_events(span)
    return []


def _describe_model_call(span: Span, who: Who) -> None:
    attributes = span.attributes
    who.input_tokens, who.output_tokens = attributes.get("input_tokens"), attributes.get("output_tokens")
    if is_side_request(attributes.get("query_source_safe")):
        return
    who.model = text(attributes.get("gen_ai.request.model")) or text(attributes.get("model"))
    who.model_served = text(attributes.get("gen_ai.response.model"))
    who.system_prompt_digest = text(attributes.get("system_prompt_hash"))
    who.tool_names = messages.tool_names(attributes.get("tools"))
    if who.tool_names is not None:
        who.tools_digest = messages.value_digest(attributes["tools"])


def _tool_events(span: Span) -> list[Event]:
    entered = Event(event="tool.called", state="entered", time_ns=span.start_ns, end_ns=span.end_ns or None)
    shown = {
        name: span.attributes[key]
        for key, name in (("full_command", "command"), ("file_path", "file_path"))
        if text(span.attributes.get(key))
    }
    if shown:
        entered.arguments, entered.attributes["arguments_partial"] = shown, True
        show_command(entered, shown.get("command"))
    return [entered] + [
        Event(
            event="tool.called",
            state="answered",
            time_ns=output.time_ns,
            basis="inferred",
            content=output.attributes.get("output"),
            rule="tool.output",
        )
        for output in span.events
        if output.name == "tool.output"
    ]


def _blocked_events(span: Span) -> list[Event]:
    source = text(span.attributes.get("source"))
    decided = decision(
        text(span.attributes.get("decision")),
        source,
        rule=BLOCKED_ON_USER,
        weight="span",
        reviewer=text(span.attributes.get("user.email")),
    )
    # The emitter cuts starts and log times to milliseconds, and adds an exact duration to a cut start: as it
    # is, this end could come after the record of a quick tool's execution.
    decided.time_ns = (span.end_ns or span.start_ns) // NS_PER_MS * NS_PER_MS
    decided.end_ns = decided.time_ns if span.end_ns else None
    decided.wait_ns = elapsed_ns(span.start_ns, span.end_ns)
    if not is_user(source):
        return [decided]
    return [Event(event="approval.requested", time_ns=span.start_ns), decided]


def _execution_events(span: Span) -> list[Event]:
    attributes = span.attributes
    success = flag(attributes.get("success"))
    ran = Event(
        event="tool.called",
        state="started" if success is None else "completed" if success else "failed",
        time_ns=span.start_ns,
        end_ns=span.end_ns or None,
        reason=None if success else text(attributes.get("error")),
    )
    if success is not False or "gen_ai.provider.name" not in attributes or "error.type" in attributes:
        return [ran]
    ran.state, ran.reason = "started", None
    stopped = Event(
        event="tool.called",
        state="cancelled",
        time_ns=span.end_ns or span.start_ns,
        basis="inferred",
        decided_by="human_or_program",
        rule=INTERRUPTED,
    )
    return [ran, stopped]
