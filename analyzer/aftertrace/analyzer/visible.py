"""Text from telemetry as a document may show it: one line, cut, and every character that nobody can see written out.

Direction marks turn `rm` around, zero-width and tag characters hide words, controls steer a terminal. What is markup is
a matter of the format: `markdown` and `html` escape that.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

CELL_CHARACTERS: Final = 120
"""Longer values are cut."""
EXCERPT_CHARACTERS: Final = 4_000
"""As much is shown of a text in lines of its own."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph: controls, format characters, surrogates, private use, unassigned, separators."""
_FILLERS: Final = frozenset((0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0))
"""Characters of other categories that leave a blank."""
_SUSPECT: Final = re.compile(r"[^ -~]")


def visible(value: Any, characters: int = CELL_CHARACTERS) -> str:
    """A value as one line of at most so many characters, with `‹U+202E›` for each that cannot be seen; None is empty.

    It is cut before the characters are written out, so that a text of nothing else stays in bounds too.
    """
    text = "" if value is None else str(value)
    # No more is looked at than could be shown: a text may be megabytes long.
    text = " ".join(text[: characters * 8].split()) + ("…" if len(text) > characters * 8 else "")
    if len(text) > characters:
        text = text[: characters - 1] + "…"
    return _SUSPECT.sub(lambda match: _shown(match.group()), text)


def visible_lines(text: str, characters: int) -> list[str]:
    """The lines of a text of at most so many characters, spaces kept, with `‹U+202E›` for what cannot be seen."""
    shown = text[:characters].replace("\r\n", "\n").expandtabs(4)
    return [_SUSPECT.sub(lambda match: _shown(match.group()), line) for line in shown.split("\n")]


def edges(text: str) -> tuple[str, str]:
    """A space before a piece of a line, and one after it, where it has any: they part it from its neighbours."""
    return " " if text[:1] == " " else "", " " if text.strip() and text[-1:] == " " else ""


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    code = ord(character)
    varies = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F
    if unicodedata.category(character) in _UNSEEN or varies or code in _FILLERS:
        return f"‹U+{code:04X}›"
    return character
