"""The entries of a ledger on disk: bundles of C2SP tlog-tiles. The drain adds to them, under its lock.

A bundle is written whole, under a name that says how many entries it holds, and never changed::

    tile/entries/000.p/7    durable     entries 0 to 6
    tile/entries/000.p/9    durable     entries 0 to 8; the one before stays until a checkpoint covers this one

A crash leaves the old bundles, or the new one beside them: the widest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.entries import Entry, decoded, encoded
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.note import Note
from aftertrace.tlog.tiles import WIDTH, Bundle, bundled, bundles_since, entries_in

PARTIAL: Final = ".p"
"""Ends the name of the folder of a tile's or a bundle's partial forms."""


class LedgerLog:
    """The entries of a ledger, as the drain sees them."""

    def __init__(self, layout: Layout) -> None:
        """Read the last of them.

        Raises:
            Corrupt: it is not a whole entry, or entries that were signed are gone.
            OSError: it cannot be read.
        """
        self._folder = layout.ledger
        signed = signed_size(layout)
        self.size = size_after(layout, signed)
        if self.size < signed:
            raise Corrupt(
                f"open ledger: {self.size} entries, expected the {signed} that were signed; restore them from a "
                "backup, and run `aftertrace verify`"
            )
        self._last = list(read_bundle(layout, self.size))
        self._stored = dict(decoded(self._last[-1]).stored) if self._last else {}
        self._last = self._last if self.size % WIDTH else []

    def last_seq(self, receiver: str) -> int | None:
        """The last seq of a receiver that is covered; None where it has no entry."""
        return self._stored.get(receiver)

    @property
    def stored(self) -> dict[str, int]:
        """The last seq of each receiver that is covered."""
        return dict(self._stored)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries. Durable when this returns; after an error they may be in or not: open the log again.

        Raises:
            OSError: the disk does not take them.
        """
        if not entries:
            return
        written = [*self._last, *map(encoded, entries)]
        start = self.size - len(self._last)
        size = self.size + len(entries)
        for bundle in bundles_since(self.size, size):
            first = bundle.index * WIDTH - start
            path = self._folder / bundle.path
            durable.make_folder(path.parent)
            durable.write_file(path, bundled(written[first : first + bundle.width]))
        self.size = size
        self._last = written[len(written) - size % WIDTH :] if size % WIDTH else []
        self._stored = dict(entries[-1].stored)


def signed_size(layout: Layout) -> int:
    """Entries that the checkpoint claims to cover, whoever signed it; 0 where there is none that can be read."""
    try:
        return Checkpoint.parse(Note.parse(layout.checkpoint.read_bytes()).text).size
    except (OSError, Invalid):
        return 0


def size_after(layout: Layout, size: int) -> int:
    """How many entries there are, when there were some before; fewer than those where the last are gone."""
    folder = layout.ledger
    while True:
        whole = folder / Bundle(size // WIDTH).path
        if not whole.exists():
            return size // WIDTH * WIDTH + widest(whole)
        size = (size // WIDTH + 1) * WIDTH


def widest(whole: Path) -> int:
    """The width of the widest partial form of a tile or a bundle; 0 where there is none."""
    folder = whole.with_name(whole.name + PARTIAL)
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return max((int(name) for name in names if name.isdecimal() and name.isascii()), default=0)


def read_bundle(layout: Layout, size: int) -> tuple[bytes, ...]:
    """The entries of the last bundle of a log of some size; none of an empty one.

    Raises:
        Corrupt: they are not whole.
        OSError: they cannot be read.
    """
    if not size:
        return ()
    index = (size - 1) // WIDTH
    bundle = Bundle(index, size - index * WIDTH)
    try:
        return entries_in((layout.ledger / bundle.path).read_bytes(), bundle)
    except Invalid as error:
        raise Corrupt(f"{error}; run `aftertrace verify`") from None
