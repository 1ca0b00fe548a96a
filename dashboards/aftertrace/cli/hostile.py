"""Text from telemetry, made safe to show: what an agent wrote never steers a terminal or a spreadsheet.

An agent that was prompt-injected chooses tool names, arguments and reasons. Escape sequences would move the cursor or
write the clipboard, direction marks would show `rm` as something else, zero-width and tag characters would hide
instructions, and a cell that starts with ``=`` would be run by a spreadsheet. All of them are made visible instead.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph of their own: controls, format characters (direction marks, zero-width, tags),
surrogates, private use, unassigned, line and paragraph separators."""

_SUSPECT: Final = re.compile(r"[^ -~]")
_FORMULA: Final = re.compile(r"[\s\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")


def visible(text: str) -> str:
    r"""The text with every character that cannot be seen written as its escape, such as ``\x1b`` or ``\u202e``.

    The result is one line. A backslash stays as it is, so the result is for reading, not for reading back.
    """
    return _SUSPECT.sub(lambda found: _shown(found.group()), text)


def visible_lines(text: str) -> str:
    """Like `visible`, but line feeds stay: for reports that aftertrace itself laid out in lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def cell(text: str) -> str:
    """The text as a CSV cell that no spreadsheet takes for a formula: visible, with ``'`` before what could be one.

    Source: OWASP, CSV Injection. The full-width forms of the four signs count, since spreadsheets fold them.
    """
    return "'" + visible(text) if _FORMULA.match(text) else visible(text)


def markdown(text: str) -> str:
    """The text as a Markdown table cell that renders as itself: no markup, no link, no column of its own."""
    escaped = re.sub(r"([\\`*_\[\]<>!|~&$])", r"\\\1", visible(text))
    return re.sub(r"(?i)\b(https?|ftp|www)(?=[:.])", r"\1\\", escaped)


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    code = ord(character)
    if unicodedata.category(character) not in _UNSEEN and not _selects_a_variation(code):
        return character
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _selects_a_variation(code: int) -> bool:
    """Variation selectors are invisible marks that can carry hidden bytes, one each."""
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
