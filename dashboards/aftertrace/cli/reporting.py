"""`report`: documents to read, to send and to print."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import click

from aftertrace.cli import settings
from aftertrace.cli.filters import chosen, filter_options, opened
from aftertrace.cli.output import form_option, out_option, write, written
from aftertrace.dashboards.plain import plain_lines
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer.documents.periods import Period

_Function = TypeVar("_Function", bound=Callable[..., Any])
Form: TypeAlias = Literal["markdown", "html", "json"]

FILTERS: Final = ("agent", "tool", "outcome", "decided_by", "reviewer", "tenant", "environment", "time", "as_of")


class Calendar(click.ParamType[tuple[int, int, int]]):
    """A period of the calendar in UTC: `2026`, `2026-Q4`, `2026-11`, `2026-W47` or `2026-11-22`."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        """Begin, end, and the begin of the period before, in nanoseconds since the Unix epoch."""
        from aftertrace.analyzer.documents.periods import named

        try:
            return named(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no period; write 2026, 2026-Q4, 2026-11, 2026-W47 or 2026-11-22", param, ctx)


@click.group("report")
def report() -> None:
    """Write a report as Markdown or as one HTML file that prints well."""


def _output(*forms: Form) -> Callable[[_Function], _Function]:
    def add(command: _Function) -> _Function:
        return form_option(forms, "How to write it.")(out_option(command))

    return add


@report.command("near-misses")
@filter_options(FILTERS)
@click.option(
    "--period",
    metavar="PERIOD",
    type=Calendar(),
    help="A period of the calendar in UTC: 2026, 2026-Q4, 2026-11, 2026-W47 or 2026-11-22.",
)
@_output("markdown", "html", "json")
@settings.data_option
def near_misses(data: Path, form: Form, out: Path | None, **options: Any) -> None:
    """Near misses of a period: what nearly happened, the worst first, what changed, and what to do next.

    Rates have 95 % intervals, and each count says whether it is only a floor. A period closes a day after its end: from
    then on its report is the same, byte for byte, however the store grows. What comes later counts with --as-of.
    """
    from aftertrace.analyzer.reports import near_miss_json
    from aftertrace.analyzer.reports.near_miss_figures import figures
    from aftertrace.analyzer.reports.near_miss_report import told

    period, stored = _period(options), settings.readable(data)
    analysis = settings.analysis(stored, as_of_ns=period.as_of_ns)
    found = figures(analysis, period, chosen(options))
    if form == "json":
        _write(near_miss_json.written(found), out)
    else:
        _write(written(told(found), form), out)
    _tell_late(stored, period)


@report.command("approvals")
@filter_options(FILTERS)
@_output("markdown", "html")
@settings.data_option
def approvals(data: Path, form: Form, out: Path | None, **options: Any) -> None:
    """Approvals: what is odd first, then per reviewer, agent and tool how often and how fast they are given."""
    from aftertrace.analyzer.reports.review_report import approvals as document_of

    _write(written(document_of(*opened(settings.readable(data), options)), form), out)


@report.command("coverage")
@filter_options(("agent", "tenant", "environment", "time", "as_of"))
@_output("markdown", "html", "json")
@settings.data_option
def coverage(data: Path, form: Form, out: Path | None, **options: Any) -> None:
    """Coverage: which agents cannot answer which questions about their runs, how often, and what to switch on.

    `aftertrace doctor` says the same of emitters, and which of their records are read.
    """
    from aftertrace.analyzer.reports.agent_coverage import agent_coverage
    from aftertrace.analyzer.reports.coverage_report import told, written_json

    analysis, wanted = opened(settings.readable(data), options)
    found = agent_coverage(analysis, wanted)
    _write(written_json(found) if form == "json" else written(told(found, analysis.now_ns), form), out)


def _period(options: dict[str, Any]) -> Period:
    """The period that the options ask for."""
    from aftertrace.analyzer.documents.periods import Period

    since, until, named = options.get("since"), options.get("until"), options.pop("period")
    if named is not None and (since is not None or until is not None):
        raise Invalid("report: --period and --since or --until, expected one of them; a period has its begin and end")
    since, until, before = named or (since, until, None)
    return Period.of(since, until, now_ns=time.time_ns(), as_of_ns=options.get("as_of"), before_ns=before)


def _tell_late(data: Path, period: Period) -> None:
    """Say on standard error what is stored of a period and does not count in its report, or may yet."""
    from aftertrace.analyzer.documents.periods import instant
    from aftertrace.analyzer.opening import tables_of
    from aftertrace.analyzer.reports.late import late
    from aftertrace.store.layout import Layout
    from aftertrace.store.snapshot import Snapshot
    from aftertrace.store.standing import standing

    if came := late(tables_of(Snapshot.of(data)), period):
        click.echo(
            f"note: {came:,} records of this period came after {instant(period.as_of_ns)} and do not count in it; "
            "--as-of now counts them",
            err=True,
        )
    if waiting := standing(Layout(data)).waiting:
        click.echo(
            f"note: {waiting:,} requests wait in the log and do not count yet; see `aftertrace status`", err=True
        )


def _write(text: str, out: Path | None) -> None:
    write(text if out is not None else plain_lines(text).rstrip("\n") + "\n", out)
