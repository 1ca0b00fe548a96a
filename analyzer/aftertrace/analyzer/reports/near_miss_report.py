"""The near-miss report: what nearly happened in a period, readable by someone who has never seen the product.

Page one is the headline, the change since the period before and the five worst kinds; then what to do next, and the
figures that it rests on. Rates carry their denominators and intervals, counts say whether they are floors, and numbers
lead to their rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.document import (
    Block,
    Code,
    Document,
    Fact,
    Facts,
    Inline,
    Interval,
    Line,
    Mark,
    Paragraph,
    Part,
    Points,
    Strong,
    Table,
    moment,
)
from aftertrace.analyzer.documents.periods import SETTLED_AFTER_NS, Period, instant
from aftertrace.analyzer.documents.severity import HOLDINGS
from aftertrace.analyzer.documents.words import at_least, count, linked, name_of, severity
from aftertrace.analyzer.reading.select import Filter
from aftertrace.analyzer.reports.failure_report import control_failures, disagreements
from aftertrace.analyzer.reports.near_miss_figures import Figures, figures
from aftertrace.analyzer.reports.near_miss_tables import (
    aims,
    answers,
    beside,
    kinds,
    listed,
    over_time,
    rates,
)
from aftertrace.analyzer.reports.next_steps import next_steps

if TYPE_CHECKING:
    from aftertrace.analyzer.analysis import Analysis

TOP: Final = 5
"""How many kinds stand on page one."""
_COMPARED: Final = (
    "A rate is higher or lower where the 95 % interval of the difference leaves out zero; it is wider where the calls "
    "of one run hang together. Counts say little where the number of calls changed."
)


def near_misses(analysis: Analysis, period: Period, filter: Filter | None = None) -> Document:  # noqa: A002  # the word users know
    """The near-miss report of a period, over what a filter lets through. The analysis is as of the period's end."""
    return told(figures(analysis, period, filter or Filter()))


def told(figures: Figures) -> Document:
    """The report that tells these figures."""
    if not figures.totals.runs:
        nothing: Line = (
            "No calls are recorded. ",
            Code("aftertrace doctor"),
            " says what is received, if anything is.",
        )
        parts = (Part("", (Paragraph(nothing),)), _floors(figures))
        return Document("Near misses", parts, _lead(figures))
    told_parts = (
        Part("", tuple(_headline(figures))),
        Part("Since the period before", tuple(_change(figures))),
        Part("The five worst" if figures.kinds.height > TOP else "What nearly happened", tuple(_top(figures))),
        _steps(figures),
        Part("Over time", (over_time(figures),)),
        kinds(figures),
        aims(figures),
        answers(figures),
        *rates(figures),
        control_failures(figures.told),
        disagreements(figures.told),
        listed(figures),
        beside(figures),
        _floors(figures),
        _reading(figures),
    )
    return Document(
        "Near misses", tuple(part for part in told_parts if part is not None and part.blocks), _lead(figures)
    )


def first_page(report: Document) -> Document:
    """The headline, the change, the worst, and what to do next."""
    return replace(report, parts=report.parts[:_FIRST_PARTS])


_FIRST_PARTS: Final = 4


def _lead(figures: Figures) -> Line:
    period, wanted = figures.period, figures.links.wanted
    fields = ("agent", "tool", "outcome", "decided_by", "reviewer", "tenant", "environment")
    chosen: list[Inline] = []
    for name in fields:
        if (value := getattr(wanted, name)) is not None:
            chosen += [f" · {name.replace('_', ' ')} ", Code(value)]
    state = "closed" if period.is_closed else "still open, and may change"
    return (period.text, *chosen, f" · as of {instant(period.as_of_ns)} · {state}")


def _headline(figures: Figures) -> tuple[Block, ...]:
    now, links = figures.totals, figures.links
    total = (at_least(now.consequential, is_floor=figures.is_floor), *linked(links.rows("near-misses")))
    facts = Facts(
        (
            Fact("Consequential", total, "near misses of tools that change something"),
            Fact(
                "Near misses in all",
                (at_least(now.near_misses, is_floor=figures.is_floor), *linked(links.rows("near-misses"))),
                f"of {count(now.kinds, 'kind')}",
            ),
            Fact("Of calls", (f"{now.calls:,}", *linked(links.rows("calls"))), f"in {count(now.runs, 'run')}"),
            Fact("Rate", _percent(now.rate.share), f"95 % interval {_ends(now.rate)}"),
            Fact(
                "Control failures",
                (Mark(f"{now.failures:,}", "critical"),) if now.failures else "0",
                "a control that should have held did not",
            ),
        )
    )
    return (Paragraph(_sentence(figures)), facts)


def _sentence(figures: Figures) -> Line:
    now = figures.totals
    worst = figures.kinds.row(0, named=True) if figures.kinds.height else None
    floor = "at least " if figures.is_floor else ""
    pieces: list[Inline] = [
        Strong(
            f"{floor}{count(now.consequential, 'consequential near miss', 'consequential near misses')}".capitalize()
        ),
        f" in {count(now.calls, 'call')}: ",
    ]
    if worst is None:
        pieces.append("nothing was refused, edited, left to expire, cancelled by a person or dropped.")
    else:
        pieces += [
            "the worst was ",
            *name_of(worst["tool_name"], "a tool without a name"),
            " of ",
            *name_of(worst["agent_name"], "an agent without a name"),
            f", stopped by {worst['held_by']}.",
        ]
    if now.failures:
        pieces.append(" Controls failed as well: see below.")
    if figures.is_floor:
        pieces.append(" Some refusals may not be on record: counts with ≥ are floors.")
    return tuple(pieces)


