"""Content that is not there since the configuration left it out: no fault of an emitter, and nothing that a switch of
its own would bring back.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from aftertrace.store.marks import LEFT_OUT_MODE

SWITCH: Final = "`redaction.capture` in aftertrace.toml, which leaves content out"
"""What to switch on to know it of later runs."""


def mode_of(text: str) -> str | None:
    """In which mode all of a text was left out; None where something of it is told."""
    found = re.search(LEFT_OUT_MODE, text)
    return found.group(1) if found is not None and not re.sub(LEFT_OUT_MODE, "", text).strip() else None


def mode_in(events: pl.DataFrame) -> str | None:
    """In which mode content or arguments of some events were left out; None where none were."""
    for column in ("content", "arguments"):
        modes = events[column].str.extract(LEFT_OUT_MODE).drop_nulls()
        if modes.len():
            return str(modes[0])
    return None


def said(mode: str) -> str:
    """The words for it."""
    return f"left out by configuration ({mode})"
