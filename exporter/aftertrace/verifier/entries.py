"""What a packet's verifier reads of the entries of a ledger. Their hashes were proven before, and so who wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import HASH_BYTES
from aftertrace.tlog.texts import from_base64
from aftertrace.verifier.lines import member, members, number
from aftertrace.verifier.rotations import Rotation
from aftertrace.verifier.rows import TABLES

_WHAT: Final = "ledger entry"


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests of a receiver, and by table how many rows each became, and the root over their leaves."""

    receiver: str
    requests: Mapping[int, Mapping[str, tuple[int, bytes]]]


def parse_batch(entry: bytes) -> Batch:
    """The requests that an entry tells of.

    Raises:
        Invalid: it tells of none.
    """
    told = _object(entry, "batch")
    requests: dict[int, Mapping[str, tuple[int, bytes]]] = {}
    for frame in members(told, "frames", dict, _WHAT):
        requests[number(frame, "seq", _WHAT)] = {table: _rows(frame, table) for table in TABLES}
    return Batch(member(told, "receiver", str, _WHAT), requests)


def parse_export(entry: bytes) -> bytes:
    """The digest of the packet of which an entry tells that it was exported.

    Raises:
        Invalid: it tells of none.
    """
    return _digest(member(_object(entry, "export"), "digest", str, _WHAT))


def parse_rotation(entry: bytes) -> Rotation:
    """The keys of an entry that names another one that signs.

    Raises:
        Invalid: it names none, or they have not signed that.
    """
    return Rotation.parse(member(_object(entry, "rotation"), "note", str, _WHAT))


def _object(entry: bytes, kind: str) -> dict[str, Any]:
    try:
        told = json.loads(entry)
    except (ValueError, RecursionError):
        raise Invalid(f"read {_WHAT}: not JSON") from None
    if not isinstance(told, dict) or told.get("kind") != kind:
        raise Invalid(f"read {_WHAT}: of another kind, expected {kind}")
    return told


def _rows(frame: dict[str, Any], table: str) -> tuple[int, bytes]:
    told = member(frame, table, list, _WHAT)
    if len(told) != 2:
        raise Invalid(f"read {_WHAT}: {table} has {len(told)} members, expected rows and root")
    parts = {"rows": told[0], "root": told[1]}
    return number(parts, "rows", _WHAT), _digest(member(parts, "root", str, _WHAT))


def _digest(text: str) -> bytes:
    digest = from_base64(text, "digest")
    if len(digest) != HASH_BYTES:
        raise Invalid(f"read {_WHAT}: a digest of {len(digest)} bytes, expected {HASH_BYTES}")
    return digest
