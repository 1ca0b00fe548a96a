"""`changes`: what was changed in agents, what moved after it, and what had changed just before a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import click

from aftertrace.cli import change_page, formats, settings
from aftertrace.cli.filters import Instant, chosen, filter_options
from aftertrace.cli.output import say, text_or_rows
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer import Analysis

_Form: TypeAlias = Literal["text"] | formats.Format
_SHOWN: Final = ("changed_at", "agent_name", "part", "before", "after", "state", "runs", "moved", "change_id")
_MEASURES: Final = (
    "changed_at", "agent_name", "part", "measure", "runs_before", "runs_after", "before", "after", "difference", "low",
    "high", "q", "verdict",
)  # fmt: skip


@click.command("changes", short_help="List what was changed in agents, and what moved after it.")
@click.option(
    "--run", "run", metavar="RUN", help="What was in force in this run, and what had changed just before; or `last`."
)
@click.option("--at", "at_ns", metavar="TIME", type=Instant(), help="The same at a time, of the run that began last.")
@click.option(
    "--diff", "change", metavar="CHANGE", help="Show a change in full, such as the lines of a prompt, by its id."
)
@click.option("--measures", is_flag=True, help="Show all that was measured, one row per change and measure.")
@filter_options(("agent", "tenant", "environment", "time"))
@text_or_rows
@settings.data_option
def changes(
    run: str | None,
    at_ns: int | None,
    change: str | None,
    measures: bool,
    data: Path,
    form: _Form,
    out: Path | None,
    limit: int | None,
    **options: Any,
) -> None:
    """List what was changed in agents: prompt, tools, model asked and served, policy, version; the latest first.

    Below each change stands what moved after it: near misses, denials, errors, the wait for approvals, tokens and cost,
    each with its 95 % interval, corrected for all that was looked at. Prompts are compared without what differs from
    run to run, such as dates, paths and ids. What a run does not tell is no change.
    """
    from aftertrace.cli.whole_prompts import whole_prompt
    from aftertrace.store.snapshot import Snapshot

    if sum((run is not None, at_ns is not None, change is not None, measures)) > 1:
        raise click.UsageError("--run, --at, --diff and --measures ask different things; give one of them")
    stored = settings.readable(data)
    analysis = settings.analysis(stored)
    if change is not None:
        found, snapshot = change_page.found(analysis, change), Snapshot.of(stored)
        runs = [found[side] for side in ("last_run_before", "first_run_id") if found["part"] == "prompt"]
        say(
            change_page.diff_lines(analysis, found, [whole_prompt(analysis, snapshot, run, found) for run in runs]), out
        )
        return
    if measures:
        rows = analysis.select("change_measures", chosen(options))
        formats.write(_some(rows, limit), "table" if form == "text" else form, shown=_MEASURES, out=out)
        return
    in_force = _in_force(analysis, run, at_ns, options.get("agent"))
    if in_force is None:
        listed = analysis.select("configuration_changes", chosen(options)).reverse()
    else:
        listed = chosen(options).apply(analysis.changes_before(in_force).lazy()).collect()
    if form != "text":
        formats.write(_some(listed, limit), form, shown=_SHOWN, out=out)
    elif in_force is None:
        say(change_page.page(analysis, _some(listed, limit), chosen(options)), out)
    else:
        say(change_page.before_page(analysis, in_force, _some(listed, limit)), out)


def _in_force(analysis: Analysis, run: str | None, at_ns: int | None, agent: str | None) -> pl.DataFrame | None:
    from aftertrace.analyzer.configurations import in_force

    if run is not None:
        run_id = analysis.resolve_run(run)
        return in_force.of_run(analysis.versioned, analysis.configurations, run_id)
    if at_ns is None:
        return None
    found = in_force.at_time(analysis.versioned, analysis.configurations, at_ns, agent)
    if not found.height:
        whose = "" if agent is None else f" of agent {agent!r}"
        raise Invalid(f"changes --at: no run{whose} is known to have begun by then; `aftertrace runs` lists them")
    return found


def _some(rows: pl.DataFrame, limit: int | None) -> pl.DataFrame:
    return rows if limit is None else rows.head(limit)
