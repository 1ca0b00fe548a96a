"""What redaction and the ledger add is told apart from plain ingest."""

from __future__ import annotations

import time

from benchmarks import safeguards

from aftertrace.store.ledger.covering import Ledger

MADE_UP = safeguards.Costs(
    records=1_000,
    prepared={"plain": 0.1, "redaction": 0.15, "by-reference": 0.25, "digest-only": 0.5, "metadata-only": 0.4},
    logged=0.1,
    drained=0.3,
    ledger=0.1,
)


def test_costs_are_told_per_record_and_against_plain_ingest() -> None:
    """Of figures that are given: half a second of plain ingest, and what comes on top."""
    assert list(safeguards.lines(MADE_UP)) == [
        "plain ingest                500.0 us a record   100.0% of plain ingest",
        "redaction                    50.0 us a record    10.0% of plain ingest",
        "ledger                      100.0 us a record    20.0% of plain ingest",
        "by-reference, in all        150.0 us a record    30.0% of plain ingest",
        "digest-only, in all         400.0 us a record    80.0% of plain ingest",
        "metadata-only, in all       300.0 us a record    60.0% of plain ingest",
        "redaction and ledger together add 30.0%, wanted at most 35%: met",
    ]


def test_each_part_is_seen_at_work() -> None:
    """Of two requests; and the ledger is as it was afterwards."""
    cover = Ledger.cover
    costs = safeguards.measure(count=2, rounds=1)
    assert costs.records == 1_024
    assert 0 < costs.ledger < costs.drained
    assert costs.prepared["plain"] < costs.prepared["metadata-only"]
    assert Ledger.cover is cover


def test_what_takes_longer_counts_more() -> None:
    """The control: a ledger that works on for a while."""
    watch = safeguards.Stopwatch()
    with watch.running():
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
    assert watch.elapsed_s >= 0.02
