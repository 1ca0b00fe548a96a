"""What is read of kept tables to sum them up: the columns and rows that are asked for, and the same as without them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Corrupt, Filter, open_analysis
from aftertrace.analyzer.calls.near_misses import OF_RATES
from aftertrace.analyzer.derived.parted import Parted
from aftertrace.analyzer.documents import markdown
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.documents.severity import DECISIONS
from aftertrace.analyzer.effects import mismatches, races
from aftertrace.analyzer.inventory.declared import DeclaredTool, Inventory
from aftertrace.analyzer.reports import failure_report, near_miss_json
from aftertrace.analyzer.reports.floors import UNSURE
from aftertrace.analyzer.reports.near_miss_figures import NEAR, SUMMED, figures
from aftertrace.analyzer.reports.near_miss_report import told
from aftertrace.analyzer.schemas.order import BY_RUN
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout

from .frames import RECEIVED_NS, Frames
from .stories import stored
from .test_arrival import fleet
from .test_deriving import HOUR_NS, Growing
from .test_effect_findings import everything, whole_of_stories
from .test_near_miss_report import runs_of

NOW_NS: Final = RECEIVED_NS + 26 * HOUR_NS
ALL_TIME: Final = Period.of(None, None, now_ns=NOW_NS)
DECLARED: Final = Inventory(tools=(DeclaredTool("*delete*", "read"), DeclaredTool("*", "money")))
WANTED: Final = (
    Filter(),
    Filter(agent="clerk"),
    Filter(outcome="denied"),
    Filter(decided_by="human", since_ns=1),
    Filter(risk="money"),
    Filter(target="orders"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Growing:
    """All recordings: most of them are kept, and the last ones came since."""
    whole = fleet()
    last = max(*whole.spans["seq"], *whole.events["seq"])
    growing = Growing(open_folder(tmp_path_factory.mktemp("kept") / "data"), whole)
    growing.receive(0, last - 40)
    growing.derive(NOW_NS)
    growing.receive(last - 40, last)
    return growing


def both(store: Growing, inventory: Inventory = DECLARED) -> tuple[Analysis, Analysis]:
    """What is told from what is kept, and from all records."""
    last = max(*store.whole.spans["seq"], *store.whole.events["seq"])
    found = open_analysis(store.layout.data, now_ns=NOW_NS, inventory=inventory)
    return found, replace(store.told(last, NOW_NS), inventory=inventory)


def broken(layout: Layout, table: str, left: Collection[str]) -> None:
    """Write over all columns of the files of a table but some."""
    for path in (layout.derived / table).glob("*.parquet"):
        groups, content = pq.read_metadata(path), bytearray(path.read_bytes())
        for group in range(groups.num_row_groups):
            columns = [groups.row_group(group).column(at) for at in range(groups.num_columns)]
            for column in columns:
                if column.path_in_schema.partition(".")[0] not in left:
                    begin = column.dictionary_page_offset or column.data_page_offset
                    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
        path.write_bytes(content)


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_scan_has_the_rows_that_are_selected(store: Growing, wanted: Filter) -> None:
    """Of every table, kept or not, with what an inventory declares; and so have tables that were asked for whole."""
    found, expected = both(store)
    for table in BY_RUN:
        rows = expected.select(table, wanted)
        assert_frame_equal(found.collected(found.scan(table, filter=wanted))[0], rows, check_row_order=False)
        assert_frame_equal(found.select(table, wanted), rows)
        _ = getattr(found, table)
        assert_frame_equal(found.select(table, wanted), rows)
        assert_frame_equal(found.collected(found.scan(table, ("run_id",), wanted))[0], rows.select("run_id"))


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_rates_are_those_of_all_rows(store: Growing, wanted: Filter) -> None:
    """Whatever they are told by."""
    found, expected = both(store)
    for by in ([], ["tool_name"], ["agent_name", "risk"], ["outcome"]):
        assert_frame_equal(found.rates(by, wanted), expected.rates(by, wanted))


def kept(whole: Frames, data: Path) -> Growing:
    """A store of which all is kept."""
    store = Growing(open_folder(data), whole)
    store.receive(0, max(*whole.spans["seq"], *whole.events["seq"], 0))
    store.derive(NOW_NS)
    return store


def report(analysis: Analysis, period: Period = ALL_TIME, wanted: Filter = WANTED[0]) -> list[str]:
    """The near-miss report as programs and people read it."""
    found = figures(analysis, period, wanted)
    return [near_miss_json.written(found), markdown.written(told(found))]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_the_report_is_the_same_kept_or_not(store: Growing, wanted: Filter) -> None:
    """To the byte, with an inventory and a period before too; and so is that of tables that were asked for whole."""
    found, expected = both(store)
    middle_ns = int(expected.calls["first_ns"].median() or 0)
    for period in (ALL_TIME, Period.of(middle_ns, None, now_ns=NOW_NS, before_ns=0)):
        whole = report(found, period, wanted)
        assert whole == report(expected, period, wanted)
        again, _ = both(store)
        _ = (again.calls, again.runs, again.effects, again.approvals, again.decisions)
        assert whole == report(again, period, wanted)
    assert (json.loads(whole[0])["before"] is None) == (wanted.target is not None)


def test_findings_are_the_same_kept_or_not(tmp_path: Path) -> None:
    """Of every story of them; those of one run, too, and those that it shows with others."""
    store, expected = kept(whole_of_stories(), tmp_path / "data"), everything()
    found = open_analysis(store.layout.data, now_ns=expected.now_ns)
    assert_frame_equal(found.effect_findings, expected.effect_findings)
    assert report(found) == report(expected)
    for run_id in expected.effect_findings["run_id"].unique().sort()[::5]:
        assert found.record(run_id).findings == expected.record(run_id).findings


def test_effects_that_can_repeat_or_cross_others_are_all_that_do() -> None:
    """No finding is lost with those that are left out; the control leaves out one more."""
    effects, runs = everything().effects, everything().runs
    alike = (races.KEYED, races.MADE, races.WRITTEN)
    candidates = pl.concat([each.candidates(effects.lazy()).collect() for each in alike]).unique()
    columns = ["signal", "evidence", "what", "certainty"]
    expected = races.of_several_runs(effects, runs).select(columns)
    assert 0 < candidates.height < effects.height
    assert_frame_equal(races.of_several_runs(candidates, runs).select(columns), expected, check_row_order=False)
    fewer = candidates.filter(pl.col("evidence") != expected["evidence"][0][0])
    assert races.of_several_runs(fewer, runs).height < expected.height


def test_a_report_holds_near_misses_and_sums_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls there are; the control sees them all."""
    rows = [*runs_of(["ran"] * 120, 1.0), *runs_of(["human"] * 3, 90.0)]
    store = kept(stored(*rows), tmp_path / "data")
    heights: list[int] = []
    collected = Parted.collected

    def counting(parted: Parted, *frames: pl.LazyFrame) -> list[pl.DataFrame]:
        found = collected(parted, *frames)
        heights.extend(each.height for each in found)
        return found

    monkeypatch.setattr(Parted, "collected", counting)
    analysis = open_analysis(store.layout.data, now_ns=NOW_NS)
    assert figures(analysis, ALL_TIME, Filter()).totals.calls == 123
    assert max(heights) == 3
    _ = analysis.calls
    assert max(heights) == 123


