"""Characters that a reader cannot see, and that may steer what is shown or hide what is said."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph: controls, format characters, surrogates, private use, unassigned, separators."""
_VARIATIONS: Final = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x180B, 0x180F))
"""First and last of the variation selectors: each can carry a hidden byte."""
_FILLERS: Final = frozenset((0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0))
"""Characters of other categories that leave a blank."""


@lru_cache(maxsize=4096)
def is_unseen(character: str) -> bool:
    """Whether one character, other than a space, leaves no mark of its own."""
    code = ord(character)
    return (
        unicodedata.category(character) in _CATEGORIES
        or code in _FILLERS
        or any(first <= code <= last for first, last in _VARIATIONS)
    )
