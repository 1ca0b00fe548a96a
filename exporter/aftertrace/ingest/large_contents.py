"""Which texts of a record are large content that has a term of its own: results of tools, what a model said, documents.

Never among them are prompts, instructions, tool schemas, policies, texts shown for approval, what was asked to be done
(arguments), and why something was refused: they are evidence, also where they quote a result.

Two things tell: the record's dialect, by the events that it reads; and the form of messages, by roles and types, at any
depth of JSON, since what was said earlier in a conversation is no event any more. What neither tells stays.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from aftertrace.ingest.records import Span
from aftertrace.semconv.canonical import is_unicode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aftertrace.ingest.dialects.events import Event, Reading
    from aftertrace.ingest.records import Record

_Fate: TypeAlias = Literal["goes", "stays"] | None
"""Of a text: None where nothing tells."""

_MOST_DEPTH: Final = 64
_KEY_CHARACTERS: Final = 128
_RESULT_STATES: Final = frozenset(("completed", "failed", "answered"))
_GOING: Final = frozenset(
    (
        *("assistant", "ai", "model", "AIMessage", "AIMessageChunk", "output_text", "reasoning", "thinking"),
        *("tool", "tool_responder", "ToolMessage", "FunctionMessage", "tool_result", "tool-result", "toolResult"),
        *("tool_call_response", "tool_response", "function_call_output", "function_response", "tool_return"),
        *("tool-return", "computer_call_output", "local_shell_call_output", "mcp_tool_result", "document"),
    )
)
"""Roles and types of messages, and of parts of them, that a model or a tool made."""
_STAYING: Final = frozenset(("user", "human", "system", "developer", "HumanMessage", "SystemMessage"))
_CALLS: Final = frozenset(
    ("tool_call", "tool_use", "tool-call", "function_call", "toolUse", "tool_request", "server_tool_use", "mcp_call")
)
_ASKED: Final = frozenset(
    (
        *("arguments", "args", "parameters", "input_schema", "inputSchema", "json_schema", "tools", "functions"),
        *("tool_definitions", "instructions", "system", "system_instruction", "systemInstruction", "system_prompt"),
        *("partial_json", "prompt"),
    )
)
"""Members of any object that hold what was asked, or how it may be."""
_OF_EVENT: Final[dict[str, _Fate]] = {
    "gen_ai.tool.message": "goes",
    "gen_ai.assistant.message": "goes",
    "gen_ai.choice": "goes",
    "gen_ai.user.message": "stays",
    "gen_ai.system.message": "stays",
}
_KEY_GOES: Final = re.compile(
    r"(?i)(?:.*[._-])?(?:outputs?|output[._]value|results?|responses?|response[._](?:text|body)|completion|stdout|stderr"
    r"|documents?|document[._]content|answer|reasoning|thinking|return_value|toolResponse|.*[a-z](?:Output|Result|Response))"
)
_KEY_STAYS: Final = re.compile(
    r"(?i)(?:.*[._-])?(?:arguments|args|parameters|kwargs|instructions?|definitions?|tools|json_schema|prompts?|policy|goal"
    r"|question|inputs?|input[._]value|query|command)"
)


def large_contents(record: Record, reading: Reading | None, at_least_bytes: int) -> list[str]:
    """Texts of a record that may be kept apart, the longest first.

    Args:
        record: as it is stored.
        reading: what its dialect reads of it; None where it fails on it.
        at_least_bytes: in UTF-8. Shorter ones are no large content.
    """
    found = _Found(at_least_bytes)
    for event in reading.events if reading is not None else ():
        found.event(event)
    if isinstance(record, Span):
        found.attributes(record.attributes, None)
        for each in record.events:
            found.attributes(each.attributes, _OF_EVENT.get(each.name))
    else:
        name = record.event_name or record.attributes.get("event.name")
        fate = _OF_EVENT.get(name) if isinstance(name, str) else None
        found.attributes(record.attributes, fate)
        found.value(record.body, fate)
    return found.chosen()


def is_of_term(event: Event) -> bool:
    """Whether the content of an event is what a tool returned, or a document."""
    is_result = event.event == "tool.called" and event.state in _RESULT_STATES
    return is_result or event.event == "retrieval.completed"


class _Found:
    """What was found in one record."""

    def __init__(self, at_least_bytes: int) -> None:
        self._at_least = at_least_bytes
        self._going: dict[str, None] = {}
        self._staying: list[str] = []
        self._parsed: list[tuple[str, Any]] = []
        """Texts that are JSON, and their values."""
        self._whole: list[Any] = []
        """Values that are a content as a whole."""

    def event(self, event: Event) -> None:
        """Know what a dialect reads."""
        if not is_of_term(event):
            self.value(event.content, "stays")
            self._text(event.reason, "stays")
        else:
            self.value(event.content, "goes")
            if isinstance(event.content, dict | list):
                self._whole.append(event.content)
        self.value(event.arguments, "stays")

    def attributes(self, attributes: Mapping[str, Any], fate: _Fate) -> None:
        """Know the attributes of a record, or of an event in a span."""
        for key, value in attributes.items():
            if not isinstance(value, list | dict) and not (isinstance(value, str) and self._is_large(value)):
                continue
            prefix, _, last = key.rpartition(".")
            role = attributes.get(f"{prefix}.role") if last in ("content", "text") and prefix else None
            told = _fate_of(role) if isinstance(role, str) else None
            if told is None and "content" in key:
                # OpenInference: `….message.contents.0.message_content.text`.
                owner = attributes.get(f"{key.partition('.contents.')[0]}.role")
                told = _fate_of(owner) if isinstance(owner, str) else None
            self.value(value, told or (_known_key if len(key) <= _KEY_CHARACTERS else _fate_of_key)(key) or fate)

    def value(self, value: Any, fate: _Fate, depth: int = 0) -> None:
        """Know a value at any depth: objects with a role or a type tell for themselves."""
        if depth > _MOST_DEPTH:
            return
        if isinstance(value, str):
            self._text(value, fate, depth)
        elif isinstance(value, list):
            for item in value:
                self.value(item, fate, depth + 1)
        elif isinstance(value, dict):
            told, is_call = _told_by(value)
            for name, item in value.items():
                is_asked = name in _ASKED or (is_call and name == "input")
                self.value(item, "stays" if is_asked else told or fate, depth + 1)

    def chosen(self) -> list[str]:
        """What goes: nothing that is part of what stays."""
        for whole in self._whole:
            self._going.update(dict.fromkeys(text for text, value in self._parsed if value == whole))
            self._going.update(dict.fromkeys(text for text in _spelled(whole) if self._is_large(text)))
        chosen = [
            text for text in self._going if is_unicode(text) and not any(text in staying for staying in self._staying)
        ]
        return sorted(chosen, key=len, reverse=True)

    def _text(self, text: Any, fate: _Fate, depth: int = 0) -> None:
        if not isinstance(text, str) or not self._is_large(text):
            return
        if text.lstrip()[:1] in ("{", "["):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                pass
            else:
                self._parsed.append((text, value))
                self.value(value, fate, depth + 1)
                return
        if fate == "goes":
            self._going[text] = None
        elif fate == "stays":
            self._staying.append(text)

    def _is_large(self, text: str) -> bool:
        many = len(text)
        return many >= self._at_least or (4 * many >= self._at_least and len(_utf8(text)) >= self._at_least)


def _told_by(value: dict[str, Any]) -> tuple[_Fate, bool]:
    """What an object says of itself by its role or its type, and whether it is a call."""
    role, kind, ident = value.get("role"), value.get("type"), value.get("id")
    if isinstance(ident, list) and ident and isinstance(ident[-1], str):
        # A message that LangChain wrote: the path of its class.
        kind = ident[-1]
    # The type of a part says more than the role of nobody, and a result stands in a message of the user.
    for name in (role, kind):
        fate = _fate_of(name) if isinstance(name, str) else None
        if fate is not None:
            return fate, False
    return None, isinstance(kind, str) and kind in _CALLS


def _fate_of(name: str) -> _Fate:
    if name in _GOING:
        return "goes"
    return "stays" if name in _STAYING else None


def _fate_of_key(key: str) -> _Fate:
    if _KEY_STAYS.fullmatch(key):
        return "stays"
    return "goes" if _KEY_GOES.fullmatch(key) else None


_known_key = lru_cache(maxsize=4096)(_fate_of_key)


def _spelled(value: Any) -> Iterator[str]:
    """How a value may be written in JSON."""
    for is_ascii in (True, False):
        for separators in (None, (",", ":")):
            try:
                yield json.dumps(value, ensure_ascii=is_ascii, separators=separators)
            except (ValueError, TypeError, RecursionError):
                return


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
