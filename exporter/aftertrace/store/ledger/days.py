"""Days as entries of the ledger have them: `YYYY-MM-DD`, of receipt, in UTC."""

from __future__ import annotations

from datetime import date


def days_of(text: str) -> tuple[date, date] | None:
    """The first and the last day of a hold by days; None for any other text."""
    first, _, last = text.partition("/")
    if not is_day(first) or not is_day(last) or last < first:
        return None
    return date.fromisoformat(first), date.fromisoformat(last)


def is_day(text: str) -> bool:
    """Whether a text is a day, written in the one way."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
