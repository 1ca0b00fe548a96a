"""Permission modes: how much an agent may do without being let, in the words of its emitter.

A mode is stated in two ways: a record sets or changes it (`input.resolved permission_mode`, the mode as its content),
or a decision names the one it was made under (`permission_mode` among its attributes). A mode that asks nobody and
holds nothing back is marked with `bypass`: the emitter's own word for it says so.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects.events import Event

MODE: Final = "permission_mode"
"""State of `input.resolved`, and attribute of a decision."""
BYPASS: Final = "bypass"
"""Attribute of both, true for a mode that lets everything through."""

_BYPASSES: Final = frozenset(
    {
        "allowall",
        "bypass",
        "bypasspermissions",
        "dangerouslybypassapprovalsandsandbox",
        "dangerouslyskippermissions",
        "neverdangerfullaccess",
        "yolo",
    }
)
"""Without case and punctuation. `never, danger-full-access` are two settings of Codex: who is asked, what is held."""
_PUNCTUATION: Final = re.compile(r"[^a-z]+")


def is_bypass(mode: str | None) -> bool:
    """Whether a mode lets everything through."""
    return mode is not None and _PUNCTUATION.sub("", mode.lower()) in _BYPASSES


def stated(mode: str | None) -> dict[str, Any]:
    """Attributes of a decision that was made under a mode; none where it is not told."""
    if mode is None:
        return {}
    return {MODE: mode, BYPASS: True} if is_bypass(mode) else {MODE: mode}


def entered(mode: str, time_ns: int, *, before: str | None = None, **told: Any) -> Event:
    """A mode that is in force from now on.

    Args:
        mode: the mode, in the emitter's word.
        time_ns: when.
        before: the mode that it replaces, where told.
        told: what else the record says of it, such as what set it off.
    """
    event = Event(event="input.resolved", state=MODE, time_ns=time_ns, content=mode, attributes=told)
    if is_bypass(mode):
        event.attributes[BYPASS] = True
    if before is not None:
        event.attributes |= {"from_mode": before} | ({"from_bypass": True} if is_bypass(before) else {})
    return event
