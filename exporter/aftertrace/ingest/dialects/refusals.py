"""Refusals that exist only as text: what products, frameworks and harnesses tell a model when a call did not run.

The table (`wordings`) holds what was observed. A verdict from it is always `inferred`: a tool may print the same words.
Most wordings must stand at the very start, since a refusal *is* the message while a tool's output only quotes one;
those that begin with ``.*`` come after a rule's own text and are looked for in the first `HEAD_CHARACTERS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aftertrace.ingest.dialects.events import Decider
from aftertrace.ingest.dialects.wordings import WORDINGS, State

HEAD_CHARACTERS: Final = 4000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a text says happened to the call it answers."""

    state: State
    """`asked`: the call waits for an approval; `edited`: it ran with other arguments; the rest as in `tool.called`."""
    decided_by: Decider | None
    rule: str
    """Name of the table's line."""


_COMPILED: Final = tuple((re.compile(wording.pattern, re.DOTALL), wording) for wording in WORDINGS)


def classify(text: str) -> Verdict | None:
    """The verdict of the first wording that `text` starts with or, where the table says so, holds near its start."""
    return _classify(text[:HEAD_CHARACTERS].lstrip())


# Every model call repeats the answers before it.
@lru_cache(maxsize=2048)
def _classify(head: str) -> Verdict | None:
    for pattern, wording in _COMPILED:
        if pattern.match(head):
            return Verdict(wording.state, wording.decided_by, wording.rule)
    return None
