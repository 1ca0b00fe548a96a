"""How each column looks in a table, whichever table it stands in: its heading, width, unit and format."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
import streamlit as st

from aftertrace.dashboards.marks import (
    DECISION_COLOURS,
    DECLARED_COLOURS,
    HOLDS_COLOURS,
    OUTCOME_COLOURS,
    SEVERITY_COLOURS,
    WAITING,
)
from aftertrace.dashboards.zones import Zone

_COLUMNS: Final[dict[str, Any]] = {
    "run": st.column_config.LinkColumn("run", display_text=r"run=(.{8})", width=84, help="opens the run's page"),
    "outcome": st.column_config.MultiselectColumn(
        "outcome", options=list(OUTCOME_COLOURS), color=list(OUTCOME_COLOURS.values()), width=130
    ),
    "decision": st.column_config.MultiselectColumn(
        "decision",
        options=[WAITING.word, *DECISION_COLOURS],
        color=[DECISION_COLOURS["pending"], *DECISION_COLOURS.values()],
        width=96,
    ),
    "severity": st.column_config.MultiselectColumn(
        "severity",
        options=list(SEVERITY_COLOURS),
        color=list(SEVERITY_COLOURS.values()),
        width=84,
        help="what the tool can do, and how close the call came",
    ),
    "became": st.column_config.TextColumn("what became of it", width=140),
    "held_by": st.column_config.TextColumn("held by", width=116, help="the one control that stopped it"),
    "times": st.column_config.TextColumn(
        "times", width=60, alignment="right", help="near misses of this kind; ≥ marks a floor"
    ),
    "is_new": st.column_config.TextColumn("new", width=52, help="none of this kind in the period before"),
    "answers": st.column_config.NumberColumn("answers", width=64, help="requests that somebody answered"),
    "as_proposed_share": st.column_config.NumberColumn("approved as is (%)", format="%.1f", width=116),
    "edited_share": st.column_config.NumberColumn("edited (%)", format="%.1f", width=76),
    "refused_share": st.column_config.NumberColumn("refused (%)", format="%.1f", width=80),
    "ran_unasked": st.column_config.NumberColumn("ran unasked", width=86),
    "refused_unasked": st.column_config.NumberColumn("refused unasked", width=106),
    "earned": st.column_config.TextColumn("has earned", width=90, help="more or less autonomy, by the lower end"),
    "value": st.column_config.TextColumn("what they have", width="large"),
    "chosen_share": st.column_config.ProgressColumn(
        "of these (%)", format="%.1f", min_value=0, max_value=100, width=110
    ),
    "other_share": st.column_config.ProgressColumn(
        "of the others (%)", format="%.1f", min_value=0, max_value=100, width=110
    ),
    "counted": st.column_config.TextColumn("counts", width=190),
    "lift": st.column_config.TextColumn("lift (95 % interval)", width=170),
    "q": st.column_config.TextColumn("q", width=90, help="how likely chance alone is, corrected"),
    "side": st.column_config.TextColumn("side", width=80),
    "also": st.column_config.TextColumn("the same rows have", width=180),
    "width": st.column_config.TextColumn("arguments", width="large"),
    "about": st.column_config.NumberColumn("about", width=60, help="calls that ran"),
    "this": st.column_config.NumberColumn("incident", width=70, help="hits what it was drafted from"),
    "hits_odd": st.column_config.NumberColumn("odd", width=50, help="hits where a control failed, too"),
    "odd": st.column_config.TextColumn("odd", width=110, help="signals that an approval was no review"),
    "fine": st.column_config.NumberColumn("fine", width=50, help="hits of which nothing odd is on record"),
    "chosen": st.column_config.TextColumn("chosen", width=100),
    "argument": st.column_config.TextColumn("argument", width=110),
    "target": st.column_config.TextColumn("target", width=240),
    "ran": st.column_config.NumberColumn("ran", width=50, help="calls that went through"),
    "part": st.column_config.TextColumn("what was changed", width=150),
    "before": st.column_config.TextColumn("before", width=140),
    "after": st.column_config.TextColumn("after", width=140),
    "moved": st.column_config.TextColumn("moved after it", width=150, help="measures that moved, q at most 5 %"),
    "day": st.column_config.DateColumn("day (UTC)", width=90),
    "kind": st.column_config.TextColumn("lost", width=180),
    "worth": st.column_config.TextColumn("count is", width=80),
    "lost": st.column_config.NumberColumn("how many", format="localized", width=84),
    "unit": st.column_config.TextColumn("of", width=84),
    "source": st.column_config.TextColumn("source", width=120, help="who sent it, as authenticated"),
    "so_far": st.column_config.TextColumn(
        "wait", width=88, alignment="right", help="how long the answer took, or is waited for so far"
    ),
    "measure": st.column_config.TextColumn("measure", width=110),
    "verdict": st.column_config.TextColumn("moved", width=110, help="up or down: q is at most 5 %"),
    "was": st.column_config.TextColumn("before", width=84),
    "is": st.column_config.TextColumn("after", width=84),
    "by": st.column_config.TextColumn("by (95 % interval)", width=190),
    "q_told": st.column_config.TextColumn("q", width=84, help="how likely chance alone is, corrected for all looks"),
    "looked_at": st.column_config.TextColumn("of, before and after", width="medium"),
    "version": st.column_config.NumberColumn("version", width=60),
    "agent_version": st.column_config.TextColumn("agent version", width=96),
    "model_served": st.column_config.TextColumn("model that answered", width=136),
    "tools_listed": st.column_config.TextColumn("tools", width="medium"),
    "prompt_digest": st.column_config.TextColumn("prompt", width=136, help="digest of its template"),
    "ends": st.column_config.TextColumn("95 % interval (%)", width=106, help="Wilson's, of the share to the left"),
    "waits_s": st.column_config.NumberColumn("waits for (s)", format="localized", width=96),
    "tool_name": st.column_config.TextColumn("tool", width=130),
    "agent_name": st.column_config.TextColumn("agent", width=130),
    "model": st.column_config.TextColumn("model", width=130),
    "service_name": st.column_config.TextColumn("service", width=110),
    "owner": st.column_config.TextColumn("owner", width=110, help="who answers for it, as declared"),
    "broken": st.column_config.NumberColumn("off", width=50, help="findings: what nobody declared"),
    "unknown": st.column_config.NumberColumn("unknown", width=64, help="declarations of which it cannot be told"),
    "runs": st.column_config.NumberColumn("runs", width=56),
    "tools_used": st.column_config.TextColumn("tools that ran", width="medium"),
    "state": st.column_config.TextColumn("state", width=80),
    "decided_by": st.column_config.TextColumn("decided by", width=84),
    "operation": st.column_config.TextColumn("operation", width=96),
    "system": st.column_config.TextColumn("system", width=110, help="system of record, as its receipt names it"),
    "object_type": st.column_config.TextColumn("object", width=110),
    "object_id": st.column_config.TextColumn("object id", width=130),
    "failed": st.column_config.TextColumn("control failure", width=110, help="a control that should have held"),
    "finding": st.column_config.TextColumn("finding", width=120, help="docs/REFERENCE.md tells what each means"),
    "control": st.column_config.TextColumn("control", width=64, help="failed, or only odd"),
    "certainty": st.column_config.TextColumn("certainty", width=76, help="certain, likely or possible"),
    "object": st.column_config.TextColumn("object", width=150, help="system, kind and id, as far as told"),
    "differs": st.column_config.TextColumn("what differs", width="large"),
    "other_run": st.column_config.LinkColumn(
        "with run", display_text=r"run=(.{8})", width=84, help="another run that it rests on"
    ),
    "basis": st.column_config.TextColumn(
        "basis", width=68, help="explicit: a record says so; inferred: from absence, or from a text"
    ),
    "risk": st.column_config.TextColumn(
        "risk", width=110, help="class of the tool; a trailing ? marks a guess by its name"
    ),
    "reviewer": st.column_config.TextColumn("reviewer", width=110),
    "reason": st.column_config.TextColumn("reason", width="medium"),
    "arguments": st.column_config.TextColumn("arguments", width="medium"),
    "prompt": st.column_config.TextColumn("first input", width="medium"),
    "wait_s": st.column_config.NumberColumn("wait (s)", format="%.1f", width=70, help="how long the decision took"),
    "duration_s": st.column_config.NumberColumn("duration (s)", format="%.2f", width=84),
    "calls": st.column_config.NumberColumn("calls", width=56),
    "near_misses": st.column_config.NumberColumn("near misses", width=84),
    "consequential": st.column_config.NumberColumn("consequential", width=96, help="above the risk class read"),
    "rate": st.column_config.NumberColumn("rate (%)", format="%.1f", width=70),
    "low": st.column_config.NumberColumn(
        "low (%)", format="%.1f", width=66, help="lower end of the 95 % Wilson interval"
    ),
    "high": st.column_config.NumberColumn(
        "high (%)", format="%.1f", width=66, help="upper end of the 95 % Wilson interval"
    ),
    "count": st.column_config.TextColumn(
        "count is",
        width=84,
        help="at least: an emitter in this row hides some refusals, so the true count may be higher",
    ),
    "what": st.column_config.TextColumn("event", width=150),
    "account": st.column_config.TextColumn("account", help="Who left it, as the file system has it.", width=110),
    "signed_in": st.column_config.TextColumn("signed in as", width=150),
    "how": st.column_config.TextColumn("how", width=110),
    "of": st.column_config.TextColumn("what", width="large"),
    "entry": st.column_config.NumberColumn("entry", help="Of the ledger that covers it; none: not yet.", width=70),
    "lane": st.column_config.TextColumn("lane", width=64),
    "detail": st.column_config.TextColumn("detail", width="large"),
    "evidence": st.column_config.TextColumn("evidence", width=90, help="receiver / request / record"),
    "identity": st.column_config.TextColumn("identity", width=96, help="how sure the name is"),
    "requests": st.column_config.NumberColumn("requests", width=70),
    "expired": st.column_config.NumberColumn("expired", width=66),
    "busiest_hour": st.column_config.NumberColumn("busiest hour", width=86, help="most requests within sixty minutes"),
    "signals": st.column_config.NumberColumn("odd", width=54, help="signals that an approval was no review"),
    "median_wait_s": st.column_config.NumberColumn("median wait (s)", format="%.1f", width=98),
    "p90_wait_s": st.column_config.NumberColumn("90 % within (s)", format="%.1f", width=98),
    "approved": st.column_config.ProgressColumn(
        "approved (%)", format="%.1f", min_value=0, max_value=100, width=120, help="granted or edited, of the answers"
    ),
    "overrides": st.column_config.NumberColumn("overrides", width=76, help="answers that edited or refused"),
    "after_s": st.column_config.NumberColumn("after (s)", format="%.3f", width=80, help="after the first of these"),
    "declared": st.column_config.MultiselectColumn(
        "inventory", options=list(DECLARED_COLOURS), color=list(DECLARED_COLOURS.values()), width=110
    ),
    "holds": st.column_config.MultiselectColumn(
        "verdict", options=list(HOLDS_COLOURS), color=list(HOLDS_COLOURS.values()), width=84
    ),
    "found": st.column_config.TextColumn("what was found", width="medium"),
    "expected": st.column_config.TextColumn("what was declared", width="medium"),
    "models": st.column_config.TextColumn("models", width=150, help="asked, and those that answered"),
    "agents": st.column_config.TextColumn("agents", width=200),
    "by_tools": st.column_config.TextColumn("by tools", width=200),
    "applied": st.column_config.NumberColumn("applied", width=66, help="changes that receipts or results tell of"),
    "blocked": st.column_config.NumberColumn("blocked", width=66),
    "objects": st.column_config.NumberColumn("objects", width=66, help="that are told apart by an id"),
    "inferred": st.column_config.NumberColumn("inferred", width=70, help="told by results alone, without a receipt"),
    "column": st.column_config.TextColumn("column", width=180),
    "type": st.column_config.TextColumn("type", width=220),
    "meaning": st.column_config.TextColumn("meaning", width=700),
    "environment": st.column_config.TextColumn("environment", width=96),
    "tenant": st.column_config.TextColumn("tenant", width=90),
}
_TIMES: Final = {
    "first_at": "time",
    "started_at": "started",
    "asked_at": "asked",
    "last_at": "last heard of",
    "at": "time",
    "last_seen": "latest",
    "changed": "changed",
    "read": "read",
}
_TIME_PIXELS: Final = 146
_OFFSET_PIXELS: Final = 44


def config(column: str, cells: pl.Series, zone: Zone) -> Any:
    """How a column is drawn. Raises `KeyError` for a column that is not here: Streamlit would hide it.

    Args:
        column: its name.
        cells: what stands in it.
        zone: what times are told in.
    """
    if column not in _TIMES:
        return _COLUMNS[column]
    if column == "at" and zone.has_one_date(cells):
        return time(_TIMES[column], cells, zone, finest="HH:mm:ss.SSS", width=100)
    if column == "at":
        return time(_TIMES[column], cells, zone, finest="YYYY-MM-DD HH:mm:ss.SSS", width=172)
    return time(_TIMES[column], cells, zone)


def time(
    name: str, cells: pl.Series, zone: Zone, *, finest: str = "YYYY-MM-DD HH:mm:ss", width: int = _TIME_PIXELS
) -> Any:
    """A column of times: its head names the zone, and its cells the offset too where clocks were changed meanwhile."""
    is_one = zone.has_one_offset(cells)
    return st.column_config.DatetimeColumn(
        f"{name} ({zone.place})",
        format=finest if is_one else f"{finest} Z",
        timezone=zone.name,
        width=width if is_one else width + _OFFSET_PIXELS,
        help=None if zone.is_utc else f"in {zone.name}; the switch below the page turns to UTC",
    )
