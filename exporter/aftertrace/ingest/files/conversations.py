"""Which conversation the messages of a log belong to, where the log does not say.

A log is a list of messages, again and again: a request repeats what was said before and adds to it, and a log that is
exported once more has grown. So a conversation is known by how it opens, up to the model's first message, whose call
ids are made by the provider and come only once. Without such ids, two conversations may open in the same words: then
the file counts too, and each list of messages that does not go on where one before it ended is a conversation of its
own.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import msgspec

from aftertrace.ingest.dialects import openai_items

_EXPLICIT: Final = (
    "conversation_id", "conversationId", "session_id", "sessionId", "thread_id", "threadId", "run_id", "runId",
)  # fmt: skip
"""Keys under which logs name a conversation, beside the messages or in `metadata`."""
_PREFIX: Final = re.compile(r"^[A-Za-z]+[_-]")
_UNIQUE_CHARACTERS: Final = 9
"""A provider's id has at least so many characters after its prefix; shorter ones are counted in each conversation."""
_GIST_BYTES: Final = 12


@dataclass(slots=True)
class _Conversation:
    id: str
    gists: list[bytes]
    end: bytes
    """What tells all of its messages from those of others."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list of messages belongs."""

    id: str
    """The conversation's."""
    known: int
    """How many of the messages came before, in this file."""


@dataclass(slots=True)
class Conversations:
    """The conversations of a file, as far as it was read."""

    file: str
    """What tells the file from others."""
    _through: dict[bytes, _Conversation] = field(default_factory=dict)
    """By what tells the first messages of a conversation, so many of them as there are: the first that has them."""
    _ends: dict[bytes, _Conversation] = field(default_factory=dict)
    """By what tells all messages of a conversation. None begins as another ends, so only one can go on in a list."""
    _counts: dict[bytes, int] = field(default_factory=dict)
    """How many conversations open alike."""
    _responses: dict[str, str] = field(default_factory=dict)
    """The conversation of each response of the Responses API, by its id."""

    def place(self, messages: list[dict[str, Any]], *, named: str | None) -> Place:
        """The conversation of some messages, which are kept in mind."""
        gists = [gist(message) for message in messages]
        opened = opening(messages)
        is_unique = named is not None or any(_is_unique(call_id) for call_id in _call_ids(opened[-1:]))
        own_words = b"".join(gists[: len(opened)])
        key = _digest(named.encode("utf-8", "replace") if named is not None else own_words)
        begins = [key] if is_unique else _begins(key, gists)
        conversation = self._through.get(begins[-1]) or next(filter(None, map(self._ends.get, begins)), None)
        if conversation is None:
            number = self._counts.get(key, 0)
            own = named if named is not None else _id(key, self.file if not is_unique else "", number)
            self._counts[key] = number + 1
            self._keep(_Conversation(own, gists, begins[-1]), begins)
            return Place(own, 0)
        known = _common(conversation.gists, gists)
        if known == len(conversation.gists):
            del self._ends[conversation.end]
            conversation.gists, conversation.end = gists, begins[-1]
            self._keep(conversation, begins)
        return Place(conversation.id, known)

    def _keep(self, conversation: _Conversation, begins: list[bytes]) -> None:
        for begin in begins:
            self._through.setdefault(begin, conversation)
        self._ends[conversation.end] = conversation

    def answers(self, response_id: Any, conversation_id: str) -> None:
        """Keep in mind which conversation a response belongs to."""
        if isinstance(response_id, str):
            self._responses[response_id] = conversation_id

    def follows(self, response_id: Any) -> str | None:
        """The conversation that a request goes on with by naming the response before it."""
        return self._responses.get(response_id) if isinstance(response_id, str) else None


def named(*holders: dict[str, Any] | None) -> str | None:
    """The id that a log gives a conversation; None where it gives none."""
    for holder in holders:
        for inner in (holder, (holder or {}).get("metadata")):
            found = inner if isinstance(inner, dict) else {}
            for key in _EXPLICIT:
                if isinstance(found.get(key), str) and found[key]:
                    return str(found[key])
    conversations = [(holder or {}).get("conversation") for holder in holders]
    ids = [each.get("id") if isinstance(each, dict) else each for each in conversations]
    return next((each for each in ids if isinstance(each, str) and each), None)


def opening(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages by which a conversation is known: up to the model's first."""
    first = next((index for index, message in enumerate(messages) if is_made(message)), len(messages) - 1)
    return messages[: first + 1]


def is_made(message: dict[str, Any]) -> bool:
    """Whether the model made a message or item."""
    kind = message.get("type")
    return message.get("role") == "assistant" or (kind in openai_items.ITEMS and kind not in openai_items.CLIENTS)


def gist(message: dict[str, Any]) -> bytes:
    """What of a message is the same in a response and where a later request repeats it: role, text and calls."""
    role = message.get("role") or message.get("type")
    content = message.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else [content]
    calls = [*_call_ids([message]), *_names(message)]
    own = [message.get(key) for key in ("arguments", "input", "action", "output") if message.get(key) is not None]
    said = [part for part in parts if part not in (None, "")]
    try:
        return _digest(msgspec.json.encode([role, said, calls, own]))
    except (RecursionError, UnicodeEncodeError):
        return _digest(repr(role).encode("utf-8", "replace"))


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return part["text"] if isinstance(part.get("text"), str) else [part.get("type"), part.get("content")]


def _call_ids(messages: list[dict[str, Any]]) -> list[str]:
    """Ids of the calls that messages make or answer."""
    found: list[Any] = []
    for message in messages:
        found += [message.get("tool_call_id"), message.get("call_id")]
        for key in ("tool_calls", "content"):
            parts = message.get(key)
            for part in parts if isinstance(parts, list) else []:
                is_call = isinstance(part, dict) and (key == "tool_calls" or "tool_use" in str(part.get("type")))
                found.append(part.get("id") if is_call else None)
    return [each for each in found if isinstance(each, str) and each]


def _names(message: dict[str, Any]) -> list[Any]:
    """Names and arguments of the calls of a message."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions.append(message.get("function_call"))
    return [
        [function.get("name"), function.get("arguments")] if isinstance(function, dict) else function
        for function in functions
        if function is not None
    ]


def _is_unique(call_id: str) -> bool:
    return len(_PREFIX.sub("", call_id)) >= _UNIQUE_CHARACTERS


def _begins(key: bytes, gists: list[bytes]) -> list[bytes]:
    """What tells the first messages of a list, so many of them as there are, one more each time."""
    return list(accumulate(gists, lambda begin, each: _digest(begin + each), initial=key))


def _common(first: list[bytes], second: list[bytes]) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def _id(key: bytes, file: str, number: int) -> str:
    if not file and not number:
        return hashlib.sha256(key).hexdigest()[:32]
    return hashlib.sha256(key + file.encode("utf-8", "surrogateescape") + b"\x1f%d" % number).hexdigest()[:32]


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:_GIST_BYTES]
