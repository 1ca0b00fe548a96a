"""The entries of the ledger: small texts of canonical JSON, that hold digests and counts and nothing of a record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeAlias

from aftertrace.semconv.canonical import canonical_json
from aftertrace.store.errors import Corrupt

FRAMES: Final = 200
"""Frames in an entry at most: an entry has to fit into 65,535 bytes."""


@dataclass(frozen=True, slots=True)
class FrameSeal:
    """What the ledger says of a frame: one accepted request."""

    seq: int
    digest: str
    """Of the frame in the WAL, 64 hex digits."""
    received_ns: int
    source: str
    """Keyed digest of who sent it, 32 hex digits: neighbours in an entry that is shown stay unknown."""
    records: int
    """Rows of `evidence`."""
    root: str
    """Root of the tree over their leaves, 64 hex digits."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records of some frames of a receiver, in order, under one redaction policy."""

    receiver: str
    policy: str
    """Tagged digest of it."""
    frames: tuple[FrameSeal, ...]
    stored: Mapping[str, int]
    """Last seq of each receiver that the ledger covers, this entry among what counts."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of the WAL that could not be read: what it held is in the quarantine, if anywhere."""

    receiver: str
    code: str
    where: str
    digest: str
    """Tagged digest of the bytes that were put aside."""
    stored: Mapping[str, int]


Entry: TypeAlias = Records | Gap
_KINDS: Final = {"records": Records, "gap": Gap}


def encoded(entry: Entry) -> bytes:
    """The bytes of an entry."""
    kind = next(name for name, made in _KINDS.items() if isinstance(entry, made))
    return canonical_json({"type": kind, **_members(entry)})


def decoded(content: bytes) -> Entry:
    """The inverse of `encoded`.

    Raises:
        Corrupt: it is not an entry, or not written as `encoded` writes it.
    """
    try:
        told: dict[str, Any] = json.loads(content)
        kind = _KINDS[told.pop("type")]
        told["stored"] = {str(receiver): int(seq) for receiver, seq in told["stored"].items()}
        if kind is Records:
            told["frames"] = tuple(
                FrameSeal(**{**frame, "received_ns": int(frame["received_ns"])}) for frame in told["frames"]
            )
        entry: Entry = kind(**told)
        if encoded(entry) == content:
            return entry
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        pass
    raise Corrupt("read ledger: not an entry, expected one as aftertrace writes it; run `aftertrace verify`")


def of_frames(receiver: str, frames: Sequence[tuple[str, FrameSeal]], stored: Mapping[str, int]) -> Iterator[Records]:
    """Entries for frames of a receiver, each given with its policy, in order."""
    for policy, group in groupby(frames, key=lambda frame: frame[0]):
        seals = [seal for _, seal in group]
        for start in range(0, len(seals), FRAMES):
            part = tuple(seals[start : start + FRAMES])
            stored = {**stored, receiver: part[-1].seq}
            yield Records(receiver, policy, part, stored)


def _members(entry: Entry) -> dict[str, Any]:
    members = {name: getattr(entry, name) for name in entry.__slots__}
    members["stored"] = dict(entry.stored)
    if isinstance(entry, Records):
        members["frames"] = [
            # Nanoseconds are more than the numbers that every reader of JSON keeps exactly.
            {name: getattr(seal, name) for name in seal.__slots__} | {"received_ns": str(seal.received_ns)}
            for seal in entry.frames
        ]
    return members
