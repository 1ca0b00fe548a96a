"""Questions about months, answered by us and by hand: with Polars, and with DuckDB, over the same Parquet files.

`python -m benchmarks.questions ENGINE QUESTION DATA RUN TRACE TEXT` answers one in a process of its own, and tells as
JSON how long that took once everything was loaded, and how many rows the answer has: the same whoever answers.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

if TYPE_CHECKING:
    import duckdb

    from aftertrace.analyzer import Analysis

ENGINES: Final = ("aftertrace", "Polars", "DuckDB")
FOLDERS: Final = {"calls": "derived", "runs": "derived", "approvals": "derived", "spans": "tables", "events": "tables"}
"""Which tables are asked, and where in a store each is."""


@dataclass(frozen=True, slots=True)
class Store:
    """What is asked of."""

    data: Path
    run_id: str
    trace_id: str
    """Of that run."""
    text: str
    """What stands in the arguments of one call."""

    def folder(self, table: str) -> Path:
        """Where a table is."""
        return self.data / FOLDERS[table] / table

    def scan(self, table: str) -> pl.LazyFrame:
        """A table as anybody reads it."""
        return pl.scan_delta(str(self.folder(table)))


Answer: TypeAlias = Callable[[Store], int]
"""How many rows it has; all of them are fetched."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer took."""

    took_s: float
    """Without the start of the process, and what it loads."""
    processor_s: float
    """Of all cores; steadier where other work shares them."""
    rows: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how each engine answers."""

    title: str
    ours: Answer
    polars: Answer
    duckdb: tuple[str, ...]
    """Queries over tables by their names; variables are `run_id`, `trace_id` and `text`."""


def answered(engine: str, question: str, store: Store) -> Answered:
    """The answer to one of `QUESTIONS` by one of `ENGINES`."""
    answer = _ready(engine, QUESTIONS[question])
    began_s, began_processor_s = time.perf_counter(), time.process_time()
    rows = answer(store)
    return Answered(time.perf_counter() - began_s, time.process_time() - began_processor_s, rows)


def _ready(engine: str, asked: Question) -> Answer:
    """What answers, with all that it needs loaded."""
    if engine == "DuckDB":
        from tests.analyzer import duck

        return partial(_by_duckdb, duck.engine(), asked)
    import_module("aftertrace.analyzer" if engine == "aftertrace" else "deltalake")
    return asked.ours if engine == "aftertrace" else asked.polars


def _by_duckdb(opened: duckdb.DuckDBPyConnection, asked: Question, store: Store) -> int:
    for name in ("run_id", "trace_id", "text"):
        opened.execute(f"SET VARIABLE {name} = $1", [getattr(store, name)])
    for table in sorted(FOLDERS.keys() & set(re.findall(r"\w+", " ".join(asked.duckdb)))):
        opened.table_function("delta_scan", [str(store.folder(table))]).create_view(table)
    return next(iter([opened.execute(text).to_arrow_table().num_rows for text in asked.duckdb]))


def _analysis(store: Store) -> Analysis:
    from aftertrace.analyzer import open_analysis

    return open_analysis(store.data)


def _one_run(store: Store) -> int:
    from aftertrace.analyzer import open_run

    found, run_id = open_run(store.data, store.run_id)
    return len(found.record(run_id).calls)


def _height(rows: pl.LazyFrame) -> int:
    return rows.collect(engine="streaming").height


def _rates(store: Store) -> int:
    misses, consequential = pl.col("near_miss").sum(), pl.col("consequential").sum()
    return _height(store.scan("calls").group_by("agent_name", "tool_name").agg(pl.len(), misses, consequential))


def _find(store: Store) -> int:
    return _height(store.scan("calls").filter(pl.col("arguments").str.contains(store.text, literal=True)))


def _one_run_by_hand(store: Store) -> int:
    of_run = [store.scan(table).filter(pl.col("run_id") == store.run_id) for table in ("calls", "runs", "approvals")]
    of_trace = [store.scan(table).filter(pl.col("trace_id") == store.trace_id) for table in ("spans", "events")]
    return pl.collect_all([*of_run, *of_trace], engine="streaming")[0].height


def _per_run(store: Store) -> int:
    spans = store.scan("spans").group_by("trace_id")
    bounds = pl.col("start_ns").min(), pl.col("end_ns").max()
    return _height(spans.agg(pl.len(), *bounds, pl.col("input_tokens").sum(), pl.col("tool_name").n_unique()))


def _not_executed(store: Store) -> int:
    events, keys = store.scan("events"), ["trace_id", "call_id"]
    called = events.filter(pl.col("event") == "tool.called").select(keys)
    return _height(events.filter(pl.col("event") == "action.proposed").join(called, on=keys, how="anti"))


QUESTIONS: Final = {
    "rates": Question(
        "near misses per agent and tool",
        lambda store: _analysis(store).rates(["agent_name", "tool_name"]).height,
        _rates,
        (
            """SELECT agent_name, tool_name, count(*), count(*) FILTER (near_miss), count(*) FILTER (consequential)
            FROM calls GROUP BY ALL""",
        ),
    ),
    "find": Question(
        "find by an argument",
        lambda store: _analysis(store).finds([store.text]).height,
        _find,
        ("FROM calls WHERE contains(arguments, getvariable('text'))",),
    ),
    "run": Question(
        "one run by its id",
        _one_run,
        _one_run_by_hand,
        (
            *(f"FROM {table} WHERE run_id = getvariable('run_id')" for table in ("calls", "runs", "approvals")),
            *(f"FROM {table} WHERE trace_id = getvariable('trace_id')" for table in ("spans", "events")),
        ),
    ),
    "runs": Question(
        "one row per run",
        lambda store: _analysis(store).runs.height,
        _per_run,
        (
            """SELECT trace_id, count(*), min(start_ns), max(end_ns), sum(input_tokens), count(DISTINCT tool_name)
            FROM spans GROUP BY trace_id""",
        ),
    ),
    "misses": Question(
        "proposed and not executed",
        lambda store: _analysis(store).near_misses().height,
        _not_executed,
        (
            """SELECT proposed.* FROM events AS proposed
            ANTI JOIN (SELECT trace_id, call_id FROM events WHERE event = 'tool.called') USING (trace_id, call_id)
            WHERE event = 'action.proposed'""",
        ),
    ),
}


def main() -> None:
    """Answer one."""
    engine, question, data, run_id, trace_id, text = sys.argv[1:]
    print(json.dumps(asdict(answered(engine, question, Store(Path(data), run_id, trace_id, text)))))


if __name__ == "__main__":
    main()
