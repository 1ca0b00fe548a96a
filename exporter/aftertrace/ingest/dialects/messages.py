"""Messages in the form of the GenAI conventions: what a model proposed, and what it was told became of it.

Reads `gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions` and `gen_ai.tool.definitions`
(JSON text or structured values; semantic-conventions-genai, `gen-ai-input-messages.json` and its siblings) with the
approval parts of Microsoft Agent Framework and of the AI SDK. Nothing here raises on odd shapes: what cannot be read as
a message is passed over, and stays in the evidence.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import msgspec

from aftertrace.ingest.dialects import refusals
from aftertrace.ingest.dialects.events import Event
from aftertrace.semconv.canonical import digest, digest_json

_JSON_BEGINS: Final = re.compile(r'\s*(?:\{\s*["}]|\[|"|-?(?:\d|Infinity)|true|false|null|NaN)')
"""What a JSON text begins with; most texts are plain, and an attempt that fails costs more than one that does not."""

REPEATED_TEXTS: Final = 512
"""How many texts that come again and again are remembered."""

REPLAYED_MESSAGES: Final = 64
"""How far back in a replayed history answers with ids are read. Every model call repeats the history, so reading all of
it at each call would cost the square of its length; the last part survives the loss of a few spans."""
NESTED_ANSWERS: Final = 8
"""How deep an answer's text is looked for in lists of lists: deeper ones come from nobody but an attacker."""


@dataclass(slots=True)
class _Call:
    """A tool call inside a message list."""

    id: str | None
    name: str | None
    arguments: Any
    position: int
    """How many calls the list holds before it."""
    message: int
    answered: bool = False


def load(value: Any) -> Any:
    """A JSON text as its value; anything else, and text that is not JSON, as it is."""
    if not isinstance(value, str) or not _JSON_BEGINS.match(value):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _load_lenient(value)


def _load_lenient(value: str) -> Any:
    """What Python's own reader takes beyond the standard's JSON: NaN, numbers out of range."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def messages(value: Any) -> list[dict[str, Any]]:
    """The messages of an attribute, each with `role` and `parts`."""
    loaded = load(value)
    if isinstance(loaded, dict):
        loaded = [loaded]
    if not isinstance(loaded, list):
        return []
    return [message for message in loaded if isinstance(message, dict)]


def parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a message; a bare `content` text counts as a text part.

    What is marked `builtin` (Pydantic AI 1) was called and run by the model's provider, and is left out.
    """
    listed = message.get("parts")
    if isinstance(listed, list):
        return [part for part in listed if isinstance(part, dict) and part.get("builtin") is not True]
    content = message.get("content")
    return [{"type": "text", "content": content}] if isinstance(content, str) else []


def proposals(value: Any, *, state: str = "proposed") -> list[Event]:
    """The tool calls that the messages hold, in order. `server_tool_call` parts are the provider's own and left out."""
    found: list[Event] = []
    for message in messages(value):
        for part in parts(message):
            if part.get("type") == "tool_call":
                found.append(
                    Event(
                        event="action.proposed",
                        state=state,
                        tool_name=_text(part.get("name")),
                        call_id=_text(part.get("id")),
                        arguments=load(part.get("arguments")),
                        position=len(found),
                    )
                )
    return found


def answers(value: Any) -> list[Event]:
    """What an input says of earlier calls: their results, and the calls of the last turn once more (`echoed`).

    A response with an id answers that call. One without is paired in order with the calls of the assistant message
    before it, and read only in the last turn, where a repetition cannot be taken for a second answer.
    """
    listed = messages(value)
    last_assistant = next((i for i in range(len(listed) - 1, -1, -1) if listed[i].get("role") == "assistant"), -1)
    calls: list[_Call] = []
    found: list[Event] = []
    for index, message in enumerate(listed):
        for part in parts(message):
            kind = part.get("type")
            if kind == "tool_call":
                calls.append(_call(part, len(calls), index))
            elif kind == "tool_call_response":
                call = _answered_call(part, calls)
                identified = _text(part.get("id")) is not None
                recent = index >= len(listed) - REPLAYED_MESSAGES if identified else index > last_assistant
                if recent:
                    found.append(answer(part, call.name if call else None, call))
    echoed = [call for call in calls if call.message == last_assistant]
    return [_echo(call) for call in echoed] + found


