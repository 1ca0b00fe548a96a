"""`docs/REFERENCE.md`, made from the code: commands, configuration, tables, outcomes, dialects, emitters.

``python -m aftertrace.cli.reference`` writes it, in a checkout; with ``--check`` it exits with 1 if the page is stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

import click

from aftertrace.analyzer import DERIVED, EMITTERS
from aftertrace.analyzer.calls.allowances import ALLOWANCES
from aftertrace.analyzer.calls.controls import FAILURES
from aftertrace.analyzer.calls.outcomes import RULES
from aftertrace.analyzer.calls.reviews import SIGNALS
from aftertrace.analyzer.derived.kept_columns import FINALITY, FINALITY_BRIEF, SHARED
from aftertrace.analyzer.documents.severity import HOLDINGS
from aftertrace.analyzer.effects import returned_objects
from aftertrace.analyzer.effects.findings import KINDS as EFFECT_KINDS
from aftertrace.analyzer.effects.result_effects import PUSH, READINGS
from aftertrace.analyzer.effects.table import SIGNALS as EFFECT_SIGNALS
from aftertrace.analyzer.finding.finds import FINDS
from aftertrace.analyzer.finding.related import RELATED
from aftertrace.analyzer.provenance.authors import AGENTS
from aftertrace.analyzer.provenance.report import PROVENANCE, VERDICTS
from aftertrace.analyzer.reports.autonomy import AUTONOMY
from aftertrace.analyzer.reports.near_miss_figures import KINDS as KINDS_OF_NEAR_MISSES
from aftertrace.analyzer.runs.table import SIGNALS as RUN_SIGNALS
from aftertrace.analyzer.schemas.derived import TIMELINE
from aftertrace.analyzer.schemas.losses import KINDS
from aftertrace.cli import config
from aftertrace.cli import reference_declared as declared
from aftertrace.cli import reference_documents as documents
from aftertrace.cli.reference_declared import cell
from aftertrace.cli.root import aftertrace
from aftertrace.ingest.dialects import DIALECTS
from aftertrace.ingest.dialects.wordings import WORDINGS
from aftertrace.ingest.files import FORMATS
from aftertrace.ingest.flags import FLAGS
from aftertrace.store.schema import TABLES

FILE: Final = Path("docs/REFERENCE.md")
_HEAD: Final = """\
# Reference

Generated from the code by `make docs`; edit the docstrings there. The conventions that agents report with are in
[semconv/REFERENCE.md](../semconv/REFERENCE.md), the files on disk in [exporter/FORMAT.md](../exporter/FORMAT.md).
"""
_EXIT_CODES: Final = """\
## Exit codes

| code | means |
|--:|---|
| 0 | fine |
| 1 | a check found something broken, `fsck` or `verify` damage, stored bytes other than were written; or a defect |
| 2 | wrong use, input that cannot be accepted as it is, or a file that cannot be read or written |
| 3 | `verify` found nothing broken, and could not show all of it |
| 75 | try again later: a lock is held, a port is taken, or the store's disk is full |
| 130 | interrupted |
| 141 | whoever read the output went away (`aftertrace calls \\| head`) |

Errors are one line on standard error that begins with `error:`. `AFTERTRACE_TRACEBACK=1` shows where a defect is.
"""
_FORMATS: Final = """\
## Formats

| `--format` | writes |
|---|---|
| `table` | the main columns, aligned; times in UTC to the second; cut to the terminal, at full width in a pipe |
| `markdown` | the main columns as a Markdown table |
| `json` | one JSON object per row and line, every column, in ASCII; times in ISO 8601, lengths in nanoseconds |
| `csv` | a header and every column; RFC 4180 |
| `parquet` | every column with its type; with `--out FILE`, or into a pipe |

Text comes from agents, so it is hostile. In `table`, `markdown` and `csv`, characters that cannot be seen (controls,
direction marks, zero-width and tag characters) are written as escapes such as `\\x1b`, and a CSV cell that a
spreadsheet could run begins with `'`. `json` and `parquet` hold the exact text.
"""


def text() -> str:
    """The whole page."""
    parts = [
        _HEAD,
        "## Commands\n",
        *_commands(),
        _FORMATS,
        _EXIT_CODES,
        *_configuration(),
        *declared.expectations(),
        *declared.inventory(),
        *_tables(),
        *documents.record(),
        *documents.compared_runs(),
        *documents.compared_populations(),
        *_found(),
        *_outcomes(),
        *_effects(),
        *_flags(),
        *_losses(),
        *_reports(),
        *_files(),
        *_dialects(),
        *_emitters(),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _commands() -> Iterator[str]:
    for path, command in walk(aftertrace, ("aftertrace",)):
        context = click.Context(command, info_name=" ".join(path))
        usage = command.get_usage(context).removeprefix("Usage: ")
        yield f"### {' '.join(path)}\n\n```\n{usage}\n```\n\n{_prose(command)}\n"
        rows = [_option(parameter, context) for parameter in command.get_params(context)]
        if any(rows):
            yield "| option | |\n|---|---|\n" + "\n".join(row for row in rows if row) + "\n"


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all commands below it, with their paths."""
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from walk(below, (*path, name))


