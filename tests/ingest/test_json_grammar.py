"""OTLP/JSON is JSON first: every production of RFC 8259, and what is next to each, is read or refused as the RFC says.

What stands under a name that OTLP does not know is ignored, so that any value can be tried: `{"x": VALUE}` is an empty
request if VALUE is JSON, and refused if not. An independent parser is the judge of what is too long to list.
"""

from __future__ import annotations

import itertools
import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.otlp_json import decode
from aftertrace.store.errors import Invalid


def verdict(body: bytes) -> str:
    """What is said of a request; nothing if it is an empty one."""
    try:
        assert decode(body, "logs").ByteSize() == 0
    except Invalid as error:
        return str(error)
    return ""


def reads(value: bytes) -> bool:
    """Whether this value is taken for JSON, inside a request; alone it is no request, and never taken for one."""
    said = verdict(b'{"x":' + value + b"}")
    assert {each.partition(": ")[0] for each in (verdict(b"[" + value + b"]"), said) if each} == {"read logs request"}
    return not said


def refused(values: list[bytes]) -> list[bytes]:
    """Those that are not read."""
    return [value for value in values if not reads(value)]


SIGNS = ("", "-", "+", "--", "- ", "−")
WHOLE = ("0", "7", "10", "1234567890123456789012", "", "00", "01", "0x1", "1_0", "1 0", "１", "Infinity", "NaN", "inf")
FRACTIONS = ("", ".5", ".00", ".", "..5", ".5.5", ",5,")
EXPONENTS = ("", "e1", "E+1", "e-07", "e9999", "e", "e+", "ee1", "e1.5", "e 1", "f")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""RFC 8259, section 6."""


def test_numbers_are_those_of_the_grammar() -> None:
    """Every sign, whole part, fraction and exponent with every other; the value may be beyond any range."""
    texts = ["".join(parts) for parts in itertools.product(SIGNS, WHOLE, FRACTIONS, EXPONENTS)]
    verdicts = {text: reads(text.encode()) for text in texts}
    assert {text for text, read in verdicts.items() if read} == {text for text in texts if NUMBER.fullmatch(text)}
    assert (sum(verdicts.values()), len(verdicts)) == (120, len(set(texts)))


def test_of_all_escapes_those_of_the_grammar_are_read() -> None:
    """Eight characters, and four hex digits behind a `u` in lower case; digits of Unicode are none."""
    escapes = [rf'"\{chr(code)}"'.encode() for code in range(1, 128)]
    assert [each for each in escapes if reads(each)] == [rf'"\{each}"'.encode() for each in '"/\\bfnrt']
    digits = (
        "0000",
        "00e9",
        "00E9",
        "d83d",
        "FFFF",
        "",
        "0",
        "000",
        "00g0",
        "+123",
        "0x12",
        " 123",
        "１２３４",
        '12"4',
    )
    assert [each for each in digits if reads(rf'"\u{each}"'.encode())] == list(digits[:5])


def test_control_characters_do_not_stand_in_strings() -> None:
    """Those below the blank; the one above the tilde may."""
    assert [code for code in range(256) if not reads(b'"%c"' % code)] == [
        *range(32), ord('"'), ord("\\"), *range(128, 256)
    ]  # fmt: skip


SURROGATES = [rb'"\ud800"', rb'"\udc00"', rb'"\udc00\ud800"', rb'"\ud800x"', rb'"\ud800\u0041"', rb'{"\udfaa":0}']


def test_half_characters_are_ignored_where_nothing_is_read_and_refused_where_something_is() -> None:
    """RFC 8259, section 8.2, leaves it open. Protobuf cannot hold them."""
    assert refused(SURROGATES) == []
    for each in SURROGATES[:5]:
        with pytest.raises(Invalid, match="a value is out of its field's range"):
            decode(b'{"resourceLogs":[{"schemaUrl":%s}]}' % each, "logs")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x80", id="a continuation alone"),
        pytest.param(b"\xc3", id="a beginning alone"),
        pytest.param(b"\xe2\x82", id="cut off"),
        pytest.param(b"\xc0\xaf", id="two bytes for one"),
        pytest.param(b"\xe0\x80\xaf", id="three bytes for one"),
        pytest.param(b"\xf0\x80\x80\xaf", id="four bytes for one"),
        pytest.param(b"\xfc\x83\xbf\xbf\xbf\xbf", id="six bytes"),
        pytest.param(b"\xed\xa0\x80", id="half a character"),
        pytest.param(b"\xf4\x90\x80\x80", id="beyond Unicode"),
        pytest.param(b"\xff", id="never in UTF-8"),
        pytest.param("é".encode("latin-1"), id="Latin-1"),
    ],
)
def test_what_is_not_utf_8_is_refused_wherever_it_stands(raw: bytes) -> None:
    """In a value, in a key, between them, and in a number or an escape."""
    for value in (b'"%s"', b'{"%s":0}', b"[0%s]", b"1%s", b'"\\u00%s"', b'"\\%s"'):
        assert not reads(value % raw)


WORDS = [b"true", b"false", b"null"]
SPACES = [b" ", b"\t", b"\n", b"\r", b" \r\n\t "]


def test_words_and_white_space_are_those_of_the_grammar() -> None:
    """In small letters and whole; four characters are white, others of Unicode are not."""
    assert refused(WORDS) == []
    wrong = [b"True", b"NULL", b"nul", b"tru", b"truefalse", b"undefined", b"", b"None", b"yes", b"'a'", b"a", b"*"]
    assert refused(wrong) == wrong
    assert refused([space + b"[" + space + b"1" + space + b"]" + space for space in SPACES]) == []
    blanks = [blank.encode() + b"1" for blank in ("\f", "\v", "\0", "\u00a0", "\u2028", "\u2060", "\ufeff")]
    assert refused(blanks) == blanks


def test_keys_stand_once_and_comments_not_at_all() -> None:
    """Of a key that stands twice one reader takes the first, another the last: the RFC leaves open which."""
    twice = [b'{"a":1,"a":1}', rb'{"a":1,"\u0061":2}', b'[{"b":{"":0,"":0}}]']
    comments = [b"1//", b"1/**/", b"/*x*/1", b"1#", b"--1", b"<!-- -->1"]
    assert refused(twice + comments) == twice + comments
    assert refused([b'{"a":1,"A":1}', b'[{"a":1},{"a":1}]', b'{"a":{"a":1}}', b'"/*x*/"']) == []


@pytest.mark.parametrize("depth", [1, 10, 100, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"":', b"}]")])
def test_depth_ends_in_an_answer(opening: bytes, closing: bytes, depth: int) -> None:
    """Never in a crash; what does not close is refused at any depth."""
    assert not reads(opening * depth)
    assert reads(opening * depth + b"0" + closing * depth) == (depth < 1_000)


PIECES = [b"{", b"}", b"[", b"]", b":", b",", b'"a"', b'"b"', b"1", b"-0.5e-3", b"null", b"true", b" ", b'"', b"0"]
DOCUMENT = [
    b"{",
    b'"a"',
    b":",
    b"[",
    b"1",
    b",",
    b"{",
    b'"b"',
    b":",
    b"null",
    b"}",
    b"]",
    b",",
    b'"c"',
    b":",
    b"0",
    b"}",
]
"""An object, piece by piece."""


def judged(value: bytes) -> bool:
    """Whether an independent parser reads it at the same place, and no key stands twice."""
    body = b'{"x":' + value + b"}"
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    found: list[bool] = []
    json.loads(body, object_pairs_hook=lambda pairs: found.append(len(dict(pairs)) == len(pairs)))
    return all(found)


def test_a_document_with_a_piece_too_few_or_too_many_is_none() -> None:
    """Each left out, each doubled, each replaced by each other, each put before each: as the judge says."""
    changed = [b"".join(DOCUMENT)]
    for place, piece in itertools.product(range(len(DOCUMENT)), [b"", *PIECES]):
        changed.append(b"".join((*DOCUMENT[:place], piece, *DOCUMENT[place + 1 :])))
        changed.append(b"".join((*DOCUMENT[:place], piece, *DOCUMENT[place:])))
    verdicts = [(value, reads(value)) for value in changed]
    assert verdicts == [(value, judged(value)) for value in changed]
    assert 20 < sum(read for _, read in verdicts) < len(changed) / 2


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_any_pieces_are_judged_alike(value: bytes) -> None:
    """Also those that are no document with an error, but none at all."""
    assert reads(value) == judged(value)
