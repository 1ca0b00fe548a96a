"""How texts are looked for: one pull request in all the ways it is written, and no number within a longer one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer import Invalid
from aftertrace.analyzer.finding.references import LEAST_CHARACTERS, sought

COMMIT = "3f2a9c1d5e6b7a8f9c0d1e2f3a4b5c6d7e8f9a0b"


@pytest.mark.parametrize(
    ("text", "within", "is_found"),
    [
        ("https://github.com/octo/demo/pull/12", "opened octo/demo#12 for review", True),
        ("octo/demo#12", '{"url":"https://github.com/octo/demo/pull/12"}', True),
        ("octo/demo#12", "GET /repos/octo/demo/pulls/12/files", True),
        ("github.com/octo/demo/issues/12", "octo/demo#12", True),
        ("https://gitlab.example/g/sub/p/-/merge_requests/3", "g/sub/p!3", True),
        ("octo/demo#12", "octo/demo#123", False),
        ("octo/demo#12", "https://github.com/other/demo/pull/12", False),
        ("octo/demo#12", "https://github.com/my-octo/demo/pull/12", False),
        (COMMIT, "[main 3f2a9c1] pay twice", True),
        ("3f2a9c1", f"commit {COMMIT}", True),
        (COMMIT, "[main 3f2a9c2] pay twice", False),
        (COMMIT, "[main 3f2a9c1dff] another with the same beginning", False),
        (COMMIT.upper(), "3f2a9c1", True),
        ("1042", '{"order":1042}', True),
        ("1042", '{"order":10420}', False),
        ("1042", '{"order":21042}', False),
        ("1042001", '{"order":10420019}', False),
        ("PAY-12", "see pay-12.", True),
        ("PAY-12", "see PAY-123", False),
        ("order 1042", "Order\n  1042 arrived broken", True),
        ("<20261121.7@mail.example>", "Message-ID: <20261121.7@mail.example>", True),
        ("a.b", "axb", False),
    ],
)  # fmt: skip
def test_the_same_thing_is_found_in_all_the_ways_it_is_written(text: str, within: str, is_found: bool) -> None:
    """And nothing else is."""
    looked_for = sought(text)
    assert (looked_for.snippet(within) is not None) is is_found
    if is_found:
        assert any(literal.lower() in within.lower() for literal in looked_for.literals)


def test_a_snippet_shows_what_stands_around() -> None:
    """A little before, more after, and that there is more."""
    text = "x" * 30 + " needle " + "y" * 60
    assert sought("needle").snippet(text) == "…" + "x" * 17 + " needle " + "y" * 35 + "…"
    assert sought("needle").snippet("needle") == "needle"


@pytest.mark.parametrize("text", ["", " ", "ab", " a  "])
def test_what_is_too_short_leads_nowhere(text: str) -> None:
    """And is said so."""
    with pytest.raises(Invalid, match=f"expected at least {LEAST_CHARACTERS}"):
        sought(text)


@given(st.text(min_size=3, max_size=50).filter(lambda text: len(" ".join(text.split())) >= 3))
def test_any_text_is_found_in_itself(text: str) -> None:
    """No text is a pattern, and a candidate is never missed."""
    looked_for = sought(text)
    spaced = " ".join(text.split())
    assert looked_for.snippet(spaced) is not None
    assert any(literal in spaced or literal in spaced.lower() for literal in looked_for.literals)
