"""One run on the clock, as data for `drawings`: lanes, what lasts, what happens in a moment, and where nothing is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from aftertrace.analyzer.documents.document import Line
from aftertrace.analyzer.documents.lengths import length
from aftertrace.analyzer.records.call_record import Call
from aftertrace.analyzer.records.record_words import clock, moment
from aftertrace.analyzer.records.run_record import Moment, RunRecord
from aftertrace.dashboards.blocks import Drawn, line
from aftertrace.dashboards.plain import plain, plain_lines
from aftertrace.dashboards.zones import Zone
from aftertrace.dashboards.zones import chosen as chosen_zone

EVENTS_AT_MOST: Final = 1_500
"""What is drawn of a run at once; the list below has all of it, page by page."""
LANES: Final = {
    "agent": "agent",
    "model": "model",
    "tool": "tool",
    "human": "human wait",
    "control": "control",
    "system": "system",
}
"""What each lane is called, from top to bottom. Effects are the lane of the systems that they are in."""
_GAP_SHARE: Final = 0.04
"""Of the run's length: shorter times without a record are not marked."""
_DETAIL_CHARACTERS: Final = 4_000
_NAME_CHARACTERS: Final = 60
_PLACES: Final = 8
_REFUSED: Final = ("rejected", "refused", "deny", "denied", "blocked", "expired", "cancelled")


def drawn(record: RunRecord, chosen: str | None = None, zone: Zone | None = None) -> Drawn | None:
    """A run as `drawings.timeline` draws it; None where no time is told.

    Args:
        record: the run.
        chosen: id of the event that a reader has chosen, as `ids` gives it.
        zone: what times are told in; that of the page by itself.
    """
    told_in = zone or chosen_zone()
    named = ids(record)
    timed = [(name, each) for name, each in named.items() if each.offset_s is not None][:EVENTS_AT_MOST]
    if not timed:
        return None
    left = sum(each.offset_s is not None for each in named.values()) - len(timed)
    timed += [(f"wait {call.number}", each) for call, each in waits(record)]
    begin = min(each.offset_s or 0.0 for _, each in timed)
    span = max(max(_end(each) for _, each in timed) - begin, 1e-3)
    number_of = {call.call_id: call.number for call in reversed(record.calls) if call.call_id}
    number_of |= {f"wait {call.number}": call.number for call in record.calls}
    events = [
        _event(name, each, record, number_of.get(name, number_of.get(each.call_id or "")), told_in)
        for name, each in timed
    ]
    for event in events:
        event["from"] -= begin
    used = {event["lane"] for event in events}
    return {
        "began": line(("began ", moment(record.started_at)), told_in),
        "span": span,
        "lanes": [{"name": name, "title": title} for name, title in LANES.items() if name in used],
        "events": events,
        "gaps": [
            {"from": start - begin, "to": end - begin, "title": f"{length(end - start)} without a record"}
            for start, end in gaps([each for _, each in timed])
        ],
        "chosen": chosen,
        "left": left,
    }


def ids(record: RunRecord) -> dict[str, Moment]:
    """The events of a run by what an address calls them: the place of their record, counted where it tells several."""
    seen: Counter[str] = Counter()
    named = {}
    for each in record.timeline:
        nth = seen[each.evidence]
        seen[each.evidence] += 1
        named[each.evidence if nth == 0 else f"{each.evidence}:{nth + 1}"] = each
    return named


def waits(record: RunRecord) -> Iterator[tuple[Call, Moment]]:
    """The waits for an answer that no record tells as one: from the question to the answer, or to the run's end."""
    told = {each.call_id for each in record.timeline if each.lane == "human" and each.lasted_s}
    for call in record.calls:
        asked = call.approval
        if asked is None or asked.asked_at is None or (call.call_id in told and call.call_id):
            continue
        until = asked.decided_at or (record.ended_at if asked.decision == "pending" else None)
        if until is None or record.started_at is None or not asked.asked_at < until:
            continue
        begin, end = (_seconds_between(record.started_at, at) for at in (asked.asked_at, until))
        yield (
            call,
            Moment(
                at=asked.asked_at, offset_s=begin, lasted_s=end - begin, lane="human", what=f"wait, {asked.decision}",
                tool=call.tool, call_id=call.call_id, decided_by=asked.decided_by, detail=asked.reason,
                evidence=", ".join(call.evidence[:_PLACES]), order="clock", behind_s=None, behind_of=None, service=None,
            ),
        )  # fmt: skip


def _seconds_between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def gaps(timed: Sequence[Moment]) -> Iterator[tuple[float, float]]:
    """From when to when, in seconds since the run began, nothing is on record, where that is long beside the run."""
    spans = sorted((each.offset_s or 0.0, _end(each)) for each in timed)
    least = (max(end for _, end in spans) - spans[0][0]) * _GAP_SHARE
    until = spans[0][1]
    for start, end in spans[1:]:
        if start - until > least:
            yield until, start
        until = max(until, end)


def _end(each: Moment) -> float:
    return (each.offset_s or 0.0) + (each.lasted_s or 0.0)


def _event(name: str, each: Moment, record: RunRecord, number: int | None, zone: Zone) -> Drawn:
    lane = "system" if each.what.startswith("effect.") else each.lane if each.lane in LANES else "agent"
    what = plain(each.what, most=_NAME_CHARACTERS)
    tool = plain(each.tool, most=_NAME_CHARACTERS) if each.tool else None
    doubts = []
    if each.behind_s is not None:
        doubts.append(f"its clock is behind by {length(each.behind_s)} at least")
    if each.order == "unsure":
        doubts.append("its place in the order is not known")
    facts: dict[str, Line | None] = {
        f"at ({zone.place})": clock(each.at, record.started_at),
        "lasted": length(each.lasted_s) if each.lasted_s else "a moment",
        "tool": tool,
        "decided by": each.decided_by,
        "service": plain(each.service, most=_NAME_CHARACTERS) if each.service else None,
        "call id": plain(each.call_id, most=_NAME_CHARACTERS) if each.call_id else None,
        "evidence": each.evidence,
        "doubt": ", ".join(doubts) or None,
    }
    words = each.what.replace(".", " ").split()
    return {
        "id": name,
        "lane": lane,
        "from": each.offset_s or 0.0,
        "lasted": each.lasted_s or 0.0,
        "title": what,
        "label": _label(each, what, tool),
        "refused": any(word in _REFUSED for word in words),
        "facts": [{"name": fact, "value": line(value, zone)} for fact, value in facts.items() if value],
        "detail": plain_lines(each.detail[:_DETAIL_CHARACTERS]) if each.detail else None,
        "call": number,
    }


def _label(each: Moment, what: str, tool: str | None) -> str:
    """What stands beside a bar or mark: ``pay``, ``proposes pay``, ``user prompt``, ``pay: granted after 4.0 s``."""
    if each.lane == "human" and each.lasted_s:
        told = what.removeprefix("span ").removeprefix("approval.").removeprefix("wait, ")
        return f"{f'{tool}: ' if tool else ''}{told} after {length(each.lasted_s)}"
    if each.what.startswith("action.proposed") and tool:
        return f"proposes {tool}"
    if tool and each.lane in ("tool", "human", "control"):
        return tool
    event, _, state = what.removeprefix("span ").partition(" ")
    return (state or event).replace("_", " ").replace(".", " ")
