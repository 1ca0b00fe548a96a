"""What stands where something was redacted. A token tells which rule it was, and no more than a policy lets it tell.

::

    [[redacted:github:k3xn5q2a7b]]                a keyed digest: equal secrets of one store have equal tokens
    [[redacted:us-ssn:random-c5zq7mfw2e]]         drawn anew each time: there are so few that all could be tried
    [[left-out:digest-only:7yqd4t6v2m]]           content that the configuration leaves out; the same kind of digest
    [[left-out:metadata-only]]                    likewise, and nothing of it is told
    [[redaction-error]]                           redaction failed on the value: it is gone rather than kept
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import Any, Final

import re2

from aftertrace.store.marks import DRAWN, LEFT_OUT, LEFT_OUT_DIGEST, REDACTION_NOTE

ERROR: Final = b"[[redaction-error]]"
NOTE: Final = REDACTION_NOTE
READING: Final = "aftertrace.redaction.reading"
"""Attribute of a record whose content was left out: what was read of it before (`ingest.readings`)."""
_CHARACTERS: Final = 10
_MOST_BYTES: Final = 120
_FORM: Final = re2.compile(
    rb"\[\[(?:redacted:[a-z0-9-]+:(?:random-)?[a-z2-7]{10}|redaction-error|left-out:[a-z-]+(?::[a-z2-7]{10})?"
    rb"|by-reference:[0-9-]{10}:[a-z2-7]{32}:[0-9]{1,9}:[a-z0-9-]{4,5}2?:[a-z2-7]{16})\]\]"
)
_LEFT_OUT_RULE: Final = re.compile(r"(?:^|, )(?:digest-only|metadata-only) ([0-9]{1,9})(?=,|$)", re.ASCII)
_DRAWN: Final = re2.compile(DRAWN.encode())


class Tokens:
    """Makes tokens under one store's key."""

    def __init__(self, key: bytes) -> None:
        """`key` is the store's secret, at most 64 bytes: without it nobody can tell what a token stands for."""
        self._key = key

    def of(self, rule: str, secret: bytes) -> bytes:
        """What stands for a secret: equal secrets can be joined and none can be guessed."""
        return f"[[redacted:{rule}:{self._digest(secret)}]]".encode()

    def random(self, rule: str) -> bytes:
        """What stands for a secret of so few possible values that whoever may send could try them all."""
        return f"[[redacted:{rule}:random-{_written(os.urandom(_CHARACTERS))}]]".encode()

    def left_out(self, mode: str, content: bytes) -> str:
        """What stands for content that is left out: in the mode `digest-only` with a keyed digest of it."""
        if mode != "digest-only":
            return f"[[left-out:{mode}]]"
        # What was drawn for a secret in it would make equal contents differ.
        drawn_out: bytes = _DRAWN.sub(rb"\1", content)
        return f"{LEFT_OUT_DIGEST}{self._digest(drawn_out)}]]"

    def _digest(self, secret: bytes) -> str:
        return _written(hashlib.blake2b(secret, digest_size=20, key=self._key, person=b"redaction").digest())


def is_token(data: bytes) -> bool:
    """Whether a value was redacted before, here or upstream."""
    return _FORM.fullmatch(data) is not None


def holds_token(data: bytes) -> bool:
    """Whether something in a value was redacted."""
    return _FORM.search(data) is not None


def is_left_out(value: Any) -> bool:
    """Whether this stands for content that is left out, all of it."""
    return isinstance(value, str) and value.startswith(LEFT_OUT) and is_token(value.encode("utf-8", "surrogatepass"))


def is_digest(value: Any) -> bool:
    """Whether this is a keyed digest of content that is left out: equal for equal contents of one store."""
    return is_left_out(value) and value.startswith(LEFT_OUT_DIGEST)


def holds_left_out(text: str) -> bool:
    """Whether something in a text is left out."""
    return LEFT_OUT in text


def left_out_count(note: str) -> int:
    """How many values of a record are left out, by its note."""
    return sum(int(times) for times in _LEFT_OUT_RULE.findall(note))


def token_end(data: bytes, position: int) -> int | None:
    """Where the token ends that begins here; None: none does."""
    match = _FORM.match(data, position)
    return None if match is None else int(match.end())


def in_token(data: bytes, start: int, end: int) -> bool:
    """Whether this is part of a token, whose rule may be called like a field: `[[redacted:access-token:…]]`."""
    begins = data.rfind(b"[[", max(0, start - _MOST_BYTES), end)
    return begins >= 0 and begins <= start and end <= (token_end(data, begins) or -1)


def _written(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower()[:_CHARACTERS]
