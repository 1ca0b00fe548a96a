"""Where the time of a span goes: what the receiver does to a request and what the drain does with it, in one process.

A timer of processor time interrupts the work every few milliseconds and notes in which module of aftertrace it is, by
the innermost frame; what a library does counts for the module that called it.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks.corpus import Template, requests
from benchmarks.ingest import parse_rate

from aftertrace.ingest.drain import Drain
from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.reading import read
from aftertrace.ingest.redaction_policy import RedactionPolicy
from aftertrace.store.folder import open_folder, store_key
from aftertrace.store.request import Request
from aftertrace.store.wal import WalWriter

EVERY_S: Final = 0.002
REQUESTS: Final = 48
LEAST_SAMPLES: Final = 50
"""Fewer say nothing. Kernels count processor time in ticks of up to 10 ms, and a whole pass may fall between two."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Of one core."""

    parse_spans_per_s: float
    prepare_spans_per_s: float
    """What the receiver does to a request before it is written, over gRPC and HTTP alike."""
    drain_spans_per_s: float
    """From the write-ahead log to committed tables, without readers beside."""
    prepare: dict[str, float]
    """Share of each module."""
    drain: dict[str, float]

    columns_spans_per_s: float
    """The part of that from records to columns of `spans` and `events`: decode, read in their dialect, build."""

    @property
    def columns_to_parse(self) -> float:
        """Records to columns against parsing alone."""
        return self.columns_spans_per_s / self.parse_spans_per_s


def measure(made_from: Sequence[Template], count: int = REQUESTS) -> Profile:
    """Prepare some requests, log them, and drain the log."""
    parse = parse_rate(made_from, clock=time.process_time)
    made = [body for body, _ in islice(requests(made_from), count)]
    spans = sum(made_from[number % len(made_from)].spans for number in range(count))
    with tempfile.TemporaryDirectory(prefix="aftertrace-bench-") as folder:
        layout = open_folder(Path(folder) / "data")
        prepare = make_prepare(RedactionPolicy(), limits=Limits(), key=store_key(layout))
        received = [Request("traces", "protobuf", body, "bench", time.time_ns()) for body in made]
        passes = 0
        with sampled() as preparing:
            while preparing.count < LEAST_SAMPLES:
                prepared = [prepare(request) for request in received]
                passes += 1
        with WalWriter(layout, "main") as log:
            for request, ready in zip(received, prepared, strict=True):
                log.append(request, ready).result()
        with Drain(layout) as drain, sampled() as draining:
            stored = drain.once()
    if stored.spans != spans:
        raise SystemExit(f"{stored.spans} spans drained, expected {spans}")
    return Profile(
        parse_spans_per_s=parse,
        prepare_spans_per_s=passes * spans / preparing.cpu_s,
        drain_spans_per_s=spans / draining.cpu_s,
        prepare=preparing.shares(),
        drain=draining.shares(),
        columns_spans_per_s=spans / draining.cpu_s / draining.reading_share,
    )


class Samples:
    """Which modules were found at work, and how much processor time went by."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.cpu_s = 0.0
        self._found: Counter[str] = Counter()
        self._reading = 0

    def note(self, _number: int, frame: FrameType | None) -> None:
        """A signal's handler."""
        innermost = ""
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            innermost = innermost or (name if name.startswith("aftertrace.") else "")
            if frame.f_code is read.__code__:
                self._reading += 1
            frame = frame.f_back
        self._found[innermost.removeprefix("aftertrace.") or "else"] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self._found.total()

    @property
    def reading_share(self) -> float:
        """How much of it was in the reading of records, or in what that called."""
        return self._reading / self.count

    def shares(self) -> dict[str, float]:
        """The largest first."""
        return {name: count / self.count for name, count in self._found.most_common()}


@contextmanager
def sampled() -> Iterator[Samples]:
    """Sample the main thread for the length of a `with` block."""
    samples, began_s = Samples(), time.process_time()
    before = signal.signal(signal.SIGPROF, samples.note)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        samples.cpu_s = time.process_time() - began_s


def lines(profile: Profile, shown: int = 12) -> list[str]:
    """Lines to print."""
    found = []
    for what, rate, shares in (
        ("receiver, before the log", profile.prepare_spans_per_s, profile.prepare),
        ("drain", profile.drain_spans_per_s, profile.drain),
    ):
        found.append(f"{what}: {rate:,.0f} spans/s of one core, {rate / profile.parse_spans_per_s:.3f} x parsing")
        found += [f"  {share:6.1%}  {module}" for module, share in list(shares.items())[:shown]]
    found.append(
        f"records to columns: {profile.columns_spans_per_s:,.0f} spans/s, {profile.columns_to_parse:.3f} x parsing"
    )
    return found
