"""Redaction of a request before anything of it is written: where in a message the rules of a policy look.

One scan over the raw bytes finds the requests that can hold a secret; only those are looked into and encoded
anew. Looked into is everything that is text: attribute values at any depth of arrays and maps, keys, bodies,
names, status messages, of records, events, links, resources and scopes; JSON inside texts, at any depth of
quoting, also where a pair of name and value stands for a field; elements of XML; and bytes values. What a
denied key holds is replaced whole, of whatever type it is. Not looked into:
base64, compressed or encrypted text.

What was changed says so: a record, resource or scope gets an attribute with the names of the rules and how often each
fired (`redact_tokens.NOTE`), which is stored and shown with it, and never a value.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from aftertrace.ingest.carried import carry
from aftertrace.ingest.key_rules import DROPPED, NOT_KEPT, REDACTED, Act, KeyRules
from aftertrace.ingest.left_out import LeavingOut, can_be
from aftertrace.ingest.records import value as value_of
from aftertrace.ingest.redact_text import TextRedactor
from aftertrace.ingest.redact_tokens import ERROR as ERROR_TOKEN
from aftertrace.ingest.redact_tokens import NOTE, Tokens, is_token

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from aftertrace.ingest.redaction_policy import RedactionPolicy

UNKNOWN_FIELD: Final = "unknown-field"
"""Rule name for content of no known field that cannot be looked into and may hold a secret: it is dropped."""

ERROR: Final = "redaction-error"
"""Rule name for values that were replaced because redaction failed on them."""

KEPT: Final = frozenset(("full", "by-reference"))
"""Modes in which no content is left out."""
_RECORD_DEPTH: Final = 3
_ID_BYTES: Final = 16
_NOTED: Final = {
    **dict.fromkeys(("Resource", "InstrumentationScope", "Span", "LogRecord"), "attributes"),
    "Metric": "metadata",
}
"""Messages that tell what was redacted in them, and in which field."""
_RULES: Final[dict[Act, str]] = {"drop": DROPPED, "redact": REDACTED, "replace": NOT_KEPT}
_KINDS: Final = {str: "string_value", bytes: "bytes_value", bool: "bool_value", int: "int_value", float: "double_value"}
_BODY: Final = "body"
_KEYED: Final = {"message": "status.message", "severity_text": "severity_text"}
"""Plain fields that say what somebody wrote, by the keys that rules know them by. What others hold are names."""

_log = logging.getLogger("aftertrace.redact")


@dataclass(frozen=True, slots=True)
class _Look:
    """What is looked for in one request."""

    leaving_out: LeavingOut | None
    everything: bool
    """Whether also records are looked at that can hold no secret."""
    every_attribute: bool
    """The same of the attributes of a record that is looked at."""
    hits: Counter[str] = field(default_factory=Counter)
    places: Counter[tuple[str, str]] | None = None
    """Rule and place of each hit, where that is asked for: the key of an attribute, or the name of a field."""

    def within(self) -> _Look:
        """The same in a part of it that is counted by itself."""
        return replace(self, hits=Counter())


class Redactor:
    """A policy at work under one store's key. Safe to use from any thread."""

    def __init__(self, policy: RedactionPolicy, key: bytes) -> None:
        """Compile the policy. `key` is the store's secret, at most 64 bytes."""
        self._policy = policy
        self._keys = KeyRules(policy.keys)
        self._tokens = Tokens(key)
        self._text = TextRedactor(self._tokens, policy.fields, policy.shapes, self._keys.signs)

    def suspects(self, payload: bytes, source: str = "") -> bool:
        """Whether there can be anything to redact in the wire bytes of a source's request; never a false no."""
        return self._looks_at_all(source) or self._text.suspects(payload)

    def redact(self, request: Message, source: str = "") -> Counter[str]:
        """Replace what is secret in a source's request, in place. Answers how often each rule fired; empty:
        unchanged.
        """
        look = self._look(source)
        if look.leaving_out is None:
            self._message(request, 0, look)
        else:
            full = type(request)()
            full.CopyFrom(request)
            self._message(full, 0, self._looked_through(None, everything=self._keys.look_at_all))
            self._message(request, 0, look)
            if removed := carry(full, request, look.leaving_out):
                look.hits[DROPPED] += removed
        known = type(request)()
        known.CopyFrom(request)
        known.DiscardUnknownFields()
        if known.ByteSize() != request.ByteSize() and (look.everything or self._hides(request, known)):
            look.hits[UNKNOWN_FIELD] += 1
            request.DiscardUnknownFields()
        return look.hits

    def places(self, message: Message, source: str = "") -> Counter[tuple[str, str]]:
        """What would be redacted in a request of a source, or in a part of one: the rule, and the key of the attribute
        or the name of the field it would be in. The message is of no use afterwards.
        """
        found: Counter[tuple[str, str]] = Counter()
        if self.suspects(message.SerializeToString(), source):
            self._message(message, 0, replace(self._look(source), places=found))
        return found

    def _look(self, source: str) -> _Look:
        mode = self._policy.capture_for(source)
        leaving_out = None if mode in KEPT else LeavingOut(mode, self._tokens.left_out)
        return self._looked_through(leaving_out, everything=self._looks_at_all(source))

    def _looked_through(self, leaving_out: LeavingOut | None, *, everything: bool) -> _Look:
        return _Look(leaving_out, everything, everything or bool(self._keys))

    def _hides(self, request: Message, known: Message) -> bool:
        """Whether what a request holds beside its known fields may be secret."""
        suspicions = (self._text.suspicions(each.SerializeToString()) for each in (request, known))
        return next(suspicions) != next(suspicions)

    def _looks_at_all(self, source: str) -> bool:
        return self._keys.look_at_all or self._policy.capture_for(source) not in KEPT

    def _message(self, message: Any, depth: int, look: _Look) -> None:
        if depth == _RECORD_DEPTH and not (look.everything or self._text.suspects(message.SerializeToString())):
            return
        noted_in = _NOTED.get(message.DESCRIPTOR.name)
        if noted_in is None:
            self._fields(message, depth, look)
            return
        own = look.within()
        self._fields(message, depth, own)
        if own.hits:
            look.hits.update(own.hits)
            note = getattr(message, noted_in).add()
            note.key, note.value.string_value = NOTE, noted(own.hits)

    def _fields(self, message: Any, depth: int, look: _Look) -> None:
        for part, held in message.ListFields():
            if part.message_type is KeyValue.DESCRIPTOR:
                self._attributes(held, "", look)
            elif part.message_type is AnyValue.DESCRIPTOR:
                self._body(message, held, look)
            elif part.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                for inner in held if part.is_repeated else (held,):
                    self._message(inner, depth + 1, look)
            elif part.cpp_type == FieldDescriptor.CPPTYPE_STRING:
                self._plain(message, part, held, look)

    def _plain(self, message: Any, part: FieldDescriptor, held: Any, look: _Look) -> None:
        """A string or bytes field."""
        if look.places is not None:
            own = replace(look, hits=Counter(), places=None)
            self._plain(message, part, held, own)
            look.hits.update(own.hits)
            place = f"{message.DESCRIPTOR.name}.{part.name}"
            look.places.update({(rule, place): times for rule, times in own.hits.items()})
            return
        if part.is_repeated:
            for index, item in enumerate(held):
                held[index] = self._redacted(self._unkeyed(part.name, item, look), look)
        elif isinstance(held, str) or len(held) > _ID_BYTES:
            redacted = self._redacted(self._unkeyed(part.name, held, look), look)
            if redacted is not held:
                setattr(message, part.name, redacted)

    def _unkeyed(self, field: str, text: Any, look: _Look) -> Any:
        """What is kept of a text that has no key of its own by what a policy says of keys and content. Names stay:
        what an agent did is told by them.
        """
        if not isinstance(text, str) or not text or is_token(text.encode()):
            return text
        key = _KEYED.get(field)
        if key is not None:
            act = self._keys.act(key, key)
        else:
            act = "replace" if self._keys.is_allow_list and not can_be(field, text) else None
        if act is not None:
            look.hits[_RULES[act]] += 1
            return "" if act == "drop" else self._tokens.of(_RULES[act], text.encode()).decode()
        if look.leaving_out is None:
            return text
        if field == "message":
            return look.leaving_out.of_attribute("status.message", text, look.hits)
        return look.leaving_out.of_plain(field, text, look.hits)

    def _body(self, record: Any, body: Any, look: _Look) -> None:
        """The body of a log record, which is like an attribute without a key."""
        if body.WhichOneof("value") is None:
            return
        pair = KeyValue(key=_BODY, value=body)
        if not self._kept(pair, "", look, listed=False):
            record.ClearField(_BODY)
        elif pair.value != body:
            body.CopyFrom(pair.value)

    def _attributes(self, pairs: Any, path: str, look: _Look, *, listed: bool = False) -> None:
        """Attributes, or the members of a map at a path; `listed`: the map is among what is kept."""
        dropped = [
            index
            for index, pair in enumerate(pairs)
            if (look.every_attribute or self._text.suspects(pair.SerializeToString()))
            and not self._kept(pair, path, look, listed=listed)
        ]
        for index in reversed(dropped):
            del pairs[index]

    def _kept(self, pair: Any, path: str, look: _Look, *, listed: bool) -> bool:
        """Redact an attribute; False if it is to be removed."""
        if look.places is not None and not path:
            own = replace(look, hits=Counter(), places=None)
            kept = self._kept(pair, path, own, listed=listed)
            look.hits.update(own.hits)
            look.places.update({(rule, pair.key): times for rule, times in own.hits.items()})
            return kept
        try:
            return self._attribute(pair, path, look, listed=listed)
        except Exception as error:  # noqa: BLE001 - fail closed: whatever went wrong, the value must not be kept
            _log.error("redact attribute: %s; its value is replaced by %s", type(error).__name__, ERROR_TOKEN.decode())
            look.hits[ERROR] += 1
            pair.key = self._redacted(pair.key, look)
            pair.value.string_value = ERROR_TOKEN.decode()
            return True

    def _attribute(self, pair: Any, path: str, look: _Look, *, listed: bool) -> bool:
        key, kind = pair.key, pair.value.WhichOneof("value")
        path = f"{path}.{key}" if path else key
        act = self._keys.act(key, path) if self._keys else None
        if act == "drop":
            look.hits[DROPPED] += 1
            return False
        denied = self._text.denied(key)
        pair.key = self._redacted(key, look)
        if kind is None:
            return True
        if denied is not None:
            self._replace(pair.value, kind, denied, look, always=False)
        elif act == "redact" or (act == "replace" and not listed and kind != "kvlist_value"):
            self._replace(pair.value, kind, _RULES[act], look, always=True)
        else:
            if look.leaving_out is not None:
                self._leave_out(pair.value, key, look.leaving_out, look.hits)
            self._value(pair.value, path, look, listed=listed or act is None)
        return True

    def _replace(self, value: Any, kind: str, rule: str, look: _Look, *, always: bool) -> None:
        """Put a token for a value, unless it tells nothing; `always`: flags tell something too."""
        held = getattr(value, kind)
        if (kind == "bool_value" and not always) or held in ("", b""):
            return
        secret = held.encode() if kind == "string_value" else value.SerializeToString(deterministic=True)
        if is_token(secret):
            return
        # Flags and numbers are few: whoever may send could try them all.
        is_few = always and kind in ("bool_value", "int_value", "double_value")
        token = self._tokens.random(rule) if is_few else self._tokens.of(rule, secret)
        value.string_value = token.decode()
        look.hits[rule] += 1

    def _leave_out(self, value: Any, key: str, leaving_out: LeavingOut, hits: Counter[str]) -> None:
        before = hits.total()
        # A dictionary would hide what a name that stands twice held first.
        held = value.SerializeToString(deterministic=True) if _repeats_a_key(value) else value_of(value)
        kept = leaving_out.of_body(held, hits) if key == _BODY else leaving_out.of_attribute(key, held, hits)
        if hits.total() > before:
            assign(value, kept)

    def _value(self, value: Any, path: str, look: _Look, *, listed: bool) -> None:
        """A value at any depth of lists and maps."""
        kind = value.WhichOneof("value")
        if kind == "kvlist_value":
            self._attributes(value.kvlist_value.values, path, look, listed=listed)
        elif kind == "array_value":
            for item in value.array_value.values:
                self._value(item, path, look, listed=listed)
        elif kind in ("string_value", "bytes_value"):
            held = getattr(value, kind)
            redacted = self._redacted(held, look)
            if redacted is not held:
                setattr(value, kind, redacted)

    def _redacted(self, value: Any, look: _Look) -> Any:
        """The text or bytes with its secrets replaced; the same object when there are none."""
        try:
            data = value.encode() if isinstance(value, str) else value
            redacted = self._text.redact(data, look.hits)
            if redacted == data:
                return value
            return redacted.decode() if isinstance(value, str) else redacted
        except Exception as error:  # noqa: BLE001 - fail closed: whatever went wrong, the value must not be kept
            _log.error("redact value: %s; it is replaced by %s", type(error).__name__, ERROR_TOKEN.decode())
            look.hits[ERROR] += 1
            return ERROR_TOKEN.decode() if isinstance(value, str) else ERROR_TOKEN


def _repeats_a_key(value: Any) -> bool:
    """Whether a map in an OTLP value, at any depth, has a key twice."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values
        return len({pair.key for pair in pairs}) < len(pairs) or any(_repeats_a_key(pair.value) for pair in pairs)
    return kind == "array_value" and any(_repeats_a_key(item) for item in value.array_value.values)


def noted(hits: Counter[str]) -> str:
    """What a note says of hits: names of rules and how often each fired."""
    return ", ".join(f"{rule} {times}" for rule, times in sorted(hits.items()))


def assign(any_value: Any, value: Any) -> None:
    """Make an OTLP AnyValue of a Python value: the inverse of `records.value`."""
    if isinstance(value, dict):
        members = KeyValueList()
        for key, inner in value.items():
            pair = members.values.add()
            pair.key = key
            assign(pair.value, inner)
        any_value.kvlist_value.CopyFrom(members)
    elif isinstance(value, list):
        items = ArrayValue()
        for inner in value:
            assign(items.values.add(), inner)
        any_value.array_value.CopyFrom(items)
    elif value is not None:
        setattr(any_value, _KINDS[type(value)], value)
