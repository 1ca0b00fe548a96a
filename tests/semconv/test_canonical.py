"""Canonical JSON: the RFC's own vectors, another implementation, and what must be refused."""

from __future__ import annotations

import json
import struct
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.semconv.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    NotADigest,
    NotCanonical,
    canonical_json,
    digest,
    digest_json,
    parse_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_it_agrees_with_another_implementation(value: Any) -> None:
    """Byte for byte what the `rfc8785` package writes."""
    assert canonical_json(value) == rfc8785.dumps(value)


@given(VALUES)
def test_reading_it_back_and_writing_it_again_changes_nothing(value: Any) -> None:
    """The form is a fixed point, whichever order the keys came in."""
    written = canonical_json(value)
    assert canonical_json(json.loads(written, parse_int=float)) == written


@given(st.integers(0, 2**64 - 1))
def test_every_float_is_spelled_as_ecmascript_does(bits: int) -> None:
    """All bit patterns: a finite one as the other implementation has it, the others refused."""
    value = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    if value != value or value in (float("inf"), float("-inf")):
        with pytest.raises(NotCanonical):
            canonical_json(value)
    else:
        assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("bits", "spelling"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_the_numbers_of_the_rfc(bits: str, spelling: str) -> None:
    """RFC 8785 appendix B."""
    assert canonical_json(struct.unpack(">d", bytes.fromhex(bits))[0]) == spelling.encode()


def test_the_example_of_the_rfc() -> None:
    """RFC 8785 section 3.2.2: literals, numbers and a string with every kind of escape."""
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
             "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
             "literals": [null, true, false]}"""
    )
    assert (
        canonical_json(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_utf16_code_units() -> None:
    """RFC 8785 section 3.2.3: U+1F600 is written before U+FB33, although its code point is the greater."""
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    written = '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'
    assert canonical_json(value) == written.encode()


class Colour(StrEnum):
    """A string that is more than a string."""

    RED = "red"


class Size(IntEnum):
    """A number that is more than a number."""

    BIG = 3


@pytest.mark.parametrize("beside", [None, 0.5])
def test_enums_and_tuples_are_written_as_what_they_hold(beside: float | None) -> None:
    """On both paths: with the C encoder and, because of a float beside them, without."""
    end = b"0.5" if beside else b"null"
    assert canonical_json({"a": (Colour.RED, Size.BIG, beside)}) == b'{"a":["red",3,' + end + b"]}"


def looped() -> list[Any]:
    """A list that contains itself twice: a walk that is not careful doubles at each step."""
    loop: list[Any] = []
    loop += [loop, loop]
    return loop


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: float("nan"), "NaN or an infinity"),
        (lambda: [float("-inf")], "NaN or an infinity"),
        (lambda: {"a": MAX_INTEGER + 1}, "an integer beyond"),
        (lambda: -MAX_INTEGER - 1, "an integer beyond"),
        (lambda: {1: "a"}, "a key that is not a string"),
        (lambda: {"a": 1.5, None: "a"}, "a key that is not a string"),
        (lambda: "\ud800", "a lone surrogate"),
        (lambda: {"\udfff": 1.5}, "a lone surrogate"),
        (lambda: b"bytes", "type bytes"),
        (lambda: {"a": {1, 2}}, "type set"),
        (looped, "nesting deeper"),
    ],
)
def test_what_i_json_cannot_carry_is_refused(make: Callable[[], object], found: str) -> None:
    """Refused with the kind of fault, and never approximated."""
    with pytest.raises(NotCanonical, match=found):
        canonical_json(make())


@pytest.mark.parametrize("innermost", [1, 1.5])
def test_nesting_is_allowed_up_to_the_limit(innermost: float) -> None:
    """The limit itself passes and one more does not, on both paths."""
    value: object = innermost
    for _ in range(MAX_DEPTH):
        value = [value]
    assert json.loads(canonical_json(value)) == value
    with pytest.raises(NotCanonical):
        canonical_json([value])


def test_digests_say_their_algorithm() -> None:
    """The digest of a JSON value is that of its canonical bytes, whatever the order of its keys."""
    assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_json({"b": 1.0, "a": 2}) == digest_json({"a": 2, "b": 1}) == digest(b'{"a":2,"b":1}')
    assert parse_digest(digest(b"")) == ("sha256", digest(b"").removeprefix("sha256:"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "a" * 64,
        "md5:" + "a" * 32,
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        " sha256:" + "a" * 64,
    ],
)
def test_what_is_not_a_digest_is_refused(text: str) -> None:
    """No guessing of algorithms, no repair of case or white space."""
    with pytest.raises(NotADigest):
        parse_digest(text)


@given(st.text() | st.from_regex(r"\Asha(256|512):[0-9a-f]*\Z"))
def test_parsing_a_digest_answers_or_refuses(text: str) -> None:
    """Whatever the text: what it parsed, put together again, is the text."""
    try:
        algorithm, hex_digits = parse_digest(text)
    except NotADigest:
        return
    assert f"{algorithm}:{hex_digits}" == text
