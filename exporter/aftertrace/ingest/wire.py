"""A walker over OTLP wire bytes: where each record starts and ends, without decoding any of them.

The three signals have one shape on the wire, down to the field numbers, so one walker serves them all::

    Export*ServiceRequest | *Data   1: Resource* (repeated)
    Resource*                       1: resource   2: Scope* (repeated)   3: schema_url
    Scope*                          1: scope      2: record (repeated)   3: schema_url

It follows the protobuf encoding rules (protobuf.dev/programming-guides/encoding): a singular message that
occurs more than once is merged, which for the wire format means concatenated; of a singular string the last
one holds; fields may come in any order; what is unknown is skipped. Records themselves are not looked into:
`prepare` has validated them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aftertrace.store.request import Signal

_VARINT, _FIXED64, _LENGTH, _GROUP, _END_GROUP, _FIXED32 = range(6)
_MAX_VARINT32_BYTES: Final = 5
_MAX_VARINT64_BYTES: Final = 10
_MAX_GROUP_DEPTH: Final = 100


class Slice(NamedTuple):
    """One record of a request, and what it belongs to: byte for byte as they stand on the wire."""

    resource: bytes
    """Resource message; empty when the sender gave none."""
    resource_schema_url: str
    scope: bytes
    """InstrumentationScope message; empty when the sender gave none."""
    scope_schema_url: str
    record: bytes
    """Span, LogRecord or Metric message."""


def split(payload: bytes, signal: Signal) -> Iterator[Slice]:
    """Every span, log record or metric of a request, in wire order. Raises `Invalid` where the wire format is
    broken.
    """
    for number, resource_start, resource_end in _fields(payload, 0, len(payload), signal):
        if number != 1:
            continue
        resource, resource_schema_url, scopes = _parts(payload, resource_start, resource_end, signal)
        for scope_start, scope_end in scopes:
            scope, scope_schema_url, records = _parts(payload, scope_start, scope_end, signal)
            for start, end in records:
                yield Slice(resource, resource_schema_url, scope, scope_schema_url, payload[start:end])


def _parts(data: bytes, start: int, end: int, signal: Signal) -> tuple[bytes, str, list[tuple[int, int]]]:
    """The head (resource or scope), schema URL and members of a Resource* or Scope* message."""
    heads: list[bytes] = []
    schema_url = b""
    members: list[tuple[int, int]] = []
    for number, first, last in _fields(data, start, end, signal):
        if number == 2:
            members.append((first, last))
        elif number == 1:
            heads.append(data[first:last])
        elif number == 3:
            schema_url = data[first:last]
    try:
        return b"".join(heads), schema_url.decode(), members
    except UnicodeDecodeError as error:
        raise _broken(signal, start, "a schema_url that is not UTF-8") from error


def _fields(data: bytes, start: int, end: int, signal: Signal) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each length-delimited field of the message in ``data[start:end]``; others are
    skipped.
    """
    position = start
    while position < end:
        tag, position = _varint(data, position, end, signal, _MAX_VARINT32_BYTES)
        kind, number = tag & 7, tag >> 3
        if number == 0 or tag >= 1 << 32:
            raise _broken(signal, position, "a field number out of range")
        if kind == _LENGTH:
            first, position = _extent(data, position, end, signal)
            yield number, first, position
        else:
            position = _skip(data, position, end, signal, kind, number, 1)


def _extent(data: bytes, position: int, end: int, signal: Signal) -> tuple[int, int]:
    length, first = _varint(data, position, end, signal, _MAX_VARINT32_BYTES)
    if length > end - first:
        raise _broken(signal, position, "a field that is longer than its message")
    return first, first + length


def _skip(data: bytes, position: int, end: int, signal: Signal, kind: int, number: int, depth: int) -> int:
    """The position after a field that is not read."""
    if kind == _VARINT:
        return _varint(data, position, end, signal, _MAX_VARINT64_BYTES)[1]
    if kind == _LENGTH:
        return _extent(data, position, end, signal)[1]
    if kind in (_FIXED64, _FIXED32):
        after = position + (8 if kind == _FIXED64 else 4)
        if after > end:
            raise _broken(signal, position, "a number that is cut off")
        return after
    if kind != _GROUP or depth > _MAX_GROUP_DEPTH:
        raise _broken(signal, position, "a wire type that cannot stand here")
    while True:
        tag, position = _varint(data, position, end, signal, _MAX_VARINT32_BYTES)
        inner, inner_number = tag & 7, tag >> 3
        # Number 0 is none, but what is passed over is not looked into: so does the decoder.
        if tag >= 1 << 32:
            raise _broken(signal, position, "a field number out of range")
        if inner == _END_GROUP:
            if inner_number != number:
                raise _broken(signal, position, "a group that ends as another one")
            return position
        position = _skip(data, position, end, signal, inner, inner_number, depth + 1)


def _varint(data: bytes, position: int, end: int, signal: Signal, limit: int) -> tuple[int, int]:
    """A base-128 number of at most `limit` bytes, and the position after it."""
    # Nearly all take one byte or two.
    if position < end and (byte := data[position]) < 0x80:
        return byte, position + 1
    if position + 1 < end and (next_byte := data[position + 1]) < 0x80:
        return byte & 0x7F | next_byte << 7, position + 2
    value = shift = 0
    for place in range(position, min(position + limit, end)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # Of ten bytes the decoder drops what is over 64 bits; five are tags and lengths, of which all count.
            return value & (1 << 64) - 1, place + 1
        shift += 7
    raise _broken(signal, position, "a number that does not end or is too long")


def _broken(signal: Signal, position: int, found: str) -> Invalid:
    return Invalid(
        f"read {signal} request: {found} at byte {position}, expected an OTLP protobuf message; "
        "check the sender's protocol setting and content type"
    )
