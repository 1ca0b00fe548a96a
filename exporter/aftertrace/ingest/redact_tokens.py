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
from typing import Final

import re2

ERROR: Final = b"[[redaction-error]]"
NOTE: Final = "aftertrace.redaction.rules"
"""Attribute of a record, resource or scope that was changed: names of rules in order, each with how often it fired, as
in `github 1, password-field 2`. Where `evidence.redactions` is 0, its sender says so itself."""
_CHARACTERS: Final = 10
_MOST_BYTES: Final = 100
_FORM: Final = re2.compile(
    rb"\[\[(?:redacted:[a-z0-9-]+:(?:random-)?[a-z2-7]{10}|redaction-error|left-out:[a-z-]+(?::[a-z2-7]{10})?)\]\]"
)
_RANDOM: Final = re2.compile(rb"(\[\[redacted:[a-z0-9-]+:random)-[a-z2-7]{10}")


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
        digest = f":{self._digest(content)}" if mode == "digest-only" else ""
        return f"[[left-out:{mode}{digest}]]"

    def _digest(self, secret: bytes) -> str:
        return _written(hashlib.blake2b(secret, digest_size=20, key=self._key, person=b"redaction").digest())


def is_token(data: bytes) -> bool:
    """Whether a value was redacted before, here or upstream."""
    return _FORM.fullmatch(data) is not None


def token_end(data: bytes, position: int) -> int | None:
    """Where the token ends that begins here; None: none does."""
    match = _FORM.match(data, position)
    return None if match is None else int(match.end())


def in_token(data: bytes, start: int, end: int) -> bool:
    """Whether this is part of a token, whose rule may be called like a field: `[[redacted:access-token:…]]`."""
    begins = data.rfind(b"[[", max(0, start - _MOST_BYTES), end)
    return begins >= 0 and begins <= start and end <= (token_end(data, begins) or -1)


def without_random(text: str) -> str:
    """The text without what was drawn for tokens in it: two copies of a record have other ones."""
    if ":random-" not in text:
        return text
    found: bytes = _RANDOM.sub(rb"\1", text.encode("utf-8", "surrogatepass"))
    return found.decode("utf-8", "surrogatepass")


def _written(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower()[:_CHARACTERS]
