"""How much was sampled away before it was sent, where the record says so: OpenTelemetry's probability sampling.

A trace state's member `ot` holds `th`, the threshold below which random numbers of 56 bits are rejected, in hex without
trailing zeros: `th:8` rejects half, `th:0` nothing. Log records have it as attribute. Older samplers write `p`, the
negative logarithm to base 2 of the probability.

https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/
"""

from __future__ import annotations

import re
from typing import Any, Final

ATTRIBUTE: Final = "sampling.threshold"
"""On log records: what the Collector's sampler writes."""
_DIGITS: Final = 14
_BITS: Final = 4 * _DIGITS
_THRESHOLD: Final = re.compile(rf"[0-9a-f]{{1,{_DIGITS}}}")
_ZERO_PROBABILITY: Final = 63


def of_trace_state(trace_state: str) -> str | None:
    """The threshold in hex digits; None where nothing is said, nothing was rejected, or it makes no sense."""
    for member in trace_state.split(","):
        key, _, value = member.strip().partition("=")
        if key == "ot":
            said = dict(pair.split(":", 1) for pair in value.split(";") if ":" in pair)
            return threshold(said.get("th")) or _of_exponent(said.get("p", ""))
    return None


def threshold(said: Any) -> str | None:
    """A threshold as it is kept, without trailing zeros; None where it rejects nothing, or is none."""
    if not isinstance(said, str) or not _THRESHOLD.fullmatch(said):
        return None
    return said.rstrip("0") or None


def _of_exponent(said: str) -> str | None:
    if not said.isascii() or not said.isdecimal() or not 0 < int(said) < _ZERO_PROBABILITY:
        return None
    rejected = (1 << _BITS) - (1 << max(_BITS - int(said), 0))
    return threshold(f"{rejected:0{_DIGITS}x}")
