"""Proofs from a ledger for whoever has its key and nothing else of the store.

All is read through the tree that was signed: what is proven here is proven again by whoever gets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import UNSET

from aftertrace.store.errors import Corrupt, Unavailable
from aftertrace.store.ledger import files
from aftertrace.store.ledger.acts import newest
from aftertrace.store.ledger.entries import Batch, Entry, Export, FrameEntry, Rotation, decoded
from aftertrace.tlog.checkpoint import Checkpoint, opened
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.proof_file import ProofFile
from aftertrace.tlog.proofs import prove_consistency, prove_inclusion
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import WIDTH, Bundle, entries_in, width_at
from aftertrace.verifier import rotations

_KEPT_BUNDLES: Final = 8
_RESTORED: Final = b'"kind":"restored"'
"""Stands in an entry that says that tables were put back, and in no other: quotes within texts are escaped."""


class Prover:
    """A ledger as it is signed now."""

    def __init__(self, folder: Path) -> None:
        """Open it.

        Raises:
            Unavailable: nothing of it is signed, or it cannot be read.
            Corrupt: it is not what its own key has signed.
        """
        self._folder = folder
        try:
            self.key, self.note, self.checkpoint = _signed(folder)
            self._tree = TiledTree(
                self.checkpoint.size, self.checkpoint.root, lambda tile: files.read_tile(folder, tile)
            )
        except FileNotFoundError as lost:
            raise Unavailable(
                f"read {folder}: no {Path(lost.filename or '').name}; nothing of it is signed: run `aftertrace seal`"
            ) from None
        except (Invalid, UnicodeDecodeError) as refusal:
            raise Corrupt(f"read {folder}: {refusal}; run `aftertrace verify`") from None
        except OSError as failure:
            raise Unavailable(f"read {folder}: {failure}; see to its permissions") from failure
        self._searched_from = self.checkpoint.size
        self._again: dict[tuple[str, int], list[tuple[int, FrameEntry]]] = {}
        self._bundle = lru_cache(_KEPT_BUNDLES)(self._read_bundle)

    @property
    def size(self) -> int:
        """Entries that are signed."""
        return self.checkpoint.size

    def entry(self, index: int) -> Entry:
        """An entry that is signed.

        Raises:
            Corrupt: it is not the one that was signed.
        """
        return decoded(self._content(index))

    def last(self) -> Entry | None:
        """The last entry that is signed; None where there is none."""
        return self.entry(self.size - 1) if self.size else None

    def told(self, receiver: str, seq: int) -> Iterator[tuple[int, FrameEntry]]:
        """The entries that tell of a request, the first one first: tables that were put back are told of again.

        Raises:
            Corrupt: an entry is not the one that was signed.
        """
        first = self._first(receiver, seq)
        entry = self.entry(first) if first < self.size else None
        if isinstance(entry, Batch) and entry.receiver == receiver:
            yield from ((first, frame) for frame in entry.frames if frame.seq == seq)
        yield from self._told_again(first).get((receiver, seq), ())

    def export(self, ident: str, after: int) -> int | None:
        """The index of the entry of an export, behind some first entries; None where it is not signed yet.

        Raises:
            Corrupt: an entry is not the one that was signed.
        """
        for index in range(after, self.size):
            entry = self.entry(index)
            if isinstance(entry, Export) and entry.id == ident:
                return index
        return None

    def rotations(self) -> list[int]:
        """The entries that name another key that signs, in order.

        Raises:
            Corrupt: an entry is not the one that was signed.
        """
        found: list[int] = []
        number = newest(self.size - 1, self.entry(self.size - 1)) if self.size else UNSET
        while number is not UNSET:
            act = self.entry(number)
            if isinstance(act, Rotation):
                found.append(number)
            if act.last_act is not UNSET and act.last_act >= number:
                raise self._altered(f"entry {number} leads to a later act")
            number = act.last_act
        return found[::-1]

    def is_break(self, number: int) -> bool:
        """Whether an entry of `rotations` says that the key before it was lost.

        Raises:
            Corrupt: it is none, or not signed as it must be.
        """
        entry = self.entry(number)
        try:
            return rotations.Rotation.parse(entry.note if isinstance(entry, Rotation) else "").is_break
        except Invalid as refusal:
            raise self._altered(refusal) from None

    def proof(self, index: int) -> ProofFile:
        """The proof of an entry, with the entry in it.

        Raises:
            Corrupt: it is not the one that was signed.
        """
        content = self._content(index)
        try:
            hashes = prove_inclusion(index, self.size, self._tree.node)
        except (Invalid, OSError) as refusal:
            raise self._altered(refusal) from None
        return ProofFile(index, tuple(hashes), self.note, content)

    def goes_on_from(self, older: Checkpoint) -> list[bytes]:
        """The proof that it goes on from an older checkpoint of it.

        Raises:
            Corrupt: hashes are not those that were signed.
            Invalid: the older one covers more.
        """
        if older.size > self.size:
            raise Invalid(f"prove ledger: {self.size} entries are signed, expected the {older.size} of the checkpoint")
        try:
            return prove_consistency(older.size, self.size, self._tree.node)
        except (Invalid, OSError) as refusal:
            raise self._altered(refusal) from None

    def _first(self, receiver: str, seq: int) -> int:
        """The first entry that speaks of a receiver up to a seq: what entries speak of only grows."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            if self.entry(middle).upto.get(receiver, 0) < seq:
                low = middle + 1
            else:
                high = middle
        return low

    def _told_again(self, first: int) -> Mapping[tuple[str, int], Sequence[tuple[int, FrameEntry]]]:
        """By receiver and seq, the entries behind a first one that tell of a request once more: there are such only
        behind one by which tables were put back. Entries are searched for that, and read behind it.
        """
        if first < self._searched_from:
            found = (number for number in range(first, self._searched_from) if _RESTORED in self._content(number))
            restored = next(found, None)
            self._searched_from = first
            if restored is not None:
                self._again = self._read_again(restored)
        return self._again

    def _read_again(self, restored: int) -> dict[tuple[str, int], list[tuple[int, FrameEntry]]]:
        again: dict[tuple[str, int], list[tuple[int, FrameEntry]]] = {}
        upto = self.entry(restored).upto
        for number in range(restored + 1, self.size):
            entry = self.entry(number)
            if isinstance(entry, Batch):
                for frame in (each for each in entry.frames if each.seq <= upto.get(entry.receiver, 0)):
                    again.setdefault((entry.receiver, frame.seq), []).append((number, frame))
            upto = entry.upto
        return again

    def _content(self, index: int) -> bytes:
        return self._bundle(index // WIDTH)[index % WIDTH]

    def _read_bundle(self, index: int) -> tuple[bytes, ...]:
        bundle = Bundle(index, width_at(0, index, self.size))
        try:
            entries = entries_in(files.read_bundle(self._folder, bundle), bundle)
            hashes = self._tree.hashes(0, index)
        except (Invalid, OSError) as refusal:
            raise self._altered(refusal) from None
        if tuple(map(leaf_hash, entries)) != hashes:
            raise self._altered(f"{bundle.path} has other entries than were signed")
        return entries

    def _altered(self, found: object) -> Corrupt:
        return Corrupt(f"read {self._folder}: {found}; run `aftertrace verify`")


def _signed(folder: Path) -> tuple[VerifierKey, Note, Checkpoint]:
    """Key and checkpoint of a ledger. Between the two reads another key may have taken the place of one: then again.

    Raises:
        Invalid: the key has not signed it.
        OSError: they cannot be read.
    """
    for attempt in (1, 2):
        key = VerifierKey.parse((folder / "key").read_text("utf-8").removesuffix("\n"))
        note = Note.parse((folder / "checkpoint").read_bytes())
        try:
            return key, note, opened(note, key.name, key)
        except Invalid:
            if attempt == 2:
                raise
    raise AssertionError("it returns or raises")
