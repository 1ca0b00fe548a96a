"""Plain message logs of Anthropic's Messages API: conversations, requests with their responses, results of batches.

Nobody states in such a log that the client ran a tool: what the model was told is all there is, with a mark for errors,
so an outcome is inferred, except for what the provider ran itself (`server_tool_use`, `mcp_tool_use`).
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import anthropic_content, message_log, messages, text_calls
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Log, Record

NAME: Final = "anthropic_messages"
SCOPE: Final = "aftertrace.import.anthropic_messages"
"""Instrumentation scope of the records that `aftertrace import` makes of such logs."""
READS: Final = (
    ("log: gen_ai.conversation.id", "conversation_id"),
    ("message assistant: content tool_use, server_tool_use, mcp_tool_use", "action.proposed"),
    ("message user: content tool_result, is_error", "tool.called answered, failed, refused, unknown_tool …"),
    ("message assistant: content web_search_tool_result, mcp_tool_result, …", "tool.called completed, failed"),
    ("message user: content text; request: system", "input.resolved"),
    ("request: model, tools; response: model, usage", "model, tool_names, model_served, input_tokens, output_tokens"),
)  # fmt: skip


def may_read(outline: Outline) -> bool:
    """Whether records of an outline may be of this dialect."""
    return outline.scope == SCOPE and not outline.is_span


def read(record: Record) -> Reading | None:
    """Read a log record that holds a piece of such a log."""
    if record.origin.scope_name != SCOPE or not isinstance(record, Log):
        return None
    reading = Reading(NAME, message_log.who(record))
    if record.event_name == message_log.MESSAGE:
        reading.events = message_log.message_events(record, events_of)
    else:
        request, response = message_log.told(record)
        reading.events = _settings(reading, request, response)
        if record.event_name == message_log.EXCHANGE:
            given = messages.messages(request.get("messages"))
            reading.events += message_log.exchange_events(given, made(response), record, events_of)
    return reading


def events_of(message: dict[str, Any]) -> list[Event]:
    """What one message states."""
    content, role = message.get("content"), message.get("role")
    if role == "assistant":
        return [*anthropic_content.proposed(content, "proposed"), *anthropic_content.outcomes(content)]
    found = anthropic_content.outcomes(content)
    said = anthropic_content.said(content)
    if said is not None and role in ("user", "system"):
        state = "user_prompt" if role == "user" else "system_prompt"
        found.append(Event(event="input.resolved", state=state, content=said))
        found += text_calls.told(said) if role == "user" else []
    return found


def made(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The message of a response."""
    return [response] if response.get("content") is not None else []


def _settings(reading: Reading, request: dict[str, Any], response: dict[str, Any]) -> list[Event]:
    """Model, system prompt, tools and tokens into the reading; the events that tell of them."""
    usage, who = mapping(response.get("usage")), reading.who
    who.model, who.model_served = text(request.get("model")), text(response.get("model"))
    who.input_tokens, who.output_tokens = usage.get("input_tokens"), usage.get("output_tokens")
    found = message_log.called(who, response)
    # The tools of remote servers are not listed.
    names = None if request.get("mcp_servers") else messages.tool_names(request.get("tools"))
    if names is not None:
        who.tool_names, who.tools_digest = names, messages.value_digest(request["tools"])
        if not response:
            found.append(Event(event="input.resolved", state="tools", content=names))
    prompt = anthropic_content.said(request.get("system"))
    if prompt is not None:
        who.system_prompt_digest = messages.value_digest(prompt)
        found.append(Event(event="input.resolved", state="system_prompt", content=prompt))
    return found
