"""Prompts, tool calls and approvals as the Vercel AI SDK writes them, in the form of the GenAI conventions.

`ai.prompt.messages` holds what a model call was given and `ai.prompt` what the agent was; both repeat the history.
Their parts are the SDK's own (`ModelMessage`): `tool-call`, `tool-result` with an `output` of a named type,
`tool-approval-request` and `tool-approval-response`. The parts of version 4 (`args`, `result`, `isError`) are read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event
from aftertrace.ingest.dialects.values import text

REPLAYED_ASK: Final = "replayed_ask"
"""Rule of an ask that is only told together with its answer: it is as old as the call's proposal."""
PROVIDER_EXECUTED: Final = "provider_executed"
"""Rule of a call that the model's provider ran itself, so that the model went on within the same response."""

_ERRORS: Final = ("error-text", "error-json")


def prompt(value: Any) -> list[dict[str, Any]]:
    """The messages of `ai.prompt.messages`, or of `ai.prompt` with its `system`, `prompt` and `messages`."""
    loaded = messages.load(value)
    if not isinstance(loaded, dict):
        return [_message(message) for message in messages.messages(loaded)]
    asked = loaded.get("prompt")
    listed = [{"role": "system", "content": item} for item in _texts(loaded.get("system"))]
    listed += messages.messages(asked) if isinstance(asked, list) else []
    listed += [{"role": "user", "content": asked}] if isinstance(asked, str) else []
    return [_message(message) for message in [*listed, *messages.messages(loaded.get("messages") or [])]]


def turn(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The part of a prompt that is still about the last turn.

    It begins with the last user's message, or with the last assistant's if that came before: what was answered in
    earlier turns was told by their own spans, and a trace without a conversation would tell it as its own.
    """
    return given[max(min(_last(given, "user"), _last(given, "assistant")), 0) :]


def system_prompt(given: list[dict[str, Any]]) -> str | None:
    """The text of all system messages."""
    spoken = (part["content"] for part in _parts([m for m in given if m["role"] == "system"], "text"))
    return "\n".join(spoken) or None


def answers(given: list[dict[str, Any]]) -> list[Event]:
    """What a prompt's last turn says of its calls; an error that is no refusal is what the tool returned."""
    failed = {part["id"] for part in _parts(given, "tool_call_response") if part["failed"]}
    found = messages.answers(turn(given))
    for event in found:
        if event.state == "answered" and event.call_id in failed:
            event.state, event.reason = "failed", messages.response_text(event.content)
    return found


def approvals(given: list[dict[str, Any]]) -> list[Event]:
    """The approvals that a resumed agent was given: asks with ids, and the answers after the last assistant's message.

    A response names the request, and the request the call. An `isAutomatic` one was answered by the program's own rule,
    and nobody was asked.
    """
    calls = {part["id"]: part for part in _parts(given, "tool_call")}
    asks = {part["approval"]: part for part in _parts(given, "ask")}
    found: list[Event] = []
    for part in _parts(given[_last(given, "assistant") + 1 :], "verdict"):
        ask = asks.get(part["approval"])
        if ask is None or not isinstance(part["approved"], bool):
            continue
        call = calls.get(ask["id"], {})
        about = {"tool_name": call.get("name"), "call_id": ask["id"], "group": part["approval"]}
        if ask["automatic"]:
            state = "allow" if part["approved"] else "deny"
            found.append(
                Event(event="policy.evaluated", state=state, decided_by="policy", reason=part["reason"], **about)
            )
            continue
        found += [
            Event(event="approval.requested", arguments=call.get("arguments"), rule=REPLAYED_ASK, **about),
            Event(
                event="approval.granted" if part["approved"] else "approval.rejected",
                decided_by="human",
                identity="inferred",
                reason=part["reason"],
                **about,
            ),
        ]
    return found


def proposals(value: Any, *, state: str = "proposed") -> list[Event]:
    """The calls of `ai.response.toolCalls`, in order."""
    loaded = messages.load(value)
    parts = [_call(item) for item in loaded if isinstance(item, dict)] if isinstance(loaded, list) else []
    return messages.proposals([{"role": "assistant", "parts": parts}], state=state)


def tools(value: Any) -> list[Any] | None:
    """The definitions in `ai.prompt.tools`, each a JSON text; None where there are none."""
    if not isinstance(value, list):
        return None
    return list(_definitions(tuple(item for item in value if isinstance(item, str))))


def provider_tools(definitions: list[Any]) -> set[str]:
    """Names of the tools that the model's provider defines."""
    return {
        str(tool.get("name"))
        for tool in definitions
        if isinstance(tool, dict) and str(tool.get("type")).startswith("provider")
    }


# Every model call of a conversation repeats its tools, byte for byte.
@lru_cache(maxsize=messages.REPEATED_TEXTS)
def _definitions(texts: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(messages.load(item) for item in texts)


def _last(given: list[dict[str, Any]], role: str) -> int:
    return max((index for index, message in enumerate(given) if message["role"] == role), default=-1)


def _parts(given: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (part for message in given for part in message["parts"] if part["type"] == kind)


def _message(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    listed = content if isinstance(content, list) else [{"type": "text", "text": content}]
    found = (_part(part) for part in listed if isinstance(part, dict))
    return {"role": message.get("role"), "parts": [part for part in found if part is not None]}


def _part(part: dict[str, Any]) -> dict[str, Any] | None:
    match part.get("type"):
        case "text" if isinstance(part.get("text"), str):
            return {"type": "text", "content": part["text"]}
        case "tool-call":
            return _call(part)
        case "tool-result" | "tool-error":
            return _result(part)
        case "tool-approval-request" if text(part.get("toolCallId")):
            about = {"approval": text(part.get("approvalId")), "id": part["toolCallId"]}
            return {"type": "ask", **about, "automatic": part.get("isAutomatic") is True}
        case "tool-approval-response":
            approved, reason = part.get("approved"), text(part.get("reason"))
            return {"type": "verdict", "approval": text(part.get("approvalId")), "approved": approved, "reason": reason}
        case _:
            return None


def _call(part: dict[str, Any]) -> dict[str, Any]:
    given = part.get("input", part.get("args"))
    return {
        "type": "tool_call",
        "id": text(part.get("toolCallId")),
        "name": text(part.get("toolName")),
        "arguments": given,
    }


def _result(part: dict[str, Any]) -> dict[str, Any]:
    output = part.get("output", part.get("error"))
    typed = output if isinstance(output, dict) and isinstance(output.get("type"), str) else {}
    kind, response = typed.get("type"), typed.get("value") if typed else part.get("result", output)
    if kind == "execution-denied":
        response = {"denied": True, "reason": typed.get("reason")}
    elif isinstance(response, dict) and "denied" in response:
        # A tool's own JSON must not read like the refusal that the GenAI form has in its place.
        response = [response]
    return {
        "type": "tool_call_response",
        "id": text(part.get("toolCallId")),
        "name": text(part.get("toolName")),
        "response": response,
        "failed": kind in _ERRORS or part.get("isError") is True or part.get("type") == "tool-error",
    }


def _texts(system: Any) -> list[str]:
    listed = system if isinstance(system, list) else [system]
    spoken = (item.get("content") if isinstance(item, dict) else item for item in listed)
    return [item for item in spoken if isinstance(item, str)]
