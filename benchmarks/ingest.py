"""How fast is aftertrace's own way in? A burst, then as much as the tables keep up with, then half of that.

Parsing the same bytes with protobuf's own parser is measured in the same run: absolute figures move with the machine,
ratios to it less so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from benchmarks.corpus import SPANS, Template, requests, templates
from benchmarks.footprint import Footprint, footprint
from benchmarks.readers import Watch
from benchmarks.senders import Http, Senders, Sent
from benchmarks.served import Served
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aftertrace.store.snapshot import Snapshot

DRAIN_LIMIT_S: Final = 600.0
FRESH_S: Final = 2.0
"""Tables keep up with a rate at which 99 of 100 traces are queryable within this."""
SHARES: Final = (0.9, 0.75, 0.6, 0.45)
"""Of the rate at which the burst was stored: tried from the highest down, until tables keep up."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long each part takes, in seconds."""

    burst_s: float = 5.0
    probe_s: float = 10.0
    """Each try to find a rate that tables keep up with."""
    sustained_s: float = 60.0
    half_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What one part of the run measured."""

    acknowledged_spans_per_s: float
    queryable_spans_per_s: float
    """All spans of the part, from its first byte until the last one is found in the tables."""
    ack_p50_ms: float
    ack_p99_ms: float
    queryable_p50_s: float
    """From acknowledgement until found in the tables."""
    queryable_p99_s: float
    refused: int
    """Answers that asked to send again."""
    spans: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    wire_bytes_per_span: float
    parse_spans_per_s: float
    """Protobuf's parser (upb) alone, on one core, before and after the burst."""
    burst: Phase
    """Closed loop: as fast as it is acknowledged."""
    sustained: Phase
    """Open loop, at a rate that tables keep up with."""
    half: Phase
    """Open loop, at half of that."""
    receiver_peak_mb: float
    drain_peak_mb: float
    """With the readers that it started."""
    others_peak_mb: float
    """Of what seals and derives."""
    receiver_cpu_us_per_span: float
    drain_cpu_us_per_span: float
    others_cpu_us_per_span: float
    processes: int
    """The most that were there at once."""
    bytes_per_span: float
    """Current files of all tables, their wire keys and the tables' logs."""
    evidence_bytes_per_span: float
    spans: int
    lost: int
    """Acknowledged, and not counted in the tables at the end."""
    seconds: float

    @property
    def acknowledged_to_parse(self) -> float:
        """The burst against parsing alone."""
        return self.burst.acknowledged_spans_per_s / self.parse_spans_per_s


def measure(scratch: Path, durations: Durations, clients: int) -> Figures:
    """One run: parse, burst, parse, wait until all is queryable, find the rate, sustain it, half of it."""
    made_from = templates()
    began = time.perf_counter()
    with Served(scratch) as served, Watch(served.data) as watch:
        senders = Senders(Http(served.http_port), requests(made_from))
        parse_before = parse_rate(made_from)
        burst = _phase(senders.closed(clients=clients, duration_s=durations.burst_s), watch)
        parse = statistics.mean((parse_before, parse_rate(made_from)))
        tried = [burst]
        for share in SHARES:
            rate = share * burst.queryable_spans_per_s / SPANS
            tried.append(_phase(senders.open(clients=clients, duration_s=durations.probe_s, rate=rate), watch))
            if tried[-1].queryable_p99_s <= FRESH_S:
                break
        sustained = _phase(senders.open(clients=clients, duration_s=durations.sustained_s, rate=rate), watch)
        half = _phase(senders.open(clients=clients, duration_s=durations.half_s, rate=rate / 2), watch)
        cpu_s, peak_bytes = served.meter.cpu_s(), served.meter.peak_bytes
        held: Footprint = footprint(served.data)
    spans = sum(phase.spans for phase in (*tried, sustained, half))
    stored = min(_rows(served.data, table) for table in ("evidence", "spans"))
    return Figures(
        wire_bytes_per_span=sum(len(request.content) for request in made_from) / len(made_from) / SPANS,
        parse_spans_per_s=parse,
        burst=burst,
        sustained=sustained,
        half=half,
        receiver_peak_mb=peak_bytes["receiver"] / 1e6,
        drain_peak_mb=peak_bytes["drain"] / 1e6,
        others_peak_mb=peak_bytes["others"] / 1e6,
        receiver_cpu_us_per_span=1e6 * cpu_s["receiver"] / spans,
        drain_cpu_us_per_span=1e6 * cpu_s["drain"] / spans,
        others_cpu_us_per_span=1e6 * cpu_s["others"] / spans,
        processes=served.meter.most_processes,
        bytes_per_span=held.live_bytes / spans,
        evidence_bytes_per_span=held.evidence_bytes / spans,
        spans=spans,
        lost=spans - stored,
        seconds=time.perf_counter() - began,
    )


def _phase(sent: Sent, watch: Watch) -> Phase:
    if sent.failed:
        raise SystemExit(f"aftertrace answered {dict(sent.failed)}")
    queryable = watch.wait_for(set(sent.acknowledged), DRAIN_LIMIT_S)
    spans = SPANS * len(sent.latencies_s)
    waits = fresh_after(sent.acknowledged, watch.seen)
    return Phase(
        acknowledged_spans_per_s=spans / (sent.ended - sent.began),
        queryable_spans_per_s=spans / (queryable - sent.began),
        ack_p50_ms=1000 * quantile(sent.latencies_s, 0.5),
        ack_p99_ms=1000 * quantile(sent.latencies_s, 0.99),
        queryable_p50_s=quantile(waits, 0.5),
        queryable_p99_s=quantile(waits, 0.99),
        refused=sent.refused,
        spans=spans,
    )


def parse_rate(
    made_from: Sequence[Template], duration_s: float = 1.0, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Spans per second of a clock through `ParseFromString`, nothing else."""
    began, spans = clock(), 0
    while clock() - began < duration_s:
        for request in made_from:
            ExportTraceServiceRequest.FromString(request.content)
            spans += request.spans
    return spans / (clock() - began)


def fresh_after(acknowledged: Mapping[str, float], seen: Mapping[str, float]) -> list[float]:
    """How long each trace took from its acknowledgement until it was found; less than nothing is none."""
    return [max(0.0, seen[trace] - moment) for trace, moment in acknowledged.items()]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _rows(data: Path, table: str) -> int:
    return int(Snapshot.of(data).scan(table).select(pl.len()).collect().item())
