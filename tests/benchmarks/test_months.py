"""The store that questions about months are asked of holds what its shape says."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.lake import BEGAN_NS, Shape, fill
from benchmarks.months import Asked, Cost, Figures, lines
from benchmarks.questions import ENGINES, QUESTIONS, Store, answered

from aftertrace.analyzer import open_analysis
from aftertrace.analyzer.derived.deriving import derive
from aftertrace.store.folder import open_folder
from aftertrace.store.run_names import SEPARATOR, name_of

DAY_NS = 24 * 3600 * 10**9


def test_runs_are_spread_over_days_and_some_are_denied_a_call(tmp_path: Path) -> None:
    """And more of them can be added."""
    layout = open_folder(tmp_path / "data")
    fill(layout, Shape(16, of_conversation=0, days=2, denied_every=8))
    now_ns = BEGAN_NS + 3 * DAY_NS
    found = open_analysis(layout.data, now_ns=now_ns)
    assert (found.runs.height, found.calls.height) == (16, 128)
    assert found.near_misses()["arguments"].to_list() == ['{"order":"o-8-7"}', '{"order":"o-0-7"}']
    assert found.runs["first_ns"].max() == BEGAN_NS + 15 * DAY_NS // 8
    fill(layout, Shape(2), seed=2, after=16)
    assert open_analysis(layout.data, now_ns=now_ns).runs.height == 18


def test_figures_are_told_in_columns() -> None:
    """A line each."""
    asked = {
        engine: Asked(took_s=took_s, processor_s=1, start_s=0.5, peak_mb=90, rows=9)
        for engine, took_s in zip(ENGINES, (3, 2, 1.5), strict=True)
    }
    costs = {"derive": Cost(1.25, 2, 300)}
    figures = Figures(spans=160, events=280, derived_mb=2, stored_mb=3, costs=costs, asked={"how many": asked})
    assert lines(figures) == [
        "160 spans and 280 events: 3 MB stored, 2 MB kept of them",
        "derive                                            1.2 s       2.0 s of a core      300 MB",
        "how many: 2.0 times the better by hand, 1.0 times its processor time",
        "    aftertrace                                   3.00 s      1.00 s of a core       90 MB  0.5 s to start",
        "    Polars                                       2.00 s      1.00 s of a core       90 MB  0.5 s to start",
        "    DuckDB                                       1.50 s      1.00 s of a core       90 MB  0.5 s to start",
    ]


@pytest.mark.slow
def test_every_engine_gives_the_same_answer_to_each_question(tmp_path: Path) -> None:
    """Otherwise they were not asked the same."""
    layout = open_folder(tmp_path / "data")
    (first, *_) = fill(layout, Shape(40, of_conversation=3, days=2, denied_every=8))
    assert derive(layout.data, now_ns=BEGAN_NS + 3 * DAY_NS).kept == 40
    store = Store(layout.data, name_of(f"trace{SEPARATOR}{first}"), first, "o-13-5")
    rows = {question: {answered(engine, question, store).rows for engine in ENGINES} for question in QUESTIONS}
    assert rows == {"rates": {72}, "find": {1}, "run": {8}, "runs": {40}, "misses": {5}}
