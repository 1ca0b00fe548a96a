"""Texts as TOML, so that a file that is drafted from telemetry reads back exactly, and shows its reader all of them.

Characters that cannot be seen are written as their escapes: a name that is turned around on the screen would be
taken for another one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aftertrace.semconv.unseen import is_unseen

_SPECIAL: Final = re.compile(r"[^ !#-\[\]-~]")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LINE_CHARACTERS: Final = 100
"""A list that is longer has a line for each of its texts."""


def quoted(text: str) -> str:
    """A text as a TOML string on one line. A text that UTF-8 cannot hold has no form in TOML."""
    return f'"{_SPECIAL.sub(lambda match: _escaped(match.group()), text)}"'


def listed(texts: Sequence[str], indent: str = "") -> str:
    """Texts as a TOML array; `indent` is what the line that it begins on begins with."""
    written = [quoted(text) for text in texts]
    line = f"[{', '.join(written)}]"
    if len(line) <= _LINE_CHARACTERS:
        return line
    return "\n".join(["[", *(f"{indent}    {each}," for each in written), f"{indent}]"])


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if not is_unseen(character):
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
