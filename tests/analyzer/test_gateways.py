"""A gateway's verdict finds the agent's call that it is about, and is never a call of its own beside it."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import PROPOSED, TRACE, calls_of, event, span

TOOL: Final = "c" * 16
CALLED: Final = event("tool.called", "failed", s=8, span_id=TOOL, reason="forbidden", tool_name="bank__pay")
ASKED: Final = {**PROPOSED, "tool_name": "bank__pay"}
SPANS: Final = (
    span("invoke_agent", s=19, parent_span_id=None),
    span("execute_tool", s=8, span_id=TOOL),
    span("mcp", s=8, span_id="d" * 16, parent_span_id=TOOL),
)
EDGE: Final[dict[str, Any]] = {
    "service_name": "edge",
    "scope_name": "edge",
    "dialect": "gateway",
    "conversation_id": None,
    "agent_name": None,
    "call_id": None,
    "trace_id": None,
    "decided_by": "policy",
    "rule": "small-only",
}
"""A gateway: another service, which knows neither the agent nor its conversation."""


def refusal(**columns: Any) -> dict[str, Any]:
    """A gateway's refusal of the call."""
    return event("policy.evaluated", "deny", s=8.5, **{**EDGE, **columns})


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Tool, outcome, decider and rules of each call."""
    calls = calls_of(*events, spans=SPANS).sort("tool_call_id", "tool_name")
    return [(row["tool_name"], row["outcome"], row["decided_by"], row["rules"]) for row in calls.to_dicts()]


REQUEST: Final = event(
    "tool.called", "failed", s=8, dialect="mcp", call_id=None, tool_name="pay", span_id="d" * 16,
    attributes='{"side":"client","request":"m-1/7"}',
)  # fmt: skip
DENIED: Final = [("bank__pay", "denied", "policy", ["refused_on_the_way", "small-only"])]


@pytest.mark.parametrize(
    "found",
    [
        refusal(call_id="c-1", tool_name=None, trace_id=TRACE),
        refusal(trace_id=TRACE, tool_name="pay"),
        refusal(trace_id=TRACE, tool_name="pay", source="elsewhere"),
        refusal(trace_id=TRACE, span_id="d" * 16, tool_name=None),
        refusal(attributes='{"request":"m-1/7"}', tool_name="pay"),
    ],
    ids=["call id", "trace and tool", "another source", "span", "MCP request"],
)
def test_a_refusal_on_the_way_denies_the_call_that_it_is_about(found: dict[str, Any]) -> None:
    """The agent's own span says that it failed."""
    assert told(ASKED, CALLED, REQUEST, found) == DENIED


def test_a_call_that_ran_though_a_gateway_refused_it_is_a_control_that_failed() -> None:
    """The gateway only reports. An agent's span that completed with the gateway's own reason is of one that did not."""
    ran = {**CALLED, "state": "completed", "reason": None}
    deny = refusal(trace_id=TRACE, tool_name="pay", reason="over 5 EUR")
    for content, expected in (
        (None, ("executed", None, ["ran_refused"], False)),
        ("paid", ("executed", None, ["ran_refused"], False)),
        ("blocked: over 5 EUR (small-only)", ("denied", "policy", [], True)),
    ):
        (row,) = calls_of(ASKED, {**ran, "content": content}, deny, spans=SPANS).to_dicts()
        assert (row["outcome"], row["decided_by"], row["signals"], row["near_miss"]) == expected


def test_a_reason_of_one_word_is_told_back_where_it_is_all_that_is_told() -> None:
    """A word of a result may be the name of the rule by which a gateway only reports."""
    ran = {**CALLED, "state": "completed", "reason": None}
    deny = refusal(trace_id=TRACE, tool_name="pay", reason="pii")
    for content, outcome in (('{"pii_removed":3}', "executed"), ("pii", "denied"), ('"pii"', "denied")):
        assert [row[1] for row in told(ASKED, {**ran, "content": content}, deny)] == [outcome]


def test_what_another_gateway_passed_on_did_not_run_for_it() -> None:
    """Two gateways one after the other: the second refuses what the first let through."""
    passed = event("tool.called", "completed", s=8, **{**EDGE, "trace_id": TRACE, "tool_name": "pay", "rule": None},
                   attributes='{"side":"client"}')  # fmt: skip
    assert told(ASKED, passed, refusal(trace_id=TRACE, tool_name="pay")) == DENIED


def test_what_a_tool_asked_for_and_was_refused_denies_it_only_where_it_failed() -> None:
    """It was running when it asked."""
    blocked = event("effect.blocked", s=8.5, **{**EDGE, "trace_id": TRACE, "span_id": TOOL, "tool_name": None})
    assert told(ASKED, CALLED, blocked) == DENIED
    assert told(ASKED, {**CALLED, "state": "completed"}, blocked) == [
        ("bank__pay", "executed", None, ["ran", "small-only"])
    ]


def test_what_let_a_call_through_is_kept_and_a_person_counts_before_a_gateway() -> None:
    """An allowance is a control on the way."""
    allowed = event(
        "policy.evaluated", "allow", s=8.5, **{**EDGE, "trace_id": TRACE, "tool_name": "pay"},
        attributes='{"weight":"check"}',
    )  # fmt: skip
    ran = {**CALLED, "state": "completed"}
    granted = event("approval.granted", s=4, decided_by="human", tool_name="bank__pay")
    assert told(ASKED, ran, allowed) == [("bank__pay", "executed", "policy", ["ran", "small-only"])]
    assert told(ASKED, granted, ran, allowed) == [("bank__pay", "executed", "human", ["ran", "small-only"])]


def test_a_gateways_span_is_a_call_where_nobody_else_tells_of_it() -> None:
    """Refused or let through; beside an agent's or a server's it is none."""
    alone = {**EDGE, "trace_id": TRACE, "tool_name": "pay"}
    side = '{"side":"client"}'
    refused = event("tool.called", "refused", s=8, **alone, attributes=side)
    passed = event("tool.called", "completed", s=8, **{**alone, "rule": None}, attributes=side)
    assert told(refused, refusal(trace_id=TRACE, tool_name="pay")) == [
        ("pay", "denied", "policy", ["refused_on_the_way", "small-only"])
    ]
    assert told(passed) == [("pay", "executed", None, ["ran"])]
    assert told(ASKED, CALLED, refused, refusal(trace_id=TRACE, tool_name="pay")) == DENIED
    assert [row[0] for row in told(passed, {**REQUEST, "state": "completed"})] == ["pay"]


def test_a_refusal_of_another_call_is_left_alone() -> None:
    """The control: of another tool, in another trace, and of two requests of one number."""
    elsewhere = refusal(trace_id="e" * 32, tool_name="pay")
    other = refusal(trace_id=TRACE, tool_name="read")
    twice = refusal(attributes='{"request":"m-1/7"}', tool_name="pay")
    again = {**REQUEST, "span_id": "e" * 16}
    for events in ((elsewhere,), (other,), (REQUEST, again, twice)):
        assert told(ASKED, CALLED, *events) == [("bank__pay", "failed", None, ["ran_failed"])]
