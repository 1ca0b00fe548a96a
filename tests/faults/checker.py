"""The set checker, after Jepsen's: what was acknowledged is there, once, and nothing else is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

Id = TypeVar("Id", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Verdict(Generic[Id]):
    """What is wrong, by kind, and how much there was to judge. All sets are empty when all is well."""

    acknowledged: int
    found: int
    """Distinct ids found."""
    lost: frozenset[Id]
    """Acknowledged, and not found."""
    doubled: frozenset[Id]
    """Found more than once."""
    invented: frozenset[Id]
    """Found, and never sent."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.invented)

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.acknowledged} acknowledged, {self.found} found:"
            f" {len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.invented)} invented"
        )


def check(attempted: AbstractSet[Id], acknowledged: AbstractSet[Id], found: Iterable[Id]) -> Verdict[Id]:
    """Compare what clients know with what a reader finds.

    What was sent and never acknowledged may be there or not: the client does not know, so neither is wrong.
    """
    counts = Counter(found)
    present = frozenset(counts)
    return Verdict(
        acknowledged=len(acknowledged),
        found=len(present),
        lost=frozenset(acknowledged - present),
        doubled=frozenset(each for each, count in counts.items() if count > 1),
        invented=frozenset(present - attempted),
    )
