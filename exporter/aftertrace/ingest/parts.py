"""How large a request becomes in memory, told from its bytes before anything is made of them.

A message inside a message takes two bytes on the wire at least, and 40 to 180 in memory: 16 MiB of nothing but empty
attributes would become 700. So the messages of a large request are counted first, as far as it takes to know that
there are too many. Most are let through by a bound on their number. Of others the levels are read one by one, as bytes;
and through a large message a loop goes from field to field.

A call into a library keeps all other threads waiting, honest senders' too: none is given more than takes it a
thousandth of a second, and after each of these there is a pause.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_LEVEL_BYTES: Final = 2**16
"""What the library reads together: messages of two bytes each take it a thousandth of a second."""
_TOGETHER: Final = 2**10
"""So many parts are counted together at the most, however little is in them."""
_FIELDS_PER_PART: Final = 4
"""So many fields a message may have to each part that a request may: in JSON as many values are too many."""
_MEMBERS_PER_OBJECT: Final = 32
_ODD_MEMBERS: Final = 1_000
"""An object of OTLP has 20 names at most; and somebody may add some of their own."""
_STRETCH_BYTES: Final = 2**15
"""How much JSON text is looked at together: in less than a thousandth, whatever it is."""
_TURN_S: Final = 0.001
_PAUSE_S: Final = 0.001
"""After each turn of counting others go first for so long: between two threads that both want to run, each waits for
the other whenever it needs the interpreter, and an honest request needs it several times."""
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES: Final = 10
"""No varint is longer."""


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
    for position in range(0, len(words), _TAGS_AT_A_TIME // 8):
        # Eight bytes at once: 0 to 7 in each, 0 where it is a tag; then 8 in all but those.
        lowest = pc.bit_wise_and(pc.bit_wise_xor(words.slice(position, _TAGS_AT_A_TIME // 8), _TWOS), _SEVENS)
        marked = pc.bit_wise_and(pc.add(lowest, _SEVENS), _EIGHTS)
        others += pc.sum(pa.Array.from_buffers(pa.uint8(), 8 * len(marked), marked.buffers())).as_py() // 8
    return len(payload) - others


def too_many_values(body: bytes, at_most: int) -> bool:
    """Whether JSON text holds more than so many values, or objects with more members than OTLP has names for.

    Each comma and each bracket outside of strings begins a value, and each colon a member. Many members in one object
    are parsed in one go, in which nothing else runs.
    """
    return _is_crowded(_stretches(body), at_most) and _is_crowded(_outside(body), at_most)


def _is_crowded(stretches: Iterable[bytes], at_most: int) -> bool:
    """The same of text without strings, or as if it had none."""
    values, spare, turn = 0, _ODD_MEMBERS, _Turn()
    for text in stretches:
        turn.pass_on()
        objects = text.count(b"{")
        values += text.count(b",") + objects + text.count(b"[")
        spare += _MEMBERS_PER_OBJECT * objects - text.count(b":")
        if values > at_most:
            return True
    return spare < 0


def _stretches(text: bytes) -> Iterator[bytes]:
    return (text[start : start + _STRETCH_BYTES] for start in range(0, len(text), _STRETCH_BYTES))


def _outside(body: bytes) -> Iterator[bytes]:
    """What stands outside of strings."""
    inside, escape = 0, b""
    for stretch in _stretches(body):
        plain = (escape + stretch).replace(rb"\\", b"")
        # Of what follows.
        escape = b"\\" if plain.endswith(b"\\") else b""
        pieces = plain.removesuffix(escape).replace(rb"\"", b"").split(b'"')
        yield b"".join(pieces[inside::2])
        inside = (inside + len(pieces) - 1) % 2


class _Turn:
    """Since when a thread counts without a pause."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    def pass_on(self) -> None:
        """Let others go first, if it has lasted long enough."""
        if time.perf_counter() - self._began_s > _TURN_S:
            time.sleep(_PAUSE_S)
            self._began_s = time.perf_counter()


_Extent: TypeAlias = tuple[bytes, int, int]
"""Bytes, and where in them a message begins and ends, or several that are read as if they were one."""
_Level: TypeAlias = Iterator[tuple[Any, int, Sequence[_Extent]]]
"""Of a kind of messages, how many there are, and where."""


def _is_over(payload: bytes, kind: Any, at_most: int, left: dict[str, int]) -> bool:
    """Count, level by level. `left`: by name, how many messages of a kind there may still be; it is used up."""
    parts, turn = 0, _Turn()
    todo = [((payload, 0, len(payload)), kind, 1)]
    while todo:
        (data, start, end), kind, depth = todo.pop()
        is_small = end - start <= _LEVEL_BYTES
        level = _read(data[start:end], kind) if is_small else _walked(data, start, end, kind, at_most, turn)
        for inner, found, extents in level:
            turn.pass_on()
            parts += found
            left[inner.name] = left.get(inner.name, at_most) - found
            if parts > at_most or left[inner.name] < 0:
                return True
            # Deeper ones the decoder refuses.
            if depth < MAX_MESSAGE_DEPTH and _messages(inner):
                todo += [(extent, inner, depth + 1) for extent in extents]
    return False


def _read(joined: bytes, kind: Any) -> _Level:
    """The messages right below one of a kind, by the protobuf library, which takes whatever is a message for bytes."""
    read = _flat(kind).FromString(joined)
    for field, inner in _messages(kind).values():
        found = getattr(read, field)
        if found:
            inside = b"".join(found)
            yield inner, len(found), [(inside, 0, len(inside))]


def _walked(data: bytes, start: int, end: int, kind: Any, at_most: int, turn: _Turn) -> _Level:
    """The same of one message, from field to field: small ones together, and large ones each where it is."""
    messages, small = _messages(kind), dict[int, list[bytes]]()
    position, small_bytes, together = start, 0, 0
    for fields in range(_FIELDS_PER_PART * at_most):
        if position >= end:
            break
        if not fields % _TOGETHER:
            turn.pass_on()
        # Most take one byte: no call for those.
        tag, position = (data[position], position + 1) if data[position] < 0x80 else _varint(data, position, end)
        shape = tag & 7
        if shape == _LENGTH:
            if position < end and data[position] < 0x80:
                length, first = data[position], position + 1
            else:
                length, first = _varint(data, position, end)
            position = first + length
            number = tag >> 3
            if number not in messages:
                continue
            if length > _LEVEL_BYTES:
                yield messages[number][1], 1, [(data, first, min(position, end))]
                continue
            if small_bytes + length > _LEVEL_BYTES or together == _TOGETHER:
                yield from _together(messages, small)
                small_bytes = together = 0
            small_bytes += length
            together += 1
            if number not in small:
                small[number] = []
            small[number].append(data[first:position] if position <= end else data[first:end])
        elif shape == _VARINT:
            _, position = _varint(data, position, end)
        elif shape == _FIXED64:
            position += 8
        elif shape == _FIXED32:
            position += 4
        # Else the begin or the end of a group: nobody knows its fields, and they may count as ours.
    yield from _together(messages, small)
    if position < end:
        # Not even what is no message may be without end: that is as if there were too many.
        yield kind, at_most + 1, ()


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
    for at in range(position, min(position + _VARINT_BYTES, end)):
        value |= (data[at] & 0x7F) << shift
        if data[at] < 0x80:
            return value, at + 1
        shift += 7
    # Cut off or without end: the decoder will say so.
    return value, end
