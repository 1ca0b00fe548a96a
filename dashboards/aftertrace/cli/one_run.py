"""`run`: the six answers about one run on one screen, or all that is known of it as one document."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import filter_options
from aftertrace.cli.output import form_option, out_option, write, written
from aftertrace.cli.reads import record as recording
from aftertrace.cli.timeline import lines as timeline_lines
from aftertrace.dashboards.plain import plain

if TYPE_CHECKING:
    import polars as pl

    from aftertrace.analyzer import Analysis, Answer
    from aftertrace.analyzer.records.run_record import Finding, RunRecord

Form: TypeAlias = Literal["text", "json", "markdown", "html"]
FORMATS: Final[tuple[Form, ...]] = get_args(Form)

_QUESTION_CELLS: Final = 17
_IN: Final = " " * _QUESTION_CELLS
_TEXT_CELLS: Final = 96
_SHOWN_AGENTS: Final = 3
_SHOWN_CHANGES: Final = 3
"""Changes on the screen; the record tells of five, and `changes` of all."""
_MARKS: Final = {"known": "+", "partial": "~", "unknown": "?"}
_CALL_COLUMNS: Final = (
    "ordinal",
    "tool_name",
    "outcome",
    "allowed_by",
    "decided_by",
    "basis",
    "reviewer",
    "permission_mode",
    "signals",
    "reason",
)
_WHERE_TOLD: Final = ("permission_mode", "signals")
"""Columns that are left out where nothing stands in them."""
_NEVER: Final = "does not tell this"
"""How the analyzer says that no switch would help."""
_SHOWN_FINDINGS: Final = 5
_FINDING_CHARACTERS: Final = 240
_SHOWN_CALLS: Final = 15
"""Calls on the screen; the rest is counted, and `calls` lists all."""


@click.command("run", short_help="Show one run: the six answers.")
@click.argument("run_id", metavar="RUN_ID|last")
@click.option("--timeline", is_flag=True, help="Show every event, in order.")
@click.option("--evidence", is_flag=True, help="Show which stored records each answer rests on.")
@form_option(
    FORMATS,
    "`text` is one screen; the others are the run record: `json` for programs, `html` one file that prints well.",
)
@out_option
@filter_options(("as_of",))
@settings.data_option
def run_page(
    run_id: str, timeline: bool, evidence: bool, form: Form, out: Path | None, as_of: int | None, data: Path
) -> None:
    """Show one run: who acted, on what model, prompt and inputs, what it called and what was refused, and who let it.

    RUN_ID is an id or its beginning, the id that its sender gave it, a trace id, or a conversation with one run; `last`
    is the newest. An answer that the telemetry does not give is unknown, and the page says what to switch on. The run
    record of one time (`--as-of`) is the same to the byte, however the store grows, but for what other runs tell.
    """
    from aftertrace.analyzer.records import record_document, record_json
    from aftertrace.analyzer.timelines.timeline import Wanted

    # As finely as times are written, so that the one that the record tells can be asked for again.
    now_ns = time.time_ns() // 1000 * 1000
    analysis, found = settings.analysis_of_run(settings.readable(data), run_id, as_of_ns=as_of, now_ns=now_ns)
    recording(data, "run", found)
    if form == "text":
        lines = page(analysis, found, evidence=evidence)
        lines += ["", *timeline_lines(analysis.timeline_of(Wanted(run_id=found)))] if timeline else []
        text = "\n".join(lines) + "\n"
    elif form == "json":
        text = record_json.document(analysis.record(found))
    else:
        text = written(record_document.document(analysis.record(found)), form)
    write(text, out)


def page(analysis: Analysis, run_id: str, *, evidence: bool = False) -> list[str]:
    """The lines of the screen. Every text from telemetry in them is made visible."""
    import polars as pl

    answers, record = analysis.answers(run_id), analysis.record(run_id)
    row = analysis.runs.filter(pl.col("run_id") == run_id).row(0, named=True)
    calls = analysis.calls.filter(pl.col("run_id") == run_id)
    lasted = f" · {row['duration_ns'] / 1e9:.1f} s" if row["duration_ns"] is not None else ""
    began = f" · {row['started_at']:%Y-%m-%d %H:%M:%S} UTC" if row["started_at"] is not None else ""
    lines = [
        f"run {run_id} · {row['state']}{began}{lasted} · traces: {len(row['traces'] or [])}",
        f"{answers.known} of {len(answers.six)} answers known",
        *_findings(record),
        "",
    ]
    for answer in answers.six:
        lines += _answer(answer, evidence=evidence)
    lines.append("")
    for answer in answers.more:
        lines += _answer(answer, evidence=evidence)
    lines += ["", *_changed_before(record)]
    agents = analysis.agents.filter(pl.col("run_id") == run_id)
    if agents.height > 1:
        lines += ["", *_agents(agents)]
    if calls.height:
        lines += ["", *_calls(calls.head(_SHOWN_CALLS))]
    if calls.height > _SHOWN_CALLS:
        lines.append(f"… and {calls.height - _SHOWN_CALLS} more calls")
    return lines


def _findings(record: RunRecord) -> list[str]:
    """Where a control failed, before all else; the first few, and how many more."""
    lines: list[str] = []
    for finding in record.findings[:_SHOWN_FINDINGS]:
        of = finding.of
        if finding.number is not None and finding.of == "effect":
            of = f"effect on {record.effects[finding.number - 1].object_id or 'an object not told'}"
        elif finding.number is not None:
            of = record.calls[finding.number - 1].tool or "a tool not told"
        lines += textwrap.wrap(
            plain(f"! {finding.signal.replace('_', ' ')}, {of}: {finding.brief}{_what(finding)}"),
            _TEXT_CELLS,
            subsequent_indent="  ",
        )
    left = len(record.findings) - _SHOWN_FINDINGS
    return [*lines, f"! and {left} more, of which `--format html` tells"] if left > 0 else lines


def _what(finding: Finding) -> str:
    """What differs, and how sure it is unless records state it."""
    unsure = f" ({finding.certainty})" if finding.certainty not in (None, "certain") else ""
    return (f": {finding.what[:_FINDING_CHARACTERS]}" if finding.what else "") + unsure


def _changed_before(record: RunRecord) -> list[str]:
    """What had been changed in its agents just before it, the nearest first, and the command that tells more."""
    from aftertrace.analyzer.records.version_words import (
        CONFIGURATION_UNTOLD,
        OTHERS_UNREAD,
        headline,
        in_force,
        sides,
    )

    more = f"more: aftertrace changes --run {record.run_id}"
    if record.versions is None:
        return [*_wrapped("changed before", OTHERS_UNREAD), _IN + more]
    lines: list[str] = []
    for version in record.versions[:_SHOWN_AGENTS]:
        lines += _wrapped("changed before", in_force(version))
        for change in version.changes[:_SHOWN_CHANGES]:
            lines += [
                *_wrapped("", headline(change)),
                *(_IN + "  " + plain(side, most=_TEXT_CELLS) for side in sides(change)),
            ]
        if not version.changes:
            lines.append(_IN + "nothing is known to have been changed before it")
    left = len(record.versions) - _SHOWN_AGENTS
    lines += [_IN + f"and {left} more agents"] if left > 0 else []
    return [*(lines or _wrapped("changed before", CONFIGURATION_UNTOLD)), _IN + more]


def _wrapped(label: str, text: str) -> list[str]:
    """A text beside a label, in as many lines as it takes."""
    return textwrap.wrap(plain(text), _TEXT_CELLS, initial_indent=label.ljust(_QUESTION_CELLS), subsequent_indent=_IN)


def _answer(answer: Answer, *, evidence: bool) -> list[str]:
    label = f"{_MARKS[answer.state]} {answer.question.replace('_', ' ')}".ljust(_QUESTION_CELLS)
    lines = textwrap.wrap(
        plain(answer.value),
        _TEXT_CELLS,
        initial_indent=label,
        subsequent_indent=" " * _QUESTION_CELLS,
    ) or [label]
    if answer.switch_on:
        lines += textwrap.wrap(
            ("" if answer.switch_on.endswith(_NEVER) else "switch on: ") + plain(answer.switch_on),
            _TEXT_CELLS,
            initial_indent=" " * _QUESTION_CELLS,
            subsequent_indent=" " * _QUESTION_CELLS,
            break_on_hyphens=False,
        )
    if evidence and answer.evidence:
        lines.append(" " * _QUESTION_CELLS + "evidence: " + ", ".join(answer.evidence))
    return lines


def _agents(agents: pl.DataFrame) -> list[str]:
    """The agents of a run as a tree, each with what set it to work and what it did."""
    lines = ["agents"]
    for row in agents.iter_rows(named=True):
        by = f", by {row['delegated_by_tool']}" if row["delegated_by_tool"] else ""
        how = "" if row["how"] == "root" else f" ({row['how'].replace('_', ' ')}{by})"
        did = f"{row['calls']} call" + ("" if row["calls"] == 1 else "s")
        model = f" · {row['model']}" if row["model"] else ""
        lines.append("  " * (row["depth"] + 1) + plain(f"{row['agent_name']}{how} · {did}{model}"))
    return lines


def _calls(calls: pl.DataFrame) -> list[str]:
    """The calls as a table; what an emitter does not tell of any of them has no column."""
    import polars as pl

    inferred = pl.when(pl.col("allowed_basis") == "inferred").then(pl.lit(" ?")).otherwise(pl.lit(""))
    told = calls.with_columns(
        allowed_by=pl.col("allowed_by") + inferred, signals=pl.col("signals").list.join(", ").replace("", None)
    )
    silent = [name for name in _WHERE_TOLD if told[name].is_null().all()]
    return formats.table_lines(
        formats.for_people(told, [name for name in _CALL_COLUMNS if name not in silent]), width=None
    )
