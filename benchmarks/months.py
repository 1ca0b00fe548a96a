"""What do questions about months cost? `python -m benchmarks.months` measures it; `README.md` has figures.

Fills a scratch store with runs of thirty days, derives its tables from nothing, then once more after a small batch
came, and asks what people ask, each time in a process of its own: with what is kept, and with `--whole` without it.
Beside it, questions that Polars and DuckDB answer by hand from the same files (`benchmarks.questions`).
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
from typing import IO, Final

from benchmarks.lake import EVENTS_PER_RUN, SPANS_PER_RUN, Shape, fill
from benchmarks.questions import ENGINES, QUESTIONS

from aftertrace.store.folder import open_folder
from aftertrace.store.run_names import SEPARATOR, name_of

DAYS: Final = 30
BATCH_RUNS: Final = 625
"""Ten thousand spans."""
DENIED_EVERY: Final = 8
TIMES: Final = 3
"""Each question is asked as often; the median counts."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took."""

    wall_s: float
    processor_s: float
    peak_mb: float
    """Resident memory."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer of `benchmarks.questions` took."""

    took_s: float
    """Without the start."""
    processor_s: float
    """The same, of all cores."""
    start_s: float
    """Of the process, and what it loads."""
    peak_mb: float
    rows: int


@dataclass(slots=True)
class Figures:
    """What was measured."""

    spans: int
    events: int
    derived_mb: float = 0.0
    stored_mb: float = 0.0
    costs: dict[str, Cost] = field(default_factory=dict)
    asked: dict[str, dict[str, Asked]] = field(default_factory=dict)
    """By question and engine."""


def measure(data: Path, shape: Shape, *, whole: bool) -> Figures:
    """Derive a store, and ask it."""
    figures = Figures(shape.runs * SPANS_PER_RUN, shape.runs * EVENTS_PER_RUN)
    # In a process of its own: one that is started here counts the memory of this one as its own for a moment.
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        traces = apart.submit(_filled, data, shape, 1, 0).result()
    trace_id, text = traces[len(traces) // 2], f"o-{shape.runs // 3}-5"
    run_id = name_of(f"trace{SEPARATOR}{trace_id}")
    questions = {
        "near-miss report, all 30 days": ("report", "near-misses", "--period", "2026", "--out", os.devnull),
        "find by an argument": ("find", text),
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
    figures.asked = {
        question.title: _asked(name, str(data), run_id, trace_id, text) for name, question in QUESTIONS.items()
    }
    figures.derived_mb, figures.stored_mb = _folder_mb(data / "derived"), _folder_mb(data / "tables")
    return figures


def _filled(data: Path, shape: Shape, seed: int, after: int) -> list[str]:
    return fill(open_folder(data), shape, seed=seed, after=after)


def _command(data: Path, *arguments: str) -> Cost:
    return _cost([sys.executable, "-m", "aftertrace.cli", *arguments, "--data", str(data)])


def _asked(question: str, *of: str) -> dict[str, Asked]:
    """What each engine took for a question."""
    found = {}
    for engine in ENGINES:
        answers = [_answer(engine, question, *of) for _ in range(TIMES)]
        found[engine] = sorted(answers, key=lambda each: each.took_s)[TIMES // 2]
    if len({each.rows for each in found.values()}) > 1:
        told = ", ".join(f"{engine} {each.rows}" for engine, each in found.items())
        raise SystemExit(f"{question}: the answers have {told} rows, expected as many of each")
    return found


def _answer(engine: str, question: str, *of: str) -> Asked:
    with tempfile.TemporaryFile() as printed:
        cost = _cost([sys.executable, "-m", "benchmarks.questions", engine, question, *of], printed)
        printed.seek(0)
        told = json.loads(printed.read())
    return Asked(told["took_s"], told["processor_s"], cost.wall_s - told["took_s"], cost.peak_mb, told["rows"])


def _cost(arguments: list[str], printed: IO[bytes] | int = subprocess.DEVNULL) -> Cost:
    began_s = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=printed)
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
        *(line for question, of in figures.asked.items() for line in _asked_lines(question, of)),
    ]


def _asked_lines(question: str, of: dict[str, Asked]) -> list[str]:
    ours, *others = of.values()
    ratio = ours.took_s / min(each.took_s for each in others)
    processor = ours.processor_s / min(each.processor_s for each in others)
    return [
        f"{question}: {ratio:.1f} times the better by hand, {processor:.1f} times its processor time",
        *(
            f"    {engine:40} {each.took_s:8.2f} s  {each.processor_s:8.2f} s of a core  {each.peak_mb:7,.0f} MB"
            f"  {each.start_s:.1f} s to start"
            for engine, each in of.items()
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
