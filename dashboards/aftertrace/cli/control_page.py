"""The page of `aftertrace control from`: each rule, what it rests on, what it hits over history, and its test data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.quantities import count, moment

if TYPE_CHECKING:
    from aftertrace.analyzer.drafting.draft import Drafted
    from aftertrace.analyzer.drafting.widths import Tried, Width

_KINDS: Final = {
    "this": "the incident",
    "odd": "{:,} where a control failed, too",
    "fine": "{:,} that may be fine",
    "unknown": "{:,} unknown",
}
_LISTED: Final = 10
"""Calls or runs of a kind on the page; the other formats hold all."""


def page(
    tried: Sequence[Tried],
    run_id: str,
    records: tuple[int, int],
    folder: Path | None,
    *,
    is_shown: bool,
    breaks: bool,
) -> list[str]:
    """The lines. Every text from telemetry in them is made visible.

    Args:
        tried: the rules, with what each is about, and what it hits.
        run_id: the run of the incident.
        records: how many records the test data have, and the run.
        folder: where the files go.
        is_shown: whether the test data showed the incident when they were replayed.
        breaks: whether they broke a rule then.
    """
    from aftertrace.analyzer.expectations.rule_texts import written

    lines: list[str] = []
    drafts = [each.drafted for each in tried]
    for each in tried:
        lines += [plain(_head(each.drafted, run_id)), "", *plain_lines(written(each.drafted.rule)).split("\n")]
        lines += [*_history(each.drafted, each.chosen), *_widths(each), ""]
    kept, of_run = records
    lines.append(f"test data: {count(kept, 'record')} of the {of_run:,} of run {run_id}")
    if not is_shown:
        lines.append("    replayed alone they do not show it: what shows it lies in other runs, or in how they came")
    elif folder is None:
        lines.append("    replayed alone they show it; --to DIR writes them and the rules")
    else:
        is_unknown = any(drafted.verdict == "unknown" for drafted in drafts)
        code, strict = int(breaks or is_unknown), " --strict" if is_unknown else ""
        lines += [
            "    replayed alone they show it; in CI:",
            plain(f"    aftertrace import {quote(f'{folder}/telemetry.jsonl')} --data replay"),
            plain(f"    aftertrace check {quote(f'{folder}/rules.toml')}{strict} --data replay   # exits with {code}"),
        ]
    return lines


def _head(drafted: Drafted, run_id: str) -> str:
    call = drafted.call
    if call is None:
        return f"run {run_id}: {drafted.why}"
    when = f", {moment(call['first_ns'])}" if call["first_ns"] is not None else ""
    return f"call {call['tool_call_id'] or call['call_key']} of {call['tool_name']}, run {run_id}{when}: {drafted.why}"


def _history(drafted: Drafted, width: Width) -> Iterator[str]:
    import polars as pl

    from aftertrace.analyzer.drafting.trial import KINDS_OF_HITS

    noun = "run" if drafted.call is None else "call"
    more = " that ran" if drafted.call is not None else ""
    yield f"over history: about {count(width.about, noun)}{more}, of which it hits {width.count():,}"
    for kind, brief in KINDS_OF_HITS.items():
        if not width.count(kind):
            continue
        yield f"    {width.count(kind):,}: {brief}"
        for row in width.hits.filter(pl.col("hit") == kind).head(_LISTED).rows(named=True):
            call = f" call {row['tool_call_id'] or row['call_key']} of {row['tool_name']}" if row["call_key"] else ""
            yield plain(f"        run {row['run_id']}{call}: {row['found']}")
        if width.count(kind) > _LISTED:
            yield f"        … and {width.count(kind) - _LISTED:,} more: --format json"


def _widths(tried: Tried) -> Iterator[str]:
    """What the rule would have hit had it been wider or narrower; nothing where no argument could narrow it."""
    from aftertrace.analyzer.drafting.widths import described, kinds

    if len(tried.widths) < 2:
        return
    yield "how wide, over the same history (the one above has >):"
    for width in tried.widths:
        mark = ">" if width is tried.chosen else " "
        named = ", ".join(map(described, width.rule.arguments)) or "any arguments"
        told = ", ".join(_KINDS[kind].format(many) for kind, many in kinds(width)) or "nothing"
        yield plain(f"  {mark} {named}: about {count(width.about, 'call')}, hits {told}")
