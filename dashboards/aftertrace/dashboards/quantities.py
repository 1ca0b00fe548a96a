"""Numbers with their units, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aftertrace.analyzer.documents.document import Instant

UNKNOWN: Final = "not told"
"""What stands where the telemetry tells no number."""

_KILO: Final = 1000
_MILLISECOND_NS: Final = 1_000_000
_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS
_HOUR_NS: Final = 60 * _MINUTE_NS
DAY_NS: Final = 24 * _HOUR_NS
HOUR_NS: Final = _HOUR_NS


def count(number: int | None, noun: str | None = None) -> str:
    """A whole number with thousands marked, and its noun: ``1,204 calls``, ``1 call``."""
    if number is None:
        return UNKNOWN
    if noun is None:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def signed(number: int) -> str:
    """A difference with its sign: ``+3``, ``−2``, ``±0``."""
    return "±0" if number == 0 else f"{'+' if number > 0 else '−'}{abs(number):,}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def share(ratio: float | None) -> str:
    """A ratio in per cent: ``12.5 %``."""
    return UNKNOWN if ratio is None else f"{100 * ratio:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """An interval of ratios in per cent: ``8.1–18.9 %``."""
    return UNKNOWN if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f} %"


def duration(nanoseconds: int | None) -> str:
    """A length of time in the two units that matter: ``320 ms``, ``4.7 s``, ``2 min 05 s``, ``1 d 03 h``."""
    if nanoseconds is None:
        return UNKNOWN
    if nanoseconds < 0:
        return "-" + duration(-nanoseconds)
    if nanoseconds < _SECOND_NS:
        return f"{nanoseconds / _MILLISECOND_NS:.0f} ms"
    if nanoseconds < _MINUTE_NS:
        return f"{nanoseconds / _SECOND_NS:.1f} s"
    if nanoseconds < _HOUR_NS:
        return f"{nanoseconds // _MINUTE_NS} min {nanoseconds % _MINUTE_NS // _SECOND_NS:02d} s"
    if nanoseconds < DAY_NS:
        return f"{nanoseconds // _HOUR_NS} h {nanoseconds % _HOUR_NS // _MINUTE_NS:02d} min"
    return f"{nanoseconds // DAY_NS} d {nanoseconds % DAY_NS // _HOUR_NS:02d} h"


def instant(when: datetime | int | None) -> Instant | None:
    """A point in time, told where it is written down. An integer is nanoseconds since the Unix epoch."""
    if when is None:
        return None
    return Instant(when if isinstance(when, datetime) else datetime.fromtimestamp(when // _SECOND_NS, UTC))


def moment(when: datetime | int | None) -> str:
    """A point in time, to the second: ``2026-11-21 10:02:03 UTC``. An integer is nanoseconds since the Unix epoch."""
    at = instant(when)
    return UNKNOWN if at is None else at.text


def size(length_bytes: int) -> str:
    """A number of bytes: ``512 B``, ``3.4 MB``."""
    amount = float(length_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < _KILO:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} TB"


def money(dollars: float | None) -> str:
    """US dollars, as finely as small sums need: ``$ 0.0042``, ``$ 12.50``."""
    if dollars is None:
        return UNKNOWN
    return f"$ {dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"$ {dollars:.4f}"
