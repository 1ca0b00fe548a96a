"""`sql`: Polars SQL over the documented tables."""

from __future__ import annotations

from pathlib import Path

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.output import output_options
from aftertrace.cli.reads import record


@click.command(
    "sql",
    epilog='Such as: aftertrace sql "select tool_name, outcome, count(*) as n from calls group by tool_name, outcome"',
)
@click.argument("statement", metavar="QUERY")
@output_options
@settings.data_option
def query(statement: str, data: Path, form: formats.Format, out: Path | None, limit: int | None) -> None:
    """Ask in SQL.

    QUERY reads the derived tables (calls, runs, near_misses, approvals, decisions, agents, effects, effect_findings,
    configurations, configuration_changes, change_measures, losses) and the stored ones (spans, events). It
    reads no files and changes nothing.
    """
    frame = settings.analysis(settings.readable(data)).sql(statement)
    record(data, "sql", statement)
    formats.write(frame if limit is None else frame.head(limit), form, out=out)
