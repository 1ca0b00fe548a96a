"""Records that `aftertrace import` makes of plain message logs: what the dialects of OpenAI and Anthropic share.

A log holds conversations, whose messages become one record each, or exchanges, requests with their responses, which
are one record each. A log has no times of its own unless somebody added them: then a record's time is its message's
place in the conversation, in nanoseconds since 1970, which orders and says nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Event, Who
from aftertrace.ingest.dialects.values import mapping, text
from aftertrace.ingest.records import Log

MESSAGE: Final = "message_log.message"
"""Event name of a record that holds one message or item."""
EXCHANGE: Final = "message_log.exchange"
"""Event name of a record that holds a request with its response."""
REST: Final = "message_log.rest"
"""Event name of a record that holds what a conversation has beside its messages: model, tools, settings."""
CONVERSATION: Final = "gen_ai.conversation.id"
CALL_IDS: Final = "message_log.call_ids"
"""Attribute: the ids of a message's calls and answers in order, for those that the log gives none: `place.position`."""
KNOWN: Final = "message_log.known"
"""Attribute: how many of a request's messages an earlier exchange of the same file held."""

Read: TypeAlias = Callable[[dict[str, Any]], list[Event]]
"""What a message states."""


class Numbering:
    """Gives ids to calls without one, by their place, and to answers without one those of the calls of their turn."""

    def __init__(self) -> None:
        """No call is open yet."""
        self._open: list[tuple[str, str | None]] = []
        self._is_told = False
        """Whether anybody spoke since the model did."""

    def ids(self, place: int, message: dict[str, Any], events: list[Event]) -> list[str]:
        """The ids of a message's events, in order; empty for one that has its own or needs none."""
        proposals = any(event.event == "action.proposed" for event in events)
        if proposals or message.get("role") == "assistant":
            self._open = [] if self._is_told else self._open
            self._is_told = False
        else:
            self._is_told = True
        return [self._id(f"{place}.{position}", event) for position, event in enumerate(events)]

    def _id(self, own: str, event: Event) -> str:
        if event.event == "action.proposed":
            self._open.append((event.call_id or own, event.tool_name))
            return "" if event.call_id else own
        if event.event != "tool.called":
            return ""
        if event.call_id:
            self._open = [each for each in self._open if each[0] != event.call_id]
            return ""
        for index, (call_id, name) in enumerate(self._open):
            if event.tool_name in (None, name):
                del self._open[index]
                return call_id
        # A program may run a tool that no model proposed, or refuse a call that a model only wrote about.
        return own if event.tool_name else ""


def with_ids(events: list[Event], ids: Any) -> list[Event]:
    """Events with the ids that they lack."""
    for event, call_id in zip(events, ids if isinstance(ids, list) else [], strict=False):
        event.call_id = event.call_id or text(call_id)
    return events


def message_events(log: Log, read: Read) -> list[Event]:
    """What a record states that holds one message."""
    return with_ids(read(mapping(messages.load(log.body))), log.attributes.get(CALL_IDS))


def exchange_events(given: list[dict[str, Any]], made: list[dict[str, Any]], log: Log, read: Read) -> list[Event]:
    """What a request and its response state: history that is not known yet, answers, and what the model proposed.

    Each message has a time of its own, a nanosecond after the one before; the last has the record's.
    """
    known = log.attributes.get(KNOWN)
    known = known if isinstance(known, int) and not isinstance(known, bool) else 0
    numbering, found = Numbering(), []
    for place, message in enumerate([*given, *made]):
        events = read(message)
        ids = numbering.ids(place, message, events)
        if place < known:
            continue
        is_history = place < len(given)
        for event in with_ids(events, ids):
            event.time_ns = max(log.time_ns - (len(given) + len(made) - 1 - place), 1)
            if is_history and event.event == "action.proposed":
                event.state = "echoed"
            found.append(event)
    return found


def who(log: Log) -> Who:
    """The conversation that a record names, and nobody else."""
    return Who(conversation_id=text(log.attributes.get(CONVERSATION)))


def called(who: Who, response: dict[str, Any]) -> list[Event]:
    """The event that carries who was asked: a model's call, or what is set for a whole conversation."""
    if response:
        return [Event(event="model.called")]
    return [Event(event="input.resolved", state="other", content=who.model)] if who.model else []


def told(log: Log) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and response of an exchange; of a conversation's rest, itself as the request."""
    whole = mapping(messages.load(log.body))
    if log.event_name != EXCHANGE:
        return whole, {}
    request, response = sides(whole)
    return request or {}, response or {}


def sides(whole: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Request and response of an entry of a log; None for a side that it does not have.

    Known are pairs, the files of both vendors' batches, and responses that stand alone or repeat their request.
    """
    if isinstance(whole.get("result"), dict) and "custom_id" in whole:
        return None, _dict(whole["result"].get("message"))
    request, response = _body(whole.get("request")), _body(whole.get("response"))
    if request is not None or response is not None:
        return request, response
    if "custom_id" in whole and ("body" in whole or "params" in whole):
        return _dict(whole.get("body", whole.get("params"))), None
    has_made = isinstance(whole.get("choices"), list) or isinstance(whole.get("output"), list)
    has_given = isinstance(whole.get("messages"), list) or isinstance(whole.get("input"), str | list)
    is_response = whole.get("type") == "message" and isinstance(whole.get("content"), list)
    return whole if has_given else None, whole if has_made or is_response else None


def _body(side: Any) -> dict[str, Any] | None:
    loaded = _dict(messages.load(side))
    if loaded is not None and "body" in loaded:
        return _dict(messages.load(loaded["body"]))
    return loaded


def _dict(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