def _prose(command: click.Command) -> str:
    return "\n\n".join(part for part in (inspect.cleandoc(command.help or ""), command.epilog) if part)


def _option(parameter: click.Parameter, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    if record is None or not record[1] or "--help" in parameter.opts:
        return None
    return "| " + " | ".join(cell(part) for part in (f"`{record[0]}`", record[1])) + " |"


def _configuration() -> Iterator[str]:
    yield "## Configuration\n"
    module = inspect.getdoc(config) or ""
    yield module.split("\n\n", maxsplit=1)[1] + "\n"
    yield "| section | key | default | environment | |\n|---|---|---|---|---|"
    for section, kind in config.SECTIONS.items():
        docs = documents.field_docs(kind)
        for item in fields(kind):
            variable = f"AFTERTRACE_{section}_{item.name}".upper()
            default = "none" if item.default == () else f"`{_toml(item.default)}`"
            cells = (f"`{section}`", f"`{item.name}`", default, f"`{variable}`", docs[item.name])
            yield "| " + " | ".join(cell(each) for each in cells) + " |"
    yield ""


def _tables() -> Iterator[str]:
    told, shared = (", ".join(f"`{name}`" for name in names) for names in (DERIVED, SHARED))
    yield (
        f"## Tables\n\n{told} are derived from the stored tables, and what they tell of runs that are over is kept "
        "(`aftertrace derive`); `aftertrace sql` reads them, `spans` and `events`.\n\nOther engines read stored tables "
        f"as Delta Lake tables in `<data>/tables`, and {shared} in `<data>/derived`, as they were derived last, with a "
        f"column `{FINALITY}`: {FINALITY_BRIEF}. In these, times are in microseconds, and no risk class is that of an "
        "inventory.\n"
    )
    for derived in DERIVED.values():
        rows = [(name, str(kind), derived.briefs[name]) for name, kind in derived.schema.items()]
        yield from _columns(derived.name, f"One row per {_noun(derived.brief)}.", rows)
    for stored in TABLES.values():
        rows = [
            (column.name, str(column.type), (column.metadata or {}).get(b"brief", b"").decode())
            for column in stored.schema
        ]
        yield from _columns(f"{stored.name} (stored)", f"One row per {_noun(stored.brief)}.", rows)


def _columns(title: str, brief: str, rows: list[tuple[str, str, str]]) -> Iterator[str]:
    yield f"### {title}\n\n{brief}\n\n| column | type | |\n|---|---|---|"
    for name, kind, text in rows:
        yield f"| `{name}` | {cell(kind)} | {cell(text)} |"
    yield ""


def _found() -> Iterator[str]:
    for title, brief, columns in (
        ("Found", "What `aftertrace find` tells: one row per thing in which the texts stand.", FINDS),
        ("Related", "What `aftertrace related` tells: one row per other run and thing that both have.", RELATED),
        ("Timeline", "What `aftertrace timeline` tells, in order: one row per entry.", TIMELINE),
        ("Provenance", "What `aftertrace provenance` tells: one row per action and run.", PROVENANCE),
    ):
        yield f"## {title}\n\n{brief}\n\n| column | type | |\n|---|---|---|"
        for name, (kind, text) in columns.items():
            yield f"| `{name}` | {kind} | {cell(text)} |"
        yield ""
    yield "| verdict | |\n|---|---|"
    yield from (f"| `{name}` | {cell(text)} |" for name, text in VERDICTS.items())
    yield "\n| agent | by `Name <address>` or login, or by a mark in the text |\n|---|---|"
    for agent in AGENTS:
        yield f"| {agent.name} | " + ", ".join(f"`{each}`" for each in (*agent.people, *agent.marks)) + " |"
    yield ""


def _outcomes() -> Iterator[str]:
    yield (
        "## Outcomes\n\nThe first rule that applies decides what became of a call; its name stands first in the call's "
        "`rules`. `text:` rules below it are the wordings in which a refusal was read.\n"
    )
    yield "| rule | outcome | |\n|---|---|---|"
    for rule in RULES:
        yield f"| `{rule.name}` | `{rule.outcome}` | {cell(rule.brief)} |"
    yield "\n| wording | state | decided by | seen in |\n|---|---|---|---|"
    for wording in WORDINGS:
        cells = (f"`text:{wording.rule}`", wording.state, wording.decided_by or "", wording.seen_in)
        yield "| " + " | ".join(cell(each) for each in cells) + " |"
    yield (
        "\n## What lets a call through\n\nThe first of these that applies stands in a call's `allowed_by`; else it is "
        "who decided (`decided_by`), where `policy` is a rule, a mode or a grant and the record does not say which.\n\n"
        "| allowed by | |\n|---|---|"
    )
    for allowance in ALLOWANCES:
        yield f"| `{allowance.name}` | {cell(allowance.brief)} |"
    yield (
        "\n## Signals\n\nControl failures are told of calls, effects and runs, the rest of approvals alone: "
        "`aftertrace calls`, `effects`, `runs` and `approvals` have the column, `aftertrace report` counts them.\n"
    )
    yield "| signal | of | |\n|---|---|---|"
    for signal in SIGNALS:
        of = "calls" if signal in FAILURES else "approvals"
        yield f"| `{signal.name}` | {of} | {cell(signal.brief)} |"
    for signal in EFFECT_SIGNALS:
        yield f"| `{signal.name}` | effects | {cell(signal.brief)} |"
    for signal in RUN_SIGNALS:
        yield f"| `{signal.name}` | runs | {cell(signal.brief)} |"
    yield ""


def _effects() -> Iterator[str]:
    yield (
        "## Effects in results\n\nWhere a call has no receipt, what it returned is read, by rules that find nothing "
        "where a result names more than its call can have made.\n\n| rule | |\n|---|---|"
    )
    for reading in (*READINGS, PUSH):
        yield f"| `{reading.name}` | {cell(reading.brief)} |"
    yield f"| `{returned_objects.NAME}` | {cell(returned_objects.BRIEF)} |"
    yield (
        "\n## Findings about effects\n\nWhat `aftertrace effects --findings` lists. One that is only possible is no "
        "control failure.\n\n| finding | control failure | |\n|---|---|---|"
    )
    for kind in EFFECT_KINDS:
        yield f"| `{kind.name}` | {'yes' if kind.is_failure else 'no'} | {cell(kind.brief)} |"
    yield ""


def _flags() -> Iterator[str]:
    yield (
        "## Flags\n\nWhat is odd about a record, in `flags` of `evidence`, `spans` and `events`. A PLACE is "
        "`receiver/seq/index` of another record.\n\n| flag | |\n|---|---|"
    )
    for form, brief in FLAGS:
        yield f"| `{form}` | {cell(brief)} |"
    yield ""


def _reports() -> Iterator[str]:
    yield "## Reports\n"
    yield (
        "Near misses are graded by what their tool can do and by what held. The JSON of "
        "`aftertrace report near-misses` holds `period`, `filter`, `totals`, `before` (the period before), "
        "`rate_changed`, `floors`, `kinds`, `near_misses` (the worst 50), `targets`, `trend`, `rates`, `autonomy`, "
        "`beside`, `control_failures`, `effect_findings` and `rows` (the commands that list what the totals count).\n"
    )
    yield "| what held | how close | |\n|---|--:|---|"
    for holding in HOLDINGS:
        yield f"| {holding.name} | {holding.close} | {cell(holding.brief)} |"
    for title, columns in (("kinds", KINDS_OF_NEAR_MISSES), ("autonomy", AUTONOMY)):
        yield f"\nOf `{title}`:\n\n| column | |\n|---|---|"
        for name, (_, brief) in columns.items():
            yield f"| `{name}` | {cell(brief)} |"
    yield ""


def _losses() -> Iterator[str]:
    yield (
        "## Losses\n\nWhat `losses` counts by source and day, and what `aftertrace status` sums up. A count is of what "
        "was lost: exactly so much, at least, at most, or an estimate.\n\n"
        "| kind | unit | count is | |\n|---|---|---|---|"
    )
    for kind in KINDS:
        yield f"| `{kind.name}` | {kind.unit} | `{kind.certainty}` | {cell(kind.brief)} |"
    yield ""


def _files() -> Iterator[str]:
    yield (
        "## Files\n\nWhat `aftertrace import` reads beside OTLP. A file's content tells its format; its records are "
        "read by the dialect.\n\n| format | found | dialect | what it cannot tell |\n|---|---|---|---|"
    )
    for known in FORMATS:
        cells = (known.title, known.found, ", ".join(f"`{dialect}`" for dialect in known.dialects), known.hides)
        yield "| " + " | ".join(cell(each) for each in cells) + " |"
    yield ""


def _dialects() -> Iterator[str]:
    yield "## Dialects\n\nWhat each dialect reads, and what that becomes; the first that knows a record reads it.\n"
    for dialect in DIALECTS:
        yield f"### {dialect.name} (dialect)\n\n| found | becomes |\n|---|---|"
        for found, becomes in dialect.reads:
            yield f"| {cell(found)} | {cell(becomes)} |"
        yield ""


def _emitters() -> Iterator[str]:
    yield (
        "## Emitters\n\n`aftertrace connect EMITTER` prints the switches of each. Where *observed in* names a source, "
        "no real payload was at hand: its dialect is by that source alone.\n"
    )
    yield "| name | emitter | observed in | signals | what even then is not seen |\n|---|---|---|---|---|"
    for emitter in EMITTERS:
        cells = (f"`{emitter.name}`", emitter.title, emitter.observed, ", ".join(emitter.signals), emitter.note)
        yield "| " + " | ".join(cell(each) for each in cells) + " |"
    yield ""


def _noun(brief: str) -> str:
    return brief.removeprefix("an ").removeprefix("a ")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def main(arguments: list[str]) -> int:
    """Write the page, or check it. The exit code: 1 if it is stale."""
    made = text()
    if "--check" in arguments:
        if not FILE.is_file() or FILE.read_text(encoding="utf-8") != made:
            sys.stderr.write(f"{FILE} is stale: run make docs\n")
            return 1
        return 0
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
