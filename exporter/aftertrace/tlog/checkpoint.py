"""Checkpoints, as C2SP tlog-checkpoint defines them: a log's name, size and root, in the text of a signed note."""

from __future__ import annotations

from dataclasses import dataclass

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.keys import SignerKey, Verifier
from aftertrace.tlog.merkle import EMPTY_ROOT, MAX_SIZE, checked
from aftertrace.tlog.note import Note
from aftertrace.tlog.texts import base64, from_base64, from_decimal, is_text


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says that it is at one moment. All its earlier states follow from it, and no later one."""

    origin: str
    """Name of the log, by which it is told from all others."""
    size: int
    """Number of leaves."""
    root: bytes
    """Root of the tree over them."""
    extensions: tuple[str, ...] = ()
    """Lines that the log added; their meaning is between it and its readers."""

    def __post_init__(self) -> None:
        """Refuse what no checkpoint can say.

        Raises:
            Invalid: a line would be empty or more than one, a number is out of range, or the root is not a hash.
        """
        if not all(line and "\n" not in line and is_text(line) for line in (self.origin, *self.extensions)):
            raise Invalid("read checkpoint: an empty line or control characters, expected lines of text")
        if not 0 <= self.size <= MAX_SIZE:
            raise Invalid(f"read checkpoint: {self.size} leaves, expected 0 to {MAX_SIZE}")
        if checked(self.root, "root") != EMPTY_ROOT and not self.size:
            raise Invalid("read checkpoint: no leaves and another root than that of an empty tree")

    def __str__(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The inverse of `str()`.

        Raises:
            Invalid: it is not the text of a checkpoint.
        """
        if not text.endswith("\n") or text.count("\n") < 3:
            raise Invalid(f"read checkpoint: {text.count(chr(10))} lines, expected origin, size and root")
        origin, size, root, *extensions = text.removesuffix("\n").split("\n")
        return cls(origin, from_decimal(size, "tree size"), from_base64(root, "root"), tuple(extensions))

    def signed(self, *keys: SignerKey) -> Note:
        """The checkpoint with signatures by some keys; the first is the log's own, of the name of the log."""
        return Note(str(self)).signed(*keys)


def opened(note: Note, origin: str, *keys: Verifier) -> Checkpoint:
    """The checkpoint in a note that is signed by a key of the log that has a name.

    Raises:
        Invalid: no such key has signed it, or it is that of another log.
    """
    note.verified(*keys)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise Invalid(f"open checkpoint: that of another log, expected {origin}")
    return checkpoint
