"""What pages ask beside rows of tables: each question once per version of the store and filter, however many look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import polars as pl

from aftertrace.analyzer.comparison.compared import compared
from aftertrace.analyzer.comparison.run_comparison import RunComparison
from aftertrace.analyzer.documents.periods import Period
from aftertrace.analyzer.drafting import draft as control_draft
from aftertrace.analyzer.drafting import history as control_history
from aftertrace.analyzer.drafting import widths as control_widths
from aftertrace.analyzer.drafting.widths import Tried
from aftertrace.analyzer.inventory import checks as inventory_checks
from aftertrace.analyzer.inventory import first_seen, uses
from aftertrace.analyzer.inventory.checks import Checked
from aftertrace.analyzer.populations.comparison import Choice, PopulationComparison
from aftertrace.analyzer.reading.select import ALL
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.analyzer.reports import failure_report, near_miss_figures
from aftertrace.analyzer.reports.agent_coverage import AgentCoverage, agent_coverage
from aftertrace.analyzer.reports.near_miss_figures import Figures
from aftertrace.dashboards import data, run_list
from aftertrace.dashboards.data import Analysis, Filter
from aftertrace.dashboards.fingerprints import CALL_COLUMNS
from aftertrace.dashboards.run_list import Listed


def figures(analysis: Analysis, chosen: Filter) -> Figures:
    """The figures of the near-miss report over what the filter of a page lets through."""
    period = Period.up_to(analysis.now_ns, chosen.since_ns)
    return data.once(analysis, f"figures {chosen!r}", lambda: near_miss_figures.figures(analysis, period, chosen))


def newcomers(analysis: Analysis, since_ns: int, chosen: Filter) -> pl.DataFrame | None:
    """Agents that were never seen before a time (`analyzer.first_seen`)."""
    return data.once(
        analysis, f"newcomers {since_ns} {chosen!r}", lambda: first_seen.first_seen(analysis, since_ns, chosen)
    )


def selected(analysis: Analysis, table: str, chosen: Filter, which: str = "all", only: pl.Expr = ALL) -> pl.DataFrame:
    """Rows of a derived table (`Analysis.select`).

    Args:
        analysis: of the store.
        table: its name.
        chosen: the filter.
        which: a name for what `only` says, under which the rows are kept.
        only: what has to hold of a row.
    """
    question = f"{which} {table} {chosen!r}"
    return data.once(analysis, question, lambda: analysis.select(table, chosen, only=only))


def rates(analysis: Analysis, column: str, chosen: Filter) -> pl.DataFrame:
    """Near misses per call by a column of `calls` (`Analysis.rates`)."""
    return data.once(analysis, f"rates {column} {chosen!r}", lambda: analysis.rates([column], chosen))


def last_heard_ns(analysis: Analysis) -> int | None:
    """When the last record of any run was heard."""

    def asked() -> int | None:
        (latest,) = analysis.collected(analysis.scan("runs", ("last_ns",)).select(pl.col("last_ns").max()))
        told: int | None = latest.item()
        return told

    return data.once(analysis, "last heard", asked)


def of_runs(analysis: Analysis, run_ids: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Rows of `runs` of some runs, in their order; their calls with `fingerprints.CALL_COLUMNS`; and in how many calls,
    effects and runs a control failed, by run.
    """

    def asked() -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
        only = pl.col("run_id").is_in(list(run_ids))
        rows = pl.DataFrame({"run_id": list(run_ids)}, schema={"run_id": pl.String}).join(
            analysis.select("runs", only=only), on="run_id", how="inner", maintain_order="left"
        )
        (calls,) = analysis.collected(analysis.scan("calls", CALL_COLUMNS, only=only))
        return rows, calls, failure_report.by_run(analysis, run_ids)

    return data.once(analysis, f"runs {' '.join(run_ids)}", asked)


def changes(analysis: Analysis, chosen: Filter) -> pl.DataFrame:
    """What was changed in agents, columns as in `schemas.CONFIGURATION_CHANGES`, the latest first."""
    return data.once(
        analysis, f"changes {chosen!r}", lambda: analysis.select("configuration_changes", chosen).reverse()
    )


