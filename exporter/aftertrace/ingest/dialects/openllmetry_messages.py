"""Messages as OpenLLMetry writes them: flattened into attributes, and with item ids in place of call ids.

The Responses API gives a call two ids: its item's (`fc_...`) and its own (`call_...`). The instrumentation of the
OpenAI Agents SDK writes the call's own where the model proposes it and where its result is given, and the item's where
the input repeats the call; that of OpenAI's client writes the item's alone. An item id names no call, so it is left
out; such a proposal is joined by tool and arguments.
"""

from __future__ import annotations

from typing import Any, Final

from aftertrace.ingest.dialects import message_forms, messages

ITEM: Final = "fc_"
"""What the id of an item begins with that is a call."""
ITEM_ID: Final = "item_id"
"""`rule` of a proposal that names its item, and not its call."""

_PROMPT: Final = "gen_ai.prompt."
_COMPLETION: Final = "gen_ai.completion."
_FUNCTION: Final = "llm.request.functions."


def unflattened(attributes: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The flattened messages as GenAI messages: what the model was given, and what it made."""
    given: dict[int, dict[str, Any]] = {}
    made: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(_PROMPT):
            _put(given, key[len(_PROMPT) :], value)
        elif key.startswith(_COMPLETION):
            _put(made, key[len(_COMPLETION) :], value)
    return [_message(given[n], "user") for n in sorted(given)], [_message(made[n], "assistant") for n in sorted(made)]


def function_names(attributes: dict[str, Any]) -> list[str] | None:
    """Names of the flattened tool definitions, in order; None where there are none."""
    named: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(_FUNCTION):
            _put(named, key[len(_FUNCTION) :], value)
    names = [named[number].get("name") for number in sorted(named)]
    return [name for name in names if isinstance(name, str)] or None


def without_item_ids(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same messages with no item id in a call; a turn of one call and one result gives the call the result's id."""
    calls: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for message in given:
        renamed: list[dict[str, Any]] = []
        for part in messages.parts(message):
            copied = dict(part)
            if part.get("type") == "tool_call":
                if answers:
                    _name_only_call(calls, answers)
                    calls, answers = [], []
                copied["id"] = None
                calls.append(copied)
            elif part.get("type") == "tool_call_response":
                answers.append(copied)
            renamed.append(copied)
        found.append({"role": message.get("role"), "parts": renamed})
    _name_only_call(calls, answers)
    return found


def _name_only_call(calls: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
    if len(calls) == len(answers) == 1:
        calls[0]["id"] = answers[0].get("id")


def _put(found: dict[int, dict[str, Any]], rest: str, value: Any) -> None:
    number, _, name = rest.partition(".")
    if name and number.isascii() and number.isdigit() and len(number) <= 6:
        found.setdefault(int(number), {})[name] = value


def _message(flat: dict[str, Any], otherwise: str) -> dict[str, Any]:
    role = flat.get("role")
    role = role if isinstance(role, str) and role else otherwise
    content = flat.get("content")
    if role == "tool":
        part = {"type": "tool_call_response", "id": flat.get("tool_call_id"), "response": content}
        return {"role": role, "parts": [part]}
    text = message_forms.content_text(messages.load(content)) or (content if isinstance(content, str) else None)
    calls: dict[int, dict[str, Any]] = {}
    for key, value in flat.items():
        if key.startswith("tool_calls."):
            _put(calls, key[len("tool_calls.") :], value)
    found = [
        {"type": "tool_call", "id": call.get("id"), "name": call.get("name"), "arguments": call.get("arguments", {})}
        for _, call in sorted(calls.items())
    ]
    return {"role": role, "parts": ([{"type": "text", "content": text}] if text else []) + found}