def test_a_report_reads_no_column_that_it_does_not_need(tmp_path: Path) -> None:
    """With all others destroyed it is the same; the control sees that these are."""
    rows = [*runs_of(["ran"] * 3, 1.0), *runs_of(["human"] * 3, 90.0)]
    store = kept(stored(*rows), tmp_path / "data")
    needed = {*SUMMED, *NEAR, *failure_report.OF_CALLS, *mismatches.SIGNALLED, *mismatches.AFTER_DENIAL}
    for table, columns in (
        ("calls", {*needed, "proposed_at_rest_ns", "granted_at_rest_ns", "decided_at_rest_ns"}),
        ("decisions", set(DECISIONS)),
        ("runs", {*UNSURE, *failure_report.OF_RUNS, "started_at_rest_ns", "tools"}),
    ):
        broken(store.layout, table, columns)
    found, expected = both(store, Inventory())
    assert report(found) == report(expected)
    for table in ("calls", "decisions", "runs"):
        with pytest.raises(Corrupt):
            _ = getattr(found, table)


def test_rates_read_no_column_that_they_do_not_need(tmp_path: Path) -> None:
    """With all others destroyed they are the same; the control sees that these are."""
    store = kept(fleet(), tmp_path / "data")
    broken(store.layout, "calls", (*OF_RATES, "proposed_at_rest_ns", "tool_name"))
    found, expected = both(store, Inventory())
    assert_frame_equal(found.rates(["tool_name"]), expected.rates(["tool_name"]))
    with pytest.raises(Corrupt):
        _ = found.rates(["agent_name"])
    with pytest.raises(Corrupt):
        _ = found.calls


@pytest.mark.parametrize("only", [pl.col("risk") == "write", pl.col("consequential"), pl.col("tool_name").is_null()])
def test_rows_are_chosen_by_what_is_told_whether_or_not_all_were_asked_for_before(
    store: Growing, only: pl.Expr
) -> None:
    """Columns that risk classes which are declared change are chosen by as they were before."""
    fresh, asked = both(store)[0], both(store)[0]
    assert asked.calls.height
    assert_frame_equal(asked.select("calls", only=only), fresh.select("calls", only=only), check_row_order=False)
