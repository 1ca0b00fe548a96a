"""Text of a sender shows as itself, every character of it visible."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from dashboards import stores
from hypothesis import example, given
from hypothesis import strategies as st

from aftertrace.analyzer.documents.visible import visible
from aftertrace.dashboards.plain import plain, plain_lines

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
anything = st.text(st.characters(), max_size=80)


@given(anything)
@example("\u202egnp.exe")
@example("\ufe0f\U000e0100\u115f")
def test_nothing_unseen_is_left(text: str) -> None:
    """No control, no direction mark, no zero-width, tag, private or unassigned character."""
    assert not [character for character in plain(text) if unicodedata.category(character) in UNSEEN]


@given(anything)
def test_plain_text_is_one_line_and_stays_as_it_is_the_second_time(text: str) -> None:
    """Escapes are made of visible characters only."""
    once = plain(text)
    assert len(once.splitlines()) <= 1
    assert plain(once) == once


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_not_touched(text: str) -> None:
    """Markup included: what is shown as text needs no escaping, and would be misread with it."""
    assert plain(text) == text


@given(anything, st.integers(min_value=0, max_value=100))
def test_what_is_cut_is_counted(text: str, most: int) -> None:
    """Never cut silently."""
    shown = plain(text, most=most)
    if len(text) <= most:
        assert shown == plain(text)
    else:
        assert shown == f"{plain(text[:most])} … (+{len(text) - most} characters)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm -rf /\u202etxt", "rm -rf /\\u202etxt"),
        ("a\u200bb", "a\\u200bb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("one\ntwo\ttab", "one\\ntwo\\ttab"),
        ("\U000e0041", "\\U000e0041"),
        ("Zürich 東京 ✓", "Zürich 東京 ✓"),
        ("\x1b[2J\x1b[1;1Howned", r"\x1b[2J\x1b[1;1Howned"),
        ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("del\x7f", r"del\x7f"),
        ("two\r\nlines\t", r"two\r\nlines\t"),
        ("user\u202egpj.exe", r"user\u202egpj.exe"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("zero\u200bwidth\u200d\ufeff", r"zero\u200bwidth\u200d\ufeff"),
        ("tag\U000e0041\U000e0042", r"tag\U000e0041\U000e0042"),
        ("hidden\ufe01\U000e0101", r"hidden\ufe01\U000e0101"),
        ("line\u2028separator\u2029", r"line\u2028separator\u2029"),
        ("lone \ud800", r"lone \ud800"),
        ("plain, Grüße, 日本, 🎉", "plain, Grüße, 日本, 🎉"),
    ],
)
def test_some_texts(text: str, shown: str) -> None:
    """By example."""
    assert plain(text) == shown


def test_lines_stay_lines_where_a_text_is_shown_as_a_person_saw_it() -> None:
    """Only line feeds; everything else unseen is written out."""
    assert plain_lines("Delete?\n\x1b[8mhidden\u2028end") == "Delete?\n\\x1b[8mhidden\\u2028end"


def test_the_corpus_holds_characters_that_must_be_written_out() -> None:
    """A negative control: the attacks on the pages are not tame."""
    assert sum(plain_lines(text) != text for text in stores.HOSTILE) >= 3


def test_documents_and_pages_write_out_the_same_characters() -> None:
    """Whatever one of them shows as it is, the other does; line feeds and tabs are space in documents."""
    every = [chr(code) for code in range(0x21, sys.maxunicode + 1)]
    odd = [one for one in every if (visible(one) == one) != (plain(one) == one) and not one.isspace()]
    assert odd == []
