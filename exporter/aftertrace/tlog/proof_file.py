"""Proofs in files, as C2SP tlog-proof defines them: that an entry is in a log, for whoever has its key and no network.

::

    c2sp.org/tlog-proof@v1
    extra <base64>               optional; here the entry itself, which is proven as its hash is
    index <decimal>
    <base64 of a hash>           the inclusion proof, from the leaf's neighbour up
    …

    the checkpoint, as it was signed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.note import MAX_BYTES, Note
from aftertrace.tlog.texts import base64, from_base64, from_decimal

SUFFIX: Final = ".tlog-proof"
_BEGIN: Final = "c2sp.org/tlog-proof@v1\n"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_MOST_HASHES: Final = 63


@dataclass(frozen=True, slots=True)
class ProofFile:
    """What such a file says. Nothing of it is proven by being read."""

    index: int
    """Of the entry."""
    hashes: tuple[bytes, ...]
    """The inclusion proof (`proofs.verify_inclusion`)."""
    checkpoint: Note
    """That of the tree that it leads to."""
    extra: bytes | None = None
    """What the application added."""

    def __bytes__(self) -> bytes:
        """The file."""
        extra = "" if self.extra is None else f"{_EXTRA}{base64(self.extra)}\n"
        hashes = "".join(f"{base64(hashed)}\n" for hashed in self.hashes)
        return f"{_BEGIN}{extra}{_INDEX}{self.index}\n{hashes}\n".encode() + bytes(self.checkpoint)

    @classmethod
    def parse(cls, content: bytes) -> ProofFile:
        """The inverse of `bytes()`.

        Raises:
            Invalid: it is no such file, or not written in this one way.
        """
        if len(content) > MAX_BYTES:
            raise Invalid(f"read proof: {len(content)} bytes, expected {MAX_BYTES} at most")
        head, end, checkpoint = content.partition(b"\n\n")
        try:
            begin, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Invalid("read proof: other characters than ASCII before the checkpoint") from None
        extra = (
            from_base64(lines.pop(0)[len(_EXTRA) :], "extra data") if lines and lines[0].startswith(_EXTRA) else None
        )
        if f"{begin}\n" != _BEGIN or not end or not lines or not lines[0].startswith(_INDEX):
            raise Invalid("read proof: not one, expected c2sp.org/tlog-proof@v1, an index, and a checkpoint below")
        if len(lines) - 1 > _MOST_HASHES:
            raise Invalid(f"read proof: {len(lines) - 1} hashes, expected {_MOST_HASHES} at most")
        index = from_decimal(lines[0][len(_INDEX) :], "index")
        hashes = tuple(from_base64(line, "hash of a proof") for line in lines[1:])
        return cls(index, hashes, Note.parse(checkpoint), extra)
