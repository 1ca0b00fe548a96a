"""Reviewing as a control: what is odd about an approval, and how reviewers answer, in numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftertrace.analyzer import DERIVED, Analysis, Filter
from aftertrace.analyzer.calls.reviews import CHARACTERS_PER_S, LONG_CHARACTERS, SIGNALS, reviews
from aftertrace.analyzer.documents import markdown
from aftertrace.analyzer.reports.review_report import approvals as document_of

from .stories import AT_NS, event, stored

LONG: Final = "x" * (10 * CHARACTERS_PER_S)
"""Nobody reads it in less than ten seconds."""
PROPOSED: Final = event("action.proposed", "proposed", arguments='{"eur":9}')
ASKED: Final = event("approval.requested", s=1)
ASKED_LONG: Final = event("approval.requested", s=1, content=LONG)
RAN: Final = event("tool.called", "completed", s=30, end_ns=None, arguments='{"eur":9}')
LONG_RUN: Final = {**RAN, "time_ns": AT_NS + 2 * 10**9, "end_ns": AT_NS + 61 * 10**9}
TO_ASK: Final = event("policy.evaluated", "ask", s=1, decided_by="policy")
PARTIAL: Final = {"attributes": '{"arguments_partial":true}'}


def granted(s: float, **columns: Any) -> dict[str, Any]:
    """A person's yes."""
    return event("approval.granted", s=s, **{"decided_by": "human", "decider": "ana", **columns})


