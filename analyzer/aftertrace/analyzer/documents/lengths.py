"""Lengths of time in words, in the two units that matter."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def length(seconds: float) -> str:
    """A length of time: ``320 ms``, ``4.7 s``, ``2 min 05 s``, ``1 d 03 h``."""
    if seconds < 0:
        return f"-{length(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, name, part, part_name in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name} {seconds % unit // part:02.0f} {part_name}"
    return f"{seconds:.1f} s"
