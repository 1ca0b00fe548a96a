"""Points in time as text: RFC 3339 in UTC, with all nanoseconds, so that equal times are equal texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_SECOND_NS: Final = 10**9


def rfc3339(time_ns: int | None) -> str | None:
    """Nanoseconds since the Unix epoch as text such as ``2026-11-21T09:30:00.000000000Z``; None stays None."""
    if time_ns is None:
        return None
    seconds, rest_ns = divmod(time_ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
