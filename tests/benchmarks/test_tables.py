"""What the benchmarks print of what they measured."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.beside import Outcome, aligned, ours, table
from benchmarks.ingest import Figures, Phase, quantile
from benchmarks.targets import targets

PHASE = Phase(
    acknowledged_spans_per_s=6_000.0,
    queryable_spans_per_s=5_900.0,
    ack_p50_ms=2.5,
    ack_p99_ms=26.0,
    queryable_p50_s=0.9,
    queryable_p99_s=1.9,
    refused=0,
    spans=354_000,
)
FIGURES = Figures(
    wire_bytes_per_span=2_145.0,
    parse_spans_per_s=800_000.0,
    burst=replace(PHASE, acknowledged_spans_per_s=40_000.0),
    sustained=PHASE,
    half=PHASE,
    receiver_peak_mb=100.0,
    drain_peak_mb=400.0,
    others_peak_mb=300.0,
    receiver_cpu_us_per_span=20.0,
    drain_cpu_us_per_span=150.0,
    others_cpu_us_per_span=80.0,
    processes=3,
    bytes_per_span=1_500.0,
    evidence_bytes_per_span=860.0,
    spans=700_000,
    lost=0,
    seconds=180.0,
)
PEER = Outcome(
    system="MLflow 1",
    acknowledged=60_000,
    acknowledged_s=60.0,
    counted=59_000,
    counted_s=100.0,
    refused=2,
    failed={"500": 3},
    disk_bytes=295_000_000,
    peak_bytes=2_000_000_000,
    processes=15,
    cpu_s=59.0,
)


def test_systems_are_shown_side_by_side() -> None:
    """What was acknowledged and is not there is a loss, whatever it was faster than."""
    none = replace(PEER, system="Phoenix 1", counted=0, failed={})
    assert [line.split() for line in table([ours(FIGURES), PEER, none])[1:]] == [
        ["aftertrace", "6,000", "5,900", "1.00", "x", "0", "0", "0", "1,500", "800", "3", "250"],
        ["MLflow", "1", "1,000", "590", "10.00", "x", "1,000", "2", "3", "500", "5,000", "2,000", "15", "1,000"],
        ["Phoenix", "1", "1,000", "0", "-", "60,000", "2", "0", "-", "2,000", "15", "-"],
    ]


def test_columns_stand_side_by_side() -> None:
    """Names to the left, figures to the right."""
    assert aligned([("", "spans/s"), ("aftertrace", "6,000"), ("peer", "590")]) == [
        "            spans/s",
        "aftertrace    6,000",
        "peer            590",
    ]


def test_targets_say_what_was_wanted_and_whether_it_was_met() -> None:
    """Those of peers that did not run, or of parts that were not measured, are left out."""
    assert [(line.figure, line.found, line.met) for line in targets(FIGURES, [PEER], 0.02)] == [
        ("queryable against MLflow, all on", "10.0 x", False),
        ("durable ack rate in a burst against parsing", "0.050 x", False),
        ("records to columns against parsing", "0.020 x", False),
        ("ack at half the rate: p50, p99", "2.5 ms, 26.0 ms", False),
        ("acknowledged to queryable, p99", "1.90 s", True),
        ("memory of receiver and drain", "500 MB", True),
        ("bytes per span, all tables", "1,500", False),
        ("acknowledged and not counted", "0", True),
    ]
    lossy = targets(replace(FIGURES, lost=1), [], None)
    assert [(line.figure, line.met) for line in lossy if "counted" in line.figure] == [
        ("acknowledged and not counted", False)
    ]


def test_a_quantile_is_a_value_that_was_measured() -> None:
    """The highest, where the share asks for more than there are."""
    assert [quantile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 4.0, 4.0]