def _change(figures: Figures) -> tuple[Block, ...]:
    now, before = figures.totals, figures.before
    if figures.period.before_ns is None:
        return (Paragraph("There is none: this report begins with the first record. Give --since or --period."),)
    if before is None:
        return (Paragraph("Nothing is recorded of it, so there is nothing to compare with."),)
    new = figures.kinds.filter("is_new").height
    rows = [
        _changed("Consequential near misses", now.consequential, before.consequential, now.floor, before.floor),
        _changed("Near misses", now.near_misses, before.near_misses, now.floor, before.floor),
        _changed("Calls", now.calls, before.calls),
        ("Rate", (now.rate,), (before.rate,), figures.rate_changed),
        _changed("Control failures", now.failures, before.failures),
        _changed("Kinds", now.kinds, before.kinds),
    ]
    links = figures.links.before()
    more: Line = (
        f"Before: {links.period.text}",
        *linked(links.rows("near-misses")),
        f". New since then: {count(new, 'kind')}. {_COMPARED}",
    )
    return (Table(("", "this period", "before", "change"), tuple(rows), more),)


def _changed(name: str, now: int, before: int, is_floor: bool = False, was_floor: bool = False) -> tuple[Line, ...]:
    by = now - before
    return (
        name,
        at_least(now, is_floor=is_floor),
        at_least(before, is_floor=was_floor),
        "the same" if not by else f"{'+' if by > 0 else '−'}{abs(by):,}",
    )


def _top(figures: Figures) -> tuple[Block, ...]:
    if not figures.kinds.height:
        return (Paragraph("No near misses."),)
    lines: list[Line] = []
    for row in figures.kinds.head(TOP).iter_rows(named=True):
        rows = figures.links.rows(
            "near-misses",
            agent=row["agent_name"], tool=row["tool_name"], outcome=row["outcome"], decided_by=row["decided_by"],
        )  # fmt: skip
        new: tuple[Inline, ...] = (" ", Mark("new", "plain")) if row["is_new"] else ()
        wide = f" One target was refused in {row['spread']:,} different requests." if row["spread"] > 2 else ""
        lines.append(
            (
                severity(row["severity"]),
                *new,
                " ",
                *name_of(row["tool_name"], "a tool without a name"),
                " of ",
                *name_of(row["agent_name"], "an agent without a name"),
                f": {row['outcome'].replace('_', ' ')} by {row['decided_by'] or 'somebody not told'}, ",
                f"{at_least(row['near_misses'], is_floor=row['floor'])} × in {count(row['runs'], 'run')}",
                *linked(rows),
                f". What held: {row['held_by']}.{wide} Latest run ",
                Code(row["run_ids"][0]),
                f", {moment(row['last_ns'])}.",
            )
        )
    return (Points(tuple(lines), ordered=True),)


def _steps(figures: Figures) -> Part:
    steps = tuple(step.line for step in next_steps(figures))
    lines = steps or ("Nothing stands out. Look again when the next period is closed.",)
    return Part("What to do next", (Points(lines, ordered=True),), on_new_page=True)


def _floors(figures: Figures) -> Part:
    if not figures.floors:
        said = "Every count is complete as far as is known: no refusal is hidden by an emitter, and nothing was lost."
        return Part("What may be missing", (Paragraph(said),))
    lines = tuple((each.quantity, *linked(each.rows), f" {each.brief}.") for each in figures.floors)
    return Part(
        "What may be missing",
        (Paragraph("Where a count has ≥, it is a floor. What is known to be missing, or may be:"), Points(lines)),
    )


def _reading(figures: Figures) -> Part:
    period = figures.period
    held = tuple((Strong(each.name), f": {each.brief}.") for each in HOLDINGS)
    closes = instant(period.until_ns + SETTLED_AFTER_NS)
    closed = (
        "The period is closed: the same report, made later over a store that has grown, is the same byte for byte, "
        "until what is stored is erased or read anew. "
        if period.is_closed
        else f"The period is open: its report may change until {closes}, when it closes. "
    )
    again = figures.links.rows("report near-misses")
    return Part(
        "How to read this",
        (
            Paragraph(
                "A near miss is a call that was refused, edited, left to expire, cancelled by a person, or considered "
                "and dropped. It is consequential if its tool can do more than read. The rate is near misses per call "
                "whose outcome says something about a control; the interval is Wilson's, at 95 %. Explicit means that "
                "a record says so, inferred that it follows from a text or from what is missing."
            ),
            Paragraph("Severity is what the tool can do times how close the call came, told by what held:"),
            Points(held),
            Paragraph(
                "Within a severity, those come first whose target was refused in the most different requests, then "
                "those of tools that their agent seldom uses."
            ),
            Paragraph(
                (
                    f"A call counts if it began in the period, by what had come by {instant(period.as_of_ns)}; ",
                    f"the period before is counted by the same records. {closed}To make it again: ",
                    *((Code(again.command),) if again is not None else ("give the same options.",)),
                )
            ),
        ),
    )


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share * 100:.1f} %"


def _ends(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "not known"
    return f"{interval.low * 100:.1f} to {interval.high * 100:.1f} %"
