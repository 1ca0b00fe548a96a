"""Hypothesis strategies for OTLP requests of all three signals. Fields come from the descriptors of the official
messages, so that none is forgotten, and those of later versions are met as soon as the library has them.

`requests` holds messages as the official library writes them. `sent` is what any encoder may write: fields in any order
and more than once, numbers longer than need be, repeated ones packed or not, values that no enum has, unknown fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.ingest.wire import Slice

REQUESTS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)
MAX_DEPTH = 4
"""How far messages are nested in one another here; `test_otlp_json` has how far they may be."""
LENGTHS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}

texts = st.text(st.characters(codec="utf-8"), max_size=12)
uint64s = st.sampled_from([0, 1, 127, 128, 2**32 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
numbers = st.floats(allow_nan=False).map(lambda number: struct.pack("<d", number))


def varint(value: int, padding: int = 0) -> bytes:
    """Base-128; the padding is bytes that say nothing."""
    encoded = b""
    while value > 0x7F or padding:
        padding -= value <= 0x7F
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def field_of(number: int, body: bytes) -> bytes:
    """A field with a length."""
    return varint(number << 3 | LENGTH) + varint(len(body)) + body


def _unknown(number: int) -> list[st.SearchStrategy[bytes]]:
    group = varint(number << 3 | GROUP), varint(number << 3 | END_GROUP)
    return [
        uint64s.map(lambda value: varint(number << 3 | VARINT) + varint(value)),
        st.binary(min_size=8, max_size=8).map(lambda raw: varint(number << 3 | FIXED64) + raw),
        st.binary(min_size=4, max_size=4).map(lambda raw: varint(number << 3 | FIXED32) + raw),
        st.binary(max_size=5).map(lambda raw: field_of(number, raw)),
        st.binary(max_size=5).map(lambda raw: group[0] + field_of(7, raw) + group[1]),
    ]


unknown = st.sampled_from([*_unknown(1000), *_unknown(2**29 - 1)]).flatmap(lambda strategy: strategy)
"""A field that no version of OTLP has."""


def number_of(field: Any, value: int) -> tuple[int, bytes]:
    """A number on the wire as the field's type has it."""
    match field.type:
        case FieldDescriptor.TYPE_FIXED64 | FieldDescriptor.TYPE_SFIXED64:
            return FIXED64, struct.pack("<Q", value)
        case FieldDescriptor.TYPE_FIXED32 | FieldDescriptor.TYPE_SFIXED32:
            return FIXED32, struct.pack("<I", value & 0xFFFFFFFF)
        case FieldDescriptor.TYPE_UINT32 | FieldDescriptor.TYPE_SINT32:
            return VARINT, varint(value & 0xFFFFFFFF)
        case FieldDescriptor.TYPE_INT32 | FieldDescriptor.TYPE_ENUM:
            # Those below zero take ten bytes.
            return VARINT, varint(value & 0x7FFFFFFF | (0xFFFFFFFF80000000 if value & 0x80000000 else 0))
        case FieldDescriptor.TYPE_BOOL:
            return VARINT, varint(value & 1)
    return VARINT, varint(value)


@cache
def fields(field: Any, *, plain: bool, depth: int) -> st.SearchStrategy[bytes]:
    """One field, or one more of a repeated field."""
    tag = field.number << 3
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        bodies = messages(field.message_type, plain=plain, depth=depth + 1)
    elif field.type == FieldDescriptor.TYPE_STRING:
        bodies = texts.map(str.encode)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        size = LENGTHS.get(field.name, 8)
        bodies = st.binary(min_size=size, max_size=size) | st.binary(max_size=9)
    else:
        is_double = field.type == FieldDescriptor.TYPE_DOUBLE
        shape = FIXED64 if is_double else number_of(field, 0)[0]
        raws = uint64s.map(lambda value: number_of(field, value)[1])
        if is_double:
            raws = numbers if plain else numbers | st.binary(min_size=8, max_size=8)
        ones = raws.map(lambda raw: varint(tag | shape) + raw)
        if not field.is_repeated:
            return ones
        packed = st.lists(raws, max_size=3).map(lambda several: field_of(field.number, b"".join(several)))
        return packed if plain else packed | ones
    wires = bodies.map(lambda body: field_of(field.number, body))
    if plain:
        return wires
    return wires | bodies.map(lambda body: varint(tag | LENGTH, 1) + varint(len(body), 1) + body)


