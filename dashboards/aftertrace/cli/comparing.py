"""`compare`: what differs between two runs, and what is different about some calls or runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import settings
from aftertrace.cli.filters import filter_options
from aftertrace.cli.one_run import FORMATS, Form
from aftertrace.cli.output import out_option, say, write, written

if TYPE_CHECKING:
    from aftertrace.analyzer.run_comparison import RunComparison
_HELP: Final = "`text` is one screen; the others hold all: `json` for programs, `html` one file that prints well."


@click.command("compare", short_help="Show what differs between two runs.")
@click.argument("runs", metavar="RUN RUN", nargs=2)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help=_HELP)
@out_option
@filter_options(("as_of",))
@settings.data_option
def compare(runs: tuple[str, str], form: Form, out: Path | None, as_of: int | None, data: Path) -> None:
    """Show what differs between two runs: what they were made of, and step by step what they did."""
    found = of_runs(settings.readable(data), runs, as_of)
    if form == "text":
        from aftertrace.cli.comparison_page import page

        say(page(found), out)
    elif form == "json":
        from aftertrace.analyzer import record_json

        write(record_json.document(found), out)
    else:
        from aftertrace.analyzer import comparison_document

        write(written(comparison_document.document(found), form), out)


def of_runs(data: Path, runs: tuple[str, str], as_of_ns: int | None) -> RunComparison:
    """Two runs of a store side by side. Raises `Invalid` where a text names none or several."""
    from aftertrace.analyzer import open_run
    from aftertrace.analyzer.compared import compared

    # As finely as times are written, so that the one that is told can be asked for again.
    now_ns = time.time_ns() // 1000 * 1000
    records = []
    for text in runs:
        analysis, found = open_run(data, text, now_ns=now_ns, as_of_ns=as_of_ns, inventory=settings.inventory())
        records.append(analysis.record(found))
    return compared(records[0], records[1])
