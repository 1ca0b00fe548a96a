"""`report`: Markdown to read or to send."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from aftertrace.cli import settings
from aftertrace.cli.filters import chosen, filter_options
from aftertrace.dashboards.plain import plain_lines


@click.group("report")
def report() -> None:
    """Write a report in Markdown."""


@report.command("near-misses")
@filter_options(("agent", "tool", "outcome", "decided_by", "reviewer", "tenant", "environment", "time"))
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file instead of standard output.",
)
@settings.data_option
def near_misses(data: Path, out: Path | None, **options: Any) -> None:
    """Near misses: consequential ones first, rates with 95 % intervals, and where a count is only a floor."""
    from aftertrace.analyzer import open_analysis
    from aftertrace.analyzer.report import near_misses as text_of

    text = text_of(open_analysis(settings.readable(data)), chosen(options))
    if out is None:
        sys.stdout.write(plain_lines(text).rstrip("\n") + "\n")
    else:
        out.write_text(text, encoding="utf-8")
