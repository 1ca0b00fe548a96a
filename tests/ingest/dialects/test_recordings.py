"""What the records of a call state, put together per call, is what really happened to it.

The join here is the least that can be made: by call id, which children have from their parent span. It shows
that the dialects state enough; the analyzer's own is richer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from aftertrace.ingest.dialects import claude_code, copilot
from aftertrace.ingest.records import Record, Span

from .recordings import CASES, read_recording, read_truth

if TYPE_CHECKING:
    from aftertrace.ingest.dialects.events import Event

DIALECTS = {"claude-code": claude_code, "claude-agent-sdk": claude_code, "copilot-cli": copilot}
OURS = [(emitter, case) for emitter, case in CASES if emitter in DIALECTS]
DECISIONS = ("policy.evaluated", "approval.granted", "approval.rejected", "approval.expired")
FATES = {"unknown_tool": "unknown_tool", "completed": "executed", "cancelled": "cancelled", "failed": "error"}
"""Of several states the first here: what a person stopped is logged as failed as well."""


@dataclass
class Session:
    """What the records of one recording state, by call."""

    calls: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    entrypoints: set[str] = field(default_factory=set)


def join(emitter: str, case: str) -> Session:
    """Put the events of a recording together by call id."""
    session = Session()
    found = read_recording(emitter, case)
    spans = {record.span_id: record for record in found if isinstance(record, Span)}
    for record in found:
        reading = DIALECTS[emitter].read(record)
        assert reading is not None
        for event in reading.events:
            session.entrypoints |= {event.attributes.get("entrypoint")} - {None}
            call_id = event.call_id or reading.who.call_id or inherited(record, spans, emitter)
            if call_id is not None and event.event != "input.resolved":
                session.calls[call_id].append(event)
    return session


def inherited(record: Record, spans: dict[str | None, Span], emitter: str) -> str | None:
    """The call id of a span's parent; a log record names its call itself."""
    parent = spans.get(record.parent_span_id) if isinstance(record, Span) else None
    reading = DIALECTS[emitter].read(parent) if parent is not None else None
    return reading.who.call_id if reading is not None else None


def decision(events: list[Event]) -> Event | None:
    """The decision of most weight."""
    decided = [event for event in events if event.event in DECISIONS and event.state != "unknown"]
    refused = [event for event in events if event.state == "refused" and event.basis == "explicit"]
    return min(decided, key=lambda event: "weight" in event.attributes, default=next(iter(refused), None))


def fate(events: list[Event]) -> str | None:
    """What became of a call."""
    states = {event.state for event in events if event.event == "tool.called"}
    for state, named in FATES.items():
        if state in states:
            return named
    decided = decision(events)
    if decided is not None and (decided.state in ("deny", "refused") or decided.event == "approval.rejected"):
        return "denied"
    return None


def decider(events: list[Event], session: Session) -> str | None:
    """Who decided: a person in a session that runs in a terminal, a program in one that runs in an SDK."""
    decided = decision(events)
    if decided is None:
        return None
    if decided.decided_by == "human_or_program":
        return {"terminal": "human", "sdk": "program"}[session.entrypoints.pop()]
    return decided.decided_by


def visible_calls(emitter: str, case: str) -> list[dict[str, Any]]:
    """The calls of the truth that the telemetry mentions."""
    return [call for run in read_truth(emitter, case)["runs"] for call in run["calls"] if call["visible_in_telemetry"]]


@pytest.mark.parametrize(("emitter", "case"), OURS)
def test_the_records_of_every_call_state_its_fate_and_its_decider(emitter: str, case: str) -> None:
    """A call that Copilot ran without a question has no decision on the wire: a rule allowed it."""
    expected = [(call["call_id"], call["fate"], call["decided_by"]) for call in visible_calls(emitter, case)]
    stated = []
    for call_id, _, decided_by in expected:
        session = join(emitter, case)
        events = session.calls[call_id]
        silent = emitter == "copilot-cli" and decision(events) is None
        stated.append((call_id, fate(events), decided_by if silent else decider(events, session)))
    assert stated == expected


@pytest.mark.parametrize(("emitter", "case"), OURS)
def test_the_wait_for_a_person_or_a_program_is_stated_to_the_millisecond(emitter: str, case: str) -> None:
    """By the span of the question."""
    session = join(emitter, case)
    waits = {
        call_id: max((event.wait_ns or 0 for event in events), default=0) // 1_000_000
        for call_id, events in session.calls.items()
    }
    for call in visible_calls(emitter, case):
        waited_ms = call["approval"]["waited_ms_about"]
        assert waited_ms is None or waits[call["call_id"]] == waited_ms


def test_without_the_weights_the_join_would_name_the_wrong_decider() -> None:
    """The control: a hook refused, and the span of 2.1.197 knows only that somebody did."""
    session = join("claude-code", "hook_deny")
    (hooked, *_) = visible_calls("claude-code", "hook_deny")
    deciders = {event.decided_by for event in session.calls[hooked["call_id"]] if event.state == "deny"}
    assert deciders == {"hook", "policy"}
    assert decider(session.calls[hooked["call_id"]], session) == "hook"
