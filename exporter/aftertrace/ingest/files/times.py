"""Times as logs write them: ISO 8601, or a number since 1970 in seconds or finer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_NS: Final = 2**63 - 1
_FIRST_S: Final = 86_400 * 365
"""Smaller numbers are no time: what was logged was logged after 1970."""
_SCALES: Final = (
    (100_000_000_000, 10**9),
    (100_000_000_000_000, 10**6),
    (100_000_000_000_000_000, 10**3),
    (_MAX_NS, 1),
)
"""Numbers below the first of a pair count so many nanoseconds each: they are seconds, milliseconds and so on."""


def time_ns(value: Any) -> int:
    """Nanoseconds since 1970; 0 where the value is no time, none with a zone, or beyond what 63 bits count (2262)."""
    found_ns = _of_text(value) if isinstance(value, str) else _of_number(value)
    return found_ns if found_ns <= _MAX_NS else 0


def _of_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _FIRST_S <= value < _MAX_NS:
        return 0
    scale = next(each for below, each in _SCALES if value < below)
    return value * scale if isinstance(value, int) else round(value * 1e6) * scale // 10**6


def _of_text(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    if moment.tzinfo is None or moment < _EPOCH:
        return 0
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
