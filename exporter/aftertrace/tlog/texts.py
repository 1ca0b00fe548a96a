"""How values are written in notes: base64, decimal numbers and names, each in one way only."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import MAX_SIZE

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def base64(content: bytes) -> str:
    """Standard base64 with padding."""
    return b64encode(content).decode("ascii")


def from_base64(text: str, what: str) -> bytes:
    """The inverse of `base64`.

    Raises:
        Invalid: it is not base64, or not as `base64` writes it: bits that say nothing have to be zero.
    """
    try:
        content = b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        content = b""
    if not content or base64(content) != text:
        raise Invalid(f"read {what}: {len(text)} characters, expected base64")
    return content


def from_decimal(text: str, what: str) -> int:
    """A number from 0 to `MAX_SIZE` in ASCII digits.

    Raises:
        Invalid: it is another one, or has zeros before it.
    """
    if not _NUMBER.fullmatch(text) or int(text) > MAX_SIZE:
        raise Invalid(f"read {what}: {len(text)} characters, expected a number from 0 to {MAX_SIZE}")
    return int(text)


def checked_name(name: str) -> str:
    """The name of a key.

    Raises:
        Invalid: it is empty, or has spaces, a plus or control characters in it.
    """
    if not name or "+" in name or any(letter.isspace() or letter < " " for letter in name) or not is_text(name):
        raise Invalid("read key name: empty, or with a space, a plus or a control character in it; expected a name")
    return name


def is_text(text: str) -> bool:
    """Whether a note can hold it: no control characters but line ends, nothing that UTF-8 cannot write."""
    return not any((letter < " " and letter != "\n") or "\ud800" <= letter <= "\udfff" for letter in text)