def answer(part: dict[str, Any], name: str | None, call: _Call | None = None) -> Event:
    """The event that one `tool_call_response` part states."""
    response = next((part[key] for key in ("response", "result", "content") if key in part), None)
    response = load(response) if isinstance(response, str) and response[:1] in "{[" else response
    event = Event(
        event="tool.called",
        state="answered",
        tool_name=_text(part.get("name")) or name,
        call_id=_text(part.get("id")),
        arguments=call.arguments if call is not None and not call.id else None,
        position=call.position if call is not None and not call.id else None,
        basis="inferred",
        content=response,
    )
    if _text(part.get("status")) is not None:
        event.attributes["answer_status"] = part["status"]
    # AI SDK 7's account of a refusal; a tool that answers a question of its own says more than that.
    if isinstance(response, dict) and response.get("denied") is True and response.keys() <= {"denied", "reason"}:
        event.state, event.basis, event.decided_by = "refused", "explicit", "human"
        event.reason, event.rule = _text(response.get("reason")), "denied_response"
        return event
    if _is_validation_errors(response):
        event.state, event.rule = "invalid_arguments", "validation_errors"
        return event
    return judged(event, response_text(response))


def _is_validation_errors(response: Any) -> bool:
    """Whether an answer is Pydantic's list of what is wrong with a value."""
    return (
        isinstance(response, list)
        and bool(response)
        and all(isinstance(item, dict) and {"type", "loc", "msg", "input"} <= item.keys() for item in response)
    )


def judged(event: Event, text: str | None) -> Event:
    """Mark an answer by the wording of its text, if the table of refusals knows it."""
    verdict = refusals.classify(text) if text else None
    if verdict is None:
        return event
    event.rule, event.decided_by, event.basis = f"text:{verdict.rule}", verdict.decided_by, "inferred"
    event.reason = text
    if verdict.state == "asked":
        event.event, event.state = "approval.requested", None
    elif verdict.state != "edited":
        event.state = verdict.state
    return event


def response_text(response: Any, *, depth: int = 0) -> str | None:
    """The text of a tool's answer: itself, or its `error`, `message` or text parts."""
    if isinstance(response, str):
        return response
    if isinstance(response, dict):
        for key in ("error", "message", "reason", "content", "text", "output"):
            if isinstance(response.get(key), str):
                return str(response[key])
    if isinstance(response, list) and depth < NESTED_ANSWERS:
        return "\n".join(filter(None, (response_text(item, depth=depth + 1) for item in response))) or None
    return None


def approvals(value: Any) -> list[Event]:
    """Approval parts: asked for, and answered (Agent Framework; the AI SDK keeps the kind of the part alone)."""
    found: list[Event] = []
    for message in messages(value):
        for part in parts(message):
            kind = part.get("type")
            if kind not in ("function_approval_request", "function_approval_response"):
                continue
            call = part.get("function_call")
            call = call if isinstance(call, dict) else {}
            event = Event(
                event="approval.requested",
                tool_name=_text(call.get("name")),
                call_id=_text(call.get("call_id")),
                arguments=load(call.get("arguments")),
                group=_text(part.get("id")),
            )
            if kind == "function_approval_response":
                event.event = "approval.granted" if part.get("approved") is True else "approval.rejected"
                event.decided_by, event.identity = "human", "inferred"
                event.reason = _text(part.get("reason"))
            found.append(event)
    return found


def asks_without_ids(value: Any) -> int:
    """How many approval requests the messages hold whose ids the emitter dropped (AI SDK 7)."""
    return sum(
        part.get("type") == "tool-approval-request" and "toolCallId" not in part
        for message in messages(value)
        for part in parts(message)
    )


def user_text(value: Any, *, last_only: bool = False) -> str | None:
    """The text of the last user message that is no tool answer; with `last_only`, None unless it ends the list."""
    for message in reversed(messages(value)):
        if message.get("role") == "user" and not any(p.get("type") == "tool_call_response" for p in parts(message)):
            return _joined(message)
        if last_only:
            return None
    return None


def told_by_users(value: Any, turns: int) -> list[tuple[int, dict[str, Any], str]]:
    """What users said after each of the last assistant messages: its place in the list, itself, and their text.

    A harness without tool messages answers there. The last comes first; `turns` is how far back is looked.
    """
    listed = messages(value)
    said = [index for index, message in enumerate(listed) if message.get("role") == "assistant"]
    found: list[tuple[int, dict[str, Any], str]] = []
    for begin, end in list(pairwise([*said, len(listed)]))[: -turns - 1 : -1]:
        texts = [_joined(message) for message in listed[begin + 1 : end] if message.get("role") == "user"]
        text = "\n".join(filter(None, texts))
        if text:
            found.append((begin, listed[begin], text))
    return found


