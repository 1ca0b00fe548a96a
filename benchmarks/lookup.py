"""How long does one run take to read? `python -m benchmarks.lookup` measures it; `README.md` has figures.

Fills a scratch store with runs and asks for some of them by their ids: how long it takes to find and read what the
analysis of one needs, and then to analyse it. Beside it, in the same process: a filter of both tables by trace, written
by hand, and the analysis of the whole store where `--whole` asks for it. Ratios say more than milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl
from benchmarks.footprint import folder_bytes
from benchmarks.lake import EVENTS_PER_RUN, SPANS_PER_RUN, Shape, fill

from aftertrace.analyzer import analyse, open_analysis
from aftertrace.analyzer.identity.connected import connected, sought
from aftertrace.analyzer.identity.found import in_store
from aftertrace.store.folder import open_folder
from aftertrace.store.lookup import Reader
from aftertrace.store.run_names import SEPARATOR, name_of
from aftertrace.store.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from aftertrace.analyzer import Tables

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Times are milliseconds: median and 99th percentile, or the only one."""

    spans: int
    events: int
    files: int
    lookup_bytes_per_span: float
    first_ms: float
    """The first question of the process, from the run's id to its rows."""
    rows_of_a_trace_ms: tuple[float, float]
    """The spans and events of one trace, by its id."""
    one_run_ms: tuple[float, float]
    """From the run's id to all rows that its analysis needs."""
    one_run_processor_ms: float
    """How much of a processor that took, at the median: the steadiest figure."""
    rows: int
    """How many those are, at the median."""
    analysed_ms: tuple[float, float]
    """The analysis of these rows on top."""
    filtered_ms: tuple[float, float]
    """A filter of both tables by the trace id."""
    whole_ms: float | None
    """The analysis of all rows."""


def measure(data: Path, traces: list[str], asked: int, *, whole: bool) -> Figures:
    """Ask for some of the runs of a store."""
    some = random.Random(3).sample(traces, min(asked, len(traces)))
    read: list[float] = []
    processor: list[float] = []
    rows: list[int] = []
    analysed: list[float] = []
    for trace in some:
        run_id = name_of(f"trace{SEPARATOR}{trace}")
        began_s = time.process_time()
        took_ms, tables = _timed(_one_run, data, run_id)
        processor.append((time.process_time() - began_s) * 1e3)
        read.append(took_ms)
        rows.append(tables.spans.collect().height + tables.events.collect().height)
        analysed.append(_timed(analyse(tables).answers, run_id)[0])
    snapshot = Snapshot.of(data)
    spans = _height(snapshot, "spans")
    return Figures(
        spans=spans,
        events=_height(snapshot, "events"),
        files=len(snapshot.files("spans")) + len(snapshot.files("events")),
        lookup_bytes_per_span=folder_bytes(snapshot.layout.tables_folder / "_lookup") / spans,
        first_ms=read[0],
        rows_of_a_trace_ms=_quantiles([_timed(_rows_of, data, trace)[0] for trace in some]),
        one_run_ms=_quantiles(read[1:]),
        one_run_processor_ms=_quantiles(processor[1:])[0],
        rows=sorted(rows)[len(rows) // 2],
        analysed_ms=_quantiles(analysed[1:]),
        filtered_ms=_quantiles([_timed(_filtered, data, trace)[0] for trace in some[:9]]),
        whole_ms=_timed(lambda: open_analysis(data).runs)[0] if whole else None,
    )


def _one_run(data: Path, run_id: str) -> Tables:
    """All that the analysis of a run needs, from its id alone."""
    found = in_store(Snapshot.of(data))
    return connected(found, sought(found, run_id)).tables


def _rows_of(data: Path, trace: str) -> None:
    reader, keys = Reader(Snapshot.of(data)), pl.DataFrame({"kind": ["trace"], "key": [trace]})
    assert [reader.rows_with(table, keys).height for table in ("spans", "events")] == [SPANS_PER_RUN, EVENTS_PER_RUN]


def _filtered(data: Path, trace: str) -> None:
    snapshot = Snapshot.of(data)
    for table in ("spans", "events"):
        snapshot.scan(table).filter(pl.col("trace_id") == trace).collect()


def _height(snapshot: Snapshot, table: str) -> int:
    return int(snapshot.scan(table).select(pl.len()).collect().item())


def _timed(act: Callable[..., Result], *arguments: Any) -> tuple[float, Result]:
    """How many milliseconds it took, and what it gave."""
    began_s = time.perf_counter()
    given = act(*arguments)
    return (time.perf_counter() - began_s) * 1e3, given


def _quantiles(times_ms: list[float]) -> tuple[float, float]:
    ordered = sorted(times_ms)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def lines(figures: Figures) -> list[str]:
    """The figures for people."""

    def told(times_ms: tuple[float, float]) -> str:
        return f"p50 {times_ms[0]:,.0f} ms, p99 {times_ms[1]:,.0f} ms"

    ratio = figures.one_run_ms[0] / figures.filtered_ms[0]
    found = [
        f"store           {figures.spans:,} spans, {figures.events:,} events, {figures.files} files",
        f"lookup files    {figures.lookup_bytes_per_span:.1f} bytes per span",
        f"rows of a trace {told(figures.rows_of_a_trace_ms)}",
        f"one run         {told(figures.one_run_ms)} for {figures.rows} rows; the first {figures.first_ms:,.0f} ms",
        f"processor time  {figures.one_run_processor_ms:,.0f} ms of it",
        f"its analysis    {told(figures.analysed_ms)} on top",
        f"a filter        {told(figures.filtered_ms)}: one run takes {ratio:.3f} of it",
    ]
    if figures.whole_ms is not None:
        share = figures.one_run_ms[0] + figures.analysed_ms[0]
        found.append(f"the whole store {figures.whole_ms:,.0f} ms: one run takes {share / figures.whole_ms:.4f} of it")
    return found


def main() -> None:
    """Fill a store and ask."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lookup", description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000, help="so many")
    parser.add_argument("--asked", type=int, default=60, help="how many runs to ask for")
    parser.add_argument("--of-conversation", type=int, default=3, help="runs of one conversation; 0: none has any")
    parser.add_argument("--counted", action="store_true", help="call ids are counted in each run")
    parser.add_argument("--whole", action="store_true", help="analyse the whole store too: some minutes and gigabytes")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    shape = Shape(arguments.spans // SPANS_PER_RUN, arguments.of_conversation, arguments.counted)
    with tempfile.TemporaryDirectory(prefix="aftertrace-lookup-") as folder:
        data = Path(folder) / "data"
        took_ms, traces = _timed(fill, open_folder(data), shape)
        print(f"filled          in {took_ms / 1e3:,.0f} s", flush=True)
        figures = measure(data, traces, arguments.asked, whole=arguments.whole)
    print("\n".join(lines(figures)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