def change(analysis: Analysis, change_id: str) -> dict[str, Any] | None:
    """A change by its id, columns as in `schemas.CONFIGURATION_CHANGES`; None where there is none."""
    found = data.once(
        analysis,
        f"change {change_id}",
        lambda: analysis.select("configuration_changes", only=pl.col("change_id") == change_id).to_dicts(),
    )
    return found[0] if found else None


def comparison(analysis: Analysis, choice: Choice) -> PopulationComparison:
    """What is different about some calls. Raises `Invalid` where a side is empty."""
    return data.once(analysis, f"comparison {choice!r}", lambda: analysis.compare(choice))


def rows_behind(analysis: Analysis, found: PopulationComparison, lift_id: str) -> pl.DataFrame:
    """The rows that have a value which was compared (`PopulationComparison.rows_of`): all are read for them."""
    return data.once(analysis, f"rows {lift_id} of comparison {found.choice!r}", lambda: found.rows_of(lift_id))


def run_comparison(first: tuple[Analysis, str], second: tuple[Analysis, str]) -> RunComparison:
    """What differs between two runs, each with what is read of it; prompts as far as the tables keep them."""
    records = [record(analysis, run_id) for analysis, run_id in (first, second)]
    return data.once(first[0], f"runs {first[1]} {second[1]} {second[0].version}", lambda: compared(*records))


def draft(analysis: Analysis, call_key: str) -> Tried:
    """The rule that would have caught a call, as wide as history speaks for. Raises `Invalid` where none can be."""
    return data.once(analysis, f"draft {call_key}", lambda: _drafted(analysis, call_key))


def listed(analysis: Analysis, kept: Mapping[str, str], chosen: Filter) -> Listed:
    """The runs of a list (`run_list.listed`).

    Raises:
        Invalid: the text that is looked for is too short, or not to be looked for by whoever looks.
    """
    if kept.get("q"):
        data.allow("contents")
    question = f"listed {kept} {chosen!r}"
    return data.once(analysis, question, lambda: run_list.listed(analysis, kept, chosen), has_contents=False)


def checked(analysis: Analysis, chosen: Filter) -> Checked:
    """The agents that a filter lets through, held against the declared inventory where there is one."""
    declared = analysis.inventory if data.settings().inventory is not None else None
    return data.once(analysis, f"agents {chosen!r}", lambda: inventory_checks.of(analysis, declared, chosen))


def used_tools(analysis: Analysis, chosen: Filter) -> pl.DataFrame:
    """The tools that were called, columns as in `uses.tools`."""
    return data.once(analysis, f"tools {chosen!r}", lambda: _made(analysis, "calls", chosen))


def systems(analysis: Analysis, chosen: Filter) -> pl.DataFrame:
    """The systems that were changed, columns as in `uses.systems`."""
    return data.once(analysis, f"systems {chosen!r}", lambda: _made(analysis, "effects", chosen))


def coverage(analysis: Analysis, chosen: Filter) -> AgentCoverage:
    """Which agents can answer what about their runs (`agent_coverage.agent_coverage`)."""
    return data.once(analysis, f"coverage {chosen!r}", lambda: agent_coverage(analysis, chosen))


def record(analysis: Analysis, run_id: str) -> RunRecord:
    """Everything that is known of a run: what is chosen on its page does not change it."""
    return data.once(analysis, f"record {run_id}", lambda: analysis.record(run_id))


def timeline(analysis: Analysis, run_id: str) -> pl.DataFrame:
    """The timeline of a run, columns as in `schemas.TIMELINE`."""
    return data.once(analysis, f"timeline {run_id}", lambda: analysis.timeline(run_id))


def related(analysis: Analysis, run_id: str) -> pl.DataFrame:
    """Other runs that share something with one, columns as in `related.RELATED`."""
    return data.once(analysis, f"related {run_id}", lambda: analysis.related(run_id))


def _made(analysis: Analysis, table: Literal["calls", "effects"], chosen: Filter) -> pl.DataFrame:
    columns, make = {"calls": (uses.OF_CALLS, uses.tools), "effects": (uses.OF_EFFECTS, uses.systems)}[table]
    return analysis.collected(make(analysis.scan(table, columns, chosen)))[0]


def _drafted(analysis: Analysis, call_key: str) -> Tried:
    history = control_history.history(analysis)
    call = analysis.select("calls", only=pl.col("call_key") == call_key).row(0, named=True)
    return control_widths.narrowed(control_draft.of_call(call, history), history, call["run_id"])
