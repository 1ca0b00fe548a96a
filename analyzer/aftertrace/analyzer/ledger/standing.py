"""How the ledger stands: how much of what was stored is signed, since when, and where that is kept elsewhere."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aftertrace.store.layout import Layout
from aftertrace.store.ledger.files import signed_size, size_of
from aftertrace.store.standing import Standing, standing

_KEPT: Final = re.compile(r"\d{20}")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where copies of the checkpoint are kept."""

    folder: Path
    is_there: bool
    kept: int
    """How many copies."""
    entries: int
    """How many entries the newest of them covers, by its name."""
    at_ns: int | None
    """When it was made, by its file."""


@dataclass(frozen=True, slots=True)
class LedgerStanding:
    """How the ledger of a store stands. Nothing of it is verified: `verification.verified` does that."""

    entries: int
    """Entries that there are."""
    signed: int
    """Entries that the checkpoint says that it covers."""
    signed_at_ns: int | None
    """When that was signed, by the file; None: nothing was."""
    key: str | None
    """The public key as `ledger/key` has it."""
    checkpoint: str | None
    """The checkpoint with its signatures."""
    anchor: Anchor | None
    """None: nowhere is configured."""
    store: Standing
    """How the store stands: what waits to be stored, and what the disk has left."""

    @property
    def unsealed(self) -> int:
        """Entries that are not signed yet."""
        return max(self.entries - self.signed, 0)


def ledger_standing(data: Path, anchor: Path | None = None) -> LedgerStanding:
    """How the ledger of a store stands now; needs no lock.

    Args:
        data: folder of the store.
        anchor: folder where copies of the checkpoint are kept, if there is one.

    Raises:
        Invalid: there is no store.
        Corrupt: a table's log cannot be read.
    """
    layout = Layout(data)
    # First: what is signed meanwhile must not look like more than there is.
    signed = signed_size(layout)
    return LedgerStanding(
        entries=max(size_of(layout.ledger), signed),
        signed=signed,
        signed_at_ns=_modified_ns(layout.checkpoint),
        key=_text(layout.ledger_key),
        checkpoint=_text(layout.checkpoint),
        anchor=None if anchor is None else _anchor(anchor),
        store=standing(layout),
    )


def _anchor(folder: Path) -> Anchor:
    try:
        names = [path.name for path in folder.iterdir() if _KEPT.fullmatch(path.name)]
    except OSError:
        return Anchor(folder, is_there=False, kept=0, entries=0, at_ns=None)
    newest = max(names, default=None)
    if newest is None:
        return Anchor(folder, is_there=True, kept=0, entries=0, at_ns=None)
    return Anchor(folder, is_there=True, kept=len(names), entries=int(newest), at_ns=_modified_ns(folder / newest))


def _modified_ns(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return None


def _text(path: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("utf-8")
    return None
