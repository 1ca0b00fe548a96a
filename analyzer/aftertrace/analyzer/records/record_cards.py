"""The calls of a run record as cards: proposed, shown, approved, executed and what came back, side by side."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from aftertrace.analyzer.documents.document import (
    Block,
    Card,
    Cards,
    Code,
    Excerpt,
    Line,
    Mark,
    Paragraph,
    Points,
    Step,
    Steps,
    Tone,
    inlines,
)
from aftertrace.analyzer.documents.visible import EXCERPT_CHARACTERS
from aftertrace.analyzer.records.record_words import answered, by_whom, change, clock, let_by, moment, target

if TYPE_CHECKING:
    from aftertrace.analyzer.records.call_record import Call, Effect
    from aftertrace.analyzer.records.run_record import RunRecord

SHOWN_CARDS: Final = 100
_SHOWN_DECISIONS: Final = 20
_SHOWN_PLACES: Final = 8
_SHOWN_RECEIPTS: Final = 3
_DIGEST_CHARACTERS: Final = 19
_COMPARED_LINES: Final = 400
_TONES: Final[dict[str, Tone]] = {
    "executed": "good",
    "modified": "high",
    "denied": "critical",
    "expired": "high",
    "cancelled": "high",
    "failed": "critical",
    "rejected_by_model": "medium",
}
"""How each outcome is coloured; the word stands beside the colour."""


def cards(record: RunRecord) -> Cards:
    """A card per call; of many those that a control or a person had to do with, and then the first."""
    chosen = record.calls
    if len(chosen) > SHOWN_CARDS:
        ranked = sorted(chosen, key=lambda call: (not (call.near_miss or call.signals or call.approval), call.number))
        chosen = tuple(sorted(ranked[:SHOWN_CARDS], key=lambda call: call.number))
    return Cards(tuple(_card(call, record) for call in chosen))


def _card(call: Call, record: RunRecord) -> Card:
    tone = "critical" if call.signals else _TONES.get(call.outcome, "plain")
    return Card(
        f"{call.number} · {call.tool or 'tool not told'}",
        tuple(_marks(call, tone)),
        tuple(_blocks(call, record)),
        tone,
    )


def _marks(call: Call, tone: Tone) -> Iterator[Mark]:
    inferred = " (inferred)" if call.basis == "inferred" else ""
    yield Mark(call.outcome.replace("_", " ") + inferred, tone)
    if call.near_miss:
        yield Mark("near miss", "high")
    if call.risk:
        yield Mark(f"risk {call.risk}" + (" (guess)" if call.risk_basis == "guess" else ""), "plain")
    for name in call.signals:
        yield Mark(name.replace("_", " "), "critical")


def _blocks(call: Call, record: RunRecord) -> Iterator[Block]:
    yield Paragraph(_course(call, record.started_at))
    if call.reason:
        yield Paragraph(call.reason)
    mine = [each for each in record.effects if each.call == call.number]
    if steps := (*_steps(call), *map(_receipt, mine[:_SHOWN_RECEIPTS])):
        yield Steps(steps)
    told = [
        f"{each.decision} by {by_whom(each.decided_by, each.reviewer)}"
        + (f": {each.reason}" if each.reason else "")
        + (" (the one that counted)" if each.is_final and len(call.decisions) > 1 else "")
        for each in call.decisions[:_SHOWN_DECISIONS]
        # An answer that stands alone is told as such.
        if len(call.decisions) > 1 or call.approval is None
    ]
    if len(mine) > _SHOWN_RECEIPTS:
        told.append(f"{len(mine) - _SHOWN_RECEIPTS:,} more changes: see the effects")
    if told:
        yield Points(tuple(told))
    left = len(call.evidence) - _SHOWN_PLACES
    more = f" and {left} more" if left > 0 else ""
    yield Paragraph(("evidence: ", Code(", ".join(call.evidence[:_SHOWN_PLACES])), more))


def _course(call: Call, began: str | None) -> Line:
    let = let_by(call)
    times = (("proposed", call.proposed_at), ("began", call.started_at), ("ended", call.ended_at))
    told: list[Line] = [(f"{what} ", instant) for what, at in times if (instant := clock(at, began)) is not None]
    others = (
        f"let through by {let}" if let else None,
        f"decided by {call.decided_by}" if call.decided_by and not let else None,
        f"agent {call.agent}" if call.agent else None,
        f"id {call.call_id}" if call.call_id else None,
    )
    told += filter(None, others)
    if not told:
        return "no time is told"
    first, *rest = told
    return (*inlines(first), *(piece for each in rest for piece in (" · ", *inlines(each))))


def _steps(call: Call) -> Iterator[Step]:
    approval = call.approval
    approved = approval.approved_arguments if approval is not None else None
    yield Step("Proposed", (_excerpt(call.arguments, approved or call.executed_arguments, "-"),))
    if approval is not None:
        together = (Paragraph(f"one request for {approval.calls:,} calls"),) if approval.calls > 1 else ()
        untold = Paragraph("what the reviewer saw is not told")
        yield Step("Shown to the reviewer", (Excerpt(approval.shown) if approval.shown else untold, *together))
        edits = tuple(change(each) for each in approval.edits or ())
        odd = tuple(Paragraph((Mark(name.replace("_", " "), "critical"),)) for name in approval.signals)
        asked = Paragraph(("asked ", moment(approval.asked_at)))
        yield Step("Answer", (Paragraph(answered(approval)), *((Points(edits),) if edits else ()), *odd, asked))
    if approved is not None:
        yield Step("Approved", (_excerpt(approved, call.arguments, "+"),))
    if call.executed_arguments is not None or call.started_at is not None:
        as_was = "as approved" if approval is not None and approval.deviations == () else None
        as_was = as_was or ("as proposed" if call.changes == () else "")
        yield Step(f"Executed {as_was}".strip(), (_excerpt(call.executed_arguments, approved or call.arguments, "+"),))
    if call.result is not None:
        begins, digest = call.result.begins, call.result.digest
        told = Excerpt(_in_lines(begins)) if begins else Paragraph("the text was not sent")
        yield Step("Result", (told, Paragraph((Code(digest[:_DIGEST_CHARACTERS] if digest else "no digest"),))))


def _receipt(effect: Effect) -> Step:
    """What changed, by a receipt or as the call's result tells."""
    is_told = effect.basis == "explicit"
    state = Mark(effect.state, "good" if effect.state == "applied" else "high")
    sides = " → ".join(digest[:_DIGEST_CHARACTERS] for digest in (effect.before_digest, effect.after_digest) if digest)
    named = tuple(
        Paragraph((f"{name} ", Code(value)))
        for name, value in (("receipt", effect.receipt_id), ("object", sides or None), ("at", effect.object_url))
        if value
    )
    odd = tuple(Paragraph((Mark(name.replace("_", " "), "critical"),)) for name in effect.signals)
    what = Paragraph((f"{effect.operation or 'change'} of {target(effect)} ", state))
    return Step("Receipt" if is_told else "Changed, as its result tells", (what, *named, *odd))


def _excerpt(arguments: str | None, other: str | None, sign: str) -> Block:
    """Arguments in lines; those that the other side has not are marked."""
    if arguments is None:
        return Paragraph("arguments not told")
    mine = _in_lines(arguments)
    if other is None:
        return Excerpt(mine)
    return Excerpt(mine, _changed(mine, _in_lines(other)), "-" if sign == "-" else "+")


def _changed(mine: str, other: str) -> frozenset[int]:
    rows, others = mine.split("\n"), other.split("\n")
    if max(len(mine), len(other)) > EXCERPT_CHARACTERS or max(len(rows), len(others)) > _COMPARED_LINES:
        return frozenset()
    compared = difflib.SequenceMatcher(None, rows, others, autojunk=False).get_opcodes()
    return frozenset(at for kind, begin, end, _, _ in compared if kind != "equal" for at in range(begin, end))


def _in_lines(text: str) -> str:
    """JSON in lines; what is none, or is nested too deep, as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text
