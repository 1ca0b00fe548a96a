"""The tables of the near-miss report, from its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.documents.document import (
    Bar,
    Block,
    Code,
    Inline,
    Interval,
    Line,
    Mark,
    Paragraph,
    Part,
    Table,
    Trend,
    moment,
)
from aftertrace.analyzer.documents.visible import visible
from aftertrace.analyzer.documents.words import at_least, linked, name_of, severity
from aftertrace.analyzer.reports.near_miss_figures import BY, Figures

SHOWN: Final = 20
"""How many groups a table shows."""
_TEXT_CHARACTERS: Final = 160
_MISSING: Final = "not stated"
_TITLES: Final = {"tool_name": "By tool", "agent_name": "By agent", "decided_by": "By who decided"}
_BESIDE: Final = {
    "unresolved": "proposed, then nothing, in a run that ended",
    "pending": "still open, or waiting for an answer",
    "unknown_tool": "the tool does not exist",
    "invalid_arguments": "the arguments failed validation",
    "failed": "ran and returned an error",
}


def over_time(figures: Figures) -> Trend:
    """Near misses over the steps of the period."""
    bars = tuple(
        Bar(
            row["name"],
            row["near_misses"],
            row["calls"],
            Interval(row["rate"], row["low"], row["high"]),
            figures.links.between(row["begin_ns"], row["end_ns"]).rows("calls") if row["calls"] else None,
            row["floor"],
        )
        for row in figures.trend.iter_rows(named=True)
    )
    return Trend("near misses", "calls", bars)


def kinds(figures: Figures) -> Part | None:
    """Every kind of near miss."""
    if not figures.kinds.height:
        return None
    rows = tuple(
        (
            (severity(row["severity"]),),
            name_of(row["tool_name"], _MISSING),
            name_of(row["agent_name"], _MISSING),
            f"{row['risk']}{' (guess)' if row['risk_basis'] == 'guess' else ''}",
            f"{row['outcome'].replace('_', ' ')} by {row['decided_by'] or 'somebody not told'}",
            row["held_by"],
            (
                at_least(row["near_misses"], is_floor=row["floor"]),
                *linked(
                    figures.links.rows(
                        "near-misses",
                        agent=row["agent_name"], tool=row["tool_name"],
                        outcome=row["outcome"], decided_by=row["decided_by"],
                    )
                ),
            ),
            (Mark("new", "plain"),) if row["is_new"] else "",
            (Code(row["run_ids"][0]),),
        )
        for row in figures.kinds.head(SHOWN).iter_rows(named=True)
    )  # fmt: skip
    columns = ("severity", "tool", "agent", "risk", "what became of it", "held by", "times:", "new", "latest run")
    return Part("Kinds, the worst first", (Table(columns, rows, _more(figures, figures.kinds)),))


def aims(figures: Figures) -> Part | None:
    """What consequential near misses were aimed at."""
    if not figures.targets.height:
        return None
    rows = tuple(
        (
            (severity(row["severity"]),),
            (Code(row["tool_name"]),),
            row["argument"] or "the whole",
            (Code(row["target"]),),
            f"{row['near_misses']:,}",
            f"{row['requests']:,}",
            f"{row['ran']:,}",
            (Code(row["run_ids"][0]),),
        )
        for row in figures.targets.iter_rows(named=True)
    )
    columns = ("severity", "tool", "argument", "target", "refused:", "requests:", "ran:", "latest run")
    return Part(
        "Arguments and targets",
        (
            Paragraph(
                "Values in the arguments of consequential near misses, those of the most different requests first. "
                "Ran counts calls of the same tool with the same value that went through."
            ),
            Table(columns, rows),
        ),
    )


def answers(figures: Figures) -> Part | None:
    """How people and programs answered, and what agents have earned by it."""
    if not figures.autonomy.height:
        return None
    rows = tuple(
        (
            name_of(row["agent_name"], _MISSING),
            name_of(row["tool_name"], _MISSING),
            (
                f"{row['answers']:,}",
                *linked(figures.links.rows("approvals", agent=row["agent_name"], tool=row["tool_name"])),
            ),
            (_share(row, "as_proposed"),),
            (_share(row, "edited"),),
            (_share(row, "refused"),),
            f"{row['ran_unasked']:,}",
            row["earned"],
        )
        for row in figures.autonomy.head(SHOWN).iter_rows(named=True)
    )
    columns = (
        "agent", "tool", "answers:", "approved as proposed", "edited", "refused", "ran unasked:",
        "has earned",
    )  # fmt: skip
    return Part(
        "What has earned more autonomy, what less",
        (
            Paragraph(
                "Of what somebody was asked about and answered. More is earned where even the lower end of the share "
                "approved as proposed is 90 % (35 of 35), and no approval was faster than its text can be read; less "
                "is due where at least 10 % were edited or refused, by the lower end. Fewer than 5 answers, and hasty "
                "approvals, are not judged. All else stays as it is."
            ),
            Table(columns, rows, _more(figures, figures.autonomy)),
        ),
    )


def rates(figures: Figures) -> Iterator[Part]:
    """Rates by tool, by agent and by who decided."""
    for column, field in BY:
        frame = figures.rates[column]
        rows = tuple(
            (
                name_of(row[column], _MISSING),
                (at_least(row["near_misses"], is_floor=row["floor"]), *_of(figures, "near-misses", field, row[column])),
                at_least(row["consequential"], is_floor=row["floor"]),
                (f"{row['calls']:,}", *_of(figures, "calls", field, row[column])),
                (Interval(row["rate"], row["low"], row["high"]),),
            )
            for row in frame.head(SHOWN).iter_rows(named=True)
        )
        if rows:
            columns = ("", "near misses:", "consequential:", "calls:", "rate, 95 % interval")
            yield Part(_TITLES[column], (Table(columns, rows, _more(figures, frame)),))


def listed(figures: Figures) -> Part | None:
    """The worst near misses one by one."""
    near = figures.listed
    if not near.height:
        return None
    rows = tuple(
        (
            (severity(row["severity"]),),
            moment(row["first_ns"]),
            name_of(row["tool_name"], _MISSING),
            name_of(row["agent_name"] or row["service_name"], _MISSING),
            _decided(row),
            _cut(row["arguments"]),
            _cut(row["reason"]),
            (Code(row["run_id"]),),
        )
        for row in near.iter_rows(named=True)
    )
    columns = ("severity", "when (UTC)", "tool", "agent", "what became of it", "arguments", "reason", "run")
    left = figures.totals.near_misses - near.height
    more: Line = (f"{left:,} more", *linked(figures.links.rows("near-misses"))) if left > 0 else ""
    head: Line = ("The worst first. ", Code("aftertrace run RUN"), " shows a run and its calls.")
    return Part("What nearly happened, one by one", (Paragraph(head), Table(columns, rows, more)))


def beside(figures: Figures) -> Part | None:
    """Calls that are in no rate."""
    rows = tuple(
        (
            name.replace("_", " "),
            (f"{figures.beside[name]:,}", *linked(figures.links.rows("calls", outcome=name))),
            brief,
        )
        for name, brief in _BESIDE.items()
        if figures.beside.get(name)
    )
    blocks: tuple[Block, ...] = (Table(("outcome", "calls:", "what it is"), rows),)
    return Part("Beside them, and no near misses", blocks) if rows else None


def _decided(row: Mapping[str, Any]) -> str:
    reviewer = f" ({row['reviewer']})" if row["reviewer"] else ""
    told = "" if row["basis"] == "explicit" else ", inferred"
    return f"{row['outcome'].replace('_', ' ')} by {row['decided_by'] or 'somebody not told'}{reviewer}{told}"


def _of(figures: Figures, command: str, field: str, value: str | None) -> tuple[Inline, ...]:
    return linked(figures.links.rows(command, **{field: value}))


def _share(row: Mapping[str, Any], name: str) -> Interval:
    return Interval(row[f"{name}_share"], row[f"{name}_low"], row[f"{name}_high"])


def _more(figures: Figures, frame: pl.DataFrame) -> Line:
    if frame.height <= SHOWN:
        return ""
    again = figures.links.rows("report near-misses")
    return (f"{frame.height - SHOWN:,} more: the report as JSON has all", *linked(again), ".")


def _cut(text: str | None) -> str:
    return visible(text, _TEXT_CHARACTERS)
