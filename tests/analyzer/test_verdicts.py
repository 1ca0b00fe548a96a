"""A verdict that was given counts, whatever is logged after it and though its call never came to run."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .frames import LATER_NS
from .stories import ASKED, COMPLETED, DAY_NS, ENDED, PROPOSED, calls_of, event

GRANTED: Final = event("approval.granted", s=3, decided_by="human")
REJECTED: Final = event("approval.rejected", s=3, decided_by="human")
ALLOWED: Final = event("policy.evaluated", "allow", s=4, decided_by="policy")
PASSED_ON: Final = event("policy.evaluated", "ask", s=2, decided_by="policy")
UNSAID: Final = event("policy.evaluated", "unknown", s=2, attributes='{"weight":"span"}')
TWO_DAYS_LATER_NS: Final = LATER_NS + 2 * DAY_NS


def told(*events: dict[str, Any], now_ns: int = LATER_NS) -> list[tuple[Any, ...]]:
    """Outcome, basis, who decided, the approval, whether it is a near miss, and the rule."""
    columns = ("outcome", "basis", "decided_by", "approval", "near_miss")
    rows = calls_of(*events, now_ns=now_ns).to_dicts()
    return [(*(row[name] for name in columns), row["rules"][0]) for row in rows]


@pytest.mark.parametrize(
    ("verdict", "approval"), [(GRANTED, "granted"), (ALLOWED, None)], ids=["by a person", "by a policy"]
)
def test_a_call_that_was_let_through_and_never_ran_is_unresolved(verdict: dict[str, Any], approval: str | None) -> None:
    """Its process died, say: it did not expire for want of an answer, nor is it asked about any more."""
    unresolved = [("unresolved", "inferred", None, approval, False, "over")]
    assert told(PROPOSED, ASKED, verdict, ENDED) == unresolved
    assert told(PROPOSED, ASKED, verdict, now_ns=TWO_DAYS_LATER_NS) == unresolved
    assert told(PROPOSED, UNSAID, verdict, ENDED) == unresolved
    assert told(PROPOSED, ASKED, verdict) == [("pending", "inferred", None, approval, False, "open")]


def test_a_control_that_passes_the_question_on_has_not_answered_it() -> None:
    """The control of the test above: nobody has said yes or no."""
    assert told(PROPOSED, ASKED, PASSED_ON, ENDED) == [("expired", "inferred", "timeout", None, True, "asked_long_ago")]
    assert told(PROPOSED, ASKED, PASSED_ON) == [("pending", "explicit", None, None, False, "waits")]


def test_a_rejection_beats_a_rule_that_lets_the_call_pass_later() -> None:
    """Where nothing ran. A later grant, or a run, is another matter."""
    granted = {**GRANTED, "time_ns": ALLOWED["time_ns"]}
    assert told(PROPOSED, ASKED, REJECTED, ALLOWED, ENDED) == [
        ("denied", "explicit", "human", "rejected", True, "refused_by_decision")
    ]
    assert told(PROPOSED, ASKED, REJECTED, granted, ENDED) == [
        ("unresolved", "inferred", None, "granted", False, "over")
    ]
    assert told(PROPOSED, ASKED, REJECTED, ALLOWED, COMPLETED) == [
        ("executed", "explicit", "policy", None, False, "ran")
    ]


def test_an_ask_that_expired_stays_so_when_the_framework_cleans_up() -> None:
    """It cancels what nobody answered; an ask that did not expire is cancelled."""
    expired = event("approval.expired", s=7, decided_by="timeout")
    cancelled = event("tool.called", "cancelled", s=8)
    assert told(PROPOSED, ASKED, expired, cancelled) == [("expired", "explicit", "timeout", "expired", True, "expired")]
    assert told(PROPOSED, ASKED, cancelled) == [("cancelled", "explicit", "human", None, True, "cancelled")]


def test_a_candidate_that_was_dropped_waits_for_nothing() -> None:
    """Though another call of the run waits. One that is not dropped yet may still be proposed."""
    about = {"call_id": None, "tool_name": "refund"}
    rejected = ("rejected_by_model", "explicit", "model", None, True, "dropped")
    waits = ("pending", "explicit", None, None, False, "waits")
    for dropped, expected in (
        ("dropped", rejected),
        ("considered", ("pending", "inferred", None, None, False, "waits")),
    ):
        assert set(told(event("tool.considered", dropped, **about), PROPOSED, ASKED)) == {expected, waits}
