"""The requests that the rows of a packet came with: a line each, with where the ledger tells of it.

::

    {"entry":35,"hashes":{"evidence":[<base64>,…],…},"ledger":1,"receiver":"main","seq":12}
    {"receiver":"main","seq":13,"unproven":"why"}

`hashes` are those of `tlog.subsets` for the tables of which rows are shown: what they stand for are rows of others, of
which nothing else is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import HASH_BYTES
from aftertrace.tlog.texts import base64, from_base64
from aftertrace.verifier.lines import line, member, members, number, parse
from aftertrace.verifier.rows import TABLES

_WHAT = "request"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands in a ledger, and what is beside its rows."""

    ledger: int
    """Number of the ledger, from 1."""
    entry: int
    hashes: Mapping[str, Sequence[bytes]]
    """By table."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of which rows are shown."""

    receiver: str
    seq: int
    place: Place | None
    """None: nothing is proven of it."""
    unproven: str | None = None
    """Why not."""

    def __str__(self) -> str:
        """The request as a line."""
        told = {"receiver": self.receiver, "seq": self.seq}
        if self.place is None:
            return line({**told, "unproven": self.unproven})
        hashes = {table: [base64(each) for each in found] for table, found in self.place.hashes.items()}
        return line({**told, "entry": self.place.entry, "hashes": hashes, "ledger": self.place.ledger})

    @classmethod
    def parse(cls, content: bytes) -> Request:
        """The inverse of `str()`.

        Raises:
            Invalid: it is no such line.
        """
        told = parse(content, _WHAT)
        receiver, seq = member(told, "receiver", str, _WHAT), number(told, "seq", _WHAT)
        if told.keys() == {"receiver", "seq", "unproven"}:
            return cls(receiver, seq, None, member(told, "unproven", str, _WHAT))
        if told.keys() != {"receiver", "seq", "entry", "hashes", "ledger"}:
            raise Invalid("read request: other members, expected its place in a ledger, or why it has none")
        hashes = {name: _hashes(told["hashes"], name) for name in member(told, "hashes", dict, _WHAT)}
        if not hashes.keys() <= set(TABLES):
            raise Invalid(f"read request: hashes of other tables, expected {', '.join(TABLES)}")
        return cls(receiver, seq, Place(number(told, "ledger", _WHAT), number(told, "entry", _WHAT), hashes))


def _hashes(told: dict[str, object], name: str) -> tuple[bytes, ...]:
    found = tuple(from_base64(each, "hash") for each in members(told, name, str, _WHAT))
    if any(len(each) != HASH_BYTES for each in found):
        raise Invalid(f"read request: a hash of another length, expected {HASH_BYTES} bytes")
    return found