STORIES: Final = {
    "in order": ([PROPOSED, ASKED, granted(20), RAN], []),
    "read and granted": ([PROPOSED, ASKED_LONG, granted(12), RAN], []),
    "granted at a glance": ([PROPOSED, ASKED, granted(1.1), RAN], []),
    "hasty": ([PROPOSED, ASKED_LONG, granted(9), RAN], ["hasty"]),
    "a program may be fast": ([PROPOSED, ASKED_LONG, granted(1.1, decided_by="program"), RAN], []),
    "granted for good as hastily": (
        [PROPOSED, ASKED_LONG, granted(9, attributes='{"grant_scope":"always"}'), RAN],
        ["hasty"],
    ),
    "too late": ([PROPOSED, ASKED, RAN, granted(40)], ["ran_before"]),
    "within the tolerance of clocks": ([PROPOSED, ASKED, RAN, granted(30.9)], []),
    "though rejected": (
        [PROPOSED, ASKED, event("approval.rejected", s=5, decided_by="human"), RAN],
        ["ran_refused"],
    ),
    "though expired": ([PROPOSED, ASKED, event("approval.expired", s=20), RAN], ["ran_refused"]),
    "rejected and not run": ([PROPOSED, ASKED, event("approval.rejected", s=5, decided_by="human")], []),
    "with an ask that nothing answers, by records that tell every answer": (
        [{**row, "dialect": "aftertrace"} for row in (PROPOSED, ASKED, RAN)],
        ["ran_unapproved"],
    ),
    "though somebody had to be asked": (
        [{**row, "dialect": "aftertrace"} for row in (PROPOSED, TO_ASK, ASKED, RAN)],
        ["ran_unapproved"],
    ),
    "though a gateway wanted somebody to be asked, by an agent that records no answers": (
        [PROPOSED, {**TO_ASK, "dialect": "gateway"}, ASKED, RAN],
        [],
    ),
    "asked from within the tool": ([PROPOSED, LONG_RUN, {**ASKED, "time_ns": AT_NS + 3 * 10**9}, granted(60)], []),
    "asked from within the tool, which did not wait": (
        [PROPOSED, LONG_RUN, {**ASKED, "time_ns": AT_NS + 3 * 10**9}, granted(63)],
        ["ran_before"],
    ),
    "asked before, and begun before the answer": ([PROPOSED, ASKED, LONG_RUN, granted(60)], ["ran_before"]),
    "asked as a policy wanted": (
        [PROPOSED, TO_ASK, ASKED, granted(20), RAN],
        [],
    ),
    "with other arguments": (
        [PROPOSED, ASKED, granted(20), {**RAN, "arguments": '{"eur":900}'}],
        ["other_arguments"],
    ),
    "with arguments of which the log shows some": (
        [PROPOSED | {"arguments": '{"eur":9,"note":"x"}'}, ASKED, granted(20), RAN | PARTIAL],
        [],
    ),
    "with arguments of which the proposal shows some": (
        [PROPOSED | PARTIAL, ASKED, granted(20), RAN | {"arguments": '{"eur":9,"note":"x"}'}],
        [],
    ),
    "with the edit that was approved": (
        [
            PROPOSED,
            ASKED,
            event("approval.modified", s=20, decided_by="human", arguments='{"eur":5}'),
            {**RAN, "arguments": '{"eur":5}'},
        ],
        [],
    ),
    "with another edit than the one that was approved": (
        [
            PROPOSED,
            ASKED,
            event("approval.modified", s=20, decided_by="human", arguments='{"eur":5}'),
            {**RAN, "arguments": '{"eur":900}'},
        ],
        ["other_arguments"],
    ),
    "by whoever asked": ([PROPOSED, {**ASKED, "decider": "ana"}, granted(20), RAN], ["self_approved"]),
    "by the model": ([PROPOSED, ASKED, granted(20, decided_by="model"), RAN], ["self_approved"]),
    "by itself, and not run": ([PROPOSED, ASKED, granted(20, decider="clerk")], []),
    "by itself": ([PROPOSED, ASKED, granted(20, decider="clerk"), RAN], ["self_approved"]),
    "answered by nobody that is recorded": ([PROPOSED, ASKED, RAN], []),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_signal_is_raised_by_what_records_state_and_by_nothing_else(name: str) -> None:
    """One story each; the quiet ones show that the loud ones are heard for their own reason."""
    events, signals = STORIES[name]
    approvals = stored(*events).analysis().approvals
    assert [list(found) for found in approvals["signals"]] == [signals]


def test_every_signal_has_a_story() -> None:
    """A new one must come with its own."""
    told = {signal for _, signals in STORIES.values() for signal in signals}
    # The rest have their stories in `test_allowances`, `test_effects` and `test_effect_findings`.
    assert told | {"bypassed", "effect_missing", "ran_after_denial"} == {signal.name for signal in SIGNALS}
    assert len(LONG) >= LONG_CHARACTERS


def test_a_refusal_that_was_no_answer_counts_too() -> None:
    """A hook said no and the call ran: there was no approval, and a control failed all the same."""
    refused = event("policy.evaluated", "deny", s=1, decided_by="hook")
    found = stored(PROPOSED, refused, RAN).analysis()
    assert (found.calls["signals"].to_list(), found.approvals.height) == ([["ran_refused"]], 0)
    assert stored(PROPOSED, refused).analysis().calls["signals"].to_list() == [[]]


def several() -> pl.DataFrame:
    """Ana grants twice, once hastily, and rejects once; one request to nobody is open."""
    stories = [
        [PROPOSED, ASKED, granted(3), RAN],
        [PROPOSED, ASKED_LONG, granted(2), RAN],
        [PROPOSED, ASKED, event("approval.rejected", s=11, decided_by="human", decider="ana")],
        [PROPOSED, ASKED],
    ]
    rows = [
        {**row, "call_id": f"c-{number}", "conversation_id": f"s-{number}", "trace_id": f"{number + 1:032x}"}
        for number, story in enumerate(stories)
        for row in story
    ]
    return stored(*rows).analysis().approvals


def test_answers_and_waits_are_counted_by_reviewer() -> None:
    """Waits by nearest rank; what nobody answered is in no rate."""
    found = reviews(several().lazy(), ["reviewer"]).collect().to_dicts()
    ana, nobody = found
    assert {name: value for name, value in ana.items() if name not in ("low", "high")} == {
        "reviewer": "ana",
        "requests": 3,
        "granted": 2,
        "modified": 0,
        "rejected": 1,
        "expired": 0,
        "cancelled": 0,
        "pending": 0,
        "answers": 3,
        "approval_rate": 2 / 3,
        "wait_p50_ns": 2 * 10**9,
        "wait_p90_ns": 10 * 10**9,
        "wait_max_ns": 10 * 10**9,
        "busiest_hour": 3,
        "signals": 1,
    }
    assert ana["low"] < 2 / 3 < ana["high"]
    assert {name: nobody[name] for name in ("reviewer", "pending", "answers", "approval_rate", "wait_p50_ns")} == {
        "reviewer": None,
        "pending": 1,
        "answers": 0,
        "approval_rate": None,
        "wait_p50_ns": None,
    }


UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
DECISIONS: Final = ("granted", "modified", "rejected", "expired", "cancelled", "pending")


def requests(*rows: dict[str, Any]) -> pl.LazyFrame:
    """Rows of `approvals`."""
    return pl.LazyFrame([{"signals": [], **row} for row in rows], schema=DERIVED["approvals"].schema)


@given(st.lists(st.sampled_from(DECISIONS), max_size=12))
def test_every_request_is_counted_once(decisions: list[str]) -> None:
    """Whatever they are, and over an empty frame too."""
    frame = requests(*({"decision": each, "first_ns": at} for at, each in enumerate(decisions)))
    (row,) = reviews(frame, []).collect().to_dicts()
    counted = {name: row[name] for name in DECISIONS}
    assert counted == {name: decisions.count(name) for name in counted}
    assert (row["requests"], row["answers"]) == (
        len(decisions),
        sum(decisions.count(name) for name in ("granted", "modified", "rejected")),
    )


@given(st.lists(st.integers(0, 4 * 3600), max_size=12))
def test_the_load_is_the_most_requests_within_an_hour(asked_s: list[int]) -> None:
    """Of any hour, not of the clock's: as if each window were counted that begins with a request."""
    rows = [{"decision": "pending", "asked_at": UNIX + timedelta(seconds=s)} for s in asked_s]
    (row,) = reviews(requests(*rows), []).collect().to_dicts()
    windows = [sum(0 <= other - s < 3600 for other in asked_s) for s in asked_s]
    assert (row["busiest_hour"] or 0) == max(windows, default=0)


def test_the_load_of_a_store_goes_by_when_requests_were_asked() -> None:
    """Three within an hour and one a second later, as their records tell."""
    rows = [{**ASKED, "call_id": f"c-{s}", "time_ns": AT_NS + s * 10**9} for s in (0, 7, 3599, 3600)]
    (row,) = reviews(stored(*rows).analysis().approvals.lazy(), []).collect().to_dicts()
    assert row["busiest_hour"] == 3


def report(analysis: Analysis, wanted: Filter | None = None) -> str:
    """The approval report as Markdown."""
    return markdown.written(document_of(analysis, wanted))


def test_the_report_says_what_is_odd_and_escapes_it() -> None:
    """What the agent showed is hostile; the Markdown around it is ours."""
    shown = "| [pay](http://evil) \u202e" + LONG
    asked = {**ASKED_LONG, "content": shown}
    text = report(stored(PROPOSED, asked, granted(2), RAN).analysis())
    assert "- **Signals that a review may not have been one: 1.**\n" in text
    assert "| `hasty` | 1 | approved faster than the text can be read: more than 100 characters a second |\n" in text
    assert "| ana | 1.0 s | \\| \\[pay\\](http\\://evil) ‹U+202E›xxx" in text
    assert "| `ana` | 1 | 1 | 100.0 % (20.7 to 100.0 %) | 1.0 s | 1.0 s | 1 | 1 |\n" in text
    failed = report(stored({**asked, "decider": "ana"}, PROPOSED, granted(20), RAN).analysis())
    assert "## Where a control failed\n\n" in failed
    assert "| `self_approved` | 1 | the agent, or whoever asked, is named as the one who approved |\n" in failed
    nobody = report(stored(PROPOSED).analysis(), Filter())
    assert nobody.startswith(
        "# Approvals\n\nMade 2027-01-15 08:16 UTC.\n\nNobody was asked anything, as far as is recorded."
    )
