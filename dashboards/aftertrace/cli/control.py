"""`control`: from an incident to the rule that would have caught it, and to the test data that keeps it caught."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.control_page import page
from aftertrace.cli.output import say, text_or_rows
from aftertrace.store.errors import Invalid

if TYPE_CHECKING:
    from aftertrace.analyzer import Analysis
    from aftertrace.analyzer.drafting.draft import Drafted
    from aftertrace.analyzer.drafting.history import History

_Form: TypeAlias = Literal["text"] | formats.Format
RULES_FILE: Final = "rules.toml"
TELEMETRY_FILE: Final = "telemetry.jsonl"
_SHOWN: Final = ("first_ns", "rule", "verdict", "hit", "let_by", "agent_name", "tool_name", "found", "run_id")


@click.group("control")
def control() -> None:
    """Make controls of incidents."""


@control.command("from", short_help="Draft the rule that would have caught a call or a run.")
@click.argument("target", metavar="CALL|RUN")
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Write {RULES_FILE} and {TELEMETRY_FILE} into this folder; neither may be there.",
)
@text_or_rows
@settings.data_option
def draft(target: str, folder: Path | None, data: Path, form: _Form, out: Path | None, limit: int | None) -> None:
    """Draft the rule that would have caught CALL or RUN, try it over history, and keep the telemetry that shows it.

    CALL is the id that its sender gave it, or its key in the store; RUN is as for `aftertrace run`. The rule is for the
    file of `aftertrace check`. Over history it hits what it was drafted from, and may hit calls that were fine: both
    are counted and named before it is in force. Where arguments of the call tell it from calls that were fine, the rule
    names them, and what it would have hit without them, or with fewer, is told beside it. The test data are the fewest
    records that show the incident, as `aftertrace import` reads them; they are replayed in a store of their own, to see
    that the rule says it of them too.
    """
    import polars as pl

    from aftertrace.analyzer.drafting import history as control_history
    from aftertrace.analyzer.drafting import trial as control_trial
    from aftertrace.analyzer.drafting import widths as control_widths
    from aftertrace.analyzer.expectations.rule_texts import written
    from aftertrace.cli.evidence_lines import evidence_lines
    from aftertrace.store.snapshot import Snapshot

    if folder is not None and (there := [name for name in (RULES_FILE, TELEMETRY_FILE) if (folder / name).exists()]):
        raise Invalid(f"write {folder / there[0]}: it is there, expected a new file; give another folder")
    stored = settings.readable(data)
    analysis = settings.analysis(stored)
    history = control_history.history(analysis)
    found, run_id = drafted_from(analysis, target, history)
    most = None if form != "text" and limit is None else max(limit or 0, control_widths.HITS_AT_MOST)
    tried = [control_widths.narrowed(each, history, run_id, most=most) for each in found]
    drafts = [each.drafted for each in tried]
    if form != "text":
        hits = pl.concat([each.chosen.hits for each in tried])
        formats.write(hits if limit is None else hits.head(limit), form, shown=_SHOWN, out=out)
    kept, of_run = control_trial.records(drafts, analysis, run_id)
    lines = evidence_lines(Snapshot.of(stored), pl.DataFrame({"record": kept}))
    replay = replayed(lines)
    is_shown, breaks = control_trial.shown(drafts, replay), control_trial.breaks(drafts, replay)
    if form == "text":
        told = page(tried, run_id, (len(kept), of_run), folder, is_shown=is_shown, breaks=breaks)
        say(told, out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        rules = "\n".join(written(each.rule) for each in drafts)
        for name, text in ((RULES_FILE, rules), (TELEMETRY_FILE, "".join(lines))):
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)


def drafted_from(analysis: Analysis, target: str, history: History) -> tuple[list[Drafted], str]:
    """The rules that would have caught what a text names, and the run of it, by all that is on record.

    Raises:
        Invalid: it names none or several, or nothing in it stands out.
    """
    import polars as pl

    from aftertrace.analyzer.drafting import draft as control_draft

    named = analysis.select("calls", only=(pl.col("tool_call_id") == target) | (pl.col("call_key") == target))
    if named.height > 1:
        keys = ", ".join(named["call_key"].head(5))
        raise Invalid(f"call {target!r}: {named.height} calls have this id, expected one; give the key of one: {keys}")
    if named.height:
        call = named.row(0, named=True)
        return [control_draft.of_call(call, history)], call["run_id"]
    try:
        run_id = analysis.resolve_run(target)
    except Invalid as error:
        raise Invalid(f"control from {target!r}: no call has this id, and of runs: {error}") from error
    is_of_run = pl.col("run_id") == run_id
    run, made = analysis.select("runs", only=is_of_run).row(0, named=True), analysis.select("calls", only=is_of_run)
    return control_draft.of_run(run, made, history), run_id


def replayed(lines: Sequence[str]) -> Analysis:
    """An analysis of telemetry alone, imported into a store that lasts as long as this takes."""
    from aftertrace.cli import gate, importing
    from aftertrace.cli.config import Config

    with tempfile.TemporaryDirectory(prefix="aftertrace-") as place:
        file = Path(place) / TELEMETRY_FILE
        file.write_text("".join(lines), encoding="utf-8")
        # None of the configuration: a lake that others write to is no place for a replay.
        config = Config()
        layout = gate.open_store(Path(place) / "data", config)
        with gate.open_log(layout, importing.RECEIVER, config) as writer:
            log = importing.Log(layout, writer, gate.prepare_for(layout, config))
            tally = importing.take([file], None, log)
        importing.store(layout, importing.RECEIVER, tally.last_seq)
        analysis = settings.analysis(layout.data)
        # Read while the files are there.
        analysis.runs  # noqa: B018
        return analysis
