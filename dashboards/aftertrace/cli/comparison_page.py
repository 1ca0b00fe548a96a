"""Two runs side by side on a screen: where they part, what made them, and their calls step by step."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from aftertrace.dashboards.plain import plain

if TYPE_CHECKING:
    from aftertrace.analyzer.comparison.run_comparison import ComparedPart, ComparedStep, RunComparison

_TEXT_CELLS: Final = 110
_NAME_CELLS: Final = 24
_VALUE_CELLS: Final = 60
_SHOWN_LINES: Final = 8
_SHOWN_ROWS: Final = 60
_SHOWN_DIFFERENCES: Final = 8
_MARKS: Final = {"same": " ", "other_result": "~", "differs": "!", "first_only": "A", "second_only": "B"}
_LEGEND: Final = (
    "! they differ   ~ the same call gave something else   A, B only that run has it   the rest is the same"
)


def page(found: RunComparison) -> list[str]:
    """The lines of the screen. Every text from telemetry in them is made visible."""
    from aftertrace.analyzer.comparison.document import facts
    from aftertrace.analyzer.comparison.words import headline
    from aftertrace.analyzer.documents.document import line_text

    lines = []
    for line in headline(found):
        lines += textwrap.wrap(plain(line), _TEXT_CELLS)
    rows = [("", f"A {found.first.run_id}", f"B {found.second.run_id}")]
    both = zip(facts(found.first), facts(found.second), strict=True)
    rows += [(name, line_text(one), line_text(two)) for (name, one), (_, two) in both]
    lines += ["", *_columns(rows), "", *_parts(found), "", *_steps(found)]
    for each in found.effects:
        none = "none on record"
        lines.append(plain(f"! effect without a call: {each.first or none} → {each.second or none}"))
    first, second = found.first.run_id, found.second.run_id
    runs = f"aftertrace run {first}" + (f", aftertrace run {second}" if second != first else "")
    return [*lines, "", f"all of each: {runs}; what had been changed before B: aftertrace changes --run {second}"]


def _columns(rows: list[tuple[str, str, str]]) -> list[str]:
    """Names and two values each, those that differ marked."""
    shown = [tuple(plain(text, most=_VALUE_CELLS) for text in row) for row in rows]
    wide = max(len(row[1]) for row in shown)
    return [f"{name:{_NAME_CELLS}}{one:{wide}}   {two}".rstrip() for name, one, two in shown]


def _parts(found: RunComparison) -> list[str]:
    from aftertrace.analyzer.comparison.words import PARTS

    lines: list[str] = []
    for part in found.differing:
        lines += _part(part, PARTS[part.part])
    same = ", ".join(PARTS[part.part] for part in found.parts if part.agreement == "same")
    return lines + textwrap.wrap(f"the same in both: {same or 'nothing that is told'}", _TEXT_CELLS)


def _part(part: ComparedPart, name: str) -> list[str]:
    values = " (the same wording, other values)" if part.agreement == "values_differ" else ""
    if len(part.removed) == len(part.added) == 1 and part.part not in ("prompt", "inputs"):
        one, two = plain(part.removed[0], most=_VALUE_CELLS), plain(part.added[0], most=_VALUE_CELLS)
        return [f"! {name}: {one} → {two}"]
    lines = [f"! {name}{values}"]
    for sign, changed in (("-", part.removed), ("+", part.added)):
        lines += [f"    {sign} {plain(line, most=_TEXT_CELLS)}" for line in changed[:_SHOWN_LINES]]
        if len(changed) > _SHOWN_LINES:
            lines.append(f"    … and {len(changed) - _SHOWN_LINES:,} lines more, with --format json")
    if part.is_cut:
        lines.append("    not kept whole: it may differ in more, and the digests tell that it differs")
    return lines


def _steps(found: RunComparison) -> list[str]:
    from aftertrace.analyzer.comparison.words import grouped

    groups = list(grouped(found.steps))
    if not groups:
        return []
    lines = [_LEGEND, f"  {'step':>9}  {'A':>9}  {'B':>9}"]
    for group in groups[:_SHOWN_ROWS]:
        lines += _group(group)
    if len(groups) > _SHOWN_ROWS:
        lines.append(f"… and {len(groups) - _SHOWN_ROWS:,} more rows, with --format json")
    return lines


def _group(group: tuple[ComparedStep, ...]) -> list[str]:
    from aftertrace.analyzer.comparison.words import became, differences, tools_of

    step, last = group[0], group[-1]
    places = [_place(step.number, last.number)]
    for side in ("first", "second"):
        calls = [getattr(each, side) for each in (step, last)]
        places.append("–" if None in calls else _place(calls[0].number, calls[1].number))
    told = tools_of(group)
    if len(group) == 1:
        became_of = dict.fromkeys(became(call) for call in (step.first, step.second) if call is not None)
        told += f"  {' | '.join(became_of)}"
    head = f"{_MARKS[step.verdict]} {places[0]:>9}  {places[1]:>9}  {places[2]:>9}  "
    shown = differences(step)
    lines = [head + plain(told, most=2 * _TEXT_CELLS), *(" " * len(head) + plain(each) for each in shown)]
    left = len(shown) - _SHOWN_DIFFERENCES
    if left > 0:
        return [*lines[: _SHOWN_DIFFERENCES + 1], f"{' ' * len(head)}and {left:,} more, with --format json"]
    return lines


def _place(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}–{last}"
