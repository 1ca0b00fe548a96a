"""A certificate of what was destroyed: entries of the ledger with proofs that lead to what the sealer has signed.

It is one JSON object, which anybody checks who has the public key, with no store and no network. What people read in it
is what the entries say: `check` compares them.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aftertrace.store.errors import Corrupt, Invalid, Unavailable
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import acts, files
from aftertrace.store.ledger.contents import ContentRetention
from aftertrace.store.ledger.entries import Entry, Erasure, Retained, Retention, Rotation, Withdrawn, decoded, encoded
from aftertrace.tlog import errors
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.keys import VerifierKey
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.note import Note
from aftertrace.tlog.proofs import prove_inclusion, verify_inclusion
from aftertrace.tlog.tiled import TiledTree
from aftertrace.verifier import rotations
from aftertrace.verifier.rotations import Chain, Rotated

FORMAT: Final = "aftertrace certificate of destruction 1"
ORDERS: Final = (Retention, Erasure, ContentRetention)
"""Entries that say what is destroyed."""
_SAID: Final = ("by", "why", "policy", "plan", "term_days", "floor_days")


def certificate(layout: Layout, order: str) -> bytes:
    """The certificate of an order that is done.

    Args:
        layout: of the store.
        order: its id.

    Raises:
        Invalid: there is no such order of retention.
        Unavailable: not all of it is done and signed.
        Corrupt: the ledger is damaged.
    """
    recorded = acts.recorded(layout)
    found = [each for each in recorded if each.act.id == order]
    if not found or not isinstance(found[0].act, ORDERS):
        raise Invalid(
            f"certify {order!r}: no order of retention or erasure in the ledger, expected one that was printed"
        )
    back = found[-1].act
    if isinstance(back, Withdrawn) and not any(_is_gone(each.act, back) for each in found):
        raise Invalid(
            f"certify {order}: hold {back.hold} came before any of it was gone, expected an order carried out"
        )
    if not isinstance(found[-1].act, Retained):
        raise Unavailable(f"certify {order}: not all of it is gone, expected that; try again later", 60.0)
    try:
        note = Note.parse(layout.checkpoint.read_bytes())
        signed = Checkpoint.parse(note.text)
        if signed.size <= found[-1].number:
            raise Unavailable(f"certify {order}: not signed, expected that; run `aftertrace seal`", 1.0)
        tree = TiledTree(signed.size, signed.root, lambda tile: files.read_tile(layout.ledger, tile))
        rotated = [each for each in recorded if isinstance(each.act, Rotation) and each.number < signed.size]
        entries, keys = (_proven(signed, tree, told) for told in (found, rotated))
    except (OSError, errors.Invalid) as error:
        raise Corrupt(f"certify {order}: {error}; run `aftertrace verify`") from error
    # Not there in certificates of ledgers that had one key, nor in those of before 2026-11-22.
    led_by = {"rotations": keys} if keys else {}
    told = {**_told([each.act for each in found]), "entries": entries, **led_by, "checkpoint": bytes(note).decode()}
    return json.dumps(told, ensure_ascii=True, indent=1).encode() + b"\n"


def _proven(signed: Checkpoint, tree: TiledTree, found: Sequence[acts.Recorded]) -> list[dict[str, Any]]:
    return [
        {
            "number": each.number,
            "entry": _text(encoded(each.act)),
            "proof": [_text(hashed) for hashed in prove_inclusion(each.number, signed.size, tree.node)],
        }
        for each in found
    ]


def check(content: bytes, key: VerifierKey) -> tuple[dict[str, Any], tuple[VerifierKey, ...]]:
    """What a certificate says, once its entries, their proofs and the signature are checked; and the keys from the one
    that is known on to the one that signed.

    Raises:
        Invalid: it is none, or something of it does not hold.
    """
    try:
        told = json.loads(content)
        note = Note.parse(told["checkpoint"].encode())
        signed = Checkpoint.parse(note.text)
        entries = [entry for _, entry in _entries(told["entries"], signed)]
        rotated = [Rotated(number, _rotation(entry)) for number, entry in _entries(told.get("rotations", ()), signed)]
        keys = Chain(rotated).verified(note, signed.size, [key])
        if keys[-1].name != signed.origin:
            raise errors.Invalid(f"that of the log {signed.origin}")
    except (errors.Invalid, Corrupt, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Invalid(
            f"check certificate: {str(error) or type(error).__name__}, expected one as aftertrace makes it, signed by "
            f"{key.name}; ask for it again"
        ) from None
    said = {name: value for name, value in told.items() if name not in ("entries", "rotations", "checkpoint")}
    if not _is_whole(entries) or said != _told(entries):
        raise Invalid("check certificate: it says something else than the entries in it; ask for it again")
    return said, keys


def _entries(told: Iterable[Any], signed: Checkpoint) -> Iterator[tuple[int, Entry]]:
    """Entries with their numbers, each proven to be under a checkpoint, whoever signed that."""
    for each in told:
        raw = b64decode(each["entry"], validate=True)
        proof = [b64decode(one, validate=True) for one in each["proof"]]
        verify_inclusion(leaf_hash(raw), each["number"], signed.size, proof, signed.root)
        yield each["number"], decoded(raw)


def _rotation(entry: Entry) -> rotations.Rotation:
    if not isinstance(entry, Rotation):
        raise errors.Invalid("an entry that names no other key")
    return rotations.Rotation.parse(entry.note)


def _is_whole(entries: Sequence[Entry]) -> bool:
    """Whether they are one order, from its first entry to what was done."""
    if not entries:
        return False
    *ordered, last = entries
    ids = {each.id for each in entries if isinstance(each, (*ORDERS, Withdrawn, Retained))}
    if ordered and isinstance(ordered[-1], Withdrawn):
        ordered.pop()
    is_ordered = bool(ordered) and all(isinstance(each, ORDERS) for each in ordered)
    return is_ordered and isinstance(last, Retained) and len(ids) == 1


def _told(entries: Sequence[Entry]) -> dict[str, Any]:
    """What people read of an order."""
    ordered = [each for each in entries if isinstance(each, ORDERS)]
    (done,) = [each for each in entries if isinstance(each, Retained)]
    back = next((each for each in entries if isinstance(each, Withdrawn)), None)
    return {
        "format": FORMAT,
        "order": done.id,
        **{name: getattr(ordered[0], name) for name in _SAID if hasattr(ordered[0], name)},
        "uid": ordered[0].uid,
        "ordered_at": _moment(ordered[0]),
        "done_at": _moment(done),
        "files": done.files,
        **({} if back is None else {"withdrawn": {"hold": back.hold, "stays_from": back.day}}),
        "destroyed": [_destroyed(each, back) for each in ordered if back is None or _is_gone(each, back)],
    }


def _is_gone(entry: Entry, back: Withdrawn) -> bool:
    """Whether any of what an entry names was destroyed before a hold came."""
    if not isinstance(entry, Retention | Erasure):
        return False
    return entry.day < back.day or (entry.day == back.day and bool(back.gone))


def _destroyed(entry: Retention | Erasure | ContentRetention, back: Withdrawn | None) -> dict[str, Any]:
    """What an entry names: requests, single records by seq and index, or contents by their digests; and of which
    tables, where not of all.
    """
    if isinstance(entry, ContentRetention):
        return {"day": entry.day, "contents": list(entry.blobs)}
    told: dict[str, Any] = {"receiver": entry.receiver, "day": entry.day}
    if back is not None and entry.day == back.day:
        told["tables"] = list(back.gone)
    if isinstance(entry, Retention):
        return {**told, "requests": [list(each) for each in entry.requests], "rows": dict(sorted(entry.rows.items()))}
    records = sorted({(row.seq, row.index) for found in entry.rows.values() for row in found})
    rows = {table: len(found) for table, found in sorted(entry.rows.items())}
    return {**told, "records": [list(record) for record in records], "rows": rows}


def _moment(entry: Entry) -> str:
    return datetime.fromtimestamp(int(entry.time_ns) / 1e9, UTC).isoformat(timespec="seconds")


def _text(content: bytes) -> str:
    return b64encode(content).decode()
