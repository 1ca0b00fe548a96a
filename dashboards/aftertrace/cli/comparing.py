"""`compare`: what differs between two runs, and what is different about some calls or runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import NARROWING, Clause, filter_options, opened
from aftertrace.cli.one_run import FORMATS, Form
from aftertrace.cli.output import form_option, out_option, say, write, written

if TYPE_CHECKING:
    from aftertrace.analyzer.comparison.run_comparison import RunComparison
    from aftertrace.analyzer.populations.comparison import PopulationComparison

_HELP: Final = "`text` is one screen; the others hold all: `json` for programs, `html` one file that prints well."
_FILTERS: Final = (
    *("agent", "tool", "outcome", "decided_by", "reviewer"),
    *NARROWING,
    *("tenant", "environment", "time", "as_of"),
)
_ROWS: Final[dict[str, formats.Format]] = {"text": "table", "json": "json", "markdown": "markdown"}
_SHOWN: Final = {
    "calls": ("is_chosen", "first_ns", "agent_name", "tool_name", "outcome", "arguments", "reason", "run_id"),
    "runs": ("is_chosen", "first_ns", "agent_name", "model", "state", "calls", "prompt", "run_id"),
}


@click.command("compare", short_help="Show what differs between two runs, or about some calls.")
@click.argument("runs", metavar="[RUN RUN]", nargs=-1)
@click.option(
    "--where",
    metavar="NAME=VALUE",
    type=Clause(),
    multiple=True,
    help="Which calls to hold against the others: any filter below, such as outcome=denied. Of one name any value, of "
    "several names all have to hold.",
)
@click.option("--against", metavar="NAME=VALUE", type=Clause(), multiple=True, help="Which others; else all the rest.")
@click.option(
    "--of",
    type=click.Choice(("calls", "runs")),
    default="calls",
    show_default=True,
    help="Compare calls, or whole runs.",
)
@click.option("--count-untold", is_flag=True, help="Count what is not told as a value of its own.")
@click.option("--rows", metavar="ID", help="List the calls or runs behind a finding, by its id.")
@filter_options(_FILTERS)
@form_option(FORMATS, _HELP)
@out_option
@settings.data_option
def compare(
    runs: tuple[str, ...],
    where: tuple[tuple[str, Any], ...],
    against: tuple[tuple[str, Any], ...],
    of: Literal["calls", "runs"],
    count_untold: bool,
    rows: str | None,
    data: Path,
    form: Form,
    out: Path | None,
    **options: Any,
) -> None:
    """Show what differs between two runs, or what is different about some calls or runs.

    Of two RUNs: what they were made of, and step by step arguments, verdicts, effects and results; where they part
    comes first. A RUN is as for `aftertrace run`.

    With --where: which tools, arguments, agents, versions, prompts, people, days and the like are more frequent among
    the chosen than among the others, with 95 % intervals and corrected for all that was looked at. The filters below
    hold for both sides. What is not told is no difference.
    """
    if bool(runs) == bool(where):
        raise click.UsageError("give two runs, or --where and which calls to hold against the others")
    if not runs:
        analysis, within = opened(settings.readable(data), options)
        from aftertrace.analyzer.populations.comparison import Choice
        from aftertrace.analyzer.reading.select import either

        choice = Choice(of, either(where), either(against), within, count_untold)
        _tell_populations(analysis.compare(choice), rows, form, out)
        return
    narrowed = against or rows is not None or any(options[name] for name in options if name != "as_of")
    if len(runs) != 2 or narrowed or of != "calls" or count_untold:
        raise click.UsageError("two runs are compared whole: give two, and no filter, --of or --count-untold")
    _tell_runs(of_runs(settings.readable(data), (runs[0], runs[1]), options["as_of"]), form, out)


def of_runs(data: Path, runs: tuple[str, str], as_of_ns: int | None) -> RunComparison:
    """Two runs of a store side by side. Raises `Invalid` where a text names none or several."""
    from aftertrace.analyzer.comparison.compared import compared
    from aftertrace.cli.whole_prompts import with_whole_texts
    from aftertrace.store.snapshot import Snapshot

    # As finely as times are written, so that the one that is told can be asked for again.
    now_ns = time.time_ns() // 1000 * 1000
    records = []
    for text in runs:
        analysis, found = settings.analysis_of_run(data, text, as_of_ns=as_of_ns, now_ns=now_ns)
        records.append(analysis.record(found))
    first, second = records
    snapshot = Snapshot.of(data)
    return compared(with_whole_texts(first, second, snapshot), with_whole_texts(second, first, snapshot))


def _tell_runs(found: RunComparison, form: Form, out: Path | None) -> None:
    if form == "text":
        from aftertrace.cli.comparison_page import page

        say(page(found), out)
    elif form == "json":
        from aftertrace.analyzer.records import record_json

        write(record_json.document(found), out)
    else:
        from aftertrace.analyzer.comparison import document as comparison_document

        write(written(comparison_document.document(found), form), out)


def _tell_populations(found: PopulationComparison, rows: str | None, form: Form, out: Path | None) -> None:
    from aftertrace.analyzer.populations import document as population_document

    if rows is not None:
        if form not in _ROWS:
            raise click.UsageError(f"--rows: rows are written as {', '.join(_ROWS)}, not as {form}")
        formats.write(found.rows_of(rows), _ROWS[form], shown=_SHOWN[found.choice.of], out=out)
    elif form == "text":
        from aftertrace.cli.population_page import page

        say(page(found), out)
    elif form == "json":
        write(population_document.written_json(found), out)
    else:
        write(written(population_document.document(found), form), out)
