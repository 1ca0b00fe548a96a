"""How large a request becomes in memory, told from its bytes before anything is made of them.

A message inside a message takes two bytes on the wire at least, and 40 to 180 in memory: 16 MiB of nothing but empty
attributes would become 700. So the messages of a large request are counted first, as far as it takes to know that
there are too many. Most are let through by a bound on their number. Of others the levels are read one by one, as bytes;
and of a message for which even that could take too much, a loop goes from field to field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from aftertrace.ingest.otlp_json import MAX_MESSAGE_DEPTH

_MIN_PART_BYTES: Final = 2
_TAGS_AT_A_TIME: Final = 2**20
"""Bytes that are looked through together; what Arrow makes of them takes three times as much."""
_TAGS_AT_ONCE: Final = 2**20
"""Bytes that look like tags in what is read together: up to 40 bytes of memory go to each, and a hundredth of a second
to all, in which nothing else runs."""
_LEVEL_BYTES: Final = 2**18
"""What is read together of small parts stays in the processor's cache, and may have any tags."""
_TOGETHER: Final = 2**10
"""So many parts are counted together at the most, however little is in them."""
_FIELDS_PER_PART: Final = 4
"""Fields that are no messages, to each that is one, until counting itself is too much."""
_MEMBERS_PER_OBJECT: Final = 32
_ODD_MEMBERS: Final = 1_000
"""An object of OTLP has 20 names at most; and somebody may add some of their own."""
_STRETCH_BYTES: Final = 2**18
"""How much JSON text is taken apart at a time."""
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def _eight(byte: int) -> pa.Scalar:
    """A word of eight times this byte. Not made of a number of Python's: for those Arrow looks for pandas, which takes
    40 MB.
    """
    return pa.Array.from_buffers(pa.uint64(), 1, [None, pa.py_buffer(bytes([byte] * 8))])[0]


_TWOS, _SEVENS, _EIGHTS = _eight(2), _eight(7), _eight(8)


def too_many(payload: bytes, kind: Any, at_most: int, at_most_of: Mapping[str, int] | None = None) -> bool:
    """Whether a message of this kind would hold more than so many others.

    `kind` is a descriptor. Two bounds that cost next to nothing let most requests through. Of messages of the names in
    `at_most_of` so many are too many as well, as far as these bounds let it be seen.

    Raises:
        DecodeError: it is no such message. Not all that is none is found here.
    """
    if len(payload) <= _MIN_PART_BYTES * at_most:
        return False
    return _tags(payload) > at_most and _is_over(payload, kind, at_most, dict(at_most_of or {}))


