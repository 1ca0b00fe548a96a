"""Some calls or runs held against others on a screen: what tells them apart, the clearest first."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from aftertrace.cli.formats import table_lines
from aftertrace.dashboards.plain import plain

if TYPE_CHECKING:
    from aftertrace.analyzer.populations.comparison import PopulationComparison

_TEXT_CELLS: Final = 110


def page(found: PopulationComparison) -> list[str]:
    """The lines of the screen. Every text from telemetry in them is made visible."""
    from aftertrace.analyzer.populations import words

    lines: list[str] = []
    for line in words.headline(found):
        lines += textwrap.wrap(plain(line), _TEXT_CELLS)
    shown = {words.MORE: 15, words.RARE: 8, words.LESS: 8, words.UNTESTED: 12}
    for title, rows in words.listed(found):
        most = shown[title]
        lines += ["", title, *_table(rows[:most])]
        if len(rows) > most:
            lines.append(f"… and {len(rows) - most:,} more, with --format json")
    lines.append("")
    for line in (*words.notes(found), words.READING):
        lines += textwrap.wrap(plain(line), _TEXT_CELLS)
    if found.lifts.rows.height:
        lines += ["", "the rows of one, on both sides: the same command with --rows ID; a run: aftertrace run RUN"]
    return lines


def _table(rows: list[dict[str, Any]]) -> list[str]:
    import polars as pl

    from aftertrace.analyzer.populations import words

    cells = {
        "lift (95 %)": [words.lift(row) for row in rows],
        "chosen": [f"{row['chosen']:,} of {row['of_chosen']:,}" for row in rows],
        "others": [f"{row['others']:,} of {row['of_others']:,}" for row in rows],
        "q": [words.q_of(row) for row in rows],
        "id": [row["lift_id"] for row in rows],
        "a run": [row["run_ids"][0] for row in rows],
        "what": [words.value_of(row) for row in rows],
    }
    told = table_lines(pl.DataFrame(cells), width=None)
    lines = told[:1]
    for line, row in zip(told[1:], rows, strict=True):
        same = words.also(row)
        lines += [line, *([f"    {plain(same)}"] if same else [])]
    return lines
