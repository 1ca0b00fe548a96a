"""`timeline`: what happened, in order, of a run, an agent, a tenant, an object or a reviewer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import filter_options, opened
from aftertrace.cli.output import say, text_or_rows
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, duration

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer.timelines.timeline import Timeline

_Form: TypeAlias = Literal["text"] | formats.Format
_SHOWN: Final = ("at_ns", "order", "lane", "what", "tool_name", "decided_by", "detail", "agent_name", "run_id")
_MOST: Final = 500
"""Entries, unless a limit is given."""
_DETAIL_CHARACTERS: Final = 80
_SKEWS: Final = 5
_MARKS: Final = {"unsure": "~", "cause": " ", "clock": " "}
_UNSURE: Final = "~ whether it came after the line above is not known: equal times, none, or two clocks that disagree"
_CONTRADICTED: Final = "! its time is before that of what must have come first, or should have"


@click.command("timeline", short_help="Show what happened, in order, of a run, agent, object or reviewer.")
@filter_options(("run", "agent", "tenant", "target", "reviewer", "time", "as_of"))
@text_or_rows
@settings.data_option
def timeline(data: Path, form: _Form, out: Path | None, limit: int | None, **options: Any) -> None:
    """Show what happened, in order: spans, events, log records, decisions, approvals and effects in one list.

    The order is by cause where it is known (a span in the one above it; proposed, asked, answered, begun, ended), else
    by the clocks of those who tell it, and what is not known is marked. Clocks that contradict each other are told with
    by how much at least. Of many entries the first are shown with --run or --since, else the last, at most 500 or
    --limit; the rest is counted, with the time to go on from.
    """
    from aftertrace.analyzer.timelines.timeline import Wanted

    analysis, wanted = opened(settings.readable(data), options)
    begins = wanted.run_id is not None or wanted.since_ns is not None
    found = analysis.timeline_of(
        Wanted(
            run_id=wanted.run_id,
            agent=wanted.agent,
            tenant=wanted.tenant,
            target=wanted.target,
            reviewer=wanted.reviewer,
            since_ns=wanted.since_ns,
            until_ns=wanted.until_ns,
            most=limit or _MOST,
            end="first" if begins else "last",
        )
    )
    if form == "text":
        say(list(lines(found)), out)
        return
    for told in (*_clocks(found), *_left(found)):
        click.echo(f"note: {told}", err=True)
    formats.write(found.rows, form, shown=_SHOWN, out=out)


def lines(found: Timeline) -> Iterator[str]:
    """A timeline to read: how sure its order is, and a line for each entry."""
    rows = found.rows
    yield f"{rows.height:,} {'entry' if rows.height == 1 else 'entries'}{_span(rows)}"
    yield from _clocks(found)
    if "unsure" in rows["order"]:
        yield _UNSURE
    if rows["behind_ns"].count():
        yield _CONTRADICTED
    yield from _left(found)
    if rows.height:
        yield ""
        yield from formats.table_lines(_table(rows), width=None)


def _table(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns that people read; those in which one thing alone stands, or nothing, are left out."""
    import polars as pl

    days = rows["at_ns"].cast(pl.Datetime("ns")).dt.date().n_unique()
    clock = "%H:%M:%S%.3f" if days <= 1 else "%Y-%m-%d %H:%M:%S%.3f"
    detail = pl.col("detail").str.slice(0, _DETAIL_CHARACTERS)
    inferred = pl.when(pl.col("basis") == "inferred").then(pl.lit(" (inferred)")).otherwise(pl.lit(""))
    behind = [None if each is None else f"{duration(each)} at least" for each in rows["behind_ns"]]
    shown = rows.with_columns(
        pl.when(pl.col("behind_ns").is_not_null())
        .then(pl.lit("!"))
        .otherwise(pl.col("order").replace(_MARKS))
        .alias(" "),
        pl.from_epoch("at_ns", time_unit="ns").dt.strftime(clock).fill_null("no time").alias("time"),
        pl.col("what") + inferred,
        detail.alias("detail"),
        pl.Series("clock behind by", behind, pl.String),
    )
    told = [name for name in _COLUMNS if name not in _WHERE_SEVERAL or rows[name].n_unique() > 1]
    return shown.select(name for name in told if shown[name].count())


_COLUMNS: Final = (
    " ", "time", "lane", "what", "tool_name", "decided_by", "clock behind by", "service_name", "agent_name", "run_id",
    "detail", "evidence",
)  # fmt: skip
_WHERE_SEVERAL: Final = ("service_name", "agent_name", "run_id")


def _span(rows: pl.DataFrame) -> str:
    first, last = rows["at_ns"].min(), rows["at_ns"].max()
    return "" if first is None or last is None else f", {_instant(first)} to {_instant(last)}"


def _clocks(found: Timeline) -> Iterator[str]:
    for skew in found.skews[:_SKEWS]:
        yield plain(
            f"the clock of {skew.behind} is behind that of {skew.ahead} by at least {duration(skew.at_least_ns)}, as "
            f"{skew.entries:,} of these show; between them, order within that time is not known",
            most=400,
        )
    if len(found.skews) > _SKEWS:
        yield f"… and {len(found.skews) - _SKEWS:,} more pairs of clocks that contradict each other"


def _left(found: Timeline) -> Iterator[str]:
    if found.before:
        first = _instant(found.rows["at_ns"].min(), after=True)
        yield f"{found.before:,} earlier entries{_unread(found)} are left out: --until {first}"
    if found.later:
        last = _instant(found.rows["at_ns"].max())
        yield f"{found.later:,} later entries{_unread(found)} are left out: --since {last}"


def _unread(found: Timeline) -> str:
    """What is left out without having been read."""
    return f" and all of {count(found.unread, 'run')}" if found.unread else ""


def _instant(at_ns: object, *, after: bool = False) -> str:
    """A time as it can be given to a command, which reads microseconds: the one before, or the one after."""
    if not isinstance(at_ns, int):
        return "a time not told"
    at = datetime.fromtimestamp(at_ns // 10**9, UTC) + timedelta(microseconds=at_ns % 10**9 // 1000 + after)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
