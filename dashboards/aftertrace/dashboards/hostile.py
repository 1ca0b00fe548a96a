"""Text from telemetry in files for others: what an agent wrote never steers a spreadsheet or a Markdown page.

An agent that was prompt-injected chooses tool names, arguments and reasons. Escape sequences would move the cursor or
write the clipboard, direction marks would show `rm` as something else, zero-width and tag characters would hide
instructions, and a cell that starts with ``=`` would be run by a spreadsheet. All of them are made visible instead.
"""

from __future__ import annotations

import re
from typing import Final

from aftertrace.dashboards.plain import plain

_FORMULA: Final = re.compile(r"[\s\u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")


def cell(text: str) -> str:
    """The text as a CSV cell that no spreadsheet takes for a formula: visible, with ``'`` before what could be one.

    Source: OWASP, CSV Injection. The full-width forms of the four signs count, since spreadsheets fold them.
    """
    return "'" + plain(text) if _FORMULA.match(text) else plain(text)


def markdown(text: str) -> str:
    """The text as a Markdown table cell that renders as itself: no markup, no link, no column of its own."""
    escaped = re.sub(r"([\\`*_\[\]<>!|~&$])", r"\\\1", plain(text))
    return re.sub(r"(?i)\b(https?|ftp|www)(?=[:.])", r"\1\\", escaped)