def _tags(payload: bytes) -> int:
    """At most so many bytes of it begin a field with a length, as each message within another is: those with 2 in their
    lowest three bits, and the last few.
    """
    words = pa.Array.from_buffers(pa.uint64(), len(payload) // 8, [None, pa.py_buffer(payload)])
    others = 0
    for start in range(0, len(words), _TAGS_AT_A_TIME // 8):
        # Eight bytes at once: 0 to 7 in each, 0 where it is a tag; then 8 in all but those.
        lowest = pc.bit_wise_and(pc.bit_wise_xor(words.slice(start, _TAGS_AT_A_TIME // 8), _TWOS), _SEVENS)
        marked = pc.bit_wise_and(pc.add(lowest, _SEVENS), _EIGHTS)
        others += pc.sum(pa.Array.from_buffers(pa.uint8(), 8 * len(marked), marked.buffers())).as_py() // 8
    return len(payload) - others


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


_Extent: TypeAlias = tuple[bytes, int, int]
"""Bytes, and where in them a message begins and ends, or several that are read as if they were one."""
_Level: TypeAlias = Iterator[tuple[Any, int, Sequence[_Extent]]]
"""Of a kind of messages, how many there are, and where."""


def _is_over(payload: bytes, kind: Any, at_most: int, left: dict[str, int]) -> bool:
    """Count, level by level. `left`: by name, how many messages of a kind there may still be; it is used up."""
    parts = 0
    todo = [((payload, 0, len(payload)), kind, 1, False)]
    while todo:
        (data, start, end), kind, depth, is_few = todo.pop()
        # What is in a message has no more tags than it.
        is_few = is_few or end - start <= _LEVEL_BYTES or _tags(data[start:end]) <= _TAGS_AT_ONCE
        level = _read(data[start:end], kind) if is_few else _walked(data, start, end, kind, at_most)
        for inner, found, extents in level:
            parts += found
            left[inner.name] = left.get(inner.name, at_most) - found
            if parts > at_most or left[inner.name] < 0:
                return True
            # Deeper ones the decoder refuses.
            if depth < MAX_MESSAGE_DEPTH and _messages(inner):
                todo += [(extent, inner, depth + 1, is_few) for extent in extents]
    return False


def _read(joined: bytes, kind: Any) -> _Level:
    """The messages right below one of a kind, by the protobuf library, which takes whatever is a message for bytes."""
    read = _flat(kind).FromString(joined)
    for field, inner in _messages(kind).values():
        found = getattr(read, field)
        if found:
            step = max(len(found) * _LEVEL_BYTES // len(joined), 1)
            pieces = [b"".join(found[start : start + step]) for start in range(0, len(found), step)]
            yield inner, len(found), [(piece, 0, len(piece)) for piece in pieces]


def _walked(data: bytes, start: int, end: int, kind: Any, at_most: int) -> _Level:
    """The same of one message, from field to field: small ones together, and large ones each where it is."""
    messages, small, small_bytes = _messages(kind), dict[int, list[bytes]](), 0
    position, fields = start, 0
    while position < end:
        fields += 1
        if fields > _FIELDS_PER_PART * at_most:
            # Not even what is no message may be without end: that is as if there were too many.
            yield kind, at_most + 1, ()
        tag, position = _varint(data, position, end)
        shape, number = tag & 7, tag >> 3
        if shape == _LENGTH:
            length, first = _varint(data, position, end)
            position = first + length
            if number in messages and length > _LEVEL_BYTES:
                yield messages[number][1], 1, [(data, first, min(position, end))]
            elif number in messages:
                found = small.setdefault(number, [])
                found.append(data[first : min(position, end)])
                small_bytes += length
                if len(found) == _TOGETHER or small_bytes > _LEVEL_BYTES:
                    yield from _together(messages, small)
                    small_bytes = 0
        elif shape == _VARINT:
            _, position = _varint(data, position, end)
        elif shape == _FIXED64:
            position += 8
        elif shape == _FIXED32:
            position += 4
        # Else the begin or the end of a group: nobody knows its fields, and they may count as ours.
    yield from _together(messages, small)


def _together(messages: Mapping[int, tuple[str, Any]], small: dict[int, list[bytes]]) -> _Level:
    """By the numbers of their fields, messages that are joined. Nothing is left of them."""
    for number, found in small.items():
        joined = b"".join(found)
        yield messages[number][1], len(found), [(joined, 0, len(joined))] if joined else ()
    small.clear()


@cache
def _flat(kind: Any) -> Any:
    """A kind of messages with fields of the same numbers, in which each message stands as its bytes."""
    made = DescriptorProto(name="Flat")
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            made.field.add(
                name=field.name,
                number=field.number,
                type=FieldDescriptorProto.TYPE_BYTES,
                label=FieldDescriptorProto.LABEL_REPEATED,
            )
        elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            # Of several the last one holds, where one that is unknown is kept.
            made.field.add(name=field.name, number=field.number, type=FieldDescriptorProto.TYPE_BYTES)
    file = FileDescriptorProto(name="flat.proto", package=kind.full_name, syntax="proto3", message_type=[made])
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{kind.full_name}.Flat"))


@cache
def _messages(kind: Any) -> dict[int, tuple[str, Any]]:
    return {
        field.number: (field.name, field.message_type)
        for field in kind.fields
        if field.type == FieldDescriptor.TYPE_MESSAGE
    }


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
