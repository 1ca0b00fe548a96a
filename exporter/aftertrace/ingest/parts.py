"""How large a request becomes in memory, told from its bytes before anything is made of them.

A message inside a message takes two bytes on the wire at least, and 40 to 180 in memory: 16 MiB of nothing but empty
attributes would become 700. So the messages of a large request are counted first, as far as it takes to know that
there are too many.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

_MIN_PART_BYTES: Final = 2
_TAGS: Final = bytes(range(0x0A, 0x80, 8)) + b"\0"
"""What a field that may be a message begins with, for the fields 1 to 15, which all of them are; and the last byte of
the same in more bytes than it needs."""
_FIELDS_PER_PART: Final = 4
"""Fields that are no messages, to each that is one, until counting itself is too much."""
_MEMBERS_PER_OBJECT: Final = 32
_ODD_MEMBERS: Final = 1_000
"""An object of OTLP has 20 names at most; and somebody may add some of their own."""
_STRETCH_BYTES: Final = 2**18
"""How much JSON text is taken apart at a time."""
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def too_many(payload: bytes, kind: Any, at_most: int) -> bool:
    """Whether a message of this kind would hold more than so many others. What is no protobuf is not looked at further.

    `kind` is a descriptor. Two bounds that cost next to nothing let most requests through.
    """
    if len(payload) <= _MIN_PART_BYTES * at_most or len(payload) - len(payload.translate(None, _TAGS)) <= at_most:
        return False
    return _walk(payload, kind, at_most)


def too_many_values(body: bytes, at_most: int) -> bool:
    """Whether JSON text holds more than so many values, or objects with more members than OTLP has names for.

    Each comma and each bracket outside of strings begins a value, and each colon a member. Many members in one object
    are parsed in one go, in which nothing else runs.
    """
    if _values(body) <= at_most and _spare(body) >= 0:
        return False
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    values = spare = inside = 0
    for start in range(0, len(plain), _STRETCH_BYTES):
        pieces = plain[start : start + _STRETCH_BYTES].split(b'"')
        outside = b"".join(pieces[inside::2])
        values += _values(outside)
        spare += _spare(outside) - _ODD_MEMBERS
        if values > at_most:
            return True
        inside = (inside + len(pieces) - 1) % 2
    return spare + _ODD_MEMBERS < 0


def _values(text: bytes) -> int:
    return text.count(b",") + text.count(b"{") + text.count(b"[")


def _spare(text: bytes) -> int:
    """How many members more there could be."""
    return _ODD_MEMBERS + _MEMBERS_PER_OBJECT * text.count(b"{") - text.count(b":")


@cache
def _messages(kind: Any) -> dict[int, Any]:
    return {field.number: field.message_type for field in kind.fields if field.type == FieldDescriptor.TYPE_MESSAGE}


def _walk(data: bytes, kind: Any, at_most: int) -> bool:
    parts = fields = 0
    todo = [(0, len(data), _messages(kind))]
    while todo:
        position, end, messages = todo.pop()
        while position < end:
            fields += 1
            if parts > at_most or fields > _FIELDS_PER_PART * at_most:
                return True
            tag, position = _varint(data, position, end)
            shape = tag & 7
            if shape == _LENGTH:
                length, position = _varint(data, position, end)
                inner = messages.get(tag >> 3)
                if inner is not None:
                    parts += 1
                    if length:
                        todo.append((position, min(position + length, end), _messages(inner)))
                position += length
            elif shape == _VARINT:
                _, position = _varint(data, position, end)
            elif shape == _FIXED64:
                position += 8
            elif shape == _FIXED32:
                position += 4
            # Else the begin or the end of a group: nobody knows its fields, and they may count as ours.
    return parts > at_most


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    # Cut off: the decoder will say so.
    return value, end