@cache
def messages(kind: Any, *, plain: bool, depth: int = 0) -> st.SearchStrategy[bytes]:
    """A message of this kind with some of its fields."""
    known = [
        fields(field, plain=plain, depth=depth)
        for field in kind.fields
        if depth < MAX_DEPTH or field.message_type is None
    ]
    if not known:
        return st.just(b"")
    is_choice = len(kind.oneofs) == 1 and len(kind.oneofs[0].fields) == len(kind.fields)
    many = 1 if is_choice and plain else max(2, 5 - 2 * depth)
    return st.lists(st.one_of(*known, *([] if plain else [unknown])), max_size=many).map(b"".join)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as some encoder wrote it, and what it is made of."""

    signal: Any
    body: bytes
    records: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class _Level:
    """A Resource* or Scope* message: its parts as they stand, and what counts of them."""

    wire: bytes
    head: bytes
    schema_url: str
    members: tuple[Any, ...]


def _levels(kind: Any, members: st.SearchStrategy[Any], *, plain: bool) -> st.SearchStrategy[_Level]:
    """Heads merge, of URLs the last one counts, and both may come after what they belong to."""
    parts = [
        messages(kind.fields_by_number[1].message_type, plain=plain, depth=1).map(lambda head: (1, head, head)),
        members.map(lambda member: (2, member, getattr(member, "wire", member))),
        members.map(lambda member: (2, member, getattr(member, "wire", member))),
        texts.map(lambda url: (3, url, url.encode())),
    ]
    if not plain:
        parts.append(unknown.map(lambda wire: (0, None, wire)))
    return st.lists(st.one_of(*parts), max_size=4).map(_level)


def _level(parts: list[tuple[int, Any, bytes]]) -> _Level:
    of = {place: [part for number, part, _ in parts if number == place] for place in (1, 2, 3)}
    wire = b"".join(field_of(number, body) if number else body for number, _, body in parts)
    return _Level(wire, b"".join(of[1]), of[3][-1] if of[3] else "", tuple(of[2]))


def _levels_of(kind: Any) -> tuple[Any, Any, Any]:
    """The descriptors of Resource*, Scope* and the record, of a request's."""
    resource = kind.fields_by_number[1].message_type
    scope = resource.fields_by_number[2].message_type
    return resource, scope, scope.fields_by_number[2].message_type


@cache
def _requests(signal: str, *, plain: bool) -> st.SearchStrategy[Sent]:
    resource, scope, record = _levels_of(REQUESTS[signal].DESCRIPTOR)
    scopes = _levels(scope, messages(record, plain=plain), plain=plain)
    groups = st.lists(_levels(resource, scopes, plain=plain), max_size=2)
    behind = st.just(b"") if plain else st.just(b"") | unknown
    return st.builds(partial(_request, signal), groups, behind)


def _request(signal: str, groups: list[_Level], behind: bytes) -> Sent:
    return Sent(signal, b"".join(field_of(1, group.wire) for group in groups) + behind, tuple(_slices(groups)))


def _slices(groups: list[_Level]) -> Iterator[Slice]:
    for group in groups:
        for scoped in group.members:
            for record in scoped.members:
                yield Slice(group.head, group.schema_url, scoped.head, scoped.schema_url, record)


sent = st.sampled_from(sorted(REQUESTS)).flatmap(lambda signal: _requests(signal, plain=False))
"""Requests as any encoder may write them."""

requests = st.sampled_from(sorted(REQUESTS)).flatmap(
    lambda signal: _requests(signal, plain=True).map(lambda made: (made.signal, REQUESTS[signal].FromString(made.body)))
)
"""Pairs of signal and request message, without NaN, which equals nothing."""


def complete(kind: Any, inside: tuple[Any, ...] = ()) -> list[bytes]:
    """Messages of this kind that have every field between them: one for each choice of a oneof, the rest in all."""
    if inside.count(kind) > 1:
        return [b""]
    found = {field: _full(field, (*inside, kind)) for field in kind.fields}
    choices = max([len(oneof.fields) for oneof in kind.oneofs] + [len(wires) for wires in found.values()], default=1)
    return [
        b"".join(
            wires[choice % len(wires)]
            for field, wires in found.items()
            if (oneof := field.containing_oneof) is None or oneof.fields[choice % len(oneof.fields)] is field
        )
        for choice in range(choices)
    ]


def _full(field: Any, inside: tuple[Any, ...]) -> list[bytes]:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        wires = [field_of(field.number, body) for body in complete(field.message_type, inside)]
        return [b"".join(wires)] if field.is_repeated else wires
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return [field_of(field.number, b"\x01" * LENGTHS[field.name] if field.name in LENGTHS else field.name.encode())]
    shape, raw = (FIXED64, struct.pack("<d", 0.5)) if field.type == FieldDescriptor.TYPE_DOUBLE else number_of(field, 3)
    return [field_of(field.number, raw * 2) if field.is_repeated else varint(field.number << 3 | shape) + raw]


def whole(signal: str) -> Sent:
    """A request whose records have every field there is."""
    kind = REQUESTS[signal].DESCRIPTOR
    resource, scope, record = _levels_of(kind)
    (resource_head,) = complete(resource.fields_by_number[1].message_type)
    (scope_head,) = complete(scope.fields_by_number[1].message_type)
    slices = tuple(Slice(resource_head, "schema_url", scope_head, "schema_url", each) for each in complete(record))
    (body,) = complete(kind)
    return Sent(signal, body, slices)
