"""A terminal's screen: what a program drew over several writes is what a person reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .cli_agents.screen import Screen


def shown(*written: str, rows: int = 3, columns: int = 10) -> str:
    """What is on a small screen after these writes."""
    screen = Screen(rows, columns)
    for text in written:
        screen.write(text)
    return screen.text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (("one\r\ntwo",), "one\ntwo"),
        (("a\r\nb\r\nc\r\nd",), "b\nc\nd"),
        (("0123456789ab",), "0123456789\nab"),
        (("\x1b[31mred\x1b[0m \x1b]0;title\x07bold",), "red bold"),
        (("old text\x1b[1;1Hnew\x1b[K",), "new"),
        (("ask\x1b[2;1Htouch one", "\x1b[2;7Htwo"), "ask\ntouch two"),
        (("abc\x1b[2Dx",), "axc"),
        (("abc\x1b[G\x1b[2P",), "c"),
        (("abc\x1b[G\x1b[2@",), "  abc"),
        (("abc\x1b[G\x1b[2X",), "  c"),
        (("a\r\nb\r\nc\x1b[2J",), ""),
        (("a\r\nb\r\nc\x1b[2;1H\x1b[J",), "a"),
        (("a\r\nb\r\nc\x1b[2;2H\x1b[1J",), "\n\nc"),
        (("a\r\nb\r\nc\x1b[1;2r\x1b[2;1H\ndown",), "b\ndown\nc"),
        (("a\r\nb\r\nc\x1b[H\x1bMup",), "up\na\nb"),
        (("a\x1b7\x1b[3;1Hend\x1b8b",), "ab\n\nend"),
        (("main\x1b[?1049halternate",), "    altern\nate"),
        (("文x",), "文x"),
    ],
)
def test_what_is_drawn_over_stands_alone(written: tuple[str, ...], text: str) -> None:
    """Cursor, erasing and scrolling, as programs use them that redraw only what changed."""
    assert shown(*written) == text


def test_a_sequence_that_is_cut_between_two_writes_is_one() -> None:
    """A program's output comes in pieces of any length."""
    assert shown("one\x1b", "[2;1", "Htwo\x1b]0;ti", "tle\x07!") == "one\ntwo!"


def test_questions_to_the_terminal_are_handed_on() -> None:
    """Where the cursor is, and what it can do; the rest asks nothing."""
    screen = Screen(3, 10)
    assert screen.write("ab\x1b[6n\x1b[c\x1b[31m\x1b[?25l") == ["6n", "c"]
    assert screen.cursor == (1, 3)


def test_texts_are_found_however_they_are_wrapped() -> None:
    """All of them, as they are now: what was there before does not count."""
    screen = Screen(3, 10)
    screen.write("Do you want to proceed?")
    assert screen.shows("want to proceed", "Do you")
    assert not screen.shows("want to proceed", "cancel")
    screen.write("\x1b[2J")
    assert not screen.shows("Do you")


@given(st.lists(st.text(alphabet=st.sampled_from("a文\n\r\t\b\x1b[];?0159HJKABCDELMPXSTr7@\x07"))))
def test_nothing_that_is_written_breaks_it(written: list[str]) -> None:
    """It keeps its size."""
    screen = Screen(3, 10)
    for text in written:
        screen.write(text)
    assert len(screen.text.splitlines()) <= 3
    assert 1 <= screen.cursor[0] <= 3
    assert 1 <= screen.cursor[1] <= 10
