"""Text from telemetry as a page or a terminal may show it: what an agent wrote never steers what a reader sees.

On pages, data goes to places that take text as text (`st.text`, `st.code(language=None)`, cells, options of a select
box) and never to one that reads Markdown or HTML: no `st.markdown`, no caption, label, metric or tooltip of a widget.
That leaves the characters themselves: direction marks that turn `rm` around, zero-width and tag characters that hide
words, and controls that steer a terminal. Here they are written out.
"""

from __future__ import annotations

import re
from typing import Final

from aftertrace.semconv.unseen import is_unseen

_SUSPECT: Final = re.compile(r"[^ -~]")
DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
"""A digest, whose first group is as much of it as tells it from others."""
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


def _shown(character: str) -> str:
    if not is_unseen(character):
        return character
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
