"""Telemetry never steers a terminal, a spreadsheet or a Markdown page."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.cli import hostile

HOSTILE = [
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
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_what_cannot_be_seen_is_written_as_its_escape(text: str, shown: str) -> None:
    """Controls, direction marks, zero-width, tag characters and lone surrogates all become visible."""
    assert hostile.visible(text) == shown


@given(st.text())
def test_visible_text_is_one_line_without_a_character_that_acts(text: str) -> None:
    """Whatever goes in, nothing comes out that a terminal would act on."""
    shown = hostile.visible(text)
    assert {unicodedata.category(character) for character in shown} & {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
        "Zp",
    } == set()
    assert shown == hostile.visible(shown), "showing it twice changes nothing"


def test_the_control_sees_a_text_that_was_not_escaped() -> None:
    """Negative control: the property above fails on the raw text."""
    raw = HOSTILE[0][0]
    assert {unicodedata.category(character) for character in raw} & {"Cc"}


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])  # full-width on purpose
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\n", "\t "])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(sign: str, before: str) -> None:
    """Signs count after blanks too, and in their full-width forms."""
    assert hostile.cell(f"{before}{sign}cmd|' /C calc'!A0").startswith("'")


def test_a_cell_that_begins_with_a_tab_or_return_is_quoted() -> None:
    """OWASP names both."""
    assert (hostile.cell("\tx"), hostile.cell("\rx"), hostile.cell("x=1")) == (r"'\tx", r"'\rx", "x=1")


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_row_of_cells_is_one_line_that_reads_back(texts: list[str]) -> None:
    """Cells hold no line feed, so a CSV file has one line per row and parses to the same cells."""
    cells = [hostile.cell(text) for text in texts]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    assert buffer.getvalue().count("\n") == 1
    assert next(csv.reader(io.StringIO(buffer.getvalue()))) == cells
    assert not any(cell[:1] in "=+-@\t\r" for cell in cells if cell)


@given(st.text())
def test_markdown_cells_hold_no_markup(text: str) -> None:
    """No unescaped character that opens a link, an image, code, a tag or a column is left."""
    bare = hostile.markdown(text).replace("\\\\", "").split("\\")
    rest = bare[0] + "".join(part[1:] for part in bare[1:])
    assert set(rest) & set("`*_[]<>!|~&$") == set()


def test_markdown_links_are_no_links() -> None:
    """A bare address is linked by many readers, and fetched by some."""
    assert hostile.markdown("see https://evil.example/x and www.evil.example") == (
        r"see https\://evil.example/x and www\.evil.example"
    )
