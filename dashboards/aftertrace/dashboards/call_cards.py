"""The calls of a run as cards for `drawings`: a line each, and in it what was proposed, approved and executed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aftertrace.analyzer.documents.document import Inline
from aftertrace.analyzer.records import record_cards, record_words
from aftertrace.analyzer.records.call_record import Call
from aftertrace.analyzer.records.run_record import RunRecord
from aftertrace.dashboards.blocks import Drawn, drawn, line
from aftertrace.dashboards.marks import UNSTATED
from aftertrace.dashboards.plain import plain

CALLS_AT_ONCE: Final = 50
"""Calls of one page; a run may have thousands."""
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_OPENED: Final = 3
"""How many calls that a control had to do with are open when a page is."""
_BRIEF_CHARACTERS: Final = 180
_NAME_CHARACTERS: Final = 80
_RAN: Final = frozenset(("executed", "failed", "modified"))
_PENDING: Final = frozenset(("pending", "unresolved"))


def cards(record: RunRecord, calls: Sequence[Call], chosen: int | None, addresses: Mapping[str, str]) -> list[Drawn]:
    """Some calls of a run, as `drawings.call_cards` draws them.

    Args:
        record: the run.
        calls: which of its calls, at most `CALLS_AT_ONCE`.
        chosen: number of the call that a reader has chosen.
        addresses: as for `blocks.drawn`.
    """
    told = record_cards.cards(replace(record, calls=tuple(calls))).cards
    ranked = [call.number for call in calls if call.signals] + [call.number for call in calls if call.near_miss]
    opened = {chosen, *(ranked[:_OPENED] if len(calls) > _OPENED else [call.number for call in calls])}
    return [
        {
            "number": call.number,
            "tool": plain(call.tool, most=_NAME_CHARACTERS) if call.tool else UNSTATED.word,
            "marks": [
                {"word": plain(mark.word), "tone": mark.tone, **({"dot": dot(call.outcome)} if nth == 0 else {})}
                for nth, mark in enumerate(card.marks)
            ],
            "brief": plain(call.arguments, most=_BRIEF_CHARACTERS) if call.arguments else "arguments not told",
            "aside": line(_aside(call, record)),
            "tone": card.tone,
            "open": call.number in opened,
            "blocks": drawn(card.blocks, addresses),
        }
        for call, card in zip(calls, told, strict=True)
    ]


def number_in(text: str) -> int | None:
    """The number of a call that an address names; None where it names none."""
    return int(text) if _NUMBER.fullmatch(text) else None


def number_of(calls: Sequence[Call], call_id: str | None) -> int | None:
    """The number of the call that its sender gave this id; None where there is none."""
    return next((call.number for call in calls if call_id and call.call_id == call_id), None)


def dot(outcome: str | None) -> str:
    """How a call is drawn: `filled` where it ran, `half` where that is not known, `hollow` where it did not run."""
    return "filled" if outcome in _RAN else "half" if outcome in _PENDING else "hollow"


def _aside(call: Call, record: RunRecord) -> tuple[Inline, ...]:
    """Who let it through or refused it, and when it came up."""
    by = record_words.let_by(call) or (f"by {call.decided_by}" if call.decided_by else "")
    at = next(filter(None, (call.proposed_at, call.started_at, call.decided_at, call.ended_at)), None)
    when = record_words.clock(at, record.started_at)
    told = by[:_BRIEF_CHARACTERS]
    return (told,) if when is None else (f"{told} · " if told else "", when)


def page_of(calls: Sequence[Any], number: int | None) -> int:
    """The page, from 1, on which a call stands; the first one for none, and for one that is not there."""
    return 1 if number is None or not 1 <= number <= len(calls) else (number - 1) // CALLS_AT_ONCE + 1
