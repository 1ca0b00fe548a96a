"""Canonical JSON (RFC 8785) and tagged digests: who holds the same value computes the same text.

A digest is written ``sha256:<64 lower-case hex digits>``. The digest of a JSON value is that of its canonical
form, so key order, white space and the way in which a number was spelled do not matter.

RFC 8785 is defined over I-JSON (RFC 7493). What I-JSON cannot carry is refused, never approximated, because a
digest over an approximation would later "prove" something untrue:

- NaN and the infinities (section 3.2.2.3);
- integers beyond ±(2**53 − 1), which a reader in another language would round to a neighbour: carry them as
  strings (appendix D);
- lone surrogates (section 3.2.2.2);
- keys that are not strings, and types that JSON does not have;
- nesting deeper than `MAX_DEPTH`, a limit of ours: it ends values that contain themselves.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from json.encoder import encode_basestring
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

MAX_DEPTH: Final = 200
"""How many arrays and objects may stand inside one another."""

_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_PLAIN: Final = frozenset((str, bool, type(None)))
_HEX_DIGITS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST: Final = re.compile(r"([a-z0-9]{1,16}):([0-9a-f]{1,128})")


class NotCanonical(ValueError):
    """The value has no canonical JSON form. The message names the kind of fault and never the value."""


class NotADigest(ValueError):
    """The text is not a digest tagged with a known algorithm."""


def canonical_json(value: object) -> bytes:
    """Encode a JSON value in its canonical form: RFC 8785, UTF-8.

    Args:
        value: None, bool, int, float, str, and lists, tuples and dicts of them.

    Raises:
        NotCanonical: the value is outside what I-JSON can carry; the module's text lists the cases.
    """
    if type(value) is str:
        text = encode_basestring(value)
    else:
        text = _write(value) if _needs_care(value) else _ENCODER.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("canonical JSON: found a lone surrogate, expected Unicode text") from error


def digest(data: bytes) -> str:
    """Digest bytes: ``sha256:<hex>``."""
    return f"sha256:{sha256(data).hexdigest()}"


def digest_json(value: object) -> str:
    """Digest a JSON value by its canonical form. Raises `NotCanonical` where there is none."""
    return digest(canonical_json(value))


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold a text: JSON may name half a character, and Python puts one for a byte that is no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_digest(text: str) -> tuple[str, str]:
    """Split a tagged digest into its algorithm and its lower-case hex digits.

    Raises:
        NotADigest: no tag, an algorithm other than sha256, sha384 or sha512, or digits of another length or
            case.
    """
    match = _DIGEST.fullmatch(text)
    if match is None or len(match[2]) != _HEX_DIGITS.get(match[1]):
        raise NotADigest("digest: expected sha256:, sha384: or sha512: and that many lower-case hex digits")
    return match[1], match[2]


def _needs_care(value: object) -> bool:
    """Whether the C encoder would differ from RFC 8785: it spells floats otherwise and sorts by code points.

    Depth first, so that a value that contains itself reaches `MAX_DEPTH` at once, however often it does so.
    """
    care = False
    open_containers: list[Iterator[object]] = [iter((value,))]
    while open_containers:
        for item in open_containers[-1]:
            if type(item) in _PLAIN or isinstance(item, str):
                continue
            if isinstance(item, int):
                if not -MAX_INTEGER <= item <= MAX_INTEGER:
                    raise NotCanonical(
                        "canonical JSON: found an integer beyond ±(2**53 − 1), expected one that every "
                        "reader keeps exactly; carry it as a string"
                    )
            elif isinstance(item, float):
                if not isfinite(item):
                    raise NotCanonical("canonical JSON: found NaN or an infinity, expected a finite number")
                care = True
            elif isinstance(item, dict):
                care |= _has_wide_keys(item)
                open_containers.append(iter(item.values()))
                break
            elif isinstance(item, (list, tuple)):
                open_containers.append(iter(item))
                break
            else:
                raise NotCanonical(
                    f"canonical JSON: found a value of type {type(item).__name__}, expected a JSON value"
                )
        else:
            open_containers.pop()
        if len(open_containers) > MAX_DEPTH + 1:
            raise NotCanonical(
                f"canonical JSON: found nesting deeper than {MAX_DEPTH}, expected a finite, flatter value"
            )
    return care


def _has_wide_keys(members: dict[Any, object]) -> bool:
    """Whether a key lies outside the basic plane, where the orders of UTF-16 and of code points part."""
    try:
        keys = "".join(members)
    except TypeError:
        raise NotCanonical("canonical JSON: found a key that is not a string, expected strings") from None
    return not keys.isascii() and max(keys) > "\uffff"


def _write(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        members = sorted(value.items(), key=_utf16_order)
        return "{" + ",".join(f"{encode_basestring(key)}:{_write(item)}" for key, item in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_write, value)) + "]"
    return _ENCODER.encode(value)


def _utf16_order(member: tuple[str, object]) -> bytes:
    # Lone surrogates pass here; encoding the whole text reports them.
    return member[0].encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    """Spell a finite float as ECMAScript's ``Number::toString`` does (RFC 8785 section 3.2.2.3).

    Python's repr finds the same shortest digits; only their layout differs.
    """
    if value == 0:
        return "0"
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
