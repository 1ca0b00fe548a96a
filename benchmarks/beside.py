"""aftertrace beside other systems: one run, one machine, the same clients, the same bytes under ids of their own.

A peer gets 60 s of closed loop and then up to 5 minutes until nothing more arrives. Its rate is what a query counts at
the end, by the time until that was there. aftertrace gets at least 60 s at a rate that its tables keep up with.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.corpus import SPANS, Request, Template, requests
from benchmarks.ingest import Figures
from benchmarks.senders import Senders
from benchmarks.systems import Collector, Missing, Mlflow, Phoenix, Running, System

OURS: Final = "aftertrace"
SYSTEMS: Final[tuple[Callable[[], System], ...]] = (Collector, Mlflow, Phoenix)
QUIET_S: Final = 30.0
"""Nothing more arrives if something did, and then nothing for so long."""
LOOK_S: Final = 2.0
WARM_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a system did."""

    system: str
    acknowledged: int
    """Spans."""
    acknowledged_s: float
    """From the first byte until the last acknowledgement."""
    counted: int
    """Spans that a query found at the end."""
    counted_s: float
    """From the first byte until it found them."""
    refused: int
    """Answers that asked to send again."""
    failed: dict[str, int]
    """Other answers, and how many of each; such a request was not sent again."""
    disk_bytes: int
    peak_bytes: int
    processes: int
    cpu_s: float

    @property
    def acknowledged_per_s(self) -> float:
        """Spans."""
        return self.acknowledged / self.acknowledged_s

    @property
    def queryable_per_s(self) -> float:
        """Spans."""
        return self.counted / self.counted_s

    @property
    def lost(self) -> int:
        """Spans that were acknowledged and not found."""
        return max(0, self.acknowledged - self.counted)


def measure(
    system: System, made_from: Sequence[Template], *, duration_s: float, drain_s: float, clients: int
) -> Outcome:
    """Send to a system and count. Raises `Missing` where it cannot run."""
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as folder, Running(system, Path(folder)) as running:
        distinct = requests(made_from)
        before = _warm(running, distinct)
        senders = Senders(running.transport, distinct)
        sent = senders.closed(clients=clients, duration_s=duration_s)
        acknowledged = SPANS * len(sent.latencies_s)
        counted, counted_at = _settled(running, before + acknowledged, sent.ended + drain_s)
        return Outcome(
            system=system.name,
            acknowledged=acknowledged,
            acknowledged_s=sent.ended - sent.began,
            counted=max(0, counted - before),
            counted_s=counted_at - sent.began,
            refused=sent.refused,
            failed=dict(sent.failed),
            disk_bytes=running.disk_bytes(),
            cpu_s=running.meter.cpu_s()["all"],
            peak_bytes=running.meter.peak_bytes["all"],
            processes=running.meter.most_processes,
        )


def ours(figures: Figures) -> Outcome:
    """The same of aftertrace, from the part of its run in which tables keep up."""
    part = figures.sustained
    cpu_us = figures.receiver_cpu_us_per_span + figures.drain_cpu_us_per_span + figures.others_cpu_us_per_span
    return Outcome(
        system=OURS,
        acknowledged=part.spans,
        acknowledged_s=part.spans / part.acknowledged_spans_per_s,
        counted=part.spans - figures.lost,
        counted_s=part.spans / part.queryable_spans_per_s,
        refused=part.refused,
        failed={},
        disk_bytes=int(figures.bytes_per_span * part.spans),
        peak_bytes=int(1e6 * (figures.receiver_peak_mb + figures.drain_peak_mb + figures.others_peak_mb)),
        processes=figures.processes,
        cpu_s=cpu_us * part.spans / 1e6,
    )


def others(made_from: Sequence[Template], *, duration_s: float, drain_s: float, clients: int) -> Iterator[Outcome]:
    """All of them, one after another; what is missing is said and left out."""
    for system in (make() for make in SYSTEMS):
        print(f"{system.name} ...", flush=True)
        try:
            yield measure(system, made_from, duration_s=duration_s, drain_s=drain_s, clients=clients)
        except Missing as reason:
            print(f"MISSING {system.name}: {reason}", flush=True)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines to print; ratios are to the first."""
    first = outcomes[0]
    head = (
        "",
        "acknowledged/s",
        "queryable/s",
        "ours is",
        "lost",
        "refused",
        "failed",
        "B/span",
        "MB",
        "procs",
        "µs/span",
    )
    return aligned([head, *(_row(each, first) for each in outcomes)])


def _row(each: Outcome, first: Outcome) -> tuple[str, ...]:
    return (
        each.system,
        f"{each.acknowledged_per_s:,.0f}",
        f"{each.queryable_per_s:,.0f}",
        f"{first.queryable_per_s / each.queryable_per_s:.2f} x" if each.counted else "-",
        f"{each.lost:,}",
        f"{each.refused:,}",
        ", ".join(f"{many} {what}" for what, many in each.failed.items()) or "0",
        f"{each.disk_bytes / each.counted:,.0f}" if each.counted else "-",
        f"{each.peak_bytes / 1e6:,.0f}",
        f"{each.processes}",
        f"{1e6 * each.cpu_s / each.counted:,.0f}" if each.counted else "-",
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _warm(running: Running, distinct: Iterator[Request]) -> int:
    """Send until a request is taken, since some load half of themselves for the first one; the spans of that."""
    for _ in range(WARM_TRIES):
        if Senders(running.transport, islice(distinct, 1)).closed(clients=1, duration_s=60.0).latencies_s:
            return SPANS
    raise Missing(f"took none of {WARM_TRIES} requests")


def _settled(running: Running, expected: int, deadline: float) -> tuple[int, float]:
    """How many spans are counted in the end, and when the last of them was."""
    counted, counted_at = running.count(), time.perf_counter()
    while counted < expected and (now := time.perf_counter()) < deadline:
        if counted and now - counted_at >= QUIET_S:
            break
        time.sleep(LOOK_S)
        if (more := running.count()) > counted:
            counted, counted_at = more, time.perf_counter()
    return counted, counted_at
