"""What the ledger holds of a row: one hash over every stored field, that tells nothing without the salt of its request.

::

    own     SHA-256("aftertrace/salt/v1" LF, salt, table, LF, index, ordinal)
    content SHA-256("aftertrace/content/v1" LF, table, LF, own, fields of the columns with content)
    leaf    SHA-256(00, "aftertrace/row/v1" LF, table, LF, content, fields of the other columns)

`fields` are the columns that are not null, in order of their names: each the name, a zero byte, the length of the value
in 4 bytes, and the value. Texts are UTF-8; whole numbers have 8 bytes, days count from 1970, and what has a point is as
IEEE 754 writes it. `index` and `ordinal` have 8 bytes; a row without ordinal has 0. All is little-endian. A column that
comes to be later changes no leaf of rows that do not have it.

The salt is 16 random bytes of a request, in its frame and its rows of `evidence`; its rows of `spans` and `events` have
the same. Without it nobody can test guesses against a leaf, so a row can go and its leaf stay, or its content go and
the hash of that stay. A row is shown to somebody with `own` alone, which says nothing of its neighbours.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from aftertrace.tlog.errors import Invalid

Kind: TypeAlias = Literal["text", "bytes", "int", "float", "date"]
Value: TypeAlias = str | bytes | int | float | date

SALT_TAG: Final = b"aftertrace/salt/v1\n"
CONTENT_TAG: Final = b"aftertrace/content/v1\n"
ROW_TAG: Final = b"\x00aftertrace/row/v1\n"
PLACE: Final = struct.Struct("<QQ")
CONTENT: Final[Mapping[str, frozenset[str]]] = {
    "evidence": frozenset({"record"}),
    "spans": frozenset({"attributes", "status_message"}),
    "events": frozenset({"arguments", "attributes", "content", "reason"}),
}
"""Columns that hold what people and agents wrote, by table."""
_EPOCH: Final = date(1970, 1, 1)
_LENGTH: Final = struct.Struct("<I")
_WHOLE: Final = struct.Struct("<q")
_POINT: Final = struct.Struct("<d")


def own_salt(salt: bytes, table: str, index: int, ordinal: int = 0) -> bytes:
    """What stands for the salt of its request where a row is shown."""
    return sha256(b"".join((SALT_TAG, salt, table.encode(), b"\n", PLACE.pack(index, ordinal)))).digest()


def row_leaf(table: str, own: bytes, row: Mapping[str, Value]) -> bytes:
    """The leaf of a row, given by its columns that are not null.

    Raises:
        Invalid: a value has no such form.
    """
    held, name = CONTENT[table], table.encode() + b"\n"
    content = sha256(b"".join((CONTENT_TAG, name, own, _fields(row, row.keys() & held)))).digest()
    return sha256(b"".join((ROW_TAG, name, content, _fields(row, row.keys() - held)))).digest()


def _fields(row: Mapping[str, Value], names: set[str]) -> bytes:
    return b"".join(_field(name, row[name]) for name in sorted(names))


def _field(name: str, value: Value) -> bytes:
    try:
        content = _content(value)
        return b"".join((name.encode(), b"\x00", _LENGTH.pack(len(content)), content))
    except (struct.error, UnicodeEncodeError):
        raise Invalid(f"read row: {name} holds what no column can") from None


def _content(value: Value) -> bytes:
    match value:
        case bytes():
            return value
        case str():
            return value.encode()
        case int():
            return _WHOLE.pack(value)
        case float():
            return _POINT.pack(value)
        case _:
            return _WHOLE.pack((value - _EPOCH).days)
