"""Sealing the ledger: a process of its own that has the key and no network makes the tiles and signs what is new.

What it has signed once it holds to: it goes on only from entries and tiles that lead to the root that it signed last.
If they do not, somebody or something has changed them, and nothing is signed any more. A turn, in this order::

    entries read, and synced       nothing is signed that a power cut could still take
    tiles, fsync                   a crash leaves tiles that the next turn writes again
    `sealer/signed`, fsync         what may be seen must never be signed otherwise again
    `ledger/checkpoint`, fsync     a crash leaves the one before, to be shown again at the next start
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Self

from aftertrace.store import durable, signer_key
from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import files, rotating
from aftertrace.store.ledger.entries import Batch, Entry, Restored, Rotation, decoded
from aftertrace.store.ledger.following import Following, ToldBefore
from aftertrace.store.lock import Lock, held
from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.edge import Edge
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.merkle import EMPTY_ROOT, leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import prove_consistency, verify_consistency
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import HEIGHT, WIDTH, Bundle, Tile


class Sealer:
    """The one sealer of a store, from the making of the object to `close`."""

    def __init__(self, layout: Layout) -> None:
        """Take the lock and the key, which is made for a new ledger, and check all that was signed at its end.

        Raises:
            Held: another sealer runs.
            Corrupt: key, checkpoint or tiles are damaged, gone, or not those that were signed.
            OSError: the disk does not take a new key.
        """
        self._layout = layout
        self._found: list[bytes] = []
        """Entries that are about to be signed."""
        self.retold: list[str] = []
        """Requests that were signed with other rows than before, `receiver/seq`."""
        durable.make_folder(layout.sealer, mode=0o700)
        durable.make_folder(layout.ledger)
        self._lock = Lock(layout.sealer_lock, "seals this store")
        try:
            self._key, *gone = _keys(layout)
            self._edge = self._signed(gone)
            self._last = self._compare()
            self._following = Following.behind(self._edge.size, self._last, self._told)
            self._key = rotating.finish(layout, self._key, self._last)
            if not gone:
                _keep(layout.ledger_key, f"{self._key.verifier}\n".encode())
        except BaseException:
            self._lock.release()
            raise

    @property
    def size(self) -> int:
        """Entries that the last checkpoint covers."""
        return self._edge.size

    def seal(self, *, is_restored: bool = False) -> bool:
        """Sign a checkpoint of all entries that are there, durably.

        Args:
            is_restored: whether requests that were told otherwise since tables were put back are signed too, as far as
                they are there now. Whoever may write to the ledger can have them told so: it is for a person to say.

        Returns:
            Whether there were new ones.

        Raises:
            Corrupt: an entry is none, or takes back what was signed, or entries that were signed are gone. Nothing is
                signed.
            OSError: the disk does not take it; the next call goes on.
        """
        found = self._new()
        for part in _parts(found):
            self._sign(part, is_restored=is_restored)
        return bool(found)

    def _sign(self, found: list[bytes], *, is_restored: bool) -> None:
        # The disk may not have taken it when that was signed: the key before it must sign nothing behind it.
        self._key = rotating.finish(self._layout, self._key, self._last)
        before = self._edge
        following, self._found = self._following.copied(is_restored=is_restored), found
        for entry in found:
            following.take(decoded(entry))
        keys = rotating.signers(self._layout, self._key, last := decoded(found[-1]))
        edge, tiles = before.extended([leaf_hash(entry) for entry in found])
        for tile, content in tiles.items():
            path = self._layout.ledger / tile.path
            durable.make_folder(path.parent)
            durable.write_file(path, content)
        self._publish(Checkpoint(self._key.name, edge.size, edge.root()), keys)
        self.retold += following.retold
        self._edge, self._following, self._last = edge, following.copied(), last
        self._key = rotating.finish(self._layout, self._key, last)
        for tile in _outgrown(before.size, edge.size):
            (self._layout.ledger / tile.path).unlink(missing_ok=True)

    def rest(self) -> None:
        """Write the open bundle under its partial name too, for readers of tiles; the one before it goes.

        Raises:
            OSError: the disk does not take it.
        """
        index, width = divmod(self._edge.size, WIDTH)
        if width:
            bundle = Bundle(index, width)
            path = self._layout.ledger / bundle.path
            if not path.exists():
                durable.make_folder(path.parent)
                durable.write_file(path, files.read_bundle(self._layout.ledger, bundle))
        for number in {index, max(index - 1, 0)}:
            folder = (self._layout.ledger / Bundle(number, 1).path).parent
            for form in folder.iterdir() if folder.is_dir() else ():
                if form.name != str(width) or number != index:
                    form.unlink(missing_ok=True)

    def keep(self, folder: Path) -> None:
        """Copy the checkpoint to a folder elsewhere, under the number of entries that it covers, unless that is there.

        Raises:
            OSError: the folder does not take it.
        """
        durable.make_folder(folder)
        durable.create_file(folder / f"{self.size:020d}", self._layout.checkpoint.read_bytes())

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.release()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _publish(self, checkpoint: Checkpoint, keys: Iterable[SignerKey]) -> None:
        signed = bytes(checkpoint.signed(*keys))
        durable.write_file(self._layout.sealer_signed, signed)
        durable.write_file(self._layout.checkpoint, signed)

    def _signed(self, gone: Iterable[VerifierKey]) -> Edge:
        """The end of what was signed last, by the key or by one that was lost."""
        try:
            signed = self._layout.sealer_signed.read_bytes()
            checkpoint = opened(Note.parse(signed), self._key.name, self._key.verifier, *gone)
            edge = Edge.read(checkpoint.size, lambda tile: files.read_tile(self._layout.ledger, tile))
        except FileNotFoundError as error:
            raise Corrupt(f"seal ledger: no {error.filename}, expected it: it was signed; restore it") from None
        except Invalid as error:
            raise Corrupt(f"seal ledger: {error}; restore it from a backup") from None
        if edge.root() != checkpoint.root:
            raise Corrupt("seal ledger: tiles lead to another root than was signed; run `aftertrace verify`")
        self._check_shown(checkpoint.size, gone)
        # A crash left the one before it; or somebody has changed it, or taken it away.
        _keep(self._layout.checkpoint, signed)
        return edge

    def _check_shown(self, size: int, gone: Iterable[VerifierKey]) -> None:
        """Refuse to go on from less than was shown: what is in `sealer/` was put back from an older copy."""
        following = rotating.next_key(self._layout)
        also = [*gone, *([] if following is None else [following.verifier])]
        try:
            note = Note.parse(self._layout.checkpoint.read_bytes())
            shown = opened(note, self._key.name, self._key.verifier, *also)
        except (OSError, Invalid):
            return
        if shown.size > size:
            raise Corrupt(
                f"seal ledger: {self._layout.checkpoint} covers {shown.size} entries, and {self._layout.sealer_signed} "
                f"{size}, expected no fewer; put it back, or run `aftertrace seal --restore`"
            )

    def _compare(self) -> Entry | None:
        """The last entry. Refuse to go on from other entries than were signed, as far as they share a tile with it."""
        if not self._edge.size:
            return None
        index = (self._edge.size - 1) // WIDTH
        width = self._edge.size - index * WIDTH
        try:
            found = files.split(files.read_bundle(self._layout.ledger, Bundle(index, width)))[0]
        except FileNotFoundError:
            found = []
        if tuple(leaf_hash(entry) for entry in found) != self._tree().hashes(0, index):
            raise Corrupt(
                f"seal ledger: {Bundle(index).path} has other entries than were signed; run `aftertrace verify`"
            )
        return decoded(found[-1])

    def _tree(self) -> TiledTree:
        """What was signed."""
        size, root = self._edge.size, self._edge.root()
        return TiledTree(size, root, lambda tile: files.read_tile(self._layout.ledger, tile))

    def _told(self, receiver: str, first_seq: int, number: int) -> ToldBefore:
        """What so many entries, signed or about to be, say of a receiver's requests from a seq on.

        Raises:
            Corrupt: entries that were signed are gone, or others.
        """
        ledger = self._layout.ledger
        try:
            signed = [entry for _, entry in self._tree().entries(lambda bundle: files.read_bundle(ledger, bundle))]
        except (FileNotFoundError, Invalid) as refusal:
            raise Corrupt(f"seal ledger: {refusal}, expected what was signed; run `aftertrace verify`") from None
        made = self._found[: number - self._edge.size]
        return _told_before(chain(signed, made), receiver, first_seq)

    def _new(self) -> list[bytes]:
        """The entries behind those that were signed, on stable storage."""
        ledger, found = self._layout.ledger, list[bytes]()
        while True:
            size = self._edge.size + len(found)
            path = ledger / Bundle(size // WIDTH).path
            if not path.exists():
                path = files.open_bundle(ledger, size // WIDTH)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                self._check_there(size)
                return found
            try:
                content = _read(fd)
                entries = files.split(content)[0]
                if len(entries) < size % WIDTH:
                    raise Corrupt(
                        f"seal ledger: {len(entries)} entries in {path.name}, expected the {size % WIDTH} that were "
                        "signed, and more; put it back from a backup"
                    )
                fresh = entries[size % WIDTH :]
                for entry in fresh:
                    decoded(entry)
                if fresh:
                    os.fsync(fd)
                    durable.sync_folder(path.parent)
            finally:
                os.close(fd)
            found += fresh
            if len(entries) < WIDTH:
                return found

    def _check_there(self, size: int) -> None:
        if size % WIDTH:
            raise Corrupt(
                f"seal ledger: no {Bundle(size // WIDTH).path}, expected it: it was signed; put it back from a backup"
            )


def restore(layout: Layout) -> tuple[int, int]:
    """After a backup was put back: let the sealer go on from `ledger/checkpoint`, which may be newer than its own note.

    It was signed with the same key, or with the next one that is in `sealer/` and takes its place then; and the entries
    that it covers begin with those of the note: so nothing is taken back. Anything else is left as it is.

    Returns:
        How many entries the note covered, and how many it covers now.

    Raises:
        Held: a sealer runs.
        Corrupt: there is no key, or note, checkpoint and hashes do not go together.
        OSError: the disk does not take it.
    """
    with held(layout.sealer_lock, "seals this store"):
        try:
            key, following = signer_key.read(layout.sealer_key), rotating.next_key(layout)
            rotating.check(layout, key)
            known = [each.verifier for each in (key, following) if each is not None]
            noted, content = (path.read_bytes() for path in (layout.sealer_signed, layout.checkpoint))
            before, shown = (opened(Note.parse(each), key.name, *known) for each in (noted, content))
            if shown.size > before.size:
                tree = TiledTree(shown.size, shown.root, lambda tile: files.read_tile(layout.ledger, tile))
                proof = prove_consistency(before.size, shown.size, tree.node)
                verify_consistency(before.size, before.root, shown.size, shown.root, proof)
                noted = content
        except FileNotFoundError as error:
            raise Corrupt(
                f"restore sealer: no {error.filename}, expected sealer/ and ledger/ of one store; copy both from one "
                "backup"
            ) from None
        except (Invalid, UnicodeDecodeError) as refusal:
            raise Corrupt(
                f"restore sealer: {refusal}; sealer/ and ledger/ do not go together, copy both from one backup"
            ) from None
        _keep(layout.sealer_signed, noted)
        if following is not None and not _has_signed(key, noted):
            rotating.put_in_place(layout, following)
        return before.size, max(before.size, shown.size)


def seal(layout: Layout) -> None:
    """Sign what the ledger has now, unless a sealer runs.

    What it cannot sign, because it is damaged, is left to whoever verifies: what was stored is stored.

    Raises:
        Unavailable: the disk does not take it.
    """
    try:
        with suppress(Corrupt), Sealer(layout) as sealer:
            sealer.seal()
            sealer.rest()
    except Unavailable:
        # Another sealer will come to it.
        return
    except OSError as error:
        raise Unavailable(f"seal {layout.data}: {error}; free disk space, or see to its permissions", 1.0) from error


def _told_before(entries: Iterable[bytes], receiver: str, first_seq: int) -> ToldBefore:
    """What entries say of a receiver's requests from a seq on."""
    found = ToldBefore({})
    for entry in map(decoded, entries):
        if isinstance(entry, Restored):
            found.restored_seq = entry.upto.get(receiver, 0)
        elif isinstance(entry, Batch) and entry.receiver == receiver:
            found.frames.update((frame.seq, (entry.day, frame)) for frame in entry.frames if frame.seq >= first_seq)
    return found


