"""Decisions: every verdict on a call in order, which one counted, and what they make of an approval."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import frames
from .stories import ASKED, COMPLETED, PROPOSED, event, stored

HOOK: Final = event("policy.evaluated", "allow", s=0.5, decided_by="hook", decider="guard.sh")
RULE: Final = event("policy.evaluated", "ask", s=0.7, decided_by="policy", decider="over 500", reason="amount")
GRANTED: Final = event(
    "approval.granted", s=4, decided_by="human", decider="ana", identity="authenticated", reason="known customer"
)


def decided(*rows: dict[str, Any], columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The decisions that a story tells."""
    return stored(*rows).analysis().decisions.select(columns).rows()


def approval(*rows: dict[str, Any], columns: tuple[str, ...]) -> tuple[Any, ...]:
    """The one approval that a story tells."""
    (row,) = stored(*rows).analysis().approvals.select(columns).rows()
    return row


def test_every_verdict_is_kept_in_order_and_the_one_that_counted_is_marked() -> None:
    """A hook, a rule and a person; the order in which they come in does not matter."""
    columns = ("ordinal", "decision", "is_final", "decided_by", "reviewer", "reviewer_identity", "reason")
    expected = [
        (0, "allow", False, "hook", "guard.sh", "asserted", None),
        (1, "ask", False, "policy", "over 500", "asserted", "amount"),
        (2, "granted", True, "human", "ana", "authenticated", "known customer"),
    ]
    story = (PROPOSED, HOOK, RULE, ASKED, GRANTED, COMPLETED)
    assert decided(*story, columns=columns) == decided(*reversed(story), columns=columns) == expected


def test_the_decision_that_counts_is_the_calls_own() -> None:
    """A span that only repeats what a log says better comes after it in time and does not count."""
    repeated = event("policy.evaluated", "allow", s=5, decided_by="policy", attributes='{"weight":"span"}')
    found = stored(PROPOSED, ASKED, GRANTED, repeated, COMPLETED).analysis()
    (final,) = found.decisions.filter("is_final").to_dicts()
    (call,) = found.calls.to_dicts()
    assert (final["decided_by"], final["reviewer"]) == (call["decided_by"], call["reviewer"]) == ("human", "ana")
    assert found.decisions.height == 2


def test_a_refusal_that_only_the_answer_tells_is_a_decision_where_there_is_no_other() -> None:
    """And none of its own beside a record of it."""
    refused = event("tool.called", "refused", s=5, decided_by="human", basis="inferred", reason="no")
    rejected = event("approval.rejected", s=4, decided_by="human", decider="ana", reason="too much")
    columns = ("decision", "is_final", "basis", "reason")
    assert decided(PROPOSED, ASKED, refused, columns=columns) == [("deny", True, "inferred", "no")]
    assert decided(PROPOSED, ASKED, rejected, refused, columns=columns) == [
        ("rejected", True, "explicit", "too much"),
        ("deny", False, "inferred", "no"),
    ]


def test_a_call_that_nobody_decided_on_has_no_decision() -> None:
    """The control."""
    assert decided(PROPOSED, ASKED, COMPLETED, columns=("decision",)) == []


def test_one_answer_is_for_every_call_that_was_asked_about_under_its_request() -> None:
    """It names the request and no call; another request is left alone."""
    of = {"group": "a-1"}
    rows = [
        *({**PROPOSED, "call_id": call} for call in ("c-1", "c-2", "c-3")),
        *({**ASKED, "call_id": call, **of} for call in ("c-1", "c-2")),
        {**ASKED, "call_id": "c-3", "group": "a-2"},
        {**GRANTED, "call_id": None, "tool_name": None, **of},
    ]
    columns = ("tool_call_id", "decision", "reviewer", "approval_id", "calls", "wait_ns")
    found = stored(*rows).analysis().approvals.sort("tool_call_id").select(columns).rows()
    assert found == [
        ("c-1", "granted", "ana", "a-1", 2, 3 * 10**9),
        ("c-2", "granted", "ana", "a-1", 2, 3 * 10**9),
        ("c-3", "pending", None, "a-2", 1, None),
    ]


def test_an_ask_that_an_interruption_cut_short_is_cancelled() -> None:
    """It was neither refused nor left to expire; a refusal that ends the turn with it stays a refusal."""
    cancelled = event("tool.called", "cancelled", s=4, decided_by="human")
    rejected = event("approval.rejected", s=4, decided_by="human")
    columns = ("decision", "basis", "outcome")
    assert approval(PROPOSED, ASKED, cancelled, columns=columns) == ("cancelled", "explicit", "cancelled")
    assert approval(PROPOSED, ASKED, rejected, cancelled, columns=columns) == ("rejected", "explicit", "denied")


def test_the_reason_of_an_approval_is_the_reviewers_and_no_error_of_the_call() -> None:
    """What failed later says nothing about why it was let."""
    failed = event("tool.called", "failed", s=8, reason="connection lost")
    assert approval(PROPOSED, ASKED, GRANTED, failed, columns=("reason", "decisions")) == ("known customer", 1)
    silent = {**GRANTED, "reason": None}
    assert approval(PROPOSED, ASKED, silent, failed, columns=("reason",)) == (None,)


IDENTITIES: Final = {
    "checked": ({"decider": "ana", "identity": "authenticated"}, ("ana", "authenticated")),
    "named": ({"decider": "ana", "identity": None}, ("ana", "asserted")),
    "somebody": ({"decider": None, "identity": "inferred"}, (None, "inferred")),
    "not told": ({"decider": None, "identity": None}, (None, None)),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_reviewer_is_as_sure_as_the_record_makes_him(name: str) -> None:
    """A name alone is an assertion."""
    told, expected = IDENTITIES[name]
    rows = (PROPOSED, ASKED, {**GRANTED, **told})
    assert approval(*rows, columns=("reviewer", "reviewer_identity")) == expected


def test_a_program_in_a_persons_place_is_told_apart_where_the_session_shows_its_door() -> None:
    """Claude Code's words are the same for both: the SDK's callback decided here, a person at a terminal there."""
    doors = {}
    for case in (("claude-agent-sdk", "callback_allow_deny"), ("claude-code", "tty_approve")):
        found = frames.recording(*case).analysis()
        answers = found.decisions.filter("is_final").filter(
            found.decisions.filter("is_final")["decided_by"] != "policy"
        )
        doors[case[0]] = answers["decided_by"].unique().to_list()
    assert doors == {"claude-agent-sdk": ["program"], "claude-code": ["human"]}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(("allow", "deny", "ask", "granted", "rejected", "run")), max_size=6))
def test_one_decision_of_a_call_counts_and_it_is_the_one_the_call_names(steps: list[str]) -> None:
    """Whatever was decided, in whichever order."""
    rows = [
        event("tool.called", "completed", s=s)
        if step == "run"
        else event("policy.evaluated", step, s=s, decided_by=f"hook-{s}")
        if step in ("allow", "deny", "ask")
        else event(f"approval.{step}", s=s, decided_by=f"human-{s}")
        for s, step in enumerate(steps)
    ]
    found = stored(PROPOSED, *rows).analysis()
    finals = found.decisions.filter("is_final")
    assert finals["call_key"].is_unique().all()
    assert set(finals["call_key"]) == set(found.decisions["call_key"])
    assert found.decisions.height == sum(step != "run" for step in steps)