def function_calls(message: dict[str, Any]) -> list[Event]:
    """The tool calls of one message in the chat-completions form: `tool_calls[].function`."""
    listed = message.get("tool_calls")
    found: list[Event] = []
    for item in listed if isinstance(listed, list) else []:
        function = item.get("function") if isinstance(item, dict) else None
        if isinstance(function, dict):
            found.append(
                Event(
                    event="action.proposed",
                    state="proposed",
                    tool_name=_text(function.get("name")),
                    call_id=_text(item.get("id")),
                    arguments=load(function.get("arguments")),
                    position=len(found),
                )
            )
    return found


def tool_names(value: Any) -> list[str] | None:
    """Names of the defined tools; None where the value is no list, which is unknown and not empty."""
    names = _tool_names_of_text(value) if isinstance(value, str) else _tool_names(value)
    return None if names is None else list(names)


# Every model call of a conversation repeats its tools and its system prompt, byte for byte: each is read once.
@lru_cache(maxsize=REPEATED_TEXTS)
def _tool_names_of_text(text: str) -> list[str] | None:
    return _tool_names(load(text))


@lru_cache(maxsize=REPEATED_TEXTS)
def _digest_of_text(text: str) -> str:
    return _digest(load(text))


def _tool_names(loaded: Any) -> list[str] | None:
    if not isinstance(loaded, list):
        return None
    names: list[str] = []
    for item in loaded:
        inner = item.get("function", item) if isinstance(item, dict) else item
        name = inner.get("name") if isinstance(inner, dict) else inner
        if isinstance(name, str):
            names.append(name)
    return names


def opens_conversation(value: Any) -> bool:
    """Whether an input holds neither an assistant's message nor an answer yet: the first model call of a turn.

    What every model call repeats (the system prompt) is told as an event there, and only by its digest afterwards.
    """
    return not any(
        message.get("role") == "assistant" or any(part.get("type") == "tool_call_response" for part in parts(message))
        for message in messages(value)
    )


def value_digest(value: Any) -> str | None:
    """Tagged digest of a value's canonical JSON, whether it came as text or structured."""
    if value is None:
        return None
    return _digest(load(value))


def repeated_digest(value: Any) -> str | None:
    """The same digest, of what comes again with every model call: the tools, the system prompt."""
    return _digest_of_text(value) if isinstance(value, str) else value_digest(value)


def _digest(loaded: Any) -> str:
    try:
        # A text is the same by RFC 8785 and as msgspec writes it, which takes a quarter of the time.
        return digest(msgspec.json.encode(loaded)) if type(loaded) is str else digest_json(loaded)
    except ValueError:
        # Not canonical JSON (NaN, an integer beyond 2^53): the bytes of a plain rendering still tell two values apart.
        return digest(json.dumps(loaded, sort_keys=True, default=repr).encode("utf-8", "surrogatepass"))


def system_text(value: Any) -> str | None:
    """The text of the system message that the messages begin with."""
    first = next(iter(messages(value)), {})
    return _joined(first) if first.get("role") in ("system", "developer") else None


def instructions_text(value: Any) -> str | None:
    """The text of system instructions: of their text parts, or the value itself."""
    loaded = load(value)
    if isinstance(loaded, str):
        return loaded
    if isinstance(loaded, dict):
        loaded = [loaded]
    if isinstance(loaded, list):
        texts = [
            item["content"] if isinstance(item, dict) and isinstance(item.get("content"), str) else item
            for item in loaded
        ]
        return "\n".join(text for text in texts if isinstance(text, str)) or None
    return None


def instructions_digest(value: Any) -> str | None:
    """Tagged digest of the system prompt's text, the same however the emitter wraps it."""
    return None if value is None else repeated_digest(instructions_text(value))


def _call(part: dict[str, Any], position: int, message: int) -> _Call:
    return _Call(_text(part.get("id")), _text(part.get("name")), load(part.get("arguments")), position, message)


def _answered_call(part: dict[str, Any], calls: list[_Call]) -> _Call | None:
    wanted = _text(part.get("id"))
    if wanted is not None:
        return next((call for call in reversed(calls) if call.id == wanted), None)
    if not calls:
        return None
    turn = calls[-1].message
    name = _text(part.get("name"))
    for call in calls:
        if call.message == turn and not call.answered and name in (None, call.name):
            call.answered = True
            return call
    return None


def _echo(call: _Call) -> Event:
    return Event(
        event="action.proposed",
        state="echoed",
        tool_name=call.name,
        call_id=call.id,
        arguments=call.arguments,
        position=call.position,
    )


def _joined(message: dict[str, Any]) -> str | None:
    return "\n".join(p["content"] for p in parts(message) if isinstance(p.get("content"), str)) or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
