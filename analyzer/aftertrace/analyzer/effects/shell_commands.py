"""Commands in a line of a shell: where they begin, those that are repeated, and those that only look."""

from __future__ import annotations

from typing import Final

_BEFORE: Final = r"\s*(?:[A-Z_][A-Z0-9_]*=\S*\s+|sudo\s+|command\s+|env\s+)*"
START: Final = r"(?:^|[\n;&|(`]|\b(?:then|do|else)\s)" + _BEFORE
"""Where a command begins in a line of a shell."""
GIT: Final = START + r"git(?:\s+-[cC]\s+\S+|\s+--[a-z-]+(?:=\S+)?)*\s+"
"""Git, up to the name of its own command."""
LOOP: Final = r"\b(?:for|while|until)\b[^\n;]*[;\n]\s*do\b|\bxargs\b"
"""What repeats a command."""
LOOKS: Final = START + r"(?:(?:gh|glab)\s+\w+\s+(?:list|view|status|diff|checks)|gh\s+api|curl)\b"
"""Commands that ask a server for what is there."""
SHOWS: Final = (
    r"(?:^|[\n;&]|\|\||(?:^|[^$])\(|\b(?:then|do|else)\s|\bxargs\s+(?:-\S+\s+)*|\s-exec\s)"
    + _BEFORE
    + r"(?:cat\s+(?:[^<>\s]|<[^<])|sed\s+(?:-[A-Za-hj-z]*\s|--[a-hj-z]|[^-\s])"
    r"|(?:less|more|head|tail|[ez]?grep|rg|awk|jq)\s)"
)
"""Commands that show what a file holds: not what they are fed by a pipe, write (`sed -i`, `cat >`) or give to another
(`$(cat names)`)."""
OF_SEVERAL: Final = GIT + r"(?:cherry-pick|revert)\s+(?:-\S+\s+)*[^\s;&|-][^\s;&|]*(?:\.\.|\s+[^\s;&|-])"
"""Commands of git that make several commits."""
