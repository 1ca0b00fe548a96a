"""`report`: Markdown to read or to send."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from aftertrace.cli import settings
from aftertrace.cli.filters import chosen, filter_options
from aftertrace.dashboards.plain import plain_lines

_Function = TypeVar("_Function", bound=Callable[..., Any])

FILTERS: Final = ("agent", "tool", "outcome", "decided_by", "reviewer", "tenant", "environment", "time")


@click.group("report")
def report() -> None:
    """Write a report in Markdown."""


def _out(command: _Function) -> _Function:
    return click.option(
        "--out",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write to a file instead of standard output.",
    )(command)


@report.command("near-misses")
@filter_options(FILTERS)
@_out
@settings.data_option
def near_misses(data: Path, out: Path | None, **options: Any) -> None:
    """Near misses: consequential ones first, rates with 95 % intervals, and where a count is only a floor."""
    from aftertrace.analyzer import open_analysis
    from aftertrace.analyzer.report import near_misses as text_of

    _write(text_of(open_analysis(settings.readable(data)), chosen(options)), out)


@report.command("approvals")
@filter_options(FILTERS)
@_out
@settings.data_option
def approvals(data: Path, out: Path | None, **options: Any) -> None:
    """Approvals: what is odd first, then per reviewer, agent and tool how often and how fast they are given."""
    from aftertrace.analyzer import open_analysis
    from aftertrace.analyzer.review_report import approvals as text_of

    _write(text_of(open_analysis(settings.readable(data)), chosen(options)), out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(plain_lines(text).rstrip("\n") + "\n")
    else:
        out.write_text(text, encoding="utf-8")
