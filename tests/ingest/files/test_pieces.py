"""JSON files in pieces: every piece comes out as the text it was, however it is laid out and wherever a read ends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.ingest.files import pieces
from aftertrace.ingest.files.item import Refused
from aftertrace.ingest.files.pieces import Look, Piece
from aftertrace.store.errors import Invalid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.sampled_from('a"\\[]{},:\n é'), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('b"]}', max_size=3), inner, max_size=4),
    max_leaves=12,
)
INDENTS = st.sampled_from((None, 0, 2))


class Slowly(io.BytesIO):
    """Gives few bytes at a time, as a pipe may."""

    def read(self, size: int | None = -1) -> bytes:
        """At most seven."""
        return super().read(7 if size is None or size < 0 else min(size, 7))


def cut(text: str, form: pieces.Form, *split: str) -> list[tuple[str, Any]]:
    """Key and value of every piece of a text."""
    found = []
    for piece in pieces.read("x", Slowly(text.encode()), form, split=frozenset(split)):
        assert isinstance(piece, Piece)
        found.append((piece.key, json.loads(piece.text)))
    return found


@given(st.lists(JSON, max_size=5), INDENTS)
def test_a_list_is_cut_into_its_elements(values: list[Any], indent: int | None) -> None:
    """Whatever stands in their texts."""
    assert cut(json.dumps(values, indent=indent), "list") == [("", value) for value in values]


@given(st.dictionaries(st.text('k"]', max_size=3), JSON, max_size=5), INDENTS)
def test_an_object_is_cut_into_its_members(members: dict[str, Any], indent: int | None) -> None:
    """With their keys; the lists that are asked for come element by element."""
    text = json.dumps(members, indent=indent)
    assert cut(text, "object") == list(members.items())
    assert cut(text, "object", *members) == [
        (key, value) for key, held in members.items() for value in (held if isinstance(held, list) else [held])
    ]


def test_a_piece_says_in_which_line_it_begins() -> None:
    """Also after space, and where it is the only one of its line."""
    text = b'[\n  {"a":\n 1},\n\n  2, 3\n]'
    assert list(pieces.read("x", io.BytesIO(text), "list")) == [
        Piece(b'{"a":\n 1}', "x:2"),
        Piece(b"2", "x:5"),
        Piece(b"3", "x:5"),
    ]
    assert list(pieces.read("x", io.BytesIO(b"\xef\xbb\xbf{}\n\n [1] \n"), "lines")) == [
        Piece(b"{}", "x:1"),
        Piece(b"[1]", "x:3"),
    ]


def test_a_line_that_is_too_long_is_named_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have to fit into memory, several times over."""
    monkeypatch.setattr(pieces, "MAX_PIECE_BYTES", 20)
    found = list(pieces.read("x", io.BytesIO(b'{"a":"' + b"b" * 90 + b'"}\n{}\n'), "lines"))
    assert found == [Refused("x:1", "longer than 20 bytes, expected shorter lines"), Piece(b"{}", "x:2")]
    with pytest.raises(Invalid, match="x:1: a piece longer than 20 bytes"):
        list(pieces.read("x", Slowly(b'["' + b"b" * 90 + b'"]'), "list"))


@given(JSON.filter(lambda value: isinstance(value, list | dict)), st.data())
def test_json_that_is_cut_short_is_told(value: Any, data: st.DataObject) -> None:
    """What is whole of it is given before, and what follows the end is told too."""
    text = json.dumps(value).encode()
    form: pieces.Form = "list" if isinstance(value, list) else "object"
    short = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.raises(Invalid):
        list(pieces.read("x", io.BytesIO(short), form))
    with pytest.raises(Invalid, match="something follows"):
        list(pieces.read("x", Slowly(text + b"  \n" + text), form))


@given(JSON, st.data())
def test_what_is_whole_of_a_beginning_is_decoded(value: Any, data: st.DataObject) -> None:
    """Its first keys and elements; and any bytes at all give something or nothing, and never an error."""
    text = json.dumps([value, value, value]).encode()
    begun = pieces.begun(text[: data.draw(st.integers(1, len(text)))])
    assert isinstance(begun, list)
    assert begun[:-1] == [value] * (len(begun) - 1)
    assert pieces.begun(b"") is None


@given(st.binary(max_size=60) | st.text('[]{}",\\:1\n', max_size=60).map(str.encode), st.booleans())
def test_any_bytes_can_be_looked_at(head: bytes, is_whole: bool) -> None:
    """A first look decides, so it must not fail."""
    assert isinstance(pieces.look(head, is_whole=is_whole), Look)


@pytest.mark.parametrize(
    ("head", "is_whole", "expected"),
    [
        (b'{"a": 1}\n{"b": 2}\n', True, Look("lines", ({"a": 1}, {"b": 2}))),
        (b'{"a": 1}', True, Look("lines", ({"a": 1},))),
        (b'{"a": 1}\n{"b": [2, {"c"', False, Look("lines", ({"a": 1},))),
        (b'{"a": 1, "b": [2, {"c"', False, Look("lines", ({"a": 1, "b": [2, {}]},))),
        (b'{"a": bro\n{"b": 2}\n', True, Look("lines", ({"b": 2},))),
        (b'{\n  "a": 1,\n  "b": [\n', False, Look("object", ({"a": 1, "b": []},))),
        (b'[{"a": 1}, {"b": 2}]', True, Look("list", ({"a": 1}, {"b": 2}))),
        (b'[\n{"a": 1},\n{"b"', False, Look("list", ({"a": 1}, {}))),
        (b'[{"a": 1}]\n[{"b": 2}]\n', True, Look("lines", ([{"a": 1}], [{"b": 2}]))),
        (b"PK\x03\x04", True, Look("none")),
        (b"[" * 100_000, True, Look("none")),
        (b"", True, Look("none")),
    ],
)
def test_a_look_tells_the_form(head: bytes, is_whole: bool, expected: Look) -> None:
    """Lines, a list or one object over many lines, by what the beginning holds."""
    assert pieces.look(head, is_whole=is_whole) == expected
