"""How a run record is put into words, the same in Markdown and in HTML."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.document import Instant
from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.documents.words import count

if TYPE_CHECKING:
    from aftertrace.analyzer.records.call_record import Approval, Call, Change, Effect
    from aftertrace.analyzer.records.run_record import RunRecord, Usage

UNTOLD: Final = "not told"
"""Where the telemetry does not say."""
QUESTIONS: Final = {
    "agent": "Agent",
    "model": "Model and version",
    "system_prompt": "System prompt",
    "inputs": "Inputs",
    "tools": "Tools considered, called, rejected",
    "reviewer": "Reviewer",
    "trigger": "Trigger",
    "checks": "Checks",
    "effects": "Effects",
}
STATES: Final = {
    "open": "open: it may go on",
    "waiting": "waiting for an approval",
    "completed": "completed",
    "failed": "failed",
    "abandoned": "abandoned: it began, and nothing tells that it ended",
}


def moment(at: str | None) -> Instant | str:
    """A point in time to the second: ``2026-11-21 10:02:03 UTC``."""
    return UNTOLD if at is None else Instant(datetime.fromisoformat(at))


def clock(at: str | None, began: str | None) -> Instant | None:
    """The time of day to the millisecond: ``10:02:03.120``; with its date where that is not the day of `began`."""
    if at is None:
        return None
    since = None if began is None else datetime.fromisoformat(began)
    return Instant(datetime.fromisoformat(at), is_clock=True, began=since)


def lasted(seconds: float | None) -> str:
    """A length of time, where it is told."""
    return UNTOLD if seconds is None else length(seconds)


def tokens(usage: Usage) -> str:
    """Tokens read and written, where either is told."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return UNTOLD
    read, wrote = (UNTOLD if n is None else f"{n:,}" for n in (usage.input_tokens, usage.output_tokens))
    return f"{read} read, {wrote} written"


def cost(usage: Usage) -> str:
    """The cost, as the sender states it."""
    return UNTOLD if usage.cost_usd is None else f"$ {usage.cost_usd:,.4f}"


def headline(record: RunRecord) -> str:
    """What became of the run, in two or three sentences for somebody who has just opened it."""
    calls = record.calls
    outcomes = Counter(call.outcome for call in calls)
    became = ", ".join(f"{many} {outcome.replace('_', ' ')}" for outcome, many in sorted(outcomes.items()))
    near = sum(call.near_miss for call in calls)
    consequential = sum(call.consequential for call in calls)
    parts = [f"{count(len(calls), 'call')}: {became}." if calls else "No tool call is on record."]
    if near:
        parts.append(f"{count(near, 'near miss', 'near misses')}, {consequential} of them consequential.")
    failed = sum(finding.of in ("call", "effect") and finding.is_failure for finding in record.findings)
    if failed:
        parts.append(f"{count(failed, 'control failure')}.")
    applied = [effect.basis for effect in record.effects if effect.state == "applied"]
    receipts, told = applied.count("explicit"), applied.count("inferred")
    parts.append(f"{count(receipts, 'receipt')} of a change." if receipts else "No receipt of a change is on record.")
    if told:
        parts.append(f"{count(told, 'change')} as results tell, without a receipt.")
    parts.append(f"{record.answers_known} of {len(record.answers)} answers known.")
    return " ".join(parts)


def by_whom(decided_by: str | None, who: str | None, identity: str | None = None) -> str:
    """Who decided: the class, the name and how sure it is."""
    told = " ".join(filter(None, (decided_by, f"({who})" if who else None)))
    return f"{told or UNTOLD}{f', {identity}' if identity and who else ''}"


def let_by(call: Call) -> str | None:
    """What let a call through; None where nothing tells."""
    if call.allowed_by is None:
        return None
    granted = f", granted by {call.granted_by}" if call.granted_by else ""
    mode = f", permission mode {call.permission_mode}" if call.permission_mode else ""
    return f"{call.allowed_by}{granted}{mode}{' (inferred)' if call.allowed_basis == 'inferred' else ''}"


def answered(approval: Approval) -> str:
    """The answer to a request: what, by whom, after how long."""
    waited = f" after {length(approval.wait_s)}" if approval.wait_s is not None else ""
    if approval.decision == "pending":
        return "not answered yet"
    who = by_whom(approval.decided_by, approval.reviewer, approval.reviewer_identity)
    return f"{approval.decision} by {who}{waited}"


def change(each: Change) -> str:
    """One change of arguments: ``/amount: 120 → 60``."""
    before, after = (UNTOLD if side is None else side for side in (each.before, each.after))
    if each.before is None:
        return f"{each.path or 'all'}: added {after}"
    return (
        f"{each.path or 'all'}: removed {before}" if each.after is None else f"{each.path or 'all'}: {before} → {after}"
    )


def target(effect: Effect) -> str:
    """The object that an effect names."""
    return " ".join(filter(None, (effect.system, effect.object_type, effect.object_id))) or UNTOLD
