"""What do redaction and the ledger add to plain ingest? `python -m benchmarks.safeguards`; `README.md` has figures.

One process does all of it in turn, so that a slow machine slows both sides: requests are prepared without a rule of
redaction and with all of them, logged, and drained with the ledger, whose part is timed by itself. What counts is
processor time, of each part the least of some rounds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.corpus import requests, templates

from aftertrace.ingest.drain import Drain
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import RedactionPolicy, make_policy
from aftertrace.store.blobs import blobs
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.ledger.covering import Ledger
from aftertrace.store.ledger.sealer import seal
from aftertrace.store.request import Prepare, Request
from aftertrace.store.wal import WalWriter

WANTED: Final = 0.35
"""At most so much of plain ingest redaction and the ledger are to add."""
POLICIES: Final = {
    "plain": RedactionPolicy(fields=(), shapes=()),
    "redaction": RedactionPolicy(),
    "by-reference": make_policy(capture="by-reference", reference_bytes=512),
    "digest-only": make_policy(capture="digest-only"),
    "metadata-only": make_policy(capture="metadata-only"),
}
"""What requests are prepared with; the first looks for nothing."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time of some records, in seconds."""

    records: int
    prepared: dict[str, float]
    """Decoding, validating and redacting, by policy; with blobs where there are some."""
    logged: float
    drained: float
    """From the log to tables, without the ledger."""
    ledger: float
    """Covering each commit, and signing at the end."""

    @property
    def plain(self) -> float:
        """All but redaction and the ledger."""
        return self.prepared["plain"] + self.logged + self.drained

    def redaction(self, policy: str) -> float:
        """What a policy adds."""
        return self.prepared[policy] - self.prepared["plain"]

    @property
    def added(self) -> float:
        """Redaction and the ledger, as a share of plain ingest."""
        return (self.redaction("redaction") + self.ledger) / self.plain


class Stopwatch:
    """Processor time that passed while it ran."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.elapsed_s = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what passes within."""
        begun = time.process_time()
        yield
        self.elapsed_s += time.process_time() - begun


@contextmanager
def covering() -> Iterator[Stopwatch]:
    """What the ledger takes of whatever is drained meanwhile."""
    watch, real = Stopwatch(), Ledger.cover

    def cover(*arguments: Any) -> None:
        with watch.running():
            real(*arguments)

    Ledger.cover = cover  # type: ignore[method-assign]
    try:
        yield watch
    finally:
        Ledger.cover = real  # type: ignore[method-assign]


def measure(count: int, rounds: int) -> Costs:
    """The costs of so many requests of 512 spans."""
    made = [body for body, _ in islice(requests(templates()), count)]
    found = [_round(made) for _ in range(rounds)]
    return Costs(
        records=found[0].records,
        prepared={name: min(each.prepared[name] for each in found) for name in POLICIES},
        logged=min(each.logged for each in found),
        drained=min(each.drained for each in found),
        ledger=min(each.ledger for each in found),
    )


def _round(made: Sequence[bytes]) -> Costs:
    received = [Request("traces", "protobuf", body, "bench", time.time_ns()) for body in made]
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as folder:
        layout = open_folder(Path(folder) / "data")
        prepared, spent = {}, {}
        for name, policy in POLICIES.items():
            prepare: Prepare = make_prepare(policy, limits=Limits(), key=store_key(layout))
            watch = Stopwatch()
            with watch.running():
                prepared[name] = [prepare(request) for request in received]
                for ready in prepared[name]:
                    blobs.put(layout, ready.contents)
            spent[name] = watch.elapsed_s
        logged, drained, signed = Stopwatch(), Stopwatch(), Stopwatch()
        with WalWriter(layout, "main") as log, logged.running():
            for request, ready in zip(received, prepared["redaction"], strict=True):
                log.append(request, ready).result()
        with covering() as covered, Drain(layout) as drain, drained.running():
            stored = drain.once()
        with signed.running():
            seal(layout)
    return Costs(
        records=stored.spans,
        prepared=spent,
        logged=logged.elapsed_s,
        drained=drained.elapsed_s - covered.elapsed_s,
        ledger=covered.elapsed_s + signed.elapsed_s,
    )


def lines(costs: Costs) -> Iterator[str]:
    """The costs as text, per record and against plain ingest."""
    parts = {"plain ingest": costs.plain, "redaction": costs.redaction("redaction"), "ledger": costs.ledger}
    parts |= {f"{mode}, in all": costs.redaction(mode) for mode in ("by-reference", "digest-only", "metadata-only")}
    for name, seconds in parts.items():
        per_record = f"{1e6 * seconds / costs.records:8.1f} us a record"
        yield f"{name:<24} {per_record}  {seconds / costs.plain:7.1%} of plain ingest"
    reached = "met" if costs.added <= WANTED else "missed"
    yield f"redaction and ledger together add {costs.added:.1%}, wanted at most {WANTED:.0%}: {reached}"


def main() -> None:
    """Measure once and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=16, metavar="N", help="of 512 spans [16]")
    options.add_argument("--rounds", type=int, default=3, metavar="N", help="of which the least counts [3]")
    asked = options.parse_args()
    costs = measure(asked.requests, asked.rounds)
    print(f"{costs.records:,} records, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("\n".join(lines(costs)))


if __name__ == "__main__":
    main()
