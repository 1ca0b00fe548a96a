"""Telemetry never steers a spreadsheet or a Markdown page."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.dashboards import hostile


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
