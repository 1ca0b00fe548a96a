"""`doctor`: what of the telemetry is understood, what is not, and which switch would give more."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from aftertrace.cli import settings
from aftertrace.cli.output import form_option
from aftertrace.dashboards.plain import plain

if TYPE_CHECKING:
    from aftertrace.analyzer.emitters.emitter import Emitter
    from aftertrace.analyzer.reports.coverage import Coverage, Told
    from aftertrace.cli.senders import Sender

ANY: Final = "any-otel"
"""The emitter that stands for every other: no signal of it is missed."""
_NAMES_SHOWN: Final = 5
_TEXT_CELLS: Final = 110
_LABEL_CELLS: Final = 17


@dataclass(frozen=True, slots=True)
class Finding:
    """What one emitter sent, and what is made of it."""

    emitter: Emitter
    senders: tuple[str, ...]
    """Service and scope of each part of it that reported."""
    records: dict[str, int]
    """By signal."""
    unread: dict[str, int]
    """By signal: records that say nothing about a run."""
    unread_names: dict[str, Counter[str]]
    """By signal: what those call themselves."""
    runs: Coverage | None
    """None where nothing it sent makes a run."""


@click.command(short_help="Say what of the telemetry is understood.")
@form_option(("text", "json"), "How to write it.")
@settings.data_option
def doctor(data: Path, form: Literal["text", "json"]) -> None:
    """Say of each emitter what is understood, what is not, and which switch would give more.

    Records that no dialect reads are kept as they came, and can be read by a later version.
    """
    findings = examine(settings.readable(data))
    if form == "json":
        click.echo("\n".join(json.dumps(_json(finding)) for finding in findings))
        return
    if not findings:
        click.echo("nothing was received yet; `aftertrace connect EMITTER` tells how to make an agent report")
    click.echo("\n\n".join("\n".join(_lines(finding)) for finding in findings))


def examine(data: Path) -> list[Finding]:
    """What each emitter in a store sent, in the order in which they were first heard.

    Raises:
        Corrupt: a stored file is damaged or missing.
    """
    from aftertrace.analyzer import open_analysis
    from aftertrace.analyzer.emitters.registry import of
    from aftertrace.analyzer.reports.coverage import coverage
    from aftertrace.cli.senders import senders
    from aftertrace.cli.unread import unread
    from aftertrace.store.snapshot import Snapshot

    snapshot = Snapshot.of(data)
    heard = senders(snapshot)
    missed = unread(snapshot, heard)
    runs = {covered.emitter.name: covered for covered in coverage(open_analysis(data))}
    parts: dict[str, list[Sender]] = {}
    for sender in heard:
        parts.setdefault(of(sender.service, sender.scope).name, []).append(sender)
    findings = []
    for name, of_it in parts.items():
        records: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        names: dict[str, Counter[str]] = {}
        for sender in of_it:
            records[sender.signal] += sender.records
            counts[sender.signal] += missed[sender].records
            names.setdefault(sender.signal, Counter()).update(missed[sender].names)
        emitter = of(of_it[0].service, of_it[0].scope)
        told = tuple(dict.fromkeys(map(str, of_it)))
        findings.append(Finding(emitter, told, dict(records), dict(counts), names, runs.get(name)))
    return findings


def _lines(finding: Finding) -> Iterator[str]:
    emitter = finding.emitter
    yield f"{emitter.name}: {emitter.title}"
    yield from _wrapped("heard as", ", ".join(plain(sender) for sender in finding.senders))
    for signal, count in finding.records.items():
        yield from _wrapped(signal, _understood(finding, signal, count))
    for signal in emitter.signals:
        if signal not in finding.records and emitter.name != ANY:
            yield from _wrapped(signal, f"none came; `aftertrace connect {emitter.name}` prints the switches")
    if finding.runs is None:
        yield from _wrapped("runs", "none: nothing of it tells of an agent")
        return
    yield from _run_lines(finding.runs)
    if emitter.note:
        yield from _wrapped("beware", emitter.note)


def _understood(finding: Finding, signal: str, count: int) -> str:
    if signal == "metrics":
        return f"{count:,} kept; runs are not made of metrics"
    missed = finding.unread.get(signal, 0)
    if not missed:
        return f"{count:,}, all understood"
    named = finding.unread_names.get(signal, Counter()).most_common(_NAMES_SHOWN + 1)
    told = ", ".join(f"{plain(name)} ×{times}" for name, times in named[:_NAMES_SHOWN])
    more = " …" if len(named) > _NAMES_SHOWN else ""
    return f"{count:,}, of them {count - missed:,} understood; kept and not read: {told}{more}"


def _run_lines(runs: Coverage) -> Iterator[str]:
    newest = f", the answers are of the newest {runs.judged}" if runs.judged < runs.runs else ""
    yield from _wrapped("runs", f"{runs.runs:,}{newest}")
    for told in runs.told:
        partly = f", in part of {told.partial}" if told.partial else ""
        known = f"known of {told.known} of {runs.judged}{partly}"
        yield from _wrapped(told.question.replace("_", " "), known + _remedy(runs, told))
    yield from _wrapped(
        "calls", f"{runs.calls:,}; outcome unknown of {runs.unresolved:,}, who decided unknown of {runs.undecided:,}"
    )
    if runs.incomplete:
        yield from _wrapped(
            "missing",
            f"records or events of {runs.incomplete:,} of {runs.runs:,} runs: others name them, and they never came; "
            "or a record had too many for its bytes",
        )


def _remedy(runs: Coverage, told: Told) -> str:
    switch = next((text for question, text in runs.emitter.gives.items() if question == told.question), None)
    if switch is None or told.known == runs.judged:
        return ""
    return f"; switch on: {switch}" if switch else "; this emitter does not tell it"


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _TEXT_CELLS,
        initial_indent=f"  {label}".ljust(_LABEL_CELLS),
        subsequent_indent=" " * _LABEL_CELLS,
        break_on_hyphens=False,
    )


def _json(finding: Finding) -> dict[str, Any]:
    runs = finding.runs
    return {
        "emitter": finding.emitter.name,
        "senders": list(finding.senders),
        "records": finding.records,
        "unread": finding.unread,
        "unread_names": {signal: dict(names.most_common()) for signal, names in finding.unread_names.items()},
        "runs": 0 if runs is None else runs.runs,
        "judged_runs": 0 if runs is None else runs.judged,
        "calls": 0 if runs is None else runs.calls,
        "unresolved_calls": 0 if runs is None else runs.unresolved,
        "undecided_calls": 0 if runs is None else runs.undecided,
        "incomplete_runs": 0 if runs is None else runs.incomplete,
        "answers": {}
        if runs is None
        else {
            told.question: {"known": told.known, "partial": told.partial, "remedy": _remedy(runs, told).strip("; ")}
            for told in runs.told
        },
    }
