"""What do questions about months cost? `python -m benchmarks.months` measures it; `README.md` has figures.

Fills a scratch store with runs of thirty days, derives its tables from nothing, then once more after a small batch
came, and asks what people ask, each time in a process of its own: with what is kept, and with `--whole` without it.
Beside it, two questions that Polars answers by hand from the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks.lake import EVENTS_PER_RUN, SPANS_PER_RUN, Shape, fill

from aftertrace.store.folder import open_folder
from aftertrace.store.run_names import SEPARATOR, name_of

DAYS: Final = 30
BATCH_RUNS: Final = 625
"""Ten thousand spans."""
DENIED_EVERY: Final = 8
_NEAR_MISSES: Final = """
import sys, polars as pl
calls = pl.scan_parquet(sys.argv[1] + "/derived/calls/*.parquet")
misses = calls.filter("near_miss").group_by("agent_name", "tool_name").agg(pl.len())
print(calls.group_by("agent_name", "tool_name").agg(pl.len(), rate=pl.col("near_miss").mean()).join(
    misses, on=["agent_name", "tool_name"]).collect(engine="streaming").height)
"""
_PER_RUN: Final = """
import sys, polars as pl
spans = pl.scan_parquet(sys.argv[1] + "/tables/spans/*/*.parquet")
print(spans.group_by("trace_id").agg(pl.len(), pl.col("start_ns").min(), pl.col("end_ns").max(),
    pl.col("input_tokens").sum()).collect(engine="streaming").height)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took."""

    wall_s: float
    processor_s: float
    peak_mb: float
    """Resident memory."""


@dataclass(slots=True)
class Figures:
    """What was measured."""

    spans: int
    events: int
    derived_mb: float = 0.0
    stored_mb: float = 0.0
    costs: dict[str, Cost] = field(default_factory=dict)


def measure(data: Path, shape: Shape, *, whole: bool) -> Figures:
    """Derive a store, and ask it."""
    figures = Figures(shape.runs * SPANS_PER_RUN, shape.runs * EVENTS_PER_RUN)
    # In a process of its own: one that is started here counts the memory of this one as its own for a moment.
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        traces = apart.submit(_filled, data, shape, 1, 0).result()
    run_id = name_of(f"trace{SEPARATOR}{traces[len(traces) // 2]}")
    questions = {
        "near-miss report, all 30 days": ("report", "near-misses", "--period", "2026", "--out", os.devnull),
        "find by an argument": ("find", f"o-{shape.runs // 3}-5"),
        "one run by its id": ("run", run_id),
        "runs of an agent": ("runs", "--agent", "agent-3", "--since", "2026-10-01", "--limit", "20"),
    }
    if whole:
        # It is what the others take too, nearly: reading all records and telling all runs.
        name = next(iter(questions))
        figures.costs[f"{name}, nothing kept"] = _command(data, *questions[name])
    figures.costs["derive, from nothing"] = _command(data, "derive")
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        apart.submit(_filled, data, Shape(BATCH_RUNS, shape.of_conversation), 2, shape.runs).result()
    figures.costs["derive, after 10,000 spans more"] = _command(data, "derive")
    figures.costs["derive, nothing new"] = _command(data, "derive")
    for name, arguments in questions.items():
        figures.costs[name] = _command(data, *arguments)
    for name, code in (
        ("by hand: near misses per agent and tool", _NEAR_MISSES),
        ("by hand: one row per trace", _PER_RUN),
    ):
        figures.costs[name] = _cost([sys.executable, "-c", code, str(data)])
    figures.derived_mb, figures.stored_mb = _folder_mb(data / "derived"), _folder_mb(data / "tables")
    return figures


def _filled(data: Path, shape: Shape, seed: int, after: int) -> list[str]:
    return fill(open_folder(data), shape, seed=seed, after=after)


def _command(data: Path, *arguments: str) -> Cost:
    return _cost([sys.executable, "-m", "aftertrace.cli", *arguments, "--data", str(data)])


def _cost(arguments: list[str]) -> Cost:
    began_s = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments[1:])}: exit code {process.returncode}")
    return Cost(time.perf_counter() - began_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _folder_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def lines(figures: Figures) -> list[str]:
    """The figures for people."""
    head = f"{figures.spans:,} spans and {figures.events:,} events: {figures.stored_mb:,.0f} MB stored, "
    return [
        head + f"{figures.derived_mb:,.0f} MB kept of them",
        *(
            f"{name:44} {cost.wall_s:8.1f} s  {cost.processor_s:8.1f} s of a core  {cost.peak_mb:7,.0f} MB"
            for name, cost in figures.costs.items()
        ),
    ]


def main() -> None:
    """Fill a store, derive it, ask it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.months", description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000, help="so many")
    parser.add_argument("--of-conversation", type=int, default=3, help="runs of one conversation; 0: none has any")
    parser.add_argument("--whole", action="store_true", help="ask before anything is kept too")
    parser.add_argument("--folder", type=Path, help="where the scratch store is made; it is removed")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    shape = Shape(arguments.spans // SPANS_PER_RUN, arguments.of_conversation, days=DAYS, denied_every=DENIED_EVERY)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="aftertrace-months-", dir=arguments.folder))
    try:
        figures = measure(folder / "data", shape, whole=arguments.whole)
    finally:
        shutil.rmtree(folder)
    print("\n".join(lines(figures)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
