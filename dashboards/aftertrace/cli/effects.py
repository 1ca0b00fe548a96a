"""`effects`: what changed, by which call, and where a call, its approval and its effect do not agree."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import NARROWING, chosen, filter_options
from aftertrace.cli.output import say, text_or_rows
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, moment

if TYPE_CHECKING:
    import polars as pl

_Form: TypeAlias = Literal["text"] | formats.Format
_EFFECTS: Final = ("first_ns", "tool_name", "state", "basis", "system", "operation", "object_id", "signals", "run_id")
_FINDINGS: Final = ("first_ns", "signal", "certainty", "basis", "what", "object", "tool_name", "agent_name", "run_id")
_LISTED: Final = 20
"""Findings and effects on the page, unless a limit is given; the rest is counted."""
_TEXT_CELLS: Final = 110


@click.command("effects", short_help="List what changed, by which call, and what does not agree.")
@click.option("--findings", is_flag=True, help="One row per finding, instead of one per effect.")
@filter_options(("agent", "tool", *NARROWING, "tenant", "environment", "time", "as_of", "run"))
@text_or_rows
@settings.data_option
def effects(findings: bool, data: Path, form: _Form, out: Path | None, limit: int | None, **options: Any) -> None:
    """List effects: what changed in a system of record or was kept from it, by a receipt or, where the call has none,
    as its result tells (`inferred`); and before them where a call, its approval, what ran and its effect do not agree.

    Each finding says how sure it is and which records show it. Of a result that only mentions a commit or an address no
    effect is made: docs/REFERENCE.md tells what is read.
    """
    # Findings rest on other runs, too: those are read also where one run is asked for.
    analysis = settings.analysis(settings.readable(data), as_of_ns=options.get("as_of"))
    run = options.get("run")
    wanted = replace(chosen(options), run_id=None if run is None else analysis.resolve_run(run))
    found, told = analysis.select("effect_findings", wanted), analysis.select("effects", wanted)
    if form == "text":
        say(page(found, told, limit or _LISTED), out)
    elif findings:
        formats.write(found if limit is None else found.head(limit), form, shown=_FINDINGS, out=out)
    else:
        formats.write(told if limit is None else told.head(limit), form, shown=_EFFECTS, out=out)


def page(found: pl.DataFrame, told: pl.DataFrame, most: int) -> list[str]:
    """The findings, failures of controls first, and the effects, the latest first; at most so many of each."""
    import polars as pl

    applied = told.filter(pl.col("state") == "applied")
    inferred = applied.filter(pl.col("basis") == "inferred").height
    blocked = told.height - applied.height
    failed = found.filter("is_failure").height
    lines = [
        f"{count(applied.height, 'effect')}: {applied.height - inferred:,} by receipts, {inferred:,} as results tell"
        + (f"; {blocked:,} blocked" if blocked else ""),
        f"{count(found.height, 'finding')}" + (f", {count(failed, 'control failure')} among them" if failed else ""),
    ]
    ranked = found.sort(~pl.col("is_failure"), maintain_order=True)
    for row in ranked.head(most).iter_rows(named=True):
        lines += ["", *_finding(row)]
    lines += _left(found.height - most, "--findings --format json")
    if told.height:
        lines += ["", *formats.table_lines(formats.for_people(_joined(told.head(most)), _EFFECTS), width=None)]
    return lines + _left(told.height - most, "--format json")


def _finding(row: dict[str, Any]) -> Iterator[str]:
    from aftertrace.analyzer.effects.findings import KINDS

    brief = {kind.name: kind.brief for kind in KINDS}[row["signal"]]
    mark = "!" if row["is_failure"] else "~"
    yield plain(f"{mark} {row['signal'].replace('_', ' ')} ({row['certainty']}): {brief}")
    whose = [f"{name} {row[key]}" for name, key in _WHOSE if row[key]]
    for line in (row["what"], ", ".join(filter(None, (moment(row["first_ns"]), *whose)))):
        if line:
            yield from textwrap.wrap(plain(line, most=500), _TEXT_CELLS, initial_indent=_IN, subsequent_indent=_IN)
    others = f", with run {', '.join(row['other_runs'])}" if row["other_runs"] else ""
    yield plain(f"    run {row['run_id'] or 'none'}{others}; evidence {', '.join(row['evidence'][:_SHOWN_PLACES])}")


_WHOSE: Final = (("tool", "tool_name"), ("agent", "agent_name"), ("object", "object"))
_SHOWN_PLACES: Final = 6
_IN: Final = "    "


def _joined(told: pl.DataFrame) -> pl.DataFrame:
    """Signals as one text, so that a table has no brackets."""
    import polars as pl

    return told.with_columns(pl.col("signals").list.join(", "))


def _left(more: int, how: str) -> list[str]:
    return [f"… and {more:,} more: {how}"] if more > 0 else []
