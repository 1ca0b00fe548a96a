"""Merkle tree hashes as RFC 6962 section 2.1 defines them, over SHA-256.

A leaf and a node are told apart by their first byte, so that no entry can be taken for two hashes of a level below::

    leaf = SHA-256(0x00 || entry)
    node = SHA-256(0x01 || left || right)

A tree of n leaves has to its left the largest complete tree of 2^k < n leaves, and the rest to its right. So every
tree is a row of complete trees, larger ones first, one for each bit that is set in n: its *peaks*. They are all that
has to be remembered to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from aftertrace.tlog.errors import Invalid

HASH_BYTES: Final = 32
"""Length of every hash here."""

EMPTY_ROOT: Final = sha256().digest()
"""Root of a tree without leaves."""

MAX_SIZE: Final = 2**63 - 1
"""How many leaves a tree can have at most; readers in other languages count in signed 64 bits."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two neighbours of one level."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over some leaf hashes, or over the roots of complete trees of one height."""
    if not leaves:
        return EMPTY_ROOT
    level = leaves
    while len(level) > 1:
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def checked(hashed: bytes, what: str) -> bytes:
    """A hash that came from outside.

    Raises:
        Invalid: it has another length.
    """
    if len(hashed) != HASH_BYTES:
        raise Invalid(f"read {what}: {len(hashed)} bytes, expected {HASH_BYTES}")
    return hashed


@dataclass(frozen=True, slots=True)
class Frontier:
    """What has to be remembered of a tree to add leaves to it and to tell its root: at most 63 hashes."""

    size: int = 0
    """Number of leaves."""
    peaks: tuple[bytes, ...] = ()
    """Roots of the complete trees that it is a row of, the largest first."""

    def __post_init__(self) -> None:
        """Refuse a number of peaks that no tree of this size has.

        Raises:
            Invalid: it is another one, or a peak is no hash.
        """
        if not 0 <= self.size <= MAX_SIZE or len(self.peaks) != self.size.bit_count():
            raise Invalid(f"read frontier: {len(self.peaks)} peaks, expected those of {self.size} leaves")
        for peak in self.peaks:
            checked(peak, "peak")

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after some more leaves, given by their hashes."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            # One complete tree for each bit that is set: adding a leaf carries as adding 1 does.
            hashed, carried = leaf, size
            while carried & 1:
                hashed = sha256(b"\x01" + peaks.pop() + hashed).digest()
                carried >>= 1
            peaks.append(hashed)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """Root of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, hashed = self.peaks
        for peak in reversed(rest):
            hashed = node_hash(peak, hashed)
        return hashed
