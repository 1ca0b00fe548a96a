"""Texts of senders, as they may stand in what is posted to a program that tells people: a chat, a pager, a ticket tool.

Such programs read markup: a name that an agent chose could ring everybody up, or lead to a page of its own. So no text
of a sender stands there as it is: what cannot be seen is written out, what begins a mention, a tag or a link has a mark
like it in its place, and it is cut.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from aftertrace.analyzer.documents.visible import visible

MOST_FINDINGS: Final = 200
"""As many are posted; how many more there are is said."""
_CHARACTERS: Final = 200
_MARKS: Final = str.maketrans("<>&@[]`", "‹›＆＠［］ˋ")


def shown(value: Any) -> Any:
    """A text so; a number as it is."""
    if not isinstance(value, str):
        return value
    return visible(value, _CHARACTERS).translate(_MARKS).replace("://", "∶//")


def checked_at(now_ns: int) -> str:
    """When it was checked: to the second, in UTC."""
    return datetime.fromtimestamp(now_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