def _outgrown(before: int, size: int) -> list[Tile]:
    """Partial tiles of one size that a tree of another has wider."""
    found = []
    level = 0
    while old := before >> (HEIGHT * level):
        index, width = divmod(old, WIDTH)
        if width and size >> (HEIGHT * level) > old:
            found.append(Tile(level, index, width))
        level += 1
    return found


def _keys(layout: Layout) -> tuple[SignerKey, *tuple[VerifierKey, ...]]:
    """The key, and one that signed before it and was lost, if so.

    It is made for a new ledger, after a checkpoint of nothing: where it is, something was signed.
    """
    path = layout.sealer_key
    if not path.exists():
        if (instead := rotating.lost(layout)) is not None:
            return instead
        if layout.checkpoint.exists() or layout.ledger_key.exists():
            raise Corrupt(
                f"seal ledger: no {path}, expected the key that signed its checkpoint; restore it, or if it is gone, "
                "begin with another one: `aftertrace seal --lost-key`"
            )
        key = signer_key.new("aftertrace")
        durable.write_file(layout.sealer_signed, bytes(Checkpoint(key.name, 0, EMPTY_ROOT).signed(key)))
        signer_key.write(path, key)
    key = signer_key.read(path)
    rotating.check(layout, key)
    return (key,)


def _parts(entries: list[bytes]) -> Iterator[list[bytes]]:
    """Entries up to each that puts another key in its place, which ends a checkpoint."""
    start = 0
    for number, entry in enumerate(entries, 1):
        if number == len(entries) or isinstance(decoded(entry), Rotation):
            yield entries[start:number]
            start = number


def _has_signed(key: SignerKey, noted: bytes) -> bool:
    try:
        Note.parse(noted).verified(key.verifier)
    except Invalid:
        return False
    return True


def _keep(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        durable.write_file(path, content)


def _read(fd: int) -> bytes:
    with os.fdopen(os.dup(fd), "rb") as file:
        return file.read()
