"""Messages that lie in the events of a span, as the attributes that hold them elsewhere.

Three generations of the GenAI conventions write a model's input and output into span events:

- `gen_ai.client.inference.operation.details`, whose attributes are those of the span (2025);
- one event a message, `gen_ai.{system,user,assistant,tool}.message` and `gen_ai.choice` (semantic conventions 1.28 to
  1.36), with the message in its attributes or, as Azure's SDKs send it, as JSON in `gen_ai.event.content`;
- `gen_ai.content.prompt` and `gen_ai.content.completion`, one event for all messages of a side (1.27, Semantic Kernel).

The content of a message is a text, a list of blocks in the chat-completions form, or one in the form of Amazon Bedrock
(`toolUse`, `toolResult`), which Strands sends. All become the `role` and `parts` that `messages` reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.values import text
from aftertrace.ingest.records import SpanEvent

DETAILS: Final = "gen_ai.client.inference.operation.details"
GIVEN: Final = "gen_ai.input.messages"
MADE: Final = "gen_ai.output.messages"
INSTRUCTIONS: Final = "gen_ai.system_instructions"

_SYSTEM: Final = ("gen_ai.system.message", "gen_ai.developer.message")
_ROLES: Final = {
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_SIDES: Final = {
    "gen_ai.content.prompt": (GIVEN, "gen_ai.prompt"),
    "gen_ai.content.completion": (MADE, "gen_ai.completion"),
}


def told(events: Iterable[SpanEvent]) -> dict[str, Any]:
    """What the events say, under the names of the standard attributes; empty where they hold no messages."""
    found: dict[str, Any] = {}
    for event in events:
        if event.name == DETAILS:
            found |= {key: value for key, value in event.attributes.items() if key.startswith("gen_ai.")}
        elif event.name == "gen_ai.choice":
            _extend(found, MADE, [_choice(_body(event))])
        elif event.name in _SIDES:
            side, key = _SIDES[event.name]
            listed = messages.messages(event.attributes.get(key))
            _extend(found, side, [_message(str(item.get("role") or "user"), item) for item in listed])
        elif event.name in _SYSTEM:
            _extend(found, INSTRUCTIONS, parts(_body(event).get("content")))
        elif event.name in _ROLES:
            _extend(found, GIVEN, [_message(_ROLES[event.name], _body(event))])
    return found


def parts(content: Any) -> list[dict[str, Any]]:
    """The parts of a message's content, whatever form its blocks have."""
    loaded = messages.load(content)
    if isinstance(loaded, dict):
        loaded = [loaded]
    if not isinstance(loaded, list):
        return [] if content is None else [{"type": "text", "content": str(content)}]
    return [_part(block) for block in loaded if isinstance(block, dict | str)]


def _body(event: SpanEvent) -> dict[str, Any]:
    body = messages.load(event.attributes.get("gen_ai.event.content"))
    return body if isinstance(body, dict) else event.attributes


def _extend(found: dict[str, Any], key: str, items: list[dict[str, Any]]) -> None:
    before = found.setdefault(key, [])
    # What a details event holds is a text: nobody sends messages of both kinds in one span.
    found[key] = [*before, *items] if isinstance(before, list) else before


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    inner = messages.load(body.get("message"))
    message = _message("assistant", inner if isinstance(inner, dict) else {**body, "content": body.get("message")})
    return {**message, "finish_reason": body.get("finish_reason")}


def _message(role: str, body: dict[str, Any]) -> dict[str, Any]:
    if role == "tool" and text(body.get("id")) is None and text(body.get("tool_call_id")) is None:
        return {"role": role, "parts": parts(body.get("content"))}
    if role == "tool":
        answer = {"type": "tool_call_response", "id": body.get("id") or body.get("tool_call_id")}
        return {"role": role, "parts": [{**answer, "name": body.get("name"), "response": body.get("content")}]}
    listed = messages.load(body.get("tool_calls"))
    calls = [_call(item) for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {"role": role, "parts": [*parts(body.get("content")), *calls]}


def _call(item: dict[str, Any]) -> dict[str, Any]:
    function = messages.load(item.get("function"))
    function = function if isinstance(function, dict) else item
    return {
        "type": "tool_call",
        "id": item.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }


def _part(block: dict[str, Any] | str) -> dict[str, Any]:
    if isinstance(block, str):
        return {"type": "text", "content": block}
    used, answered = block.get("toolUse"), block.get("toolResult")
    if isinstance(used, dict):
        return {
            "type": "tool_call",
            "id": used.get("toolUseId"),
            "name": used.get("name"),
            "arguments": used.get("input"),
        }
    if isinstance(answered, dict):
        return {
            "type": "tool_call_response",
            "id": answered.get("toolUseId"),
            "response": answered.get("content"),
            "status": answered.get("status"),
        }
    if "content" not in block and isinstance(block.get("text"), str):
        return {"type": "text", "content": block["text"]}
    return block
