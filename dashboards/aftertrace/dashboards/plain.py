"""Text from telemetry as a page or a terminal may show it: what an agent wrote never steers what a reader sees.

On pages, data goes to places that take text as text (`st.text`, `st.code(language=None)`, cells, options of a select
box) and never to one that reads Markdown or HTML: no `st.markdown`, no caption, label, metric or tooltip of a widget.
That leaves the characters themselves: direction marks that turn `rm` around, zero-width and tag characters that hide
words, and controls that steer a terminal. Here they are written out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph: controls, format characters, surrogates, private use, unassigned, separators."""

_SUSPECT: Final = re.compile(r"[^ -~]")
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def plain(text: str, *, most: int | None = None) -> str:
    r"""The text on one line, every character that cannot be seen written as its escape, such as ``\n`` or ``\u202e``.

    Args:
        text: what the sender wrote.
        most: how many characters to keep; what was cut is counted at the end.
    """
    kept = text if most is None else text[:most]
    shown = _SUSPECT.sub(lambda match: _shown(match.group()), kept)
    cut = len(text) - len(kept)
    return f"{shown} … (+{cut:,} characters)" if cut else shown


def plain_lines(text: str) -> str:
    """Like `plain`, but line feeds stay: for a text that is shown exactly as a person saw it."""
    return "\n".join(plain(line) for line in text.split("\n"))


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    code = ord(character)
    if unicodedata.category(character) not in _UNSEEN and not _varies(code):
        return character
    if character in _ESCAPES:
        return _ESCAPES[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _varies(code: int) -> bool:
    """Variation selectors and blank fillers are marks nobody sees; each can carry a hidden byte."""
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or code in (0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0)
