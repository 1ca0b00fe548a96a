"""The page of `provenance`: how many of what, then each thing that somebody should look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from aftertrace.dashboards.plain import plain
from aftertrace.dashboards.quantities import count, moment

if TYPE_CHECKING:
    from aftertrace.analyzer.provenance.report import Provenance

LISTED: Final = 20
"""Rows of a verdict on the page; the other formats hold all."""
_BOTS: Final = 5
_TITLE_CHARACTERS: Final = 60
_PART_CHARACTERS: Final = 100
_TITLES: Final = {
    "no_run": "BY AGENTS, WITHOUT A RUN",
    "unknown_run": "NAME A RUN THAT IS NOT IN THE STORE",
    "not_there": "CLAIMED BY RUNS, AND NOT THERE",
    "unreachable": "CLAIMED BY RUNS, AND ON NO BRANCH: amended, rebased, squashed or never pushed",
    "run": "WITH A RUN",
}
_HOW: Final = {
    "receipt": "by receipt",
    "trailer": "named by it",
    "conversation": "by conversation (inferred)",
    "result": "by a tool's result (inferred)",
}


def lines(report: Provenance) -> list[str]:
    """The page."""
    return [
        plain(_head(report)),
        "",
        *_counts(report),
        *(line for verdict in _TITLES for line in _section(report, verdict)),
    ]


def _head(report: Provenance) -> str:
    place = report.place
    since = f" since {moment(place.since_ns)}" if place.since_ns is not None else ""
    until = f" until {moment(place.until_ns)}" if place.until_ns is not None else ""
    return f"{place.name}: {count(report.actions, 'action')}{since}{until}"


def _counts(report: Provenance) -> Iterator[str]:
    import polars as pl

    rows = report.rows
    with_run = rows.filter(pl.col("verdict") == "run").unique(
        ["system", "kind", "object"], keep="first", maintain_order=True
    )
    hows = Counter(_HOW[how[0]] for how in with_run["how"])
    agents = Counter(rows.filter(pl.col("verdict") == "no_run")["agent"])
    for verdict, what, parts in (
        ("run", "with a run", hows),
        ("no_run", "by agents, without a run", agents),
        ("unknown_run", "name a run that is not in the store", Counter[str]()),
        ("not_there", "claimed by runs, and not there", Counter[str]()),
        ("unreachable", "claimed by runs, and on no branch", Counter[str]()),
    ):
        told = ", ".join(f"{plain(name, most=_PART_CHARACTERS)} {number:,}" for name, number in parts.most_common())
        if verdict != "unreachable" or report.count(verdict):
            yield f"{report.count(verdict):>7,}  {what}{': ' if told else ''}{told}"
    bots = ", ".join(f"{plain(name, most=60)} {number:,}" for name, number in report.of_bots.most_common(_BOTS))
    yield f"{report.of_people:>7,}  by nobody known as an agent{': of them ' + bots if bots else ''}"
    if not report.place.is_whole:
        yield "         the history is cut off (a shallow clone): what runs claim is not held against it"
    if report.unplaced:
        claimed = count(report.unplaced, "commit")
        yield f"         {claimed} that runs claim tell no repository, and may be elsewhere"


def _section(report: Provenance, verdict: str) -> Iterator[str]:
    import polars as pl

    rows = report.rows.filter(pl.col("verdict") == verdict)
    if not rows.height:
        return
    yield f"\n{_TITLES[verdict]}"
    for row in rows.head(LISTED).iter_rows(named=True):
        yield from _row(row, has_reviews=report.place.has_reviews)
    if rows.height > LISTED:
        yield f"  … and {rows.height - LISTED:,} more: --format json"


def _row(row: dict[str, Any], *, has_reviews: bool) -> Iterator[str]:
    ident = row["object"][:12] if row["kind"] == "commit" else row["object"]
    title = plain(row["title"] or "", most=_TITLE_CHARACTERS)
    yield f"  {moment(row['first_ns'])}  {plain(ident, most=_PART_CHARACTERS)}  {title}".rstrip()
    agent = f"{row['agent']}, by {row['sign']}" if row["agent"] else None
    run = f"{row['run_id']} of {row['agent_name'] or 'an agent not told'}" if row["run_id"] else None
    call = " ".join(part for part in (row["tool_name"], row["tool_call_id"]) if part)
    facts = [
        ("agent", agent),
        ("names", row["named"] if row["verdict"] == "unknown_run" else None),
        ("run", run),
        ("known", ", ".join(_HOW[how] for how in row["how"]) if row["verdict"] == "run" else None),
        ("call", call or None),
    ]
    if row["run_id"] and row["verdict"] == "run":
        facts.append(("call approved by", row["approved_by"] or "not told"))
    if has_reviews and row["kind"] in ("pull_request", "row"):
        facts.append(("reviewed there by", ", ".join(row["reviewed_by"] or ()) or "nobody"))
    for name, value in facts:
        if value is not None:
            yield f"      {name}: {plain(value, most=_PART_CHARACTERS)}"
