"""JSON as packets have it: written in one way, and read in no other.

One object a line: members in order of their names, ASCII, no space. What a reader of JSON may take in two ways (a name
twice, a number of another spelling) is refused, as is what only some can read (NaN, numbers without end).
"""

from __future__ import annotations

import json
from typing import Any, Final

from aftertrace.tlog.errors import Invalid

MAX_LINE_BYTES: Final = 128 << 20
"""Length of the longest line that is read: a record of 64 MiB in base64 fits."""


def line(value: dict[str, Any]) -> str:
    """An object as a line, with its end."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")) + "\n"


def parse(content: bytes, what: str) -> dict[str, Any]:
    """The inverse of `line`.

    Raises:
        Invalid: it is no object, or not written as `line` writes it.
    """
    if len(content) > MAX_LINE_BYTES:
        raise Invalid(f"read {what}: {len(content)} bytes, expected {MAX_LINE_BYTES} at most")
    try:
        value = json.loads(content)
        is_same = isinstance(value, dict) and line(value).encode() == content
    except (ValueError, RecursionError, UnicodeError):
        is_same = False
    if not is_same:
        raise Invalid(f"read {what}: not an object of JSON in one line, as aftertrace writes it")
    return dict(value)


def member(told: dict[str, Any], name: str, kind: type, what: str) -> Any:
    """A member of an object, of a kind.

    Raises:
        Invalid: it has none, or of another kind.
    """
    value = told.get(name)
    if type(value) is not kind:
        raise Invalid(f"read {what}: {name} is {type(value).__name__}, expected {kind.__name__}")
    return value


def number(told: dict[str, Any], name: str, what: str) -> int:
    """A member that is a whole number from 0 to 2^63 - 1.

    Raises:
        Invalid: it is none.
    """
    value: int = member(told, name, int, what)
    if not 0 <= value < 1 << 63:
        raise Invalid(f"read {what}: {name} is out of range, expected 0 to 2^63 - 1")
    return value


def members(told: dict[str, Any], name: str, kind: type, what: str) -> list[Any]:
    """A member that is a list of things of a kind.

    Raises:
        Invalid: it is none.
    """
    values: list[Any] = member(told, name, list, what)
    if any(type(value) is not kind for value in values):
        raise Invalid(f"read {what}: {name} has others in it, expected only {kind.__name__}")
    return values
