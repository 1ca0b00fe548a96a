"""Plain message logs: chat messages, items and content blocks as OpenAI's and Anthropic's APIs take and give them.

A file holds conversations (`{"messages": [...]}`, one or many, as fine-tuning files do; a list of messages; a message a
line) or exchanges (`{"request": ..., "response": ...}`, stored responses, both vendors' batch files). Each message of a
conversation becomes a log record, so that a conversation that went on adds its new ones; so does each exchange, and
what a conversation has beside its messages. `message_log` says what the records hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from aftertrace.ingest.dialects import anthropic_messages, message_log, openai_items, openai_messages
from aftertrace.ingest.dialects.message_log import Numbering, sides
from aftertrace.ingest.files import pieces
from aftertrace.ingest.files.conversations import Conversations, is_made, named, opening
from aftertrace.ingest.files.item import Made, Origin, Refused, Value, log_record
from aftertrace.ingest.files.opened import Opened
from aftertrace.ingest.files.pieces import Look, Piece
from aftertrace.ingest.files.times import time_ns

_LISTS: Final = ("messages", "input", "conversation", "trajectory", "traj", "history", "turns", "chat")
"""Keys under which logs keep a conversation."""
_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_SAYS: Final = frozenset(("content", "tool_calls", "function_call"))
_TIMES: Final = ("timestamp", "created_at", "created", "completed_at", "time", "ts", "date")
_WAITING: Final = 1_000
"""In a file with a message a line, so many are waited for until the model's first, which tells the conversation."""
_ANTHROPIC_BLOCKS: Final = frozenset(("thinking", "redacted_thinking"))
_ANTHROPIC_KEYS: Final = frozenset(("system", "anthropic_version", "stop_sequences", "stop_reason"))


def is_log(look: Look) -> bool:
    """Whether the beginning of a file shows messages, conversations or exchanges."""
    return any(_is_message(value) or _is_entry(value) for value in look.values)


def read(source: Opened, look: Look) -> Iterator[Made | Refused]:
    """The records that a message log becomes."""
    log = _Log(Conversations(source.identity))
    if look.form == "object":
        yield from log.entry(Piece(pieces.whole(source.name, source.file), source.name))
        return
    loose = _is_loose(look)
    try:
        for piece in pieces.read(source.name, source.file, look.form):
            if isinstance(piece, Refused):
                yield piece
            elif loose:
                yield from log.message(piece)
            else:
                yield from log.entry(piece)
    except Exception:
        # What stands before the place where a file is cut is in it.
        yield from log.rest()
        raise
    yield from log.rest()


def _is_loose(look: Look) -> bool:
    """Whether a file holds the messages of one conversation, and not one entry beside the other."""
    told = [value.get("role") for value in look.objects() if _is_message(value)]
    roles = {role if isinstance(role, str) else None for role in told}
    items = any(value.get("type") in openai_items.ITEMS for value in look.objects())
    return items or bool(roles - {"assistant"}) or (bool(roles) and not any(map(_is_entry, look.values)))


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return value.get("type") in openai_items.ITEMS or (
        value.get("role") in _ROLES and bool(_SAYS & value.keys()) and "choices" not in value
    )


def _is_entry(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_message, value))
    if not isinstance(value, dict):
        return False
    request, response = sides(value)
    has_given = request is not None and _is_given(request)
    return has_given or (response is not None and bool(_made(response))) or _list_key(value) is not None


def _is_given(request: dict[str, Any]) -> bool:
    listed = request.get("messages", request.get("input"))
    return isinstance(listed, list) and any(map(_is_message, listed))


def _list_key(value: dict[str, Any]) -> str | None:
    return next((key for key in _LISTS if isinstance(value.get(key), list) and any(map(_is_message, value[key]))), None)


def _made(response: dict[str, Any]) -> list[dict[str, Any]]:
    found = openai_messages.made(response) or anthropic_messages.made(response)
    return [message for message in found if _is_message(message)]


def _is_anthropic(messages: list[Any], *holders: dict[str, Any] | None) -> bool:
    if any(_ANTHROPIC_KEYS & (holder or {}).keys() for holder in holders):
        return True
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else []:
            kind = str(block.get("type")) if isinstance(block, dict) else ""
            if "tool_use" in kind or kind.endswith("tool_result") or kind in _ANTHROPIC_BLOCKS:
                return True
    return False


def _time_ns(*holders: dict[str, Any] | None) -> int:
    times = (time_ns(holder[key]) for holder in holders if holder for key in _TIMES if key in holder)
    return next((each for each in times if each), 0)


@dataclass(slots=True)
class _Talk:
    """A conversation whose messages become records one by one."""

    id: str
    of: Origin
    time_ns: int = 0
    place: int = 0
    numbering: Numbering = field(default_factory=Numbering)

    def record(self, piece: Piece, message: dict[str, Any]) -> Made:
        """The record of the next message."""
        self.time_ns = max(_time_ns(message), self.time_ns + 1)
        is_anthropic = self.of.scope == anthropic_messages.SCOPE
        events = (anthropic_messages if is_anthropic else openai_messages).events_of(message)
        ids = self.numbering.ids(self.place, message, events)
        attributes: dict[str, Value | None] = {
            message_log.CONVERSATION: self.id,
            message_log.CALL_IDS: list[Value](ids) if any(ids) else None,
            "message_log.place": self.place,
        }
        self.place += 1
        text = piece.text.decode("utf-8", "replace")
        return Made(log_record(message_log.MESSAGE, text, attributes, time_ns=self.time_ns), self.of, piece.where)


