"""Whose answer it is that names a request and no call."""

from __future__ import annotations

from typing import Any, Final

import pytest

from aftertrace.analyzer.calls.requests import CALLS_AT_MOST

from .stories import ASKED, ENDED, PROPOSED, calls_of, event, stored

GRANTED, REJECTED = "approval.granted", "approval.rejected"


def place(number: int, conversation: str | None) -> dict[str, Any]:
    """Where a run tells of itself: a trace of its own, and perhaps a conversation."""
    return {"trace_id": f"{number:032x}", "conversation_id": conversation}


def asks(call_id: str, **columns: Any) -> list[dict[str, Any]]:
    """A call and the request about it, `req-1`."""
    return [
        event("action.proposed", "proposed", call_id=call_id, **columns),
        event("approval.requested", s=1, call_id=call_id, group="req-1", **columns),
    ]


def answer(verdict: str, **columns: Any) -> dict[str, Any]:
    """A person's, to `req-1`."""
    return event(verdict, s=5, call_id=None, tool_name=None, group="req-1", decided_by="human", **columns)


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Call, outcome and approval."""
    return calls_of(*events).sort("tool_call_id").select("tool_call_id", "outcome", "approval").rows()


@pytest.mark.parametrize("conversations", [("s-1", "s-2"), (None, None)], ids=["conversations", "traces"])
def test_two_runs_that_count_their_requests_from_one_have_each_its_own_answer(
    conversations: tuple[str | None, str | None],
) -> None:
    """What a person refused in one is no near miss of the other."""
    first, second = (place(number, name) for number, name in enumerate(conversations, 1))
    events = [*asks("c-1", **first), answer(GRANTED, **first), *asks("c-2", **second), answer(REJECTED, **second)]
    assert told(*events) == [("c-1", "pending", "granted"), ("c-2", "denied", "rejected")]
    assert stored(*events).analysis().approvals["calls"].to_list() == [1, 1]


def test_an_answer_of_another_trace_joins_the_run_of_the_one_request_of_its_id() -> None:
    """An approval service that knows the id alone: one call, refused, in the run that asked."""
    asking, answering = place(1, None), place(2, None)
    assert told(*asks("c-1", **asking), answer(REJECTED, **answering)) == [("c-1", "denied", "rejected")]
    assert told(*asks("c-1", **place(1, "s-1")), answer(REJECTED, **answering)) == [("c-1", "denied", "rejected")]


def test_an_answer_of_another_trace_to_one_of_two_requests_of_its_id_is_of_neither() -> None:
    """The control, nor is one that names a conversation of its own."""
    two = [*asks("c-1", **place(1, None)), *asks("c-2", **place(2, None))]
    assert told(*two, answer(REJECTED, **place(3, None))) == [("c-1", "pending", None), ("c-2", "pending", None)]
    assert told(*asks("c-1", **place(1, "s-1")), answer(REJECTED, **place(3, "s-3"))) == [("c-1", "pending", None)]


@pytest.mark.parametrize(("calls", "outcome"), [(CALLS_AT_MOST, "denied"), (CALLS_AT_MOST + 1, "pending")])
def test_an_id_that_every_call_is_asked_under_is_none_of_a_request(calls: int, outcome: str) -> None:
    """So a sender that gives one id to everything costs no more than it sends."""
    each = [row for number in range(calls) for row in asks(f"c-{number}")]
    assert calls_of(*each, answer(REJECTED))["outcome"].to_list() == [outcome] * calls


def at(s: float, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """The events so many seconds later."""
    return [{**row, "time_ns": row["time_ns"] + int(s * 1e9)} for row in events]


def test_an_id_that_is_used_again_is_another_request() -> None:
    """Each answer is about what was asked last, of one call or of several at once."""
    first = [*asks("c-1"), *asks("c-2"), answer(GRANTED)]
    second = at(10, *asks("c-3"), answer(REJECTED))
    assert told(*first, *second) == [
        ("c-1", "pending", "granted"),
        ("c-2", "pending", "granted"),
        ("c-3", "denied", "rejected"),
    ]
    counted = stored(*first, *second).analysis().approvals.sort("tool_call_id")
    assert counted.select("tool_call_id", "calls").rows() == [("c-1", 2), ("c-2", 2), ("c-3", 1)]
    unanswered = at(10, *asks("c-3"))
    assert told(*first, *unanswered)[2] == ("c-3", "pending", None)


def test_an_answer_of_an_early_clock_is_about_the_first_request() -> None:
    """Nothing was asked before it. A second answer to one request does not count as one to the next."""
    assert told(*at(10, *asks("c-1")), answer(REJECTED)) == [("c-1", "denied", "rejected")]
    twice = [*asks("c-1"), answer(REJECTED), *at(1, answer(GRANTED)), *at(10, *asks("c-2")), *at(10, answer(REJECTED))]
    assert told(*twice) == [("c-1", "pending", "granted"), ("c-2", "denied", "rejected")]


def test_a_call_that_is_asked_about_again_keeps_its_answers() -> None:
    """A later trace repeats the ask and the answer: no second request, and the call's own."""
    rows = [*asks("c-1"), answer(REJECTED), *at(10, *asks("c-1")[1:], answer(REJECTED))]
    assert told(*rows) == [("c-1", "denied", "rejected")]


OTHER: Final = place(9, "s-9")


def test_an_answer_to_a_request_changes_nothing_of_another_run() -> None:
    """Not even the order of two records of one moment."""
    tie = [
        PROPOSED,
        event("policy.evaluated", "deny", s=4, decided_by="policy"),
        event("policy.evaluated", "allow", s=4, decided_by="hook"),
        ASKED,
        ENDED,
    ]
    unrelated = [*asks("z-1", **OTHER), answer(GRANTED, **OTHER)]
    alone = told(*tie)
    assert told(*tie, *unrelated) == [*alone, ("z-1", "pending", "granted")]
