"""OTLP/JSON: the proto3 JSON mapping with the deviations that OTLP makes (specification 1.11, "JSON Protobuf
Encoding").

- Trace and span ids are hex, in either case: everywhere, links, log records and exemplars included.
- Enums are integers; names are refused.
- Keys are lowerCamelCase, and unknown ones are ignored. Names as protobuf has them, such as ``trace_id``, are not
  valid: they are refused, since what stands under them would be lost with an OK.

The rest is proto3's: 64-bit integers as numbers or decimal strings, `bytesValue` in base64, ``"NaN"`` and
``"Infinity"`` as strings, null for absent. What RFC 8259 leaves open is refused, because two readers could
understand it differently: duplicate keys, bare NaN and Infinity, text that is not UTF-8. The fields come from
the descriptors of the official protobuf messages, so nothing of a signal is forgotten here.
(`google.protobuf.json_format` reads ids as base64 and takes enum names: it cannot be used.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from aftertrace.ingest.json_scalars import Misfit, Write, scalar, sized, tag
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    from aftertrace.store.request import Signal

REQUESTS: Final[dict[Signal, type[Message]]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
"""The message that each signal's requests are. `TracesData`, `LogsData` and `MetricsData` have the same fields."""

_GROUPS: Final[dict[Signal, str]] = {"traces": "resourceSpans", "logs": "resourceLogs", "metrics": "resourceMetrics"}
"""The one key of each signal's requests."""

MAX_MESSAGE_DEPTH: Final = 100
"""How many messages may stand inside one another: what the protobuf library allows, so both encodings agree."""


def decode(body: bytes, signal: Signal) -> Message:
    """The protobuf message that an OTLP/JSON request stands for.

    Raises:
        Invalid: it is not JSON, or not OTLP. The message tells which field, and never what stood in it.
    """
    found = _parse(body, signal)
    kind = REQUESTS[signal]
    if type(found) is dict:
        _of_signal(found, signal)
    try:
        wire = _message(found, _kind(kind.DESCRIPTOR), 0)
    except _Unreadable as error:
        raise Invalid(
            f"read {signal} request: {error}; compare the sender with the specification of OTLP/JSON"
        ) from error
    except ValueError as error:
        # Numbers out of range, lone surrogates.
        raise Invalid(f"read {signal} request: a value is out of its field's range, expected OTLP/JSON") from error
    return kind.FromString(wire)


def _of_signal(found: dict[str, Any], signal: Signal) -> None:
    """Refuse what is of other signals alone: as unknown keys it would be ignored, and lost with an OK."""
    if _GROUPS[signal] not in found:
        for other, groups in _GROUPS.items():
            if groups in found:
                raise Invalid(
                    f"read {signal} request: it has {groups}, expected {_GROUPS[signal]}; post {other} to /v1/{other}"
                )


class _Unreadable(ValueError):
    """A field does not hold what it should."""


