"""How scalar values of OTLP/JSON are written as protobuf (protobuf.dev/programming-guides/encoding, `otlp_json`)."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

Write: TypeAlias = Callable[[Any, int], bytes]
"""A value, and how many messages it stands in: the field, with its tag."""

_HEX_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_SPECIAL_DOUBLES: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_SHORT: Final = tuple(bytes([size]) for size in range(0x80))
"""Varints of one byte."""


class Misfit(ValueError):
    """A value is not of its field's type; the text names that type."""


def tag(field: FieldDescriptor, shape: int = _LENGTH) -> bytes:
    """What stands before a field's value."""
    return _varint(field.number << 3 | shape)


def sized(mark: bytes, content: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    size_bytes = len(content)
    return mark + (_SHORT[size_bytes] if size_bytes < 0x80 else _varint(size_bytes)) + content


def scalar(field: FieldDescriptor) -> Write:
    """How the values of a field that is no message are written.

    What is written raises `Misfit` of a value of another type, and another `ValueError` of one that is out of range.
    """
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text_in(tag(field))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes_in(tag(field), _hex if field.name in _HEX_FIELDS else _base64)
    if field.type in _FIXED:
        shape, layout, read = _FIXED[field.type]
        return _fixed_in(tag(field, shape), struct.Struct(layout), read)
    least, most, read = _RANGES[field.type]
    return _varint_in(tag(field, _VARINT), least, most, read, is_zigzag=field.type == FieldDescriptor.TYPE_SINT32)


def _text_in(mark: bytes) -> Write:
    def write(value: Any, _: int) -> bytes:
        if type(value) is not str:
            raise Misfit("a string")
        return sized(mark, value.encode())

    return write


def _bytes_in(mark: bytes, read: Callable[[Any], bytes]) -> Write:
    return lambda value, _: sized(mark, read(value))


def _fixed_in(mark: bytes, layout: struct.Struct, read: Callable[[Any], Any]) -> Write:
    def write(value: Any, _: int) -> bytes:
        try:
            return mark + layout.pack(read(value))
        except struct.error as error:
            raise ValueError(str(error)) from None

    return write


def _varint_in(mark: bytes, least: int, most: int, read: Callable[[Any], int], *, is_zigzag: bool) -> Write:
    def write(value: Any, _: int) -> bytes:
        number = read(value)
        if not least <= number <= most:
            raise ValueError(f"expected a number from {least} to {most}")
        return mark + _varint(number << 1 ^ number >> 63 if is_zigzag else number)

    return write


def _varint(number: int) -> bytes:
    """Base-128; negative ones as 64 bits of two's complement."""
    if 0 <= number < 0x80:
        return _SHORT[number]
    number &= 0xFFFF_FFFF_FFFF_FFFF
    content = bytearray()
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    content.append(number)
    return bytes(content)


def _flag(value: Any) -> int:
    if type(value) is not bool:
        raise Misfit("true or false")
    return int(value)


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    raise Misfit("an integer or a decimal string")


def _enum(value: Any) -> int:
    if type(value) is int:
        return value
    raise Misfit("an integer; OTLP/JSON has no enum names")


def _double(value: Any) -> float:
    if type(value) is str and value in _SPECIAL_DOUBLES:
        return _SPECIAL_DOUBLES[value]
    if type(value) in (int, float, str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise Misfit("a number") from None
        if math.isfinite(number):
            return number
    raise Misfit('a finite number, "NaN" or "Infinity"')


def _hex(value: Any) -> bytes:
    if type(value) is not str:
        raise Misfit("a string")
    try:
        return binascii.unhexlify(value)
    except ValueError:
        raise Misfit("hex digits") from None


def _base64(value: Any) -> bytes:
    if type(value) is not str:
        raise Misfit("a string")
    text = value.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Misfit("base64") from None


_FIXED: Final[dict[int, tuple[int, str, Callable[[Any], Any]]]] = {
    FieldDescriptor.TYPE_DOUBLE: (_FIXED64, "<d", _double),
    FieldDescriptor.TYPE_FIXED64: (_FIXED64, "<Q", _integer),
    FieldDescriptor.TYPE_SFIXED64: (_FIXED64, "<q", _integer),
    FieldDescriptor.TYPE_FIXED32: (_FIXED32, "<I", _integer),
}
"""By type, its shape on the wire, its layout, and how a value is read."""
_RANGES: Final[dict[int, tuple[int, int, Callable[[Any], int]]]] = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1, _integer),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1, _integer),
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1, _enum),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1, _integer),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1, _integer),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1, _integer),
    FieldDescriptor.TYPE_BOOL: (0, 1, _flag),
}
"""By type, its least and greatest value, and how one is read. A type that is in neither is in no message of OTLP."""
