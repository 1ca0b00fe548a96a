"""What was read of a record before its content was left out: the record carries it.

Much of what became of a call stands in content alone: a refusal that is the text of a result, a tool's name in a
message, arguments that somebody changed. So where a policy leaves content out, a record's dialect reads it first, and
what was read becomes one more attribute of it (`redact_tokens.READING`): events and names, without the content. The
drain takes that in place of a second reading, and nothing is judged from the mark that stands where content was.

Carried are the words of our own vocabulary (events, states, deciders, the names of wordings), times, counts, flags,
names and ids, and texts that the record keeps elsewhere. Of arguments, results and all other texts there are marks here
too: in `digest-only` keyed digests of what the dialect read, so that the arguments of a proposal and of its run can be
compared as if they were here; in `metadata-only` nothing, so that arguments are unknown.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf.descriptor import FieldDescriptor

from aftertrace.ingest import dialects, flags, records
from aftertrace.ingest.dialects.events import Event, Reading, Who
from aftertrace.ingest.dialects.values import number, whole
from aftertrace.ingest.left_out import can_be
from aftertrace.ingest.redact_tokens import NOTE, READING, holds_left_out, is_left_out, left_out_count
from aftertrace.semconv.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aftertrace.ingest.left_out import LeavingOut
    from aftertrace.ingest.records import Origin, Record

_CHARACTERS: Final = 4096
_CHARACTERS_PER_BYTE: Final = 2
"""A record carries so many at most, and so many for each byte that it had: what more events it tells of are cut."""
_ID_CHARACTERS: Final = 512
_NUMBERS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("input_tokens", "output_tokens", "time_ns", "end_ns", "position", "wait_ns"), whole),
    "cost_usd": number,
}
_OPEN_TEXTS: Final = frozenset(("user_id", "reason"))
"""Who and what people wrote: no names of a program."""
_DIGESTS: Final = frozenset(("system_prompt_digest", "arguments_digest", "content_digest"))
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_BEGINNINGS: Final = ("{", "[")


def read(record: Record) -> Reading:
    """What a record says: what was read of it before its content was left out, else what its dialect reads now."""
    if not flags.is_left_out(record.flags):
        return dialects.read(record)
    reading = _decoded(record.carried)
    return _named(dialects.read(record)) if reading is None else reading


def carry(full: Any, kept: Any, leaving_out: LeavingOut) -> int:
    """Have the records of a request carry what was read of them, where content was left out.

    Answers how many attributes were removed, since their senders had written them in its place: they would be kept,
    whatever they hold.

    Args:
        full: the request with its content, and without what is secret in it.
        kept: the same without its content. It is changed in place.
        leaving_out: what put marks in the place of content.
    """
    removed = 0
    for (origin, record), (_, left) in zip(records_in(full), records_in(kept), strict=True):
        noted = ""
        for index in reversed(range(len(left.attributes))):
            pair = left.attributes[index]
            if pair.key == READING:
                del left.attributes[index]
                removed += 1
            elif pair.key == NOTE:
                noted = noted or pair.value.string_value
        if left_out_count(noted):
            encoded = _encoded(record, left, origin, leaving_out)
            if encoded is not None:
                pair = left.attributes.add()
                pair.key, pair.value.string_value = READING, encoded
    return removed


def records_in(request: Any) -> Iterator[tuple[Origin, Any]]:
    """The spans and log records of a request, each with its origin."""
    for groups, scopes, of_scope in (("resource_spans", "scope_spans", "spans"), _LOGS):
        for group in getattr(request, groups, ()):
            for scoped in getattr(group, scopes):
                origin = records.origin(group.resource.SerializeToString(), scoped.scope.SerializeToString())
                for record in getattr(scoped, of_scope):
                    yield origin, record


_LOGS: Final = ("resource_logs", "scope_logs", "log_records")


def _encoded(record: Any, left: Any, origin: Origin, leaving_out: LeavingOut) -> str | None:
    """What is read of a record, without its content; None where nothing is, or its dialect fails on it."""
    data = record.SerializeToString()
    decode: Callable[[bytes, Origin], Record] = records.span if record.DESCRIPTOR.name == "Span" else records.log
    try:
        reading = dialects.read(decode(data, origin))
        told = _Told(frozenset(texts(left)), leaving_out)
        encoded = [msgspec.json.encode(told.event(event)) for event in reading.events]
        who = msgspec.Raw(msgspec.json.encode(told.of(reading.who)))
    except (*dialects.FAULTS, msgspec.MsgspecError):
        return None
    room = _CHARACTERS + _CHARACTERS_PER_BYTE * len(data)
    fitting: list[msgspec.Raw] = []
    for each in encoded:
        room -= len(each) + 1
        if room < 0:
            break
        fitting.append(msgspec.Raw(each))
    cut = len(encoded) - len(fitting)
    head = {"dialect": reading.dialect, "operation": reading.operation, "who": who}
    return msgspec.json.encode({**head, "events": fitting, "cut": cut}).decode()


def _decoded(text: Any) -> Reading | None:
    """The inverse of `_encoded`; None for anything else."""
    try:
        return msgspec.json.decode(text, type=Reading) if isinstance(text, str) else None
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None


def _named(reading: Reading) -> Reading:
    """A reading of marks, without what is judged from them: no mark names a tool or a call, or is equal to another."""
    told: list[Who | Event] = [reading.who, *reading.events]
    for each in told:
        for field in fields(each):
            if is_left_out(getattr(each, field.name)) and field.name not in ("content", "reason"):
                setattr(each, field.name, None)
    for event in reading.events:
        if event.arguments is not None and holds_left_out(str(event.arguments)):
            event.arguments = event.arguments_digest = None
    reading.events = [event for event in reading.events if not _is_nameless(event)]
    return reading


def _is_nameless(event: Event) -> bool:
    """Whether it is of a call of which nothing is known any more."""
    return event.event == "action.proposed" and event.tool_name is None and event.call_id is None


class _Told:
    """What may be told of what was read of one record."""

    def __init__(self, kept: frozenset[str], leaving_out: LeavingOut) -> None:
        """Know the texts that the record keeps, and how content is marked."""
        self._kept = kept
        self._leaving_out = leaving_out

    def of(self, read: Who | Event) -> dict[str, Any]:
        """The members of it that say something."""
        told = {field.name: self._member(field.name, getattr(read, field.name)) for field in fields(read)}
        return {name: value for name, value in told.items() if value is not None}

    def event(self, event: Event) -> dict[str, Any]:
        """An event; of arguments that are cut off it says so, since a mark does not tell."""
        told, attributes = self.of(event), self._attributes(event.attributes)
        if isinstance(event.arguments, str) and event.arguments.startswith(_BEGINNINGS):
            attributes["arguments_partial"] = True
        if attributes:
            told["attributes"] = attributes
        if event.basis == "explicit":
            del told["basis"]
        if event.state == "tools" and isinstance(event.content, list):
            told["content"] = [self._name(name) for name in event.content]
        return told

    def _member(self, name: str, value: Any) -> Any:
        if value is None or name == "attributes":
            return None
        if name in _NUMBERS:
            return _NUMBERS[name](value)
        if name == "content":
            return self._marked(value)
        if name == "arguments":
            kept = self._leaving_out.whole(value)
            # A mark that tells nothing of them says no more than that they are not known.
            return kept if self._leaving_out.tells_equal or not is_left_out(kept) else None
        if name in _DIGESTS:
            mark = self._marked(value)
            return value if mark == value else self._digest(mark)
        if name == "tool_names":
            return [self._name(tool) for tool in value]
        return self._marked(value) if name in _OPEN_TEXTS else self._name(value)

    def _marked(self, value: Any) -> Any:
        """A text that the record keeps, or a mark of the content."""
        return value if isinstance(value, str) and value in self._kept else self._leaving_out.whole(value)

    def _digest(self, mark: str) -> str | None:
        return digest(mark.encode()) if self._leaving_out.tells_equal else None

    def _name(self, value: Any) -> str | None:
        """A name or an id: a line of its length, or an id of any form without blanks."""
        text = value if isinstance(value, str) else str(value)
        if can_be("name", text) or (len(text) <= _ID_CHARACTERS and not re.search(r"\s", text)):
            return text
        return str(self._marked(text))

    def _attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        told = {name: self._attribute(value) for name, value in attributes.items()}
        return {name: value for name, value in told.items() if value is not None}

    def _attribute(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value if type(value) in (bool, int, float) else None
        if value in self._kept or (_WORD.fullmatch(value) and not _DIGEST.fullmatch(value)):
            return value
        mark = self._leaving_out.whole(value)
        return mark if self._leaving_out.tells_equal else None


def texts(message: Any) -> Iterator[str]:
    """The texts in an OTLP message, at any depth."""
    for part, held in message.ListFields():
        for item in held if part.is_repeated else (held,):
            if part.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                yield from texts(item)
            elif part.cpp_type == FieldDescriptor.CPPTYPE_STRING and isinstance(item, str):
                yield item
