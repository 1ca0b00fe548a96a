"""Redaction of a request before anything of it is written: which rules there are, and where in a message they
look.

One scan over the raw bytes finds the requests that can hold a secret; only those are looked into and encoded
anew. Looked into is everything that is text: attribute values at any depth of arrays and maps, keys, bodies,
names, status messages, of records, events, links, resources and scopes; JSON inside texts, at any depth of
quoting, also where a pair of name and value stands for a field; elements of XML; and bytes values. What a
denied key holds is replaced whole, of whatever type it is. Not looked into:
base64, compressed or encrypted text.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from aftertrace.ingest.redact_text import REDACTION_ERROR, TextRedactor
from aftertrace.ingest.secret_rules import FIELDS, SHAPES, FieldRule, ShapeRule
from aftertrace.semconv.canonical import digest_json

if TYPE_CHECKING:
    from google.protobuf.message import Message

UNKNOWN_FIELD: Final = "unknown-field"
"""Rule name for content of no known field that cannot be looked into and may hold a secret: it is dropped."""

ERROR: Final = "redaction-error"
"""Rule name for values that were replaced because redaction failed on them."""

_POLICY_VERSION: Final = 2
_RECORD_DEPTH: Final = 3
_ID_BYTES: Final = 16

_log = logging.getLogger("aftertrace.redact")


@dataclass(frozen=True)
class RedactionPolicy:
    """What is secret. Its digest is stored with each request, so that a reader knows what was looked for."""

    fields: tuple[FieldRule, ...] = FIELDS
    shapes: tuple[ShapeRule, ...] = SHAPES

    @cached_property
    def digest(self) -> str:
        """Tagged digest over all rules: two stores with the same one looked for the same things."""
        return digest_json(
            {
                "version": _POLICY_VERSION,
                "fields": [[field.rule, list(field.names)] for field in self.fields],
                "shapes": [[shape.rule, shape.pattern, shape.check, shape.word] for shape in self.shapes],
            }
        )


class Redactor:
    """A policy at work under one store's key. Safe to use from any thread."""

    def __init__(self, policy: RedactionPolicy, key: bytes) -> None:
        """Compile the policy. `key` is the store's secret, at most 64 bytes."""
        self._text = TextRedactor(key, policy.fields, policy.shapes)

    def suspects(self, payload: bytes) -> bool:
        """Whether the wire bytes of a request can hold a secret."""
        return self._text.suspects(payload)

    def redact(self, request: Message) -> Counter[str]:
        """Replace what is secret in a request, in place. Answers how often each rule fired; empty:
        unchanged.
        """
        hits: Counter[str] = Counter()
        self._message(request, 0, hits)
        known = type(request)()
        known.CopyFrom(request)
        known.DiscardUnknownFields()
        if known.ByteSize() != request.ByteSize():
            suspicions = self._text.suspicions(request.SerializeToString())
            if suspicions != self._text.suspicions(known.SerializeToString()):
                hits[UNKNOWN_FIELD] += 1
                request.DiscardUnknownFields()
        return hits

    def _message(self, message: Any, depth: int, hits: Counter[str]) -> None:
        is_attribute = message.DESCRIPTOR is KeyValue.DESCRIPTOR
        if (is_attribute or depth == _RECORD_DEPTH) and not self._text.suspects(message.SerializeToString()):
            return
        if is_attribute:
            self._attribute(message, depth, hits)
            return
        for field, value in message.ListFields():
            if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                for inner in value if field.is_repeated else (value,):
                    self._message(inner, depth + 1, hits)
            elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
                self._plain(message, field, value, hits)

    def _plain(self, message: Any, field: FieldDescriptor, value: Any, hits: Counter[str]) -> None:
        """A string or bytes field."""
        if field.is_repeated:
            for index, item in enumerate(value):
                value[index] = self._redacted(item, hits)
        elif isinstance(value, str) or len(value) > _ID_BYTES:
            redacted = self._redacted(value, hits)
            if redacted is not value:
                setattr(message, field.name, redacted)

    def _attribute(self, pair: Any, depth: int, hits: Counter[str]) -> None:
        rule = self._text.denied(pair.key)
        pair.key = self._redacted(pair.key, hits)
        kind = pair.value.WhichOneof("value")
        if kind is None:
            return
        if rule is None:
            self._message(pair.value, depth + 1, hits)
            return
        value = getattr(pair.value, kind)
        if kind == "bool_value" or not (value if kind in ("string_value", "bytes_value") else True):
            return
        secret = value.encode() if kind == "string_value" else pair.value.SerializeToString(deterministic=True)
        if self._text.is_token(secret):
            return
        pair.value.string_value = self._text.token(rule, secret).decode()
        hits[rule] += 1

    def _redacted(self, value: Any, hits: Counter[str]) -> Any:
        """The text or bytes with its secrets replaced; the same object when there are none."""
        try:
            data = value.encode() if isinstance(value, str) else value
            redacted = self._text.redact(data, hits)
            if redacted == data:
                return value
            return redacted.decode() if isinstance(value, str) else redacted
        except Exception as error:  # noqa: BLE001 - fail closed: whatever went wrong, the value must not be kept
            _log.error("redact value: %s; it is replaced by %s", type(error).__name__, REDACTION_ERROR)
            hits[ERROR] += 1
            return REDACTION_ERROR if isinstance(value, str) else REDACTION_ERROR.encode()
