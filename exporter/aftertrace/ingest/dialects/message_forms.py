"""Messages in the forms of LangChain and OpenAI, turned into that of the GenAI conventions (`role` and `parts`).

Three containers carry them: the spans of LangSmith, OpenLLMetry and Logfire. Known are OpenAI's chat messages and its
Responses items (`function_call`, `function_call_output`), LangChain's messages in its three renderings (serialised
constructors, `type` beside `data`, flat), and pairs of role and text. What is none of these is left out.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages

_ROLES: Final = {
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
"""Roles by the names that LangChain gives its kinds of message, and by OpenAI's other names."""


def normal(value: Any) -> list[dict[str, Any]]:
    """The messages of a value, in order: a list of them, a list of one such list, a single one, or a bare text."""
    if isinstance(value, str):
        return [{"role": "user", "parts": [_text_part(value)]}]
    if isinstance(value, dict):
        value = [value]
    listed = value if isinstance(value, list) else []
    if len(listed) == 1 and isinstance(listed[0], list) and not isinstance(next(iter(listed[0]), None), str):
        listed = listed[0]
    return [message for item in listed if (message := _message(item)) is not None]


def plain_fields(item: Any) -> dict[str, Any]:
    """The fields of a LangChain message, whichever way it was rendered; empty where it is no message."""
    if not isinstance(item, dict):
        return {}
    for key in ("kwargs", "data"):
        inner = item.get(key)
        if isinstance(inner, dict) and (key == "data" or "lc" in item):
            return {"type": item.get("type"), **inner}
    return item


def instructions(given: list[dict[str, Any]]) -> str | None:
    """The text of the first system message."""
    system = next((message for message in given if message["role"] == "system"), None)
    texts = [] if system is None else [part.get("content") for part in system["parts"]]
    return "\n".join(text for text in texts if isinstance(text, str)) or None


def content_text(content: Any) -> str | None:
    """The text of a message's content: itself, or its text parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return messages.response_text(content)
    return None


def _message(item: Any) -> dict[str, Any] | None:
    if isinstance(item, list) and len(item) == 2 and all(isinstance(field, str) for field in item):
        return {"role": _ROLES.get(item[0], item[0]), "parts": [_text_part(item[1])]}
    fields = plain_fields(item)
    if isinstance(fields.get("message"), dict):
        fields = plain_fields(fields["message"])
    kind = fields.get("type")
    if kind == "function_call":
        call_id = fields.get("call_id", fields.get("id"))
        return {"role": "assistant", "parts": [_call_part(call_id, fields.get("name"), fields.get("arguments"))]}
    if kind == "function_call_output":
        return {"role": "tool", "parts": [_answer_part(fields.get("call_id"), None, fields.get("output"))]}
    role = fields.get("role", kind)
    role = _ROLES.get(role, role) if isinstance(role, str) else None
    if role == "tool":
        # A log record's body has the call's id as its own (`gen_ai.tool.message`).
        call_id = fields.get("tool_call_id", fields.get("id") if "event.name" in fields else None)
        return {"role": role, "parts": [_answer_part(call_id, fields.get("name"), fields.get("content"))]}
    if role not in ("user", "assistant", "system"):
        return None
    text = content_text(fields.get("content"))
    calls = fields.get("tool_calls")
    found = [_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return {"role": role, "parts": ([_text_part(text)] if text else []) + found}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    return _call_part(call.get("id"), inner.get("name"), inner.get("arguments", inner.get("args")))


def _call_part(call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _answer_part(call_id: Any, name: Any, response: Any) -> dict[str, Any]:
    return {"type": "tool_call_response", "id": call_id, "name": name, "response": response}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}
