"""Which keys a ledger names, one after the other: read from the acts in it, under the root of a checkpoint."""

from __future__ import annotations

from pathlib import Path

from msgspec import UNSET

from aftertrace.store.errors import Corrupt
from aftertrace.store.ledger import files
from aftertrace.store.ledger.acts import newest
from aftertrace.store.ledger.entries import Entry, Rotation, decoded
from aftertrace.store.verify.report import Findings
from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.errors import Invalid
from aftertrace.tlog.merkle import leaf_hash
from aftertrace.tlog.tiled import TiledTree
from aftertrace.tlog.tiles import WIDTH, Bundle, width_at
from aftertrace.verifier import rotations
from aftertrace.verifier.rotations import Chain, Rotated


def chain_of(folder: Path, checkpoint: Checkpoint, findings: Findings) -> Chain:
    """The keys that a ledger names under the root of a checkpoint, whoever signed that: keys vouch for each other.

    Where entries that lead to them are gone or others it is empty: what is wrong with them is told where all are read.
    """
    found: list[Rotated] = []
    try:
        for number, entry in _rotations(folder, checkpoint):
            where = f"{folder.name} entry {number}"
            try:
                found.append(Rotated(number, rotations.Rotation.parse(entry.note)))
            except Invalid as refusal:
                findings.add("key_forged", where, f"names another key that is to sign: {refusal}")
    except (Invalid, Corrupt, OSError):
        return Chain()
    try:
        return Chain(tuple(reversed(found)))
    except Invalid as refusal:
        findings.add("key_forged", folder.name, str(refusal))
        return Chain()


def _rotations(folder: Path, checkpoint: Checkpoint) -> list[tuple[int, Rotation]]:
    """The last one first."""
    if not checkpoint.size:
        return []
    tree = TiledTree(checkpoint.size, checkpoint.root, lambda tile: files.read_tile(folder, tile))
    held: dict[int, list[bytes]] = {}

    def entry(number: int) -> Entry:
        index, place = divmod(number, WIDTH)
        if index not in held:
            held.clear()
            bundle = Bundle(index, width_at(0, index, checkpoint.size))
            held[index] = files.split(files.read_bundle(folder, bundle))[0]
            if tuple(map(leaf_hash, held[index])) != tree.hashes(0, index):
                raise Invalid(f"read {bundle.path}: other entries than were signed")
        return decoded(held[index][place])

    found: list[tuple[int, Rotation]] = []
    number = newest(checkpoint.size - 1, entry(checkpoint.size - 1))
    while number is not UNSET:
        act = entry(number)
        if isinstance(act, Rotation):
            found.append((number, act))
        if act.last_act is not UNSET and act.last_act >= number:
            raise Invalid(f"read entry {number}: leads to a later act")
        number = act.last_act
    return found
