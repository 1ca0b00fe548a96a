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

import base64
import binascii
import json
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
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

_HEX_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_SPECIAL_DOUBLES: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_Read: TypeAlias = "Callable[[Any], Any]"
_Fields: TypeAlias = "dict[str, _Field]"


def decode(body: bytes, signal: Signal) -> Message:
    """The protobuf message that an OTLP/JSON request stands for.

    Raises:
        Invalid: it is not JSON, or not OTLP. The message tells which field, and never what stood in it.
    """
    found = _parse(body, signal)
    kind = REQUESTS[signal]
    descriptor: Any = kind.DESCRIPTOR
    if type(found) is dict:
        _of_signal(found, signal)
    try:
        return kind(**_message(found, descriptor, 0))
    except _Unreadable as error:
        raise Invalid(
            f"read {signal} request: {error}; compare the sender with the specification of OTLP/JSON"
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        # What the library refuses itself: numbers out of range, lone surrogates.
        raise Invalid(f"read {signal} request: a value is out of its field's range, expected OTLP/JSON") from error


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


class _Field:
    """How one field of a message is read."""

    __slots__ = ("message", "name", "oneof", "read", "repeated")

    def __init__(self, field: FieldDescriptor) -> None:
        self.name = field.name
        self.repeated = field.is_repeated
        self.message = field.message_type
        self.oneof = field.containing_oneof.name if field.containing_oneof is not None else None
        self.read: _Read = _reader(field)


@cache
def _fields(kind: Descriptor) -> _Fields:
    return {field.camelcase_name: _Field(field) for field in kind.fields}


def _message(found: Any, kind: Descriptor, depth: int) -> dict[str, Any]:
    """Constructor arguments for a message of this kind."""
    if type(found) is not dict:
        raise _Unreadable(f"a {kind.name} is not an object")
    if depth > MAX_MESSAGE_DEPTH:
        raise _Unreadable(f"a {kind.name} is nested more than {MAX_MESSAGE_DEPTH} messages deep")
    fields = _fields(kind)
    arguments: dict[str, Any] = {}
    oneofs: set[str] = set()
    for key, value in found.items():
        field = fields.get(key)
        if field is None:
            if key in kind.fields_by_name:
                raise _Unreadable(f"{key} of a {kind.name} is a name of protobuf's, expected it in lowerCamelCase")
            continue
        if value is None:
            continue
        if field.oneof is not None:
            if field.oneof in oneofs:
                raise _Unreadable(f"a {kind.name} has more than one {field.oneof}")
            oneofs.add(field.oneof)
        try:
            arguments[field.name] = _repeated(field, value, depth) if field.repeated else _one(field, value, depth)
        except _Misfit as error:
            raise _Unreadable(f"{key} of a {kind.name} is not {error}") from None
    return arguments


def _one(field: _Field, value: Any, depth: int) -> Any:
    if field.message is not None:
        return _message(value, field.message, depth + 1)
    return field.read(value)


def _repeated(field: _Field, value: Any, depth: int) -> list[Any]:
    if type(value) is not list:
        raise _Misfit("a list")
    return [_one(field, item, depth) for item in value]


class _Misfit(ValueError):
    """A value is not of its field's type; the text names that type."""


def _reader(field: FieldDescriptor) -> _Read:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _hex if field.name in _HEX_FIELDS else _base64
    return _READERS.get(field.cpp_type, _text)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _Misfit("a string")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise _Misfit("true or false")
    return value


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    raise _Misfit("an integer or a decimal string")


def _enum(value: Any) -> int:
    if type(value) is int:
        return value
    raise _Misfit("an integer; OTLP/JSON has no enum names")


def _double(value: Any) -> float:
    if type(value) is str and value in _SPECIAL_DOUBLES:
        return _SPECIAL_DOUBLES[value]
    if type(value) in (int, float, str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise _Misfit("a number") from None
        if math.isfinite(number):
            return number
    raise _Misfit('a finite number, "NaN" or "Infinity"')


def _hex(value: Any) -> bytes:
    try:
        return binascii.unhexlify(_text(value))
    except ValueError:
        raise _Misfit("hex digits") from None


def _base64(value: Any) -> bytes:
    text = _text(value).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise _Misfit("base64") from None


_READERS: Final[dict[int, _Read]] = {
    FieldDescriptor.CPPTYPE_INT32: _integer,
    FieldDescriptor.CPPTYPE_INT64: _integer,
    FieldDescriptor.CPPTYPE_UINT32: _integer,
    FieldDescriptor.CPPTYPE_UINT64: _integer,
    FieldDescriptor.CPPTYPE_DOUBLE: _double,
    FieldDescriptor.CPPTYPE_FLOAT: _double,
    FieldDescriptor.CPPTYPE_BOOL: _flag,
    FieldDescriptor.CPPTYPE_ENUM: _enum,
}
