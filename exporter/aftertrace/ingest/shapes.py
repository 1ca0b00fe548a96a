"""What secrets look like, at work: where a text holds one."""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from aftertrace.ingest import pii
from aftertrace.ingest.patterns import once
from aftertrace.ingest.redact_tokens import is_token
from aftertrace.ingest.secret_rules import Check, ShapeRule

# Behind a quoted line end there is no word boundary: `\nghp_…`.
_WORD: Final = r"(?:\b|\\[nrtbf]|\\u00[01][0-9a-fA-F])"
_ASSIGNED: Final = r"""[ \t\w.-]*[\s'"\\]*[=>:|,?]+(?:[\x60'"\s=\\]|\\[nrt])*[\w.=+/-]"""
"""What stands behind the name of a field that has a value."""


def signs_of(shapes: Iterable[ShapeRule]) -> Iterator[str]:
    """Patterns, of which one finds something in every text in which one of the shapes does. None of them counts from
    nearly every byte on: such counters multiply the states of an automaton.
    """
    fields = []
    for shape in shapes:
        if shape.field:
            fields.append(shape.field)
        else:
            yield shape.sign or shape.pattern
    if fields:
        yield f"(?i:{'|'.join(dict.fromkeys(fields))}){_ASSIGNED}"


class Shape:
    """A rule whose pattern is compiled when it is needed first: most never are."""

    def __init__(self, rule: ShapeRule) -> None:
        """Keep the rule."""
        self._rule = rule
        self._keywords = tuple(keyword.encode() for keyword in rule.keywords)

    def is_in(self, lowered: bytes) -> bool:
        """Whether a text in small letters can hold such a secret."""
        return not self._keywords or any(keyword in lowered for keyword in self._keywords)

    def found(self, data: bytes) -> Iterator[tuple[int, int, str, bytes]]:
        """Start, end, rule, and nothing as quotes, of each secret in a text."""
        rule = self._rule
        pattern = once(f"{_WORD}({rule.pattern})" if rule.word else rule.pattern)
        position = 0
        while (match := pattern.search(data, position)) is not None:
            start, end = self._span(match, pattern.groups)
            secret = data[start : start + _CHECKS[rule.check](data[start:end])]
            position = max(int(match.end()), position + 1)
            if secret and not is_token(secret) and self._is_secret(data, match, secret):
                yield start, start + len(secret), rule.rule, b""
                # What a pattern demands behind a secret may stand before the next one too.
                position = start + len(secret)

    def _span(self, match: Any, groups: int) -> tuple[int, int]:
        """Where the secret is in a match: in the group that says so, or all of it where that group is empty."""
        group = self._rule.group
        if group is None and self._keywords:
            group = next((number for number in range(1, groups + 1) if match.group(number)), 0)
        start, end = match.span(groups if group is None else group)
        if start == end:
            start, end = match.span()
        return start, end

    def _is_secret(self, data: bytes, match: Any, secret: bytes) -> bool:
        rule, allowed = self._rule, self._rule.allowed
        if rule.entropy and entropy_bits(secret) <= rule.entropy:
            return False
        lowered = secret.lower()
        if any(word.encode() in lowered for word in allowed.words):
            return False
        if any(once(pattern).search(secret) for pattern in allowed.secret):
            return False
        if any(once(pattern).search(match.group()) for pattern in allowed.match):
            return False
        return not (allowed.line and any(once(pattern).search(_line(data, match)) for pattern in allowed.line))


def entropy_bits(secret: bytes) -> float:
    """Shannon's entropy per byte, from how often each occurs: 0 for `aaaa`, 2 for `abcd`."""
    counted = Counter(secret).values()
    return -sum(times / len(secret) * math.log2(times / len(secret)) for times in counted)


def _line(data: bytes, match: Any) -> bytes:
    end = data.find(b"\n", match.end())
    return data[data.rfind(b"\n", 0, match.start()) + 1 : len(data) if end < 0 else end]


def _digit_bytes(secret: bytes) -> int:
    return len(secret) if any(0x30 <= byte <= 0x39 for byte in secret) else 0


def _basic_bytes(secret: bytes) -> int:
    try:
        return len(secret) if b":" in base64.b64decode(secret + b"=" * (-len(secret) % 4)) else 0
    except binascii.Error:
        return 0


_CHECKS: Final[dict[Check, Callable[[bytes], int]]] = {
    "none": len,
    "digit": _digit_bytes,
    "basic": _basic_bytes,
    "card": pii.card_bytes,
    "iban": pii.iban_bytes,
    "phone": pii.phone_bytes,
    "ip": pii.ip_bytes,
    "ssn": pii.ssn_bytes,
}
"""How much of what a pattern found is secret, from its beginning; 0: nothing."""
