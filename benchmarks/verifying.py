"""How fast is a store verified? `python -m benchmarks.verifying` measures it; `README.md` has figures.

Agent spans are drained into a scratch store, and that is verified as `aftertrace verify` does, by one process and with
another that shares the files. The yardstick is SHA-256 of the standard library over the same records, one by one and
nothing else, in the same process. Of everything the processor time is counted, of all processes: what other work on the
machine takes is not in it. Two cores that have nothing else to do need half of that of two processes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import islice
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.corpus import requests, templates
from benchmarks.safeguards import covering

from aftertrace.ingest.drain import Drain
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.layout import Layout
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.request import Request
from aftertrace.store.snapshot import Snapshot
from aftertrace.store.verify import Asked, verify
from aftertrace.store.wal import WalWriter


def main() -> None:
    """Measure once and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=256, metavar="N", help="of 512 spans [256]")
    options.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each, the least counts [3]")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as folder:
        layout = open_folder(Path(folder) / "data")
        drained_s, covering_s = _fill(layout, asked.requests)
        records = Snapshot.of(layout.data).scan("evidence").select("record").collect()["record"].to_list()
        count, size_bytes = len(records), sum(map(len, records))
        parts: dict[str, Callable[[], object]] = {
            "SHA-256 alone": lambda: [sha256(record).digest() for record in records],
            "verify, one process": lambda: _verify(layout, 0, count),
            "verify, two processes": lambda: _verify(layout, 1, count),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
        for _ in range(asked.rounds):
            for name, part in parts.items():
                taken[name].append(_timed(part))
    print(f"{count:,} records, {size_bytes / 1e6:,.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"ledger: {1e6 * covering_s / count:.1f} us a record, {covering_s / drained_s:.1%} of the drain")
    plain_s = min(used_s for used_s, _ in taken["SHA-256 alone"])
    for name, turns in taken.items():
        used_s, passed_s = (min(seconds) for seconds in zip(*turns, strict=True))
        rate, passing = (size_bytes / seconds / 1e6 for seconds in (used_s, passed_s))
        ratio = f"{plain_s / used_s:5.3f} x SHA-256 alone"
        print(f"{name:<22} {rate:>6,.0f} MB/s of processor time, {ratio}; {passing:>6,.0f} MB/s as time passes")


def _verify(layout: Layout, readers: int, records: int) -> None:
    report = verify(layout, Asked(readers=readers))
    if report.findings or report.records != records:
        raise SystemExit(f"{report.records} records verified, expected {records}: {report.findings[:3]}")


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of processor time, of this process and those that it had, and seconds as they pass."""
    before, began = _used_s(), time.perf_counter()
    work()
    return _used_s() - before, time.perf_counter() - began


def _used_s() -> float:
    return sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def _fill(layout: Layout, count: int) -> tuple[float, float]:
    """Store and sign so many requests; returns the processor time of the drain in seconds, and what of it the ledger
    took.
    """
    prepare = make_prepare(RedactionPolicy(), limits=Limits(), key=store_key(layout))
    with WalWriter(layout, "main") as log:
        for body, _ in islice(requests(templates()), count):
            request = Request("traces", "protobuf", body, "bench", time.time_ns())
            log.append(request, prepare(request)).result()
    begun = time.process_time()
    with covering() as covered, Drain(layout) as drain:
        drain.once()
    drained_s = time.process_time() - begun
    seal(layout)
    return drained_s, covered.elapsed_s


if __name__ == "__main__":
    main()
