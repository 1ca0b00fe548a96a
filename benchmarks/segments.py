"""`python -m benchmarks.segments`: what one group of frames costs on this disk, by how its space was made.

A write and an `fdatasync` of groups as they come under load, into a file that grows, into space that was reserved (what
the write-ahead log does), and into space that was written before (what recycled segments would give). The three take
turns, so that a disk that is busy for a while is so for all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from aftertrace.store import durable

SPACE_BYTES = 64 << 20
_ZEROS = bytes(1 << 20)


def main() -> None:
    """Measure once and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the disk to measure")
    options.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each [5]")
    asked = options.parse_args()
    for group_bytes in (140_000, 1_100_000):
        waits: dict[str, list[float]] = {"grows": [], "reserved": [], "written before": []}
        for _ in range(asked.rounds):
            for way, found in waits.items():
                found.extend(_turn(asked.folder, way, group_bytes))
        floor = statistics.median(waits["written before"])
        for way, found in waits.items():
            middle, worst = statistics.median(found), sorted(found)[int(0.99 * len(found))]
            print(
                f"{group_bytes:>9,} bytes  {way:<14}  p50 {1000 * middle:6.2f} ms  p99 {1000 * worst:6.2f} ms  "
                f"{middle / floor:5.2f} x written before"
            )


def _turn(folder: Path, way: str, group_bytes: int) -> list[float]:
    """Seconds for each group until a file of `SPACE_BYTES` is full."""
    content = os.urandom(group_bytes)
    waits = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if way == "reserved":
            durable.reserve(file.fileno(), SPACE_BYTES)
        elif way == "written before":
            for offset in range(0, SPACE_BYTES, len(_ZEROS)):
                durable.write_all(file.fileno(), _ZEROS, offset)
        os.fsync(file.fileno())
        for offset in range(0, SPACE_BYTES - group_bytes, group_bytes):
            began = time.perf_counter()
            durable.write_all(file.fileno(), content, offset)
            durable.sync_data(file.fileno())
            waits.append(time.perf_counter() - began)
    return waits


if __name__ == "__main__":
    main()
