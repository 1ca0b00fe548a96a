"""Text from telemetry as a document may show it: one line, cut, and every character that nobody can see written out.

Direction marks turn `rm` around, zero-width and tag characters hide words, controls steer a terminal. What is markup is
a matter of the format: `markdown` and `html` escape that.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.semconv.unseen import is_unseen

CELL_CHARACTERS: Final = 120
"""Longer values are cut."""
EXCERPT_CHARACTERS: Final = 4_000
"""As much is shown of a text in lines of its own."""
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


def _shown(character: str) -> str:
    return f"‹U+{ord(character):04X}›" if is_unseen(character) else character
