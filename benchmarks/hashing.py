"""How fast is the log's Merkle tree? `python -m benchmarks.hashing` measures it; `README.md` has figures.

The yardstick is SHA-256 of the standard library over the same bytes, entry by entry and nothing else, in the same
process; the parts take turns. What is counted is processor time, so that other work on the machine matters less. A tree
has one more hash of 65 bytes for each entry than the yardstick.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from aftertrace.tlog.checkpoint import Checkpoint
from aftertrace.tlog.edge import Edge
from aftertrace.tlog.keys import SignerKey
from aftertrace.tlog.merkle import Frontier, leaf_hash, root_of
from aftertrace.tlog.proofs import prove_inclusion, verify_inclusion
from aftertrace.tlog.tiled import TiledTree

PROOFS = 1_000
APPENDED = 8
"""Leaves that are added at once, where a log grows in steps."""


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--entries", type=int, default=100_000, metavar="N", help="in the tree [100000]")
    options.add_argument("--bytes", type=int, default=1_000, metavar="N", help="of each entry [1000]")
    options.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each part [5]")
    asked = options.parse_args()
    content = os.urandom(asked.entries * asked.bytes)
    entries = [content[start : start + asked.bytes] for start in range(0, len(content), asked.bytes)]
    took: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        for name, part in parts(entries).items():
            begun = time.process_time()
            part()
            took.setdefault(name, []).append(time.process_time() - begun)
    medians = {name: statistics.median(times) for name, times in took.items()}
    yardstick = medians["SHA-256 alone"]
    print(f"{len(entries):,} entries of {asked.bytes:,} bytes, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, seconds in medians.items():
        rate, speed = len(entries) / seconds, len(content) / seconds / 1e6
        print(f"{name:<34} {rate:>11,.0f} entries/s {speed:>8,.0f} MB/s  {yardstick / seconds:5.2f} x SHA-256 alone")
    print("\n".join(rates(entries)))


def parts(entries: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    """What is measured, by name; each goes over all entries."""
    hashes = [leaf_hash(entry) for entry in entries]

    def grown() -> bytes:
        edge = Edge()
        for start in range(0, len(hashes), APPENDED):
            edge, _ = edge.extended([leaf_hash(entry) for entry in entries[start : start + APPENDED]])
        return edge.root()

    return {
        "SHA-256 alone": lambda: [sha256(entry).digest() for entry in entries],
        "leaves": lambda: [leaf_hash(entry) for entry in entries],
        "leaves and root, at once": lambda: root_of([leaf_hash(entry) for entry in entries]),
        "leaves and root, one by one": lambda: Frontier().extended(leaf_hash(entry) for entry in entries).root(),
        "leaves and tiles, at once": lambda: Edge().extended([leaf_hash(entry) for entry in entries]),
        f"leaves and tiles, {APPENDED} at a time": grown,
    }


def rates(entries: Sequence[bytes]) -> list[str]:
    """What is done once for each proof or checkpoint."""
    hashes = [leaf_hash(entry) for entry in entries]
    edge, tiles = Edge().extended(hashes)
    tree = TiledTree(edge.size, edge.root(), tiles.__getitem__)
    indices = [index * edge.size // PROOFS for index in range(PROOFS)]
    root = edge.root()
    begun = time.process_time()
    proofs = [prove_inclusion(index, edge.size, tree.node) for index in indices]
    proved = time.process_time()
    for index, proof in zip(indices, proofs, strict=True):
        verify_inclusion(hashes[index], index, edge.size, proof, root)
    verified = time.process_time()
    key = SignerKey("aftertrace.example/log", bytes(32))
    for size in range(PROOFS):
        Checkpoint(key.name, size + 1, hashes[0]).signed(key)
    signed = time.process_time()
    each = {
        "inclusion proofs made from tiles": proved - begun,
        "verified": verified - proved,
        "checkpoints signed": signed - verified,
    }
    return [f"{name:<34} {PROOFS / seconds:>11,.0f} /s" for name, seconds in each.items()]


if __name__ == "__main__":
    main()
