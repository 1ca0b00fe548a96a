"""`verify`: is what is stored what was committed to, all of it, and did the store's key sign that?"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aftertrace.cli import settings
from aftertrace.cli.output import form_option
from aftertrace.cli.progress import Progress
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import size
from aftertrace.store.errors import Corrupt, Invalid
from aftertrace.verifier.verdicts import exit_code

if TYPE_CHECKING:
    from aftertrace.analyzer.derived.told_anew import Chosen
    from aftertrace.store.verify.report import Findings, Report


class Day(click.ParamType[date]):
    """``YYYY-MM-DD``."""

    name = "date"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007  # a day of receipt, in UTC
        except ValueError:
            self.fail(f"{value!r} is not a day, expected YYYY-MM-DD", param, ctx)


_FILE: Final = click.Path(exists=True, path_type=Path)


@click.command(short_help="Verify that nothing stored was changed, and that all of it is there.")
@click.argument("packet", metavar="[PACKET]", required=False, type=_FILE)
@click.option("--run", "run_id", metavar="RUN", help="Only the requests that records of this run came with.")
@click.option("--since", metavar="DATE", type=Day(), help="Only what was received from this day on, in UTC.")
@click.option("--until", metavar="DATE", type=Day(), help="Only what was received up to this day, in UTC.")
@click.option(
    "--derived",
    "with_derived",
    is_flag=True,
    help="Tell runs anew from their records, and compare kept answers with that; with --run it is done always.",
)
@click.option(
    "--key",
    "keys",
    metavar="KEY",
    multiple=True,
    help="The key that signs, as ledger/key had it when you kept it, or a file with it.  [default: what is there now]",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    metavar="FILE",
    multiple=True,
    type=_FILE,
    help="A copy of ledger/checkpoint that was kept elsewhere, or a folder of them: what it covers must be there.",
)
@click.option(
    "--ledger",
    "ledgers",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder `ledger` of another receiver that stores in the same tables, or a copy of it.",
)
@form_option(("text", "json"), "How to write the report; JSON is one object.")
@settings.data_option
def verify(
    packet: Path | None,
    data: Path,
    run_id: str | None,
    since: date | None,
    until: date | None,
    with_derived: bool,
    keys: tuple[str, ...],
    checkpoints: tuple[Path, ...],
    ledgers: tuple[Path, ...],
    form: str,
) -> int:
    """Verify the store against its ledger, or a PACKET against the ledger that it is from.

    Goes from the signed checkpoint over every entry to every row, file and request, and answers three questions:
    integrity (is it what was received), completeness (is all of it there) and authenticity (did the key sign it). Exits
    with 0 if all three hold, with 1 if one is broken, and with 3 if none is and not all could be shown. Nothing is
    changed; it works while `serve` runs.

    Lists and reports rest on answers that are kept beside the tables. --derived makes each anew, which takes as long as
    `derive --anew`: for a day or a run it is soon done.

    Without --key authenticity stays unknown, since whoever can write here can make another key. Without a checkpoint
    from elsewhere a store that was put back as a whole to an older state looks sound.

    Of a PACKET no store is needed: it is what `aftertrace-verify` does, which runs where nothing else is installed.
    """
    if packet is not None:
        if run_id is not None or since is not None or until is not None or with_derived or ledgers:
            raise Invalid(
                "verify: a packet and a part of a store, expected one of them; --key and --checkpoint go with both"
            )
        return _packet(packet, keys, checkpoints, form)
    from aftertrace.analyzer.derived.told_anew import Chosen
    from aftertrace.store import verify as verifying
    from aftertrace.store.layout import Layout
    from aftertrace.store.verify.given import keys_in, notes_in

    layout = Layout(settings.existing(data))
    found = None if run_id is None else _requests(data, run_id)
    asked = verifying.Asked(
        keys=tuple(key for text in keys for key in keys_in(text)),
        kept=tuple(each for path in (*checkpoints, *_anchor()) for each in notes_in(path)),
        ledgers=ledgers,
        since=since,
        until=until,
        requests=None if found is None else found[1],
    )
    with Progress() as line:
        if with_derived or found is not None:
            chosen = Chosen(None if found is None else found[0], since, until)
            asked = replace(asked, derived=partial(_compared, data, chosen, line))
        report = verifying.verify(layout, asked, lambda done_bytes: line.show(f"{size(done_bytes)} of files"))
    for said in [_json(report)] if form == "json" else _lines(report):
        sys.stdout.write(said + "\n")
    return exit_code(report.verdicts.values())


def _packet(packet: Path, keys: tuple[str, ...], checkpoints: tuple[Path, ...], form: str) -> int:
    from aftertrace.store.verify.given import keys_in, notes_in
    from aftertrace.verifier.command import report_json, report_lines
    from aftertrace.verifier.verify import verify_packet

    known = tuple(key for text in keys for key in keys_in(text))
    report = verify_packet(packet, known, tuple(each for path in checkpoints for each in notes_in(path)))
    for said in [report_json(report)] if form == "json" else report_lines(report):
        sys.stdout.write(said + "\n")
    return exit_code(report.verdicts.values())


def _anchor() -> list[Path]:
    """Where checkpoints of this store are kept, by the configuration."""
    anchor = Path(settings.current().ledger.anchor)
    return [anchor] if settings.current().ledger.anchor and anchor.is_dir() else []


def _compared(data: Path, chosen: Chosen, line: Progress, findings: Findings) -> int | None:
    """Compare kept answers with what records tell."""
    from aftertrace.analyzer.derived.told_anew import Difference, compare

    def tell(each: Difference) -> None:
        told = "" if each.run_id is None else f" run {each.run_id}"
        day = "" if each.day is None else f", of {each.day}"
        findings.add("derived_differs", f"derived {each.table}{told}{day}", each.found)

    try:
        return compare(data, chosen, tell, progress=lambda done: line.show(f"{done:,} records told anew"))
    except Corrupt as damage:
        findings.add("derived_differs", "derived", str(damage))
        return 0


def _requests(data: Path, run_id: str) -> tuple[str, Collection[tuple[str, int]]]:
    """A run's id, and the requests that records of it came with."""
    import polars as pl

    analysis, found = settings.analysis_of_run(settings.readable(data), run_id)
    told = analysis.of(found).identified
    rows = (told.spans.lazy().filter(pl.col("run_id") == found), told.events.lazy().filter(pl.col("run_id") == found))
    frames = pl.collect_all([frame.select("receiver", "seq").unique() for frame in rows])
    return found, {row for frame in frames for row in frame.iter_rows()}


def _json(report: Report) -> str:
    return json.dumps({**report.verdicts, **asdict(report)}, ensure_ascii=True)


def _lines(report: Report) -> list[str]:
    from aftertrace.analyzer.ledger.words import NOTHING_OUTSIDE, said

    told = said(report)
    lines = [f"{question:<13} {verdict:<8} {told[question]}" for question, verdict in report.verdicts.items()]
    if not report.has_outside:
        lines.append(f"{'':<22} {NOTHING_OUTSIDE}")
    lines += [f"{found.severity:<13} {found.code}  {found.where}: {found.message}" for found in report.findings]
    return [plain(line) for line in lines]
