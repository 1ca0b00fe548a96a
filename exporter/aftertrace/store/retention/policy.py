"""How long records are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from aftertrace.store.errors import Invalid

EVIDENCE_DAYS: Final = 400
FLOOR_DAYS: Final = 183
"""Half a year: what Articles 19 and 26(6) of the EU AI Act ask for at least."""
FOR_EVER: Final = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Terms in days. Of whole days in UTC: what was received on a day is over when so many days lie behind it."""

    evidence_days: int = EVIDENCE_DAYS
    """Of records, with all that is read from them; `FOR_EVER`: they never are."""
    floor_days: int = FLOOR_DAYS
    """The shortest that a term may be."""
    keeps_configurations: bool = True
    """Whether the first run of each configuration stays for ever."""
    of_sources: tuple[tuple[str, int], ...] = ()
    """Terms of records by the names of their sources, in which `*` stands for any characters; the first that fits
    counts.
    """

    def days_of(self, source: str) -> int:
        """The term of what a source sends."""
        return next((days for name, days in self.of_sources if _fits(name, source)), self.evidence_days)

    @property
    def shortest_days(self) -> int | None:
        """The shortest term; None where all is kept for ever."""
        terms = [days for days in (self.evidence_days, *(days for _, days in self.of_sources)) if days != FOR_EVER]
        return min(terms, default=None)

    @property
    def digest(self) -> bytes:
        """Tells it from others."""
        told = [self.evidence_days, self.floor_days, self.keeps_configurations, *self.of_sources]
        return sha256(json.dumps(told, ensure_ascii=True).encode()).digest()


def policy(
    evidence_days: int, floor_days: int, of_sources: Sequence[tuple[str, str]], *, keeps_configurations: bool
) -> Policy:
    """The policy that a configuration states.

    Raises:
        Invalid: a term is below the floor, or no number of days.
    """
    if floor_days < 0:
        raise Invalid(f"configure retention.floor_days: {floor_days}, expected a number of days; 0 is none")
    _check("evidence_days", evidence_days, floor_days)
    terms: list[tuple[str, int]] = []
    for name, text in of_sources:
        if not text.isascii() or not text.isdecimal():
            raise Invalid(f"configure retention.evidence_days_of {name!r}: {text!r}, expected days, as in '400'")
        _check(f"evidence_days_of {name!r}", int(text), floor_days)
        terms.append((name, int(text)))
    return Policy(evidence_days, floor_days, keeps_configurations, tuple(terms))


def _check(name: str, days: int, floor_days: int) -> None:
    if days != FOR_EVER and days < max(floor_days, 1):
        raise Invalid(
            f"configure retention.{name}: {days} days, expected {max(floor_days, 1)} at least, which is "
            "retention.floor_days, or 0 for ever; make it longer, or lower the floor if the law lets you"
        )


def _fits(name: str, source: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, name.split("*"))), source, re.DOTALL) is not None
