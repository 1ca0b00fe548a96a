"""Characters that leave no mark are told from those that do."""

from __future__ import annotations

import pytest

from aftertrace.semconv.unseen import is_unseen


@pytest.mark.parametrize(
    ("characters", "unseen"),
    [
        ("aé漢😀 ̈", [False] * 6),
        ("\x00\x1b\x7f\u00ad\u200b\u202e\u2066\ufeff\U000e0041\ud800\ue000\U0003ffff", [True] * 12),
        ("\ufe00\ufe0f\u180b\u180f\U000e0100\U000e01ef", [True] * 6),
        ("\u034f\u115f\u17b4\u3164\uffa0", [True] * 5),
    ],
    ids=["seen", "categories", "variations", "fillers"],
)
def test_what_leaves_no_mark_is_unseen(characters: str, unseen: list[bool]) -> None:
    """Blanks that are letters by their category, and marks that only carry a byte, too."""
    assert [is_unseen(character) for character in characters] == unseen
