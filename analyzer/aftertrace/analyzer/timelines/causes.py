"""What must have come before each entry of a timeline: the span it lies in, and the course of its call."""

from __future__ import annotations

from typing import Final

import polars as pl

from aftertrace.analyzer.calls.evidence import BEGUN
from aftertrace.analyzer.identity.identity import LEVELS_ABOVE
from aftertrace.analyzer.timelines.causal_order import Entry

_CONSIDERED, _PROPOSED, _ASKED, _ANSWERED, _BEGUN, _RETURNED, _CHANGED, _READ, _FOUND = range(9)
_RANKS: Final = {
    "tool.considered": _CONSIDERED,
    "action.proposed": _PROPOSED,
    "approval.requested": _ASKED,
    "approval.granted": _ANSWERED,
    "approval.rejected": _ANSWERED,
    "approval.modified": _ANSWERED,
    "approval.expired": _ANSWERED,
    "effect.applied": _CHANGED,
    "finding": _FOUND,
}
_LAWS: Final = {
    _PROPOSED: (_CONSIDERED,),
    _ASKED: (_PROPOSED,),
    _ANSWERED: (_ASKED, _PROPOSED),
    _BEGUN: (_PROPOSED,),
    _RETURNED: (_BEGUN, _PROPOSED),
    _CHANGED: (_BEGUN, _PROPOSED),
    _READ: (_RETURNED, _BEGUN, _PROPOSED),
    _FOUND: (_CHANGED, _READ),
}
"""What must come before each step of a call: the first of these that is told."""


def caused(rows: pl.DataFrame, spans: pl.DataFrame) -> list[Entry]:
    """The entries of a timeline with their causes.

    Args:
        rows: what happened, with what tells its causes (`timeline`); a time that only orders is null.
        spans: all spans, by which one above another is found.
    """
    told = rows.to_dicts()
    spots = {(row["trace_id"], row["span_id"]): at for at, row in enumerate(told) if row["event"] is None}
    above = _above(rows, spans)
    calls: dict[str, dict[int, int]] = {}
    ranks = [_rank(row["event"], row["state"], row["basis"]) for row in told]
    for at, (row, rank) in enumerate(zip(told, ranks, strict=True)):
        if rank is not None and row["call_key"] is not None:
            # The first that is told of each step.
            calls.setdefault(row["call_key"], {}).setdefault(rank, at)
    entries = []
    for at, (row, rank) in enumerate(zip(told, ranks, strict=True)):
        enclosing = _enclosing(spots, above, row)
        causes = {enclosing} if enclosing is not None and enclosing != at else set()
        expected = set()
        steps = calls.get(row["call_key"] or "", {})
        if rank is not None:
            law = next((steps[before] for before in _LAWS.get(rank, ()) if before in steps), None)
            causes |= {law} if law is not None and law != at else set()
            answered = steps.get(_ANSWERED)
            if rank in (_BEGUN, _RETURNED) and answered is not None and not _asks_within(told, steps, at):
                expected.add(answered)
        clock = row["service_name"] or row["source"] or "not told"
        entries.append(Entry(row["at_ns"], clock, tuple(sorted(causes)), tuple(sorted(expected))))
    return entries


def _rank(event: str | None, state: str | None, basis: str | None) -> int | None:
    """Which step of its call an event is; of what has a span, its time is when it began."""
    if event == "effect.applied" and basis == "inferred":
        return _READ
    if event == "tool.called":
        return _BEGUN if state == "started" else _RETURNED if state in BEGUN else None
    return None if event is None else _RANKS.get(event)


def _asks_within(told: list[dict[str, object]], steps: dict[int, int], at: int) -> bool:
    """Whether somebody was asked while the call ran: its body asked."""
    asked = steps.get(_ASKED)
    begin, end = told[at]["at_ns"], told[at]["end_ns"]
    then = None if asked is None else told[asked]["at_ns"]
    return isinstance(begin, int) and isinstance(end, int) and isinstance(then, int) and begin <= then <= end


def _above(rows: pl.DataFrame, spans: pl.DataFrame) -> dict[tuple[str, str], str]:
    """The span above each, in the traces of some rows."""
    traces = rows["trace_id"].drop_nulls().unique()
    known = spans.filter(pl.col("trace_id").is_in(traces.implode())).select("trace_id", "span_id", "parent_span_id")
    return {(trace, span): parent for trace, span, parent in known.drop_nulls().iter_rows()}


def _enclosing(
    spots: dict[tuple[str, str], int], above: dict[tuple[str, str], str], row: dict[str, str | None]
) -> int | None:
    """The nearest span of the timeline that an entry lies in."""
    trace, at = row["trace_id"], row["span_id"]
    if trace is None:
        return None
    # A span lies in the one above it, and what is told in a span in that.
    span = row["parent_span_id"] if row["event"] is None else at
    for _ in range(LEVELS_ABOVE):
        if span is None:
            return None
        if (trace, span) in spots:
            return spots[trace, span]
        span = above.get((trace, span))
    return None
