"""`check`: expectations held against history, with an exit code for CI and cron."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import click

from aftertrace.cli import formats, settings
from aftertrace.cli.filters import chosen, filter_options
from aftertrace.cli.output import say, text_or_rows
from aftertrace.cli.webhook import named, webhook_options
from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count

if TYPE_CHECKING:
    from aftertrace.analyzer.expectations.checks import Checked

_Form: TypeAlias = Literal["text"] | formats.Format
_SHOWN: Final = ("first_ns", "rule", "verdict", "agent_name", "tool_name", "found", "expected", "run_id")
_LISTED: Final = 20
"""Findings of a rule on the page; the other formats hold all."""
EXIT_BROKEN: Final = 1


@click.command("check", short_help="Hold expectations against history.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--strict", is_flag=True, help="Fail also where the telemetry does not tell whether a rule holds.")
@webhook_options
@filter_options(("agent", "tenant", "environment", "time"))
@text_or_rows
@settings.data_option
def check(
    file: Path,
    strict: bool,
    data: Path,
    form: _Form,
    out: Path | None,
    limit: int | None,
    **options: Any,
) -> int:
    """Hold the rules of FILE against history: whose approval calls need, which tools an agent may use, limits per run.

    FILE is TOML, and its keys are in docs/REFERENCE.md. Exits with 0 if every rule holds, and with 1 if one is broken;
    every call or run that breaks it is named. What the telemetry does not tell is unknown, which fails with --strict.

    With --webhook the result is posted, too, also where every rule holds: three times at most, and to no other place
    that an answer names. Where it is not taken, the exit code is 75 if another try may help, and 2 if it will not.
    """
    import polars as pl

    from aftertrace.analyzer.expectations.checks import checked as held
    from aftertrace.analyzer.expectations.checks_json import written
    from aftertrace.analyzer.expectations.posted_texts import MOST_FINDINGS
    from aftertrace.analyzer.expectations.rules import parsed

    hook = named(options)
    rules = parsed(file.read_text(encoding="utf-8", errors="replace"), str(file))
    analysis, wanted = settings.analysis(settings.readable(data)), chosen(options)
    most = None if form != "text" and limit is None else max(limit or 0, _LISTED, MOST_FINDINGS)
    checked = held(rules, analysis, wanted, most=most)
    if form == "text":
        say(page(checked), out)
    else:
        findings = pl.concat([each.findings for each in checked])
        formats.write(findings if limit is None else findings.head(limit), form, shown=_SHOWN, out=out)
    if hook is not None:
        now_ns = time.time_ns()
        hook.post(written(checked, now_ns).encode(), now_ns // 10**9)
    broken = any(each.broken or (strict and each.unknown) for each in checked)
    return EXIT_BROKEN if broken else 0


def page(checked: list[Checked]) -> list[str]:
    """The rules in their order, each with what breaks it."""
    broken = sum(each.broken > 0 for each in checked)
    lines = [f"{count(len(checked), 'rule')}, {broken} broken"]
    for each in checked:
        lines += ["", plain(f"{_STATES[each.state]}  {each.rule.name} ({_about(each)})")]
        for row in each.findings.sort("verdict", maintain_order=True).head(_LISTED).iter_rows(named=True):
            tool = row["tool_name"] or "a tool without a name"
            call = f" call {row['tool_call_id'] or row['call_key']} of {tool}" if row["call_key"] else ""
            told = f"{row['verdict']}: run {row['run_id']}{call}: {row['found']}, expected {row['expected']}"
            lines.append(plain(f"    {told}"))
        if each.broken + each.unknown > _LISTED:
            lines.append(f"    … and {each.broken + each.unknown - _LISTED:,} more: --format json")
    return lines


_STATES: Final = {"broken": "BROKEN ", "unknown": "UNKNOWN", "idle": "IDLE   ", "holds": "HOLDS  "}


def _about(each: Checked) -> str:
    """What it was held against; a rule that is about nothing may have a name spelt wrong."""
    if not each.calls and not each.runs and not each.unknown:
        return "no call or run is what it is about"
    told = [f"{count(each.calls, 'call')} that ran"] if each.calls else []
    told += [count(each.runs, "run")] if each.runs else []
    found = [f"{number:,} {what}" for number, what in ((each.broken, "broken"), (each.unknown, "unknown")) if number]
    return ", ".join([" and ".join(told), *found])
