"""`verify`: is what is stored what the ledger committed to, all of it, and did the store's key sign that?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from aftertrace.cli import settings
from aftertrace.cli.progress import Progress, size
from aftertrace.dashboards.plain import plain
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.store.ledger.verdicts import Report
    from aftertrace.tlog.keys import VerifierKey
    from aftertrace.tlog.note import Note

EXIT_BROKEN: Final = 1
EXIT_UNSIGNED: Final = 3


@click.command(short_help="Verify that nothing stored was changed.")
@click.option(
    "--key",
    "keys",
    metavar="KEY",
    multiple=True,
    help="The key that signs this ledger, as ledger/key had it, or a file with it. May be given again after a change "
    "of keys.  [default: the one in the folder]",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of ledger/checkpoint that was kept elsewhere: what it covered must still be there, unchanged.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="How to write the report; JSON is one object.",
)
@settings.data_option
def verify(data: Path, keys: tuple[str, ...], checkpoints: tuple[Path, ...], form: str) -> int:
    """Verify the store against its ledger.

    Goes from the signed checkpoint over every entry of the ledger to every stored record, and answers three questions:
    integrity (is it what was received), completeness (is all of it there) and authenticity (did the key sign it). Exits
    with 1 if any is broken, with 3 if nothing was signed yet, and with 0 otherwise. Nothing is changed.

    With the key that lies in the folder itself, authenticity stays unknown; without a checkpoint from elsewhere, a
    store that was put back to an older state as a whole looks sound.
    """
    from aftertrace.store.layout import Layout
    from aftertrace.store.ledger import check

    layout = Layout(settings.existing(data))
    with Progress() as line:
        report = check.verify(
            layout,
            [_key(text) for text in keys],
            [_note(path) for path in checkpoints],
            lambda done_bytes: line.show(f"{size(done_bytes)} of evidence"),
        )
    for said in [_json(report)] if form == "json" else _lines(report, kept=len(checkpoints)):
        sys.stdout.write(said + "\n")
    if report.is_broken:
        return EXIT_BROKEN
    return 0 if report.checkpoint else EXIT_UNSIGNED


def _key(told: str) -> VerifierKey:
    from aftertrace.tlog import errors
    from aftertrace.tlog.keys import VerifierKey

    path = Path(told)
    try:
        return VerifierKey.parse((path.read_text("utf-8") if path.is_file() else told).strip())
    except (errors.Invalid, OSError, UnicodeDecodeError) as refusal:
        raise Invalid(f"read --key: {refusal}; give what ledger/key holds, or a file with it") from None


def _note(path: Path) -> Note:
    from aftertrace.tlog import errors
    from aftertrace.tlog.note import Note

    try:
        return Note.parse(path.read_bytes())
    except (errors.Invalid, OSError) as refusal:
        raise Invalid(f"read --checkpoint {path}: {refusal}; give a copy of ledger/checkpoint") from None


def _json(report: Report) -> str:
    from aftertrace.store.ledger.verdicts import Question

    verdicts = {question: report.verdict(question) for question in get_args(Question)}
    return json.dumps({**verdicts, **asdict(report)}, ensure_ascii=True)


def _lines(report: Report, kept: int) -> list[str]:
    from aftertrace.store.ledger.verdicts import Question

    entries = f"entries of the ledger that are signed: {report.signed_entries:,}"
    if report.entries > report.signed_entries:
        entries += f", and not yet: {report.entries - report.signed_entries:,}"
    said: dict[Question, str] = {
        "integrity": f"{report.records:,} records of {report.frames:,} requests are as the ledger has them",
        "completeness": entries if report.checkpoint else "nothing was signed yet; run `aftertrace seal`",
        "authenticity": _signed(report),
    }
    lines = [f"{question:<13} {report.verdict(question):<8} {said[question]}" for question in get_args(Question)]
    counted = {
        "younger than the ledger was": report.unledgered,
        "stored before there was a ledger, which says nothing of them": report.before,
        "of receivers whose ledger is elsewhere": report.elsewhere,
    }
    lines += [f"{'':<13} {'':<8} {count:,} records {what}" for what, count in counted.items() if count]
    if report.checkpoint and not kept:
        lines.append(f"{'':<13} {'':<8} no checkpoint from elsewhere: a store put back to an older state looks sound")
    lines.append(f"{'':<13} {'':<8} rows of spans, events and what is derived are compared with their commits alone")
    lines += [f"{found.severity:<13} {found.code:<8} {found.where}: {found.message}" for found in report.findings]
    return [plain(line) for line in lines]


def _signed(report: Report) -> str:
    if report.key is None:
        return "no signature by a known key" if report.checkpoint else "nothing was signed yet"
    own = ", the key in this folder: give a copy from elsewhere with --key"
    return f"signed by {report.key}{own if report.key_is_own else ''}"
