"""Whether anything that is held keeps some of an order: asked before any of it goes, and anew when holds change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UnsetType

from aftertrace.store.ledger import acts
from aftertrace.store.ledger.entries import Hold

if TYPE_CHECKING:
    from aftertrace.store.ledger.covering import Ledger
    from aftertrace.store.ledger.orders import AnyOrder


class Keeping:
    """What one drain knows of it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._known: dict[str, tuple[int | UnsetType, Hold | None]] = {}
        """By order: number of the last hold or release, and what keeps some of it."""

    def of(self, ident: str, entries: Sequence[AnyOrder], ledger: Ledger) -> Hold | str | None:
        """The first hold that keeps any of what the entries of an order name; why nobody can tell; None: none does.

        Raises:
            OSError: the disk does not take what others hold, or the lake is not there.
        """
        ledger.take_over()
        last, holds = acts.last_hold(ledger.acts), acts.holds(ledger.acts)
        if ledger.unread is None and not holds:
            return None
        number, keeps = self._known.get(ident, (-1, None))
        if ledger.unread is None and number == last:
            return keeps
        found = ledger.compare(entries, holds)
        if found is None:
            return "nobody here can tell what is held"
        if found.untold is not None:
            return found.untold
        self._known[ident] = last, found.keeps
        return found.keeps