@dataclass(slots=True)
class _Log:
    """What was read of a file so far."""

    conversations: Conversations
    waiting: list[tuple[Piece, dict[str, Any]]] = field(default_factory=list)
    talk: _Talk | None = None
    """The one conversation of a file with a message a line."""

    def message(self, piece: Piece) -> Iterator[Made | Refused]:
        """The records of a message in a file that holds one a line, once it is known whose they are."""
        value = pieces.decoded(piece.text)
        if not isinstance(value, dict):
            yield from self.entry(piece)
            return
        if self.talk is not None:
            yield self.talk.record(piece, value)
            return
        self.waiting.append((piece, value))
        if is_made(value) or len(self.waiting) > _WAITING:
            yield from self.rest()

    def rest(self) -> Iterator[Made]:
        """The records of what waits."""
        if self.waiting:
            messages = [message for _, message in self.waiting]
            self.talk = self._talk(messages, named(*messages), {})
            for piece, message in self.waiting:
                yield self.talk.record(piece, message)
            self.waiting = []

    def entry(self, piece: Piece) -> Iterator[Made | Refused]:
        """The records of a conversation or an exchange."""
        piece = Piece(pieces.standard(piece.text), piece.where)
        value = pieces.decoded(piece.text)
        if isinstance(value, list):
            yield from self._conversation(piece, value, msgspec.json.decode(piece.text, type=list[msgspec.Raw]), {})
            return
        if not isinstance(value, dict):
            yield Refused(piece.where, "not a JSON object, expected messages, or a request with its response")
            return
        request, response = sides(value)
        key = _list_key(value)
        if response is None and key is not None:
            raw = msgspec.json.decode(piece.text, type=dict[str, msgspec.Raw])
            listed = msgspec.json.decode(raw.pop(key), type=list[msgspec.Raw])
            rest = {name: held for name, held in value.items() if name != key}
            yield from self._conversation(piece, value[key], listed, rest, msgspec.json.encode(raw))
        elif request is not None or response is not None:
            yield self._exchange(piece, value, request or {}, response or {})
        else:
            # Something else that was logged beside, an error say: it is kept, and states nothing.
            text = piece.text.decode("utf-8", "replace")
            yield Made(log_record(message_log.REST, text, {}, time_ns=_time_ns(value)), _origin([]), piece.where)

    def _conversation(
        self, piece: Piece, value: list[Any], raw: list[msgspec.Raw], rest: dict[str, Any], rest_text: bytes = b""
    ) -> Iterator[Made]:
        messages = [each if isinstance(each, dict) else {} for each in value]
        if not messages:
            return
        talk = self._talk(messages, named(rest), rest)
        if rest:
            attributes: dict[str, Value | None] = {message_log.CONVERSATION: talk.id}
            text = rest_text.decode("utf-8", "replace")
            record = log_record(message_log.REST, text, attributes, time_ns=talk.time_ns + 1)
            yield Made(record, talk.of, piece.where)
        for message, text_of_it in zip(messages, raw, strict=True):
            yield talk.record(Piece(bytes(text_of_it), piece.where), message)

    def _talk(self, messages: list[dict[str, Any]], name: str | None, rest: dict[str, Any]) -> _Talk:
        """A conversation. Its vendor is told by what tells itself, so that neither changes when more is said."""
        known_by = opening(messages) if name is None else []
        return _Talk(self.conversations.place(messages, named=name).id, _origin(known_by, rest), _time_ns(rest))

    def _exchange(self, piece: Piece, whole: dict[str, Any], request: dict[str, Any], response: dict[str, Any]) -> Made:
        is_anthropic = _is_anthropic([*openai_messages.given(request), response], request, response)
        made = (anthropic_messages if is_anthropic else openai_messages).made(response)
        given = openai_messages.given(request)
        messages = [*given, *made] or [response]
        before = self.conversations.follows(request.get("previous_response_id", response.get("previous_response_id")))
        place = self.conversations.place(messages, named=before or named(whole, request, response))
        self.conversations.answers(response.get("id"), place.id)
        attributes: dict[str, Value | None] = {
            message_log.CONVERSATION: place.id,
            message_log.KNOWN: min(place.known, len(given)) or None,
        }
        text = piece.text.decode("utf-8", "replace")
        time = _time_ns(response, whole, request) or len(messages)
        scope = anthropic_messages.SCOPE if is_anthropic else openai_messages.SCOPE
        return Made(log_record(message_log.EXCHANGE, text, attributes, time_ns=time), Origin(scope), piece.where)


def _origin(messages: list[dict[str, Any]], rest: dict[str, Any] | None = None) -> Origin:
    return Origin(anthropic_messages.SCOPE if _is_anthropic(messages, rest) else openai_messages.SCOPE)
