"""What stands in a record where large content was: which blob holds it, and how it was written there.

::

    [[by-reference:2026-11-22:<digest>:<bytes>:<spelling>:<check>]]

`digest` is a keyed digest of the content: equal contents of one store have equal ones, and nobody without the store's
key can test a guess. `check` is one of all the rest, so that no sender can write a reference: what is none of ours is
text like any other. The form needs no escape in JSON at any depth, so a content in a text is replaced where it stands,
and `spelling` tells how to write it to get the very bytes back.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

BEGINS: Final = "[[by-reference:"
"""How every reference begins."""
FORM: Final = (
    r"\[\[by-reference:(\d{4}-\d\d-\d\d):([a-z2-7]{32}):(\d{1,9})"
    r":(as-is|json|utf8|html)(2?):([a-z2-7]{16})\]\]"
)
"""A pattern of references, for RE2, Rust and Python."""
_FORM: Final = re.compile(FORM, re.ASCII)
_DIGEST_BYTES: Final = 20
_CHECK_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a content is that was taken out of a record."""

    day: date
    """Of receipt: the blob, and the key that it is encrypted with, are of that day."""
    digest: str
    """32 characters of base32: a keyed digest of the content."""
    size_bytes: int
    """Of the content in UTF-8."""
    spelling: str = "as-is"
    """How it is written where it stood: a name of `SPELLINGS`."""

    @property
    def name(self) -> str:
        """Names the blob, whatever the spelling: its day and digest."""
        return f"{self.day.isoformat()}/{self.digest}"


def digest_of(key: bytes, content: bytes) -> str:
    """The keyed digest of a content. `key` is the store's secret, at most 64 bytes."""
    return _written(hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=key, person=b"content"))


def written(reference: Reference, key: bytes) -> str:
    """The text of a reference. `found` is the inverse."""
    told = f"{reference.day.isoformat()}:{reference.digest}:{reference.size_bytes}:{reference.spelling}"
    return f"{BEGINS}{told}:{_check(told, key)}]]"


def found(text: str, key: bytes) -> Iterator[tuple[str, Reference]]:
    """The references in a text that were made with a store's key, each with its own text."""
    for match in _FORM.finditer(text):
        day, digest, size, spelling, twice, check = match.groups()
        if check == _check(f"{day}:{digest}:{size}:{spelling}{twice}", key):
            try:
                yield match[0], Reference(date.fromisoformat(day), digest, int(size), spelling + twice)
            except ValueError:
                continue


def is_like(text: str) -> bool:
    """Whether anything in a text has the form of a reference, whoever made it."""
    return _FORM.search(text) is not None


def _check(told: str, key: bytes) -> str:
    return _written(hashlib.blake2b(told.encode(), digest_size=_CHECK_BYTES, key=key, person=b"reference"))


def _written(digest: hashlib.blake2b) -> str:
    return base64.b32encode(digest.digest()).decode().lower()


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _utf8(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _html(text: str) -> str:
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\x00{ord(character):04x}")
    return _utf8(text).replace("\\u0000", "\\u")


SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "as-is": str,
    "json": _json,
    "utf8": _utf8,
    "html": _html,
    "json2": lambda text: _json(_json(text)),
    "utf82": lambda text: _utf8(_utf8(text)),
    "html2": lambda text: _html(_html(text)),
}
"""How a content may be written where it stands: as it is; as a text in JSON, with nothing beyond ASCII, in UTF-8, or in
UTF-8 that is safe in HTML, as Go writes it; and as a text in JSON that is a text in JSON.
"""
