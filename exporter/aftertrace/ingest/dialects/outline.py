"""What many records have in common, by which most dialects can say that none of them is theirs."""

from __future__ import annotations

from typing import NamedTuple


class Outline(NamedTuple):
    """All that a record tells of itself without the values of its attributes."""

    is_span: bool
    scope: str
    """Name of its scope."""
    service: str | None
    """`service.name` of its resource, where that is a text."""
    has_events: bool
    """A span with events."""
    keys: frozenset[str]
    """Of its attributes."""

    def has_any(self, *keys: str) -> bool:
        """Whether it has one of some attributes."""
        return not self.keys.isdisjoint(keys)

    def has_prefix(self, prefix: str) -> bool:
        """Whether the name of an attribute begins so."""
        return any(key.startswith(prefix) for key in self.keys)
