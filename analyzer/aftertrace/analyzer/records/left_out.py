"""Content that is not there since the configuration left it out: no fault of an emitter, and nothing that a switch of
its own would bring back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from aftertrace.store.marks import LEFT_OUT_MODE

SWITCH: Final = "`redaction.capture` in aftertrace.toml, which leaves content out"
"""What to switch on to know it of later runs."""

_MODES: Final = {"content_mode": "content", "arguments_mode": "arguments"}


def mode_of(text: str) -> str | None:
    """In which mode all of a text was left out; None where something of it is told."""
    found = re.search(LEFT_OUT_MODE, text)
    return found.group(1) if found is not None and not re.sub(LEFT_OUT_MODE, "", text).strip() else None


def modes() -> tuple[pl.Expr, ...]:
    """Columns with the mode in which content and arguments of events were left out; null where they were not."""
    return tuple(pl.col(of).str.extract(LEFT_OUT_MODE).alias(name) for name, of in _MODES.items())


def mode_in(events: Sequence[Mapping[str, Any]]) -> str | None:
    """In which mode content or arguments of some events were left out; None where none were.

    Args:
        events: rows with the columns of `modes`.
    """
    return next((event[name] for name in _MODES for event in events if event[name] is not None), None)


def said(mode: str) -> str:
    """The words for it."""
    return f"left out by configuration ({mode})"
