"""The store that questions about months are asked of holds what its shape says."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lake import BEGAN_NS, Shape, fill
from benchmarks.months import Cost, Figures, lines

from aftertrace.analyzer import open_analysis
from aftertrace.store.folder import open_folder

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
    figures = Figures(spans=160, events=280, derived_mb=2, stored_mb=3, costs={"derive": Cost(1.25, 2, 300)})
    assert lines(figures) == [
        "160 spans and 280 events: 3 MB stored, 2 MB kept of them",
        "derive                                            1.2 s       2.0 s of a core      300 MB",
    ]
