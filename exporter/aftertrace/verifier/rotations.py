"""The keys of a ledger that follow each other.

An entry of it holds a signed note that names the key that has signed so far and the one that signs from there on::

    aftertrace/rotation/v1
    <verifier key that goes>
    <verifier key that comes>

    — signatures by both

Each checkpoint is signed by the key in force at its size: one that ends with such an entry, or is longer, by the key
that comes. So whoever knows one of the keys is led to all that come after it, and a key that went counts for what was
signed before alone.

Where a key was lost it cannot sign that: the first line is `aftertrace/lost-key/v1` then, and the key that comes signs
alone. It says so, and proves nothing: nobody is led over it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, VerifierKey
from aftertrace.tlog.note import Note

_ROTATED: Final = "aftertrace/rotation/v1"
_LOST: Final = "aftertrace/lost-key/v1"


class Retired(Invalid):
    """Signed by a key that had gone by then, and by none that was in force."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key in the place of another."""

    before: VerifierKey
    after: VerifierKey
    is_break: bool = False
    """Whether the key before it was lost, and has not signed this."""

    def note(self, *keys: SignerKey) -> Note:
        """The note that says so, signed by keys."""
        return Note(f"{_LOST if self.is_break else _ROTATED}\n{self.before}\n{self.after}\n").signed(*keys)

    @classmethod
    def parse(cls, text: str) -> Rotation:
        """What a note says, once all signatures are found that it must have.

        Raises:
            Invalid: it is none, or not signed as it must be.
        """
        note = Note.parse(text.encode())
        kind, *keys = note.text.removesuffix("\n").split("\n")
        if kind not in (_ROTATED, _LOST) or len(keys) != 2:
            raise Invalid("read rotation: not a kind and two keys, expected a note that names one key after another")
        found = cls(VerifierKey.parse(keys[0]), VerifierKey.parse(keys[1]), kind == _LOST)
        if found.before.name != found.after.name or found.before == found.after:
            raise Invalid("read rotation: expected two keys of one name")
        for key in (found.after,) if found.is_break else (found.before, found.after):
            note.verified(key)
        return found


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotation, and the number of its entry."""

    entry: int
    rotation: Rotation


class Chain:
    """The keys of a ledger, as its entries name them."""

    def __init__(self, rotated: Sequence[Rotated] = ()) -> None:
        """Rotations in order of their entries.

        Raises:
            Invalid: one is not from the key to which the one before it went.
        """
        self.rotated = tuple(rotated)
        for earlier, later in zip(self.rotated, self.rotated[1:], strict=False):
            if later.rotation.before != earlier.rotation.after:
                raise Invalid(f"entry {later.entry} puts away another key than the one that was in force")

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """All that it names, in order."""
        return tuple(dict.fromkeys(key for each in self.rotated for key in (each.rotation.before, each.rotation.after)))

    def told(self) -> Iterator[tuple[int, str, str]]:
        """Of each rotation the number of its entry, and what a verification finds: code and message."""
        for each in self.rotated:
            before, after = each.rotation.before, each.rotation.after
            if each.rotation.is_break:
                message = f"{before} was lost: {after} signs from here on, and the one before has not signed that"
                yield each.entry, "key_lost", message
            else:
                yield each.entry, "key_rotated", f"from {before} to {after}, as both have signed"

    @property
    def hint(self) -> str:
        """What is to be said to whoever expected a key that does not lead to the one that signed."""
        if not self.rotated:
            return ""
        lost = [each.entry for each in self.rotated if each.rotation.is_break]
        broken = f", and nobody is led over entry {lost[-1]}, where a key was lost" if lost else ""
        return f", or by one to which it leads: its entries name {', '.join(map(str, self.keys))}{broken}"

    def verified(self, note: Note, size: int, known: Collection[VerifierKey]) -> tuple[VerifierKey, ...]:
        """By which keys a checkpoint of some size is known: from a known one on to the one in force, which signed it.

        Raises:
            Retired: keys have signed it that were not in force any more, and no other.
            Invalid: it is not signed by the key in force, or no known key leads to that.
        """
        if not self.rotated:
            for key in known:
                if _has_signed(note, key):
                    return (key,)
            note.verified(*known)
        before = [each.rotation.before for each in self.rotated if each.entry < size]
        force = self.rotated[len(before) - 1].rotation.after if before else self.rotated[0].rotation.before
        if not _has_signed(note, force):
            gone = next((key for key in before if _has_signed(note, key)), None)
            if gone is not None:
                place = max(each.entry for each in self.rotated if each.rotation.before == gone)
                raise Retired(f"{size} entries signed by {gone}, which entry {place} put away; expected {force}")
            note.verified(force)
        path = [force]
        for each in reversed([each for each in self.rotated if each.entry < size]):
            if path[0] in known or each.rotation.is_break:
                break
            path.insert(0, each.rotation.before)
        if path[0] not in known:
            raise Invalid(f"signed by {force}, to which no known key leads; expected one that does")
        return tuple(path)


def _has_signed(note: Note, key: VerifierKey) -> bool:
    try:
        note.verified(key)
    except Invalid:
        return False
    return True
