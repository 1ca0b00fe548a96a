"""Where the ledger's tiles and entries are, and how they are read. Whoever reads them checks what they say.

A bundle of entries that is not full yet is one file that only grows::

    tile/entries/000.open    entries 0 to 117, each after its length, as in a bundle
    tile/entries/000         the same file under another name, once 256 are in

The sealer writes partial forms of tiles (`.p/<width>`) with each checkpoint, and that of the open bundle when the log
rests, so that readers of C2SP tiles find all of it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from aftertrace.store.layout import Layout
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import HASH_BYTES
from aftertrace.tlog.note import Note
from aftertrace.tlog.tiles import WIDTH, Bundle, Tile

PARTIAL: Final = ".p"
"""Ends the name of the folder of a tile's or a bundle's partial forms."""
_OPEN: Final = ".open"
_LENGTH_BYTES: Final = 2


def open_bundle(ledger: Path, index: int) -> Path:
    """The file of a bundle while it is not full."""
    whole = ledger / Bundle(index).path
    return whole.with_name(whole.name + _OPEN)


def bundles(ledger: Path, start: int = 0) -> int:
    """How many full bundles there are, when so many are known to have been there."""
    while (ledger / Bundle(start).path).exists():
        start += 1
    return start


def size_of(ledger: Path) -> int:
    """How many entries there are, signed or not."""
    index = bundles(ledger)
    try:
        return index * WIDTH + len(split(open_bundle(ledger, index).read_bytes())[0])
    except OSError:
        return index * WIDTH


def split(content: bytes) -> tuple[list[bytes], int]:
    """The entries that stand whole at the beginning of a bundle's bytes, and where they end."""
    entries: list[bytes] = []
    start = 0
    while len(entries) < WIDTH and start + _LENGTH_BYTES <= len(content):
        end = start + _LENGTH_BYTES + int.from_bytes(content[start : start + _LENGTH_BYTES])
        if end > len(content):
            break
        entries.append(content[start + _LENGTH_BYTES : end])
        start = end
    return entries, start


def read_bundle(ledger: Path, bundle: Bundle) -> bytes:
    """The bytes of the first entries of a bundle, as many as it is wide; fewer where there are not so many.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    whole = ledger / bundle.whole.path
    try:
        content = open_bundle(ledger, bundle.index).read_bytes()
    except FileNotFoundError:
        content = whole.read_bytes()
        if bundle.width == WIDTH:
            # With what may stand behind the last entry, so that it is seen.
            return content
    entries, end = split(content)
    for entry in entries[bundle.width :]:
        end -= _LENGTH_BYTES + len(entry)
    return content[:end]


def read_tile(ledger: Path, tile: Tile) -> bytes:
    """The bytes of a tile. Of a partial one that was outgrown meanwhile, a wider form has them at its beginning.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    while True:
        try:
            return (ledger / tile.path).read_bytes()
        except FileNotFoundError:
            if tile.width == WIDTH:
                raise
        width = _widest(ledger / tile.whole.path)
        if width < tile.width:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(ledger / tile.path))
        # It may be outgrown too in this moment; then there is a wider one.
        with suppress(FileNotFoundError):
            return (ledger / Tile(tile.level, tile.index, width).path).read_bytes()[: tile.width * HASH_BYTES]


def _widest(whole: Path) -> int:
    """The width of the widest form of a tile; 0 where there is none."""
    if whole.exists():
        return WIDTH
    folder = whole.with_name(whole.name + PARTIAL)
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    widths = [int(name) for name in names if name.isascii() and name.isdecimal() and len(name) <= len(str(WIDTH))]
    return max((width for width in widths if width < WIDTH), default=0)


def signed_size(layout: Layout) -> int:
    """Entries that the checkpoint says that it covers, whoever signed it; 0 where none can be read."""
    try:
        return Checkpoint.parse(Note.parse(layout.checkpoint.read_bytes()).text).size
    except (OSError, Invalid):
        return 0
