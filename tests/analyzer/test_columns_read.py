"""What is asked of months of calls and runs is told from a few of their columns: the same, and no others are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Corrupt, Filter
from aftertrace.analyzer.drafting import draft, history, widths
from aftertrace.analyzer.expectations import checks
from aftertrace.analyzer.expectations.rules import Limit, Rule
from aftertrace.analyzer.inventory import checks as inventory_checks
from aftertrace.analyzer.inventory import draft as inventory_draft
from aftertrace.analyzer.inventory import seen_agents
from aftertrace.analyzer.inventory.declared import Inventory
from aftertrace.analyzer.populations.attributes import COLUMNS
from aftertrace.analyzer.populations.comparison import Choice, PopulationComparison
from aftertrace.analyzer.populations.document import written_json
from aftertrace.analyzer.reports.agent_coverage import agent_coverage
from aftertrace.analyzer.schemas.order import BY_RUN, columns_of

from .test_arrival import fleet
from .test_deriving import Growing
from .test_scans import WANTED, both, broken, kept, store

__all__ = ["store"]

DENIED: Final = Choice("calls", (Filter(outcome="denied"),))
RULES: Final = (
    Rule(name="a person", approved_by=("human",)),
    Rule(name="few", limits=(Limit("most_calls", 1), Limit("most_tokens", 10))),
)
RUNS: Final = {"run_id", "traces", "run_keys", "conversation_id", "first_ns"}
"""What a run is found by."""


def compared(analysis: Analysis) -> list[str]:
    """What is different about the denied calls, and about runs with a tool."""
    found = [analysis.compare(DENIED), analysis.compare(Choice("runs", (Filter(tool="pay"),)))]
    return [written_json(each) for each in found]


def inventoried(analysis: Analysis) -> list[object]:
    """Agents and findings, and an inventory of what was seen."""
    checked = inventory_checks.of(analysis, analysis.inventory)
    return [checked.agents.to_dicts(), checked.findings.to_dicts(), inventory_draft.of(analysis, Filter())]


def drafted(analysis: Analysis) -> list[object]:
    """A control drafted from the first call that ran, as narrow as history lets it be; and rules held against it."""
    told, calls = history.history(analysis), analysis.columns("calls", history.OF_CALLS)
    ran = calls.filter(calls["outcome"] == "executed").drop_nulls("tool_name").row(0, named=True)
    narrowed = widths.narrowed(draft.of_call(ran, told), told, ran["run_id"])
    held = checks.checked(RULES, analysis)
    return [narrowed.drafted, narrowed.chosen.hits.to_dicts(), *(each.findings.to_dicts() for each in held)]


def covered(analysis: Analysis) -> list[object]:
    """Which agents can answer what."""
    found = agent_coverage(analysis, Filter())
    return [found.answered.to_dicts(), found.emitters]


def named(analysis: Analysis) -> list[object]:
    """Runs by what names them."""
    runs = analysis.columns("runs", ("run_id", "traces"))
    return [analysis.resolve_run(text) for run_id, traces in runs.head(5).iter_rows() for text in (run_id, traces[0])]


ASKED: Final = {"compare": compared, "inventory": inventoried, "control": drafted, "coverage": covered, "runs": named}


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_columns_are_those_of_the_rows_that_are_selected(store: Growing, wanted: Filter) -> None:
    """In the same order, of every table, kept or not, with what an inventory declares, and of tables that are held."""
    found, expected = both(store)
    for table in BY_RUN:
        names = expected.select(table).columns[:7]
        rows = expected.select(table, wanted).select(names)
        assert_frame_equal(found.columns(table, names, wanted), rows)
        _ = getattr(found, table)
        assert_frame_equal(found.columns(table, names, wanted), rows)


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_is_told_alike_kept_or_not(store: Growing, name: str) -> None:
    """And from tables that are held whole."""
    asked: Callable[[Analysis], list[object]] = ASKED[name]
    found, expected = both(store)
    told = asked(found)
    assert told
    assert told == asked(expected)
    whole, _ = both(store)
    _ = [getattr(whole, table) for table in BY_RUN]
    assert told == asked(whole)


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("compare", {"calls": COLUMNS["calls"]}),
        ("inventory", dict(seen_agents.COLUMNS)),
        ("control", {"calls": history.OF_CALLS, "runs": history.OF_RUNS}),
        ("runs", {"calls": (), "runs": tuple(RUNS)}),
    ],
)
def test_no_column_is_read_that_is_not_needed(tmp_path: Path, name: str, tables: dict[str, tuple[str, ...]]) -> None:
    """With all others destroyed what is told is the same; the control sees that these are."""
    of_kept = kept(fleet(), tmp_path / "data")
    for table, columns in tables.items():
        left = {*columns, *columns_of(table)}
        broken(of_kept.layout, table, left | {f"{column}_rest_ns" for column in left})
    found, expected = both(of_kept, Inventory())
    asked: Callable[[Analysis], list[object]] = ASKED[name]
    if name == "compare":
        asked = lambda analysis: [written_json(analysis.compare(DENIED))]  # noqa: E731
    assert asked(found) == asked(expected)
    for table in tables:
        with pytest.raises(Corrupt):
            _ = getattr(found, table)


def test_rows_behind_a_finding_are_read_when_they_are_asked_for(store: Growing) -> None:
    """With all of their columns."""
    found, expected = (each.compare(DENIED) for each in both(store))
    first = found.lifts.rows["lift_id"][0]
    assert_frame_equal(found.rows_of(first), expected.rows_of(first))
    assert isinstance(found, PopulationComparison)