def _parse(body: bytes, signal: Signal) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Invalid(f"read {signal} request: the body is not UTF-8 at byte {error.start}, expected JSON") from None
    except RecursionError:
        raise Invalid(f"read {signal} request: the JSON is nested too deeply, expected OTLP/JSON") from None
    except json.JSONDecodeError as error:
        raise Invalid(
            f"read {signal} request: the body is not JSON at character {error.pos} ({error.msg}); "
            "check the sender's protocol setting and content type"
        ) from None
    except ValueError as error:
        # Ours, and the interpreter's limit on the digits of an integer: neither repeats the input.
        raise Invalid(f"read {signal} request: {error}, expected OTLP/JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same key twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} stands bare, expected it in quotes")


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field of a message is written."""

    write: Write
    oneof: str | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """How messages of one kind are written."""

    name: str
    fields: dict[str, _Field]
    """By their names in JSON."""
    names: frozenset[str]
    """As protobuf has them."""


@cache
def _kind(kind: Any) -> _Kind:
    return _Kind(
        kind.name,
        {field.camelcase_name: _Field(_written(field), _oneof(field)) for field in kind.fields},
        frozenset(kind.fields_by_name),
    )


def _oneof(field: FieldDescriptor) -> str | None:
    return None if field.containing_oneof is None else str(field.containing_oneof.name)


def _written(field: FieldDescriptor) -> Write:
    one = _message_in(field) if field.message_type is not None else scalar(field)
    if not field.is_repeated:
        return one
    if field.message_type is KeyValue.DESCRIPTOR:
        one = _attribute_in(field, one)

    def write(values: Any, depth: int) -> bytes:
        if type(values) is not list:
            raise Misfit("a list")
        return b"".join([one(value, depth) for value in values])

    return write


def _attribute_in(field: FieldDescriptor, otherwise: Write) -> Write:
    """The same as for other messages, sooner for attributes of the usual shape: they are most of what is sent."""
    mark, values = tag(field), _kind(AnyValue.DESCRIPTOR).fields

    def write(value: Any, depth: int) -> bytes:
        if type(value) is not dict or len(value) != 2 or depth + 2 > MAX_MESSAGE_DEPTH:
            return otherwise(value, depth)
        key, held = value.get("key"), value.get("value")
        if type(key) is not str or type(held) is not dict or len(held) != 1:
            return otherwise(value, depth)
        text = held.get("stringValue")
        if type(text) is str:
            content = text.encode()
            size_bytes = len(content)
            if size_bytes < len(_SHORT_TEXT):
                return sized(mark, _key(key) + _SHORT_TEXT[size_bytes] + content)
            return sized(mark, _key(key) + sized(_VALUE, sized(_TEXT, content)))
        ((name, one),) = held.items()
        of_type = values.get(name)
        if of_type is None or one is None:
            return otherwise(value, depth)
        try:
            return sized(mark, _key(key) + sized(_VALUE, of_type.write(one, depth + 2)))
        except Misfit:
            # It tells where that stands.
            return otherwise(value, depth)

    return write


def _key(key: str) -> bytes:
    """The field of an attribute's key."""
    return _known_key(key) if len(key) <= _KEY_CHARACTERS else sized(_KEY, key.encode())


@lru_cache(maxsize=4096)
def _known_key(key: str) -> bytes:
    return sized(_KEY, key.encode())


_KEY_CHARACTERS: Final = 128
"""Longer keys are not remembered: senders choose how long they are."""
_KEY: Final = tag(KeyValue.DESCRIPTOR.fields_by_name["key"])
_VALUE: Final = tag(KeyValue.DESCRIPTOR.fields_by_name["value"])
_TEXT: Final = tag(AnyValue.DESCRIPTOR.fields_by_name["string_value"])
_SHORT_TEXT: Final = tuple(_VALUE + bytes([2 + size_bytes]) + _TEXT + bytes([size_bytes]) for size_bytes in range(0x7E))
"""What stands before the text of an attribute, by its size in bytes: while both lengths take one byte."""


def _message_in(field: FieldDescriptor) -> Write:
    mark, inner = tag(field), field.message_type

    def write(value: Any, depth: int) -> bytes:
        return sized(mark, _message(value, _kind(inner), depth + 1))

    return write


def _message(found: Any, kind: _Kind, depth: int) -> bytes:
    """The content of a message of this kind, its fields in any order."""
    if type(found) is not dict:
        raise _Unreadable(f"a {kind.name} is not an object")
    if depth > MAX_MESSAGE_DEPTH:
        raise _Unreadable(f"a {kind.name} is nested more than {MAX_MESSAGE_DEPTH} messages deep")
    written: list[bytes] = []
    oneofs: set[str] | None = None
    for key, value in found.items():
        field = kind.fields.get(key)
        if field is None:
            if key in kind.names:
                raise _Unreadable(f"{key} of a {kind.name} is a name of protobuf's, expected it in lowerCamelCase")
            continue
        if value is None:
            continue
        if field.oneof is not None:
            if oneofs is None:
                oneofs = set()
            elif field.oneof in oneofs:
                raise _Unreadable(f"a {kind.name} has more than one {field.oneof}")
            oneofs.add(field.oneof)
        try:
            written.append(field.write(value, depth))
        except Misfit as error:
            raise _Unreadable(f"{key} of a {kind.name} is not {error}") from None
    return b"".join(written)
