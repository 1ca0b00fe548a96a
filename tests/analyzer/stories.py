"""Rows of `events` and `spans` made by hand: one agent, one conversation and one call unless a story says otherwise."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import polars as pl

from aftertrace.analyzer.reading.tables import EVENTS, SPANS

from .frames import LATER_NS, RECEIVED_NS, Frames

AT_NS: Final = RECEIVED_NS - 60 * 10**9
"""When stories begin: a minute before they are received."""
DAY_NS: Final = 24 * 3600 * 10**9
TRACE: Final = "0" * 31 + "1"

_COMMON: Final = {
    "received_date": date(2027, 1, 15),
    "receiver": "main",
    "index": 0,
    "source": "anonymous",
    "service_name": "shop",
    "dialect": "genai",
    "scope_name": "shop",
    "trace_id": TRACE,
    "conversation_id": "s-1",
    "agent_name": "clerk",
}


def event(name: str, state: str | None = None, *, s: float = 0.0, **columns: Any) -> dict[str, Any]:
    """A row of `events` about call `c-1` of the tool `pay`, `s` seconds into the story."""
    return {
        **_COMMON,
        "tool_name": "pay",
        "call_id": "c-1",
        "ordinal": 0,
        "basis": "explicit",
        "event": name,
        "state": state,
        "time_ns": AT_NS + int(s * 1e9),
        **columns,
    }


def span(operation: str | None, *, s: float = 0.0, **columns: Any) -> dict[str, Any]:
    """A row of `spans` of a second's length; it has a parent, so that its end does not end the run."""
    start_ns = AT_NS + int(s * 1e9)
    return {
        **_COMMON,
        "name": operation or "work",
        "operation": operation,
        "span_id": f"{start_ns:016x}",
        "parent_span_id": "f" * 16,
        "start_ns": start_ns,
        "end_ns": start_ns + 10**9,
        "status": "unset",
        **columns,
    }


PROPOSED: Final = event("action.proposed", "proposed", arguments='{"amount":900}')
ASKED: Final = event("approval.requested", s=1)
COMPLETED: Final = event("tool.called", "completed", s=8, end_ns=None)
ENDED: Final = event("run.completed", s=20, tool_name=None, call_id=None)
"""The usual course of a story: nine hundred are to be paid, somebody is asked, it runs, the agent ends."""


def stored(*events: dict[str, Any], spans: tuple[dict[str, Any], ...] = ()) -> Frames:
    """The rows as frames; each comes in a request of its own, a millisecond after the one before."""
    return Frames(_frame(spans, SPANS, len(events)), _frame(events, EVENTS, 0))


def calls_of(*events: dict[str, Any], spans: tuple[dict[str, Any], ...] = (), now_ns: int = LATER_NS) -> pl.DataFrame:
    """The calls that a story tells."""
    return stored(*events, spans=spans).analysis(now_ns).calls


def _frame(rows: tuple[dict[str, Any], ...], schema: pl.Schema, before: int) -> pl.DataFrame:
    counted = [
        {"seq": seq, "received_ns": RECEIVED_NS + seq * 10**6, **row} for seq, row in enumerate(rows, start=before + 1)
    ]
    return pl.DataFrame(counted, schema=schema, orient="row")
