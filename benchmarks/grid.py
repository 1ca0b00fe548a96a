"""What the way in costs as load grows: sizes of requests, clients, transports and encodings.

Each cell has a server and a folder of its own, drain included, and requests that are made, encoded and compressed
before the clock starts: the same for each number of clients, since every server sees them for the first time.
"""

from __future__ import annotations

import base64
import gzip
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.beside import aligned
from benchmarks.corpus import Request, requests, templates
from benchmarks.ingest import parse_rate, quantile
from benchmarks.senders import Grpc, Http, Senders, Transport
from benchmarks.served import Served
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS: Final = (64, 512)
CLIENTS: Final = (1, 8, 64)
READY_SPANS_PER_S: Final = 60_000
"""So many are made for each second of a cell; a faster server ends the cell early."""

Encode: TypeAlias = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Way:
    """A transport with an encoding."""

    name: str
    encode: Encode
    transport: Callable[[Served], Transport]


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one combination."""

    way: str
    spans: int
    """In a request."""
    clients: int
    acknowledged_spans_per_s: float
    p50_ms: float
    p99_ms: float
    receiver_cpu_us_per_span: float
    to_parse: float
    """The rate against that of protobuf's parser alone, just before."""
    refused: int


def to_json(body: bytes) -> bytes:
    """OTLP's JSON: ids in hexadecimal, enumerations as numbers, 64-bit integers as strings."""
    message = MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)
    for group in message["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(message, separators=(",", ":")).encode()


def as_is(body: bytes) -> bytes:
    """Protobuf."""
    return body


def zipped(body: bytes) -> bytes:
    """Protobuf, compressed quickly."""
    return gzip.compress(body, compresslevel=1)


WAYS: Final = (
    Way("HTTP protobuf", as_is, lambda served: Http(served.http_port)),
    Way("gRPC", as_is, lambda served: Grpc(served.grpc_port)),
    Way("HTTP protobuf gzip", zipped, lambda served: Http(served.http_port, {"Content-Encoding": "gzip"})),
    Way("HTTP JSON", to_json, lambda served: Http(served.http_port, {"Content-Type": "application/json"})),
)


def cells(duration_s: float) -> list[Cell]:
    """All of them, printed as they are measured."""
    found = []
    for spans in SPANS:
        made_from = templates(spans)
        ready = list(islice(requests(made_from), int(READY_SPANS_PER_S * duration_s / spans)))
        for way in WAYS:
            encoded = [(way.encode(body), traces) for body, traces in ready]
            for clients in CLIENTS:
                parse = parse_rate(made_from, 0.5)
                found.append(_cell(way, encoded, spans, clients, duration_s, parse))
                print(f"{way.name}, {spans} spans, {clients} clients: done", flush=True)
    return found


def table(found: Sequence[Cell]) -> list[str]:
    """Lines to print."""
    rows = [("", "spans", "clients", "acknowledged/s", "x parsing", "p50 ms", "p99 ms", "receiver µs/span", "refused")]
    rows += [
        (
            each.way,
            str(each.spans),
            str(each.clients),
            f"{each.acknowledged_spans_per_s:,.0f}",
            f"{each.to_parse:.3f}",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            f"{each.receiver_cpu_us_per_span:.1f}",
            str(each.refused),
        )
        for each in found
    ]
    return aligned(rows)


def _cell(way: Way, ready: list[Request], spans: int, clients: int, duration_s: float, parse: float) -> Cell:
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as folder, Served(Path(folder)) as served:
        before_s = served.meter.cpu_s()["receiver"]
        sent = Senders(way.transport(served), iter(ready)).closed(clients=clients, duration_s=duration_s)
        used_s = served.meter.cpu_s()["receiver"] - before_s
        # What was acknowledged is measured here; that it is stored, elsewhere.
        served.stop(0)
    if sent.failed:
        raise SystemExit(f"{way.name}: aftertrace answered {dict(sent.failed)}")
    acknowledged = spans * len(sent.latencies_s)
    rate = acknowledged / (sent.ended - sent.began)
    return Cell(
        way=way.name,
        spans=spans,
        clients=clients,
        acknowledged_spans_per_s=rate,
        p50_ms=1000 * quantile(sent.latencies_s, 0.5),
        p99_ms=1000 * quantile(sent.latencies_s, 0.99),
        receiver_cpu_us_per_span=1e6 * used_s / acknowledged,
        to_parse=rate / parse,
        refused=sent.refused,
    )
