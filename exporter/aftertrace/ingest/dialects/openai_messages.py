"""Plain message logs of OpenAI's APIs and of the many that speak them: chat messages, and items of the Responses API.

Nobody states in such a log that a tool ran: what the model was told is all there is, so an outcome is inferred, except
for what the provider ran itself, and for approvals, which are items of their own.

Which vendor's API a conversation is of often shows only after a while: blocks as Anthropic's API writes them are read
here too.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import (
    anthropic_content,
    anthropic_messages,
    message_forms,
    message_log,
    messages,
    openai_items,
    text_calls,
)
from aftertrace.ingest.dialects.events import Event, Reading
from aftertrace.ingest.dialects.outline import Outline
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Log, Record

NAME: Final = "openai_messages"
SCOPE: Final = "aftertrace.import.openai_messages"
"""Instrumentation scope of the records that `aftertrace import` makes of such logs."""
READS: Final = (
    ("log: gen_ai.conversation.id", "conversation_id"),
    ("message assistant: tool_calls, function_call; item function_call, custom_tool_call, …", "action.proposed"),
    ("message tool, function; item function_call_output, shell_call_output, …",
     "tool.called answered, failed, refused, unknown_tool …"),
    ("item mcp_call, web_search_call, code_interpreter_call, …: status, error",
     "action.proposed; tool.called completed, failed"),
    ("item mcp_approval_request, mcp_approval_response: approve, reason",
     "approval.requested, approval.granted, approval.rejected"),
    ("item computer_call: pending_safety_checks, acknowledged_safety_checks", "approval.requested, approval.granted"),
    ("message user, system, developer; request: instructions", "input.resolved"),
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
            reading.events += message_log.exchange_events(given(request), made(response), record, events_of)
    _with_prompt(reading)
    return reading


def events_of(message: dict[str, Any]) -> list[Event]:
    """What one message or item states."""
    if message.get("type") in openai_items.ITEMS:
        return openai_items.events_of(message)
    if anthropic_content.is_marked(message.get("content")) and not message.get("tool_calls"):
        return anthropic_messages.events_of(message)
    role = message.get("role")
    said = message_forms.content_text(message.get("content"))
    if role == "assistant":
        return proposals(message)
    if role in ("tool", "function"):
        return [_answer(message, said)]
    if said is None or role not in ("user", "system", "developer"):
        return []
    state = "user_prompt" if role == "user" else "system_prompt"
    told = text_calls.told(said) if role == "user" else []
    return [Event(event="input.resolved", state=state, content=said), *told]


def _answer(message: dict[str, Any], said: str | None) -> Event:
    """What a tool's message tells. Some logs repeat the call in it, and keep an error apart from the content."""
    call = mapping(message.get("tool_call"))
    names = (message.get("name"), mapping(call.get("function")).get("name"), call.get("function"))
    error = text(message.get("error"))
    part = {
        "id": message.get("tool_call_id") or call.get("id"),
        "name": next(filter(None, map(text, names)), None),
        "response": error or said,
    }
    event = messages.answer(part, None)
    if error is not None and event.state == "answered":
        event.state, event.reason = "failed", error
    return event


def proposals(message: dict[str, Any]) -> list[Event]:
    """The calls of an assistant's message, in all the ways in which they were ever written."""
    listed = message.get("tool_calls")
    calls = [*(listed if isinstance(listed, list) else []), {"function": message.get("function_call")}]
    found: list[Event] = []
    for call in calls:
        inner = next((each for key in ("function", "custom") if (each := mapping(mapping(call).get(key)))), {})
        # Some write the function's name in the place of the function.
        named = inner or (mapping(call) if text(mapping(call).get("function")) else {})
        name = text(named.get("name")) or text(named.get("function"))
        if name is not None:
            arguments = messages.load(named.get("arguments", named.get("input", named.get("args"))))
            call_id = text(mapping(call).get("id"))
            found.append(_proposal(name, call_id, arguments, len(found)))
    return found


def _proposal(name: str, call_id: str | None, arguments: Any, position: int) -> Event:
    return Event(
        event="action.proposed",
        state="proposed",
        tool_name=name,
        call_id=call_id,
        arguments=arguments,
        position=position,
    )


def given(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages or items of a request."""
    listed = request.get("messages", request.get("input"))
    if isinstance(listed, str):
        return [{"role": "user", "content": listed}]
    return messages.messages(listed)


def made(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The message or items of a response; of several choices the first."""
    choices = messages.messages(response.get("choices"))
    if choices:
        return [mapping(choices[0].get("message"))]
    return messages.messages(response.get("output"))


def _settings(reading: Reading, request: dict[str, Any], response: dict[str, Any]) -> list[Event]:
    """Model, tools and tokens into the reading; the events that tell of them."""
    usage, who = mapping(response.get("usage")), reading.who
    who.model, who.model_served = text(request.get("model")), text(response.get("model"))
    who.input_tokens = usage.get("prompt_tokens", usage.get("input_tokens"))
    who.output_tokens = usage.get("completion_tokens", usage.get("output_tokens"))
    names = openai_items.tool_names(request.get("tools", request.get("functions")))
    found = message_log.called(who, response)
    if names is not None:
        who.tool_names, who.tools_digest = names, messages.value_digest(request.get("tools", request.get("functions")))
        if not response:
            found.append(Event(event="input.resolved", state="tools", content=names))
    instructions = text(request.get("instructions")) or text(response.get("instructions"))
    if instructions is not None:
        found.append(Event(event="input.resolved", state="system_prompt", content=instructions))
    return found


def _with_prompt(reading: Reading) -> None:
    prompts = [event.content for event in reading.events if event.state == "system_prompt"]
    if prompts:
        reading.who.system_prompt_digest = messages.value_digest(prompts[0])
