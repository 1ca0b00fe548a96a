"""How fast is a store verified? `python -m benchmarks.verifying` measures it; `README.md` has figures.

Agent spans are drained into a scratch store, and that is verified as `aftertrace verify` does.
The yardstick is SHA-256 of the standard library over the same records, one by one and nothing else, in the same
process. What is counted of it and of verifying is processor time; verifying uses more than one core.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from hashlib import sha256
from itertools import islice
from pathlib import Path

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
from aftertrace.store.verify import verify
from aftertrace.store.wal import WalWriter


def main() -> None:
    """Measure once and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=64, metavar="N", help="of 512 spans [64]")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as folder:
        layout = open_folder(Path(folder) / "data")
        drained_s, covering_s = _fill(layout, asked.requests)
        rows = Snapshot.of(layout.data).scan("evidence").collect()
        records = rows["record"].to_list()
        size_bytes = sum(map(len, records))
        begun = time.process_time()
        for record in records:
            sha256(record).digest()
        plain_s = time.process_time() - begun
        begun, began = time.process_time(), time.perf_counter()
        report = verify(layout)
        verified_s, took_s = time.process_time() - begun, time.perf_counter() - began
    if report.findings or report.records != len(records):
        raise SystemExit(f"{report.records} records verified, expected {len(records)}: {report.findings[:3]}")
    print(
        f"{len(records):,} records, {size_bytes / 1e6:,.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(f"ledger: {1e6 * covering_s / len(records):.1f} us a record, {covering_s / drained_s:.1%} of the drain")
    for name, seconds in (("SHA-256 alone", plain_s), ("verify, processor time", verified_s), ("verify", took_s)):
        print(f"{name:<24} {size_bytes / seconds / 1e6:>8,.0f} MB/s  {plain_s / seconds:6.3f} x SHA-256 alone")


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
