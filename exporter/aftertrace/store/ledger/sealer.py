"""Sealing the ledger: a process of its own that holds the key, makes the tiles, and signs a checkpoint of what is new.

What it has signed once it holds to: it goes on only from entries and tiles that lead to the root that it signed last.
If they do not, somebody or something has changed them, and nothing is signed any more. A turn, in this order::

    new entries read, and those before them in their bundle compared with their hashes
    tiles, fsync               a crash leaves tiles that the next turn writes again
    checkpoint, fsync          beside the key, then for all to see; a crash leaves the one before, to be shown again
    partial tiles and bundles that no checkpoint of the last minutes needs, removed
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Final, Self

from aftertrace.store import durable
from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.files import read_tile
from aftertrace.store.ledger.log import PARTIAL, size_after
from aftertrace.store.lock import Lock
from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.edge import Edge
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.merkle import EMPTY_ROOT, leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.tiles import HEIGHT, WIDTH, Bundle, Tile, bundles_since, entries_in

SECRET_BYTES: Final = 32
_NAME_BYTES: Final = 8
KEEP_S: Final = 600.0
"""Partial forms stay this long: somebody may be reading by the checkpoint that needs them."""


class Sealer:
    """The one sealer of a store, from the making of the object to `close`."""

    def __init__(self, layout: Layout) -> None:
        """Take the lock and the key, which is made for a new ledger, and check the end of what was signed.

        Raises:
            Held: another sealer runs.
            Corrupt: key, checkpoint or tiles are damaged, gone, or not those that were signed.
            OSError: the disk does not take a new key.
        """
        self._layout = layout
        durable.make_folder(layout.ledger)
        self._lock = Lock(layout.sealer_lock, "seals this store")
        try:
            self._key = _key(layout)
            self._edge = self._signed()
            # Those that an earlier sealer left.
            self._partial = {
                folder.with_name(folder.name.removesuffix(PARTIAL)): 0
                for folder in (layout.ledger / "tile").rglob(f"*{PARTIAL}")
            }
        except BaseException:
            self._lock.release()
            raise

    @property
    def size(self) -> int:
        """Entries that the last checkpoint covers."""
        return self._edge.size

    def seal(self) -> bool:
        """Sign a checkpoint of all entries that are there, durably.

        Returns:
            Whether there were new ones.

        Raises:
            Corrupt: entries that were signed are gone or are others. Nothing is signed.
            OSError: the disk does not take it; the next call goes on.
        """
        before, size = self._edge.size, size_after(self._layout, self._edge.size)
        if size < before:
            raise Corrupt(f"seal ledger: {size} entries, expected the {before} that were signed; restore them")
        if size == before:
            return False
        edge, tiles = self._edge.extended([leaf_hash(entry) for entry in self._new(before, size)])
        for tile, content in tiles.items():
            path = self._layout.ledger / tile.path
            durable.make_folder(path.parent)
            durable.write_file(path, content)
        checkpoint = Checkpoint(self._key.name, edge.size, edge.root())
        signed = bytes(checkpoint.signed(self._key))
        # Kept before it is shown: what anybody may have seen must never be signed otherwise again.
        durable.write_file(self._layout.ledger_signed, signed)
        durable.write_file(self._layout.checkpoint, signed)
        self._edge = edge
        self._sweep(before, size)
        return True

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.release()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _signed(self) -> Edge:
        """The end of what was signed last."""
        try:
            signed = self._layout.ledger_signed.read_bytes()
            note = Note.parse(signed)
            checkpoint = opened(note, self._key.name, self._key.verifier)
            edge = Edge.read(checkpoint.size, lambda tile: read_tile(self._layout, tile))
        except FileNotFoundError as error:
            raise Corrupt(f"seal ledger: no {error.filename}, expected it: it was signed; restore it") from None
        except Invalid as error:
            raise Corrupt(f"seal ledger: {error}; restore it from a backup") from None
        if edge.root() != checkpoint.root:
            raise Corrupt("seal ledger: tiles lead to another root than was signed; run `aftertrace verify`")
        # A crash left the one before it; or somebody has changed it, or taken it away.
        _keep(self._layout.checkpoint, signed)
        return edge

    def _new(self, before: int, size: int) -> list[bytes]:
        """The entries from one size to another, if those before them are still the ones that were signed."""
        entries: list[bytes] = []
        for bundle in bundles_since(before, size):
            try:
                found = entries_in((self._layout.ledger / bundle.path).read_bytes(), bundle)
            except Invalid as error:
                raise Corrupt(f"seal ledger: {error}; restore it from a backup") from None
            known = self._edge.partial[0] if self._edge.partial and bundle.index == before // WIDTH else ()
            if [leaf_hash(entry) for entry in found[: len(known)]] != list(known):
                raise Corrupt(f"seal ledger: {bundle.path} has other entries than were signed; run `aftertrace verify`")
            entries += found[len(known) :]
        return entries

    def _sweep(self, before: int, size: int) -> None:
        """Remove partial forms that neither this checkpoint nor the one before needs, once nobody reads by an older."""
        for index in range(before // WIDTH, size // WIDTH + 1):
            self._partial[self._layout.ledger / Bundle(index).path] = before - index * WIDTH
        level = 0
        while size >> (HEIGHT * level):
            old, new = before >> (HEIGHT * level), size >> (HEIGHT * level)
            for index in range(old // WIDTH, new // WIDTH + 1):
                self._partial[self._layout.ledger / Tile(level, index).path] = old - index * WIDTH
            level += 1
        oldest_s = time.time() - KEEP_S
        self._partial = {
            whole: needed for whole, needed in self._partial.items() if not _thinned(whole, needed, oldest_s)
        }


def _thinned(whole: Path, needed: int, oldest_s: float) -> bool:
    """Remove partial forms from before a time: narrower ones than is needed, or all where there is the whole one.

    Returns:
        Whether none are left, nor will be any more.
    """
    folder = whole.with_name(whole.name + PARTIAL)
    is_whole = whole.exists()
    forms = list(folder.iterdir()) if folder.is_dir() else []
    for path in forms:
        is_over = is_whole or (path.name.isdecimal() and int(path.name) < needed)
        if is_over and path.stat().st_mtime <= oldest_s:
            path.unlink()
    if not is_whole or (forms and any(folder.iterdir())):
        return False
    if forms or folder.is_dir():
        folder.rmdir()
    return True


def _key(layout: Layout) -> SignerKey:
    """The key. It is made for a new ledger, after a checkpoint of nothing: where it is, something was signed."""
    path = layout.ledger_key
    if not path.exists():
        if layout.checkpoint.exists():
            raise Corrupt(f"seal ledger: no {path}, expected the key that signed its checkpoint; restore it")
        durable.make_folder(path.parent, mode=0o700)
        # A name that no other log has, since witnesses tell logs apart by it.
        key = SignerKey(f"aftertrace/{secrets.token_hex(_NAME_BYTES)}", os.urandom(SECRET_BYTES))
        durable.write_file(layout.ledger_signed, bytes(Checkpoint(key.name, 0, EMPTY_ROOT).signed(key)))
        durable.create_file(path, f"{key.secret_text()}\n".encode(), mode=0o600)
    try:
        key = SignerKey.parse(path.read_text("utf-8").removesuffix("\n"))
    except (Invalid, UnicodeDecodeError):
        raise Corrupt(f"read {path}: not a key that signs notes; restore it from a backup") from None
    _keep(layout.ledger_verifier, f"{key.verifier}\n".encode())
    return key


def _keep(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        durable.write_file(path, content)
