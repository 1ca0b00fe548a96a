"""Values from telemetry in Markdown: hostile input, so every one is escaped and never markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

CELL_CHARACTERS: Final = 120
_NOT_PLAIN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")


def plain(value: Any, characters: int = CELL_CHARACTERS) -> str:
    """A value as text that Markdown shows as it is: one line, cut, with invisible characters made visible."""
    text = "" if value is None else str(value)
    text = " ".join(text.split())
    if len(text) > characters:
        text = text[: characters - 1] + "…"
    text = _NOT_PLAIN.sub(lambda match: f"‹U+{ord(match[0]):04X}›", text)
    return _MARKUP.sub(r"\\\1", text)


def table(head: str, rows: list[str]) -> str:
    """A table of rows whose cells are escaped. In `head`, a column that ends in `:` is aligned to the right."""
    columns = [column.strip() for column in head.split("|")]
    ruler = "".join("--:|" if column.endswith(":") else "---|" for column in columns)
    names = " | ".join(column.rstrip(":") for column in columns)
    return "\n".join([f"| {names} |", f"|{ruler}", *(f"| {row} |" for row in rows)])


def moment(time_ns: int | None) -> str:
    """A point in time, to the minute, in UTC."""
    if time_ns is None or time_ns <= 0:
        return "unknown"
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
