"""Messages and cut JSON of Gemini CLI: two forms of the same conversation, made into one.

A span holds the model API's own form (`parts[].functionCall`), the log event
`gen_ai.client.inference.operation.details` the GenAI conventions' (with the model's role written `system`). Both are
made into the conventions' form. A call's id is `<tool>__<id>` where it is proposed, scheduled and run, and `<id>` alone
where a later request repeats it: ids are left out of what a request repeats, so that its answers are matched by tool,
arguments and order instead.

Attributes of a span are cut at 10,000 characters. Of a cut text the complete members are read.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import messages

MAX_CHARACTERS: Final = 200_000
"""A text that is cut is read up to this length: Gemini's own limit is far below."""

_CUT: Final = "...[TRUNCATED: original length"
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[{}\[\],]', re.DOTALL)
_CLOSES: Final = {"{": "}", "[": "]"}


def whole(value: Any) -> Any:
    """The value of a JSON text; of a text that was cut, what stands complete before the cut."""
    if not isinstance(value, str):
        return value
    loaded = messages.load(value)
    if not isinstance(loaded, str) or loaded[:1] not in _CLOSES or len(loaded) > MAX_CHARACTERS:
        return loaded
    return messages.load(_closed(loaded[: loaded.rfind(_CUT)] if _CUT in loaded else loaded))


def given(value: Any) -> list[dict[str, Any]]:
    """What a model was given, in the conventions' form, without ids of calls."""
    return _spoken(value, with_ids=False)


def made(value: Any) -> list[dict[str, Any]]:
    """What a model answered, in the conventions' form."""
    return _spoken(value, with_ids=True)


def tools(value: Any) -> list[Any] | None:
    """Tool definitions, out of their `functionDeclarations`; None where the value is no list."""
    listed = messages.load(value)
    if not isinstance(listed, list):
        return None
    found: list[Any] = []
    for item in listed:
        declared = item.get("functionDeclarations") if isinstance(item, dict) else None
        found += declared if isinstance(declared, list) else [item]
    return found


def instructions(value: Any) -> str | None:
    """The system prompt's text: as text, as a list of text parts, or as a message with `parts`."""
    loaded = messages.load(value)
    listed = loaded.get("parts") if isinstance(loaded, dict) else loaded
    if isinstance(listed, list):
        texts = [_text(part) for part in listed]
        return "\n".join(text for text in texts if text) or None
    return loaded if isinstance(loaded, str) and loaded else None


def _text(part: Any) -> str | None:
    if isinstance(part, dict):
        part = part.get("text", part.get("content"))
    return part if isinstance(part, str) else None


def _spoken(value: Any, *, with_ids: bool) -> list[dict[str, Any]]:
    loaded = whole(value)
    listed = loaded if isinstance(loaded, list) else [loaded]
    found: list[dict[str, Any]] = []
    for message in listed:
        if not isinstance(message, dict):
            continue
        listed_parts = message.get("parts")
        parts = [_part(part) for part in (listed_parts if isinstance(listed_parts, list) else [])]
        if not with_ids:
            parts = [{key: of for key, of in part.items() if key != "id"} for part in parts]
        role = "assistant" if message.get("role") in ("model", "system", "assistant") else "user"
        found.append({"role": role, "parts": parts})
    return found


def _part(part: Any) -> dict[str, Any]:
    if not isinstance(part, dict):
        return {}
    call, answer = part.get("functionCall"), part.get("functionResponse")
    if isinstance(call, dict):
        return {"type": "tool_call", "id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")}
    if isinstance(answer, dict):
        told = answer.get("response")
        return {"type": "tool_call_response", "id": answer.get("id"), "name": answer.get("name"), "response": told}
    if "type" not in part and isinstance(part.get("text"), str) and not part.get("thought"):
        return {"type": "text", "content": part["text"]}
    return part


def _closed(text: str) -> str:
    """A cut JSON text up to its last complete member, with its brackets closed."""
    depth: list[str] = []
    end, closing = 0, ""
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in _CLOSES:
            depth.append(_CLOSES[sign])
        elif sign in ("}", "]"):
            if not depth or depth.pop() != sign:
                return ""
            end, closing = token.end(), "".join(reversed(depth))
        elif sign == ",":
            end, closing = token.start(), "".join(reversed(depth))
    return text[:end] + closing
