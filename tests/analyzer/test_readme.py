"""The analyzer's page shows the judgement, and what was measured on recordings, as they are."""

from __future__ import annotations

from . import readme, test_fixtures

PAGE = readme.PAGE.read_text("utf-8")


def test_the_rules_of_the_page_are_the_rules_of_the_judgement() -> None:
    """In their order, with what each says; `make docs` writes them."""
    assert readme.shown(PAGE, "rules") == readme.rules_table(), "stale: run make docs"


def test_the_recordings_of_the_page_are_those_that_are_held_to_their_truth() -> None:
    """Every emitter with its calls, every exception with its reason; `make docs` writes them."""
    shown = readme.shown(PAGE, "recordings")
    assert shown == readme.recordings_table(), "stale: run make docs"
    assert shown.count("\n* ") == len(test_fixtures.EXCEPTIONS)


def test_a_page_that_is_stale_is_written_anew() -> None:
    """Between the markers alone."""
    stale = PAGE.replace("| Mastra | 6 |", "| Mastra | 9 |")
    assert stale != PAGE
    assert readme.text(stale) == PAGE
