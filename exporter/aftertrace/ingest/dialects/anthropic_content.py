"""Content of Anthropic's messages: the calls that its blocks propose, and what they say became of earlier ones.

A `tool_use` block is run by the client, a `server_tool_use` or `mcp_tool_use` block by the provider, who then also
writes its result into the same message.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.values import text

CLIENT_RESULT: Final = "tool_result"


def proposed(content: Any, state: str) -> list[Event]:
    """The calls that the content of a message proposes."""
    calls = [block for block in blocks(content) if str(block.get("type")).endswith("tool_use")]
    return [
        Event(
            event="action.proposed",
            state=state,
            tool_name=text(block.get("name")),
            call_id=text(block.get("id")),
            arguments=block.get("input"),
            position=position,
        )
        for position, block in enumerate(calls)
    ]


def answered(content: Any) -> list[Event]:
    """What the tool results in the content of a message tell; an error is marked in `attributes`."""
    return [_answer(block) for block in blocks(content) if str(block.get("type")).endswith("tool_result")]


def outcomes(content: Any) -> list[Event]:
    """The same, with the state that a block alone gives: an error is one, and the provider's word on its own runs."""
    found: list[Event] = []
    for block in blocks(content):
        kind = str(block.get("type"))
        if not kind.endswith("tool_result"):
            continue
        event = _answer(block)
        inner = block.get("content")
        failed = block.get("is_error") is True or str(_kind(inner)).endswith("_error")
        if event.state == "answered" and (failed or kind != CLIENT_RESULT):
            event.state = "failed" if failed else "completed"
            event.basis = "inferred" if kind == CLIENT_RESULT else "explicit"
            event.reason = _error(inner, event) if failed else None
        found.append(event)
    return found


def is_marked(content: Any) -> bool:
    """Whether a content has blocks of calls or results, as no other vendor writes them."""
    return any(str(block.get("type")).endswith(("tool_use", "tool_result")) for block in blocks(content))


def blocks(content: Any) -> list[dict[str, Any]]:
    """The blocks of a content; a bare text has none."""
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def said(content: Any) -> str | None:
    """The text of a content: itself, or its text blocks."""
    if isinstance(content, str):
        return text(content)
    texts = [block["text"] for block in blocks(content) if isinstance(block.get("text"), str)]
    return "\n".join(texts) or None


def _answer(block: dict[str, Any]) -> Event:
    event = messages.answer({"id": block.get("tool_use_id"), "response": block.get("content")}, None)
    if block.get("is_error") is True:
        event.attributes["is_error"] = True
    return event


def _kind(content: Any) -> Any:
    return content.get("type") if isinstance(content, dict) else None


def _error(content: Any, event: Event) -> str | None:
    return text(content.get("error_code")) if isinstance(content, dict) else messages.response_text(event.content)
