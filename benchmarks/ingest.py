"""How fast is the way in? `make bench` measures it; `README.md` has figures and what they mean.

Starts `aftertrace serve` on a scratch folder and sends distinct requests of 512 spans over loopback HTTP: first as fast
as they are acknowledged, then at a rate that the drain keeps up with. Parsing the same bytes with protobuf's own parser
is measured in the same run: absolute figures move with the machine, ratios to it less so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from benchmarks.corpus import SPANS, Template, templates
from benchmarks.readers import Watch
from benchmarks.senders import Senders, Sent
from benchmarks.served import Served, folder_bytes
from google.protobuf.internal import api_implementation
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DRAIN_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    wire_bytes_per_span: float
    parse_spans_per_s: float
    """Protobuf's parser (upb) alone, on one core, before and after the burst."""
    acknowledged_spans_per_s: float
    acknowledged_to_parse: float
    burst_p50_ms: float
    burst_p99_ms: float
    burst_refused: int
    """Answers in the burst that asked to send again."""
    queryable_spans_per_s: float
    """All spans of the burst, from its first byte until the last one is found in the tables."""
    queryable_to_parse: float
    steady_spans_per_s: float
    steady_p50_ms: float
    steady_p99_ms: float
    steady_queryable_p50_s: float
    """From acknowledgement until found in the tables, at the steady rate."""
    steady_queryable_p99_s: float
    receiver_peak_mb: float
    drain_peak_mb: float
    receiver_cpu_us_per_span: float
    drain_cpu_us_per_span: float
    table_bytes_per_span: float
    """Evidence, spans and events together, with their logs."""
    evidence_bytes_per_span: float
    spans: int


def main() -> None:
    """Measure once and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--burst", type=float, default=5.0, metavar="S", help="closed loop, in seconds [5]")
    options.add_argument("--steady", type=float, default=20.0, metavar="S", help="open loop, in seconds [20]")
    options.add_argument("--clients", type=int, default=8, metavar="N", help="connections [8]")
    options.add_argument(
        "--share", type=float, default=0.5, metavar="F", help="steady rate, as a share of the queryable rate [0.5]"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    asked = options.parse_args()
    if api_implementation.Type() != "upb":
        raise SystemExit(f"protobuf parses with {api_implementation.Type()}, expected upb: its rate is the yardstick")
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as scratch:
        figures = measure(Path(scratch), asked.burst, asked.steady, asked.clients, asked.share)
    for name, figure in asdict(figures).items():
        print(f"{name:28} {figure:>12,.{0 if figure >= 1000 else 2}f}")
    if asked.json:
        asked.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


def measure(scratch: Path, burst_s: float, steady_s: float, clients: int, share: float) -> Figures:
    """One run: parse, burst, parse, wait until all is queryable, steady."""
    requests = templates()
    with Served(scratch) as served, Watch(served.data) as watch:
        senders = Senders(served.http_port, requests)
        parse_before = parse_rate(requests)
        burst = senders.closed(clients=clients, duration_s=burst_s)
        burst_spans = SPANS * len(burst.latencies_s)
        acknowledged_rate = burst_spans / (burst.ended - burst.began)
        caught_up = watch.wait_for(set(burst.acknowledged), DRAIN_LIMIT_S)
        queryable_rate = burst_spans / (caught_up - burst.began)
        parse = statistics.mean((parse_before, parse_rate(requests)))
        steady = senders.open(clients=clients, duration_s=steady_s, rate=share * queryable_rate / SPANS)
        watch.wait_for(set(steady.acknowledged), DRAIN_LIMIT_S)
        cpu_s, peak = served.cpu_s(), served.peak_bytes
    spans = burst_spans + SPANS * len(steady.latencies_s)
    stored = pl.scan_delta(str(served.data / "tables" / "evidence")).select(pl.len()).collect().item()
    if stored != spans:
        raise SystemExit(f"{stored} rows of evidence, expected {spans}")
    waits = [watch.seen[trace] - moment for trace, moment in steady.acknowledged.items()]
    return Figures(
        wire_bytes_per_span=sum(len(request.content) for request in requests) / len(requests) / SPANS,
        parse_spans_per_s=parse,
        acknowledged_spans_per_s=acknowledged_rate,
        acknowledged_to_parse=acknowledged_rate / parse,
        burst_p50_ms=1000 * quantile(burst.latencies_s, 0.5),
        burst_p99_ms=1000 * quantile(burst.latencies_s, 0.99),
        burst_refused=burst.refused,
        queryable_spans_per_s=queryable_rate,
        queryable_to_parse=queryable_rate / parse,
        steady_spans_per_s=steady_rate(steady),
        steady_p50_ms=1000 * quantile(steady.latencies_s, 0.5),
        steady_p99_ms=1000 * quantile(steady.latencies_s, 0.99),
        steady_queryable_p50_s=quantile(waits, 0.5),
        steady_queryable_p99_s=quantile(waits, 0.99),
        receiver_peak_mb=peak["receiver"] / 1e6,
        drain_peak_mb=peak["drain"] / 1e6,
        receiver_cpu_us_per_span=1e6 * cpu_s["receiver"] / spans,
        drain_cpu_us_per_span=1e6 * cpu_s["drain"] / spans,
        table_bytes_per_span=live_bytes(served.data) / spans,
        evidence_bytes_per_span=live_bytes(served.data, "evidence") / spans,
        spans=spans,
    )


def parse_rate(requests: list[Template], duration_s: float = 1.0) -> float:
    """Spans per second through `ParseFromString`, nothing else."""
    began, spans = time.perf_counter(), 0
    while time.perf_counter() - began < duration_s:
        for request in requests:
            ExportTraceServiceRequest.FromString(request.content)
            spans += SPANS
    return spans / (time.perf_counter() - began)


def steady_rate(sent: Sent) -> float:
    """Spans per second that were acknowledged."""
    return SPANS * len(sent.latencies_s) / (sent.ended - sent.began)


def quantile(values: list[float], share: float) -> float:
    """The value that a share of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def live_bytes(data: Path, table: str = "*") -> int:
    """Bytes of the tables' current files and of all their logs; files that folding replaced are left out."""
    from deltalake import DeltaTable

    total = 0
    for folder in (data / "tables").glob(table):
        total += folder_bytes(folder / "_delta_log")
        total += sum(Path(file).stat().st_size for file in DeltaTable(folder).file_uris())
    return total


if __name__ == "__main__":
    main()
