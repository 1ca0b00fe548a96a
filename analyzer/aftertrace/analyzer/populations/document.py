"""Some calls or runs held against others, as a document to read and to print, and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from aftertrace.analyzer.documents.document import (
    Code,
    Document,
    Inline,
    Line,
    Paragraph,
    Part,
    Points,
    Rows,
    Strong,
    Table,
)
from aftertrace.analyzer.documents.periods import instant
from aftertrace.analyzer.documents.words import linked
from aftertrace.analyzer.populations.words import (
    READING,
    also,
    command,
    headline,
    lift,
    listed,
    notes,
    q_of,
    said,
    value_of,
)

if TYPE_CHECKING:
    from aftertrace.analyzer.populations.comparison import PopulationComparison

FORMAT: Final = "aftertrace.population-comparison/1"
SHOWN: Final = 25
"""Findings of a group that are listed."""


def document(found: PopulationComparison) -> Document:
    """The document: what tells them apart best first."""
    first, *rest = headline(found)
    groups = [Part(title, (_table(found, rows),)) for title, rows in listed(found)]
    parts = (
        Part("", (Paragraph(first), *(Paragraph((Strong(line),)) for line in rest))),
        *groups,
        Part("What was looked at", (Points(tuple(notes(found))),)),
        Part("How to read this", (Paragraph(READING),)),
    )
    return Document(f"What is different about {said(found.choice.chosen)}", parts, f"As of {instant(found.now_ns)}.")


def written_json(found: PopulationComparison) -> str:
    """All that was looked at as one JSON object, in ASCII; `lifts` as in `lifts.LIFTS`."""
    sides = {
        name: dict(zip(("rows", "runs"), found.size(is_chosen=is_chosen), strict=True))
        for name, is_chosen in (("chosen", True), ("others", False))
    }
    choice = found.choice
    told = {
        "format": FORMAT,
        "as_of": instant(found.now_ns),
        "of": choice.of,
        "where": said(choice.chosen, whole=True),
        "against": said(choice.others, whole=True) if choice.others else None,
        "within": said((choice.within,), whole=True) or None,
        "count_untold": choice.count_untold,
        **sides,
        "both": found.both,
        "pending": found.pending,
        "left_out": found.left_out,
        "untold": found.untold,
        "values_left_out": found.lifts.left_out,
        "arguments_left_out": found.arguments_left_out,
        "command": command(found),
        "lifts": found.lifts.rows.to_dicts(),
    }
    return json.dumps(told, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _table(found: PopulationComparison, rows: list[dict[str, Any]]) -> Table:
    shown = tuple(_row(found, row) for row in rows[:SHOWN])
    left = len(rows) - SHOWN
    again = command(found, "--format", "json")
    more: Line = f"{left:,} more" if left > 0 else ""
    if more and again is not None:
        more = (f"{more}: ", Code(again))
    return Table(("what", "lift", "chosen", "others", "q", "runs to look at"), shown, more)


def _row(found: PopulationComparison, row: dict[str, Any]) -> tuple[Line, ...]:
    again = command(found, "--rows", row["lift_id"])
    same = also(row)
    runs: list[Inline] = []
    for run_id in row["run_ids"]:
        runs += [" ", Code(run_id)] if runs else [Code(run_id)]
    return (
        (Strong(value_of(row)), f" {same}" if same else "", " ", *linked(None if again is None else Rows(again))),
        lift(row),
        f"{row['chosen']:,} of {row['of_chosen']:,}",
        f"{row['others']:,} of {row['of_others']:,}",
        q_of(row),
        tuple(runs),
    )
