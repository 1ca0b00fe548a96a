"""What coding agents tell of a call by two records together: an edit, a grant used again, an ask without an answer."""

from __future__ import annotations

from typing import Any, Final

import pytest

from .stories import COMPLETED, ENDED, PROPOSED, calls_of, event, span

ENTERED: Final = event("tool.called", "entered", s=1, arguments='{"command":"rm a"}')
ALLOWED: Final = event("policy.evaluated", "allow", s=2, decided_by="hook", arguments='{"command":"rm a"}')
RAN: Final = {**COMPLETED, "arguments": '{"command":"ls"}'}
EDITED: Final = ("outcome", "decided_by", "arguments", "executed_arguments")


def _with(row: dict[str, Any], **digests: str) -> dict[str, Any]:
    members = ",".join(f'"{name}":"{value}"' for name, value in digests.items())
    return {**row, "attributes": f"{{{members}}}"}


def test_a_hook_that_rewrites_a_command_before_it_is_shown_edits_the_call() -> None:
    """The span holds the command that came in, decision and result hold the hook's: Claude Code's PreToolUse."""
    entered, ran = _with(ENTERED, command_digest="a"), _with(RAN, command_digest="b")
    (told,) = calls_of(entered, ALLOWED, ran).select(EDITED).rows()
    assert told == ("modified", "hook", '{"command":"rm a"}', '{"command":"ls"}')
    same = calls_of(entered, ALLOWED, _with(RAN, command_digest="a"))
    assert same["outcome"].to_list() == ["executed"]


def test_a_hook_that_answers_a_question_with_other_arguments_edits_the_call() -> None:
    """Decision and result differ: Claude Code's PermissionRequest."""
    allowed, ran = _with(ALLOWED, parameters_digest="a"), _with(RAN, parameters_digest="b")
    (told,) = calls_of(ENTERED, allowed, ran).select(EDITED).rows()
    assert told == ("modified", "hook", '{"command":"rm a"}', '{"command":"ls"}')


@pytest.mark.parametrize(("answered_s", "asked"), [(1.05, False), (1.5, True)])
def test_a_standing_grant_that_is_used_again_is_no_new_answer(answered_s: float, *, asked: bool) -> None:
    """Codex repeats `approved_for_session` for each later call, at once; a person takes longer."""
    received = event("tool.called", "completed", s=1, end_ns=None, attributes='{"includes_wait":true}')
    granted = event("approval.granted", s=answered_s, decided_by="human", attributes='{"grant_scope":"session"}')
    told = calls_of(received, granted).select("outcome", "decided_by", "approval_asked", "allowed_by").rows()
    assert told == [("executed", "human", asked, "human" if asked else "grant")]


def test_a_refusal_is_an_unanswered_ask_where_the_model_was_told_so() -> None:
    """Claude Code 2.1.329's decision reads like a rule's; the text for the model does not."""
    denied = event("policy.evaluated", "deny", s=2, decided_by="policy", rule="tool_decision")
    for rule, asked in (("text:claude_unanswered", True), ("text:claude_rule", False)):
        refused = event("tool.called", "refused", s=3, basis="inferred", decided_by="policy", rule=rule)
        told = calls_of(PROPOSED, denied, refused).select("outcome", "decided_by", "approval_asked").rows()
        assert told == [("denied", "policy", asked)]


def test_a_hook_stops_no_call_that_was_decided_on_afterwards_or_ran() -> None:
    """Of a decision without a run nothing is inferred."""
    hook = event("policy.evaluated", "unknown", s=1, decided_by="hook", rule="hook_ran")
    allowed = event("policy.evaluated", "allow", s=2, decided_by="policy")
    assert calls_of(PROPOSED, hook, ENTERED, COMPLETED, ENDED)["outcome"].to_list() == ["executed"]
    assert "denied" not in calls_of(PROPOSED, hook, ENTERED, allowed, ENDED)["outcome"].to_list()


def test_what_lies_in_a_tools_span_without_an_id_is_of_no_call_above_it() -> None:
    """Claude Code before 2.1.178: log records alone name calls, one of them from the span of the whole turn."""
    turn, tool, ask = "a" * 16, "b" * 16, "c" * 16
    spans = (
        span("invoke_agent", span_id=turn, parent_span_id=None),
        span("execute_tool", s=3, span_id=tool, parent_span_id=turn),
        span("approval", s=3, span_id=ask, parent_span_id=tool),
    )
    ran = {**COMPLETED, "span_id": turn}
    entered = event("tool.called", "entered", s=3, span_id=tool, call_id=None)
    refused = event("policy.evaluated", "deny", s=4, span_id=ask, call_id=None, tool_name=None, decided_by="policy")
    told = calls_of(ran, entered, refused, spans=spans).select("tool_call_id", "outcome", "decided_by").rows()
    assert told == [("c-1", "executed", None)]
    named = {**refused, "call_id": "c-2", "tool_name": "pay"}
    told = calls_of(ran, entered, refused, named, spans=spans).select("tool_call_id", "outcome").rows()
    assert told == [("c-2", "denied"), ("c-1", "executed")]


def test_a_hook_that_only_watched_stops_nothing() -> None:
    """Of Codex alone is it known that a call which a hook lets through leaves a record."""
    watched = event("policy.evaluated", "unknown", s=1, decided_by="hook", rule="hook_call")
    assert "denied" not in calls_of(PROPOSED, watched, ENTERED, ENDED)["outcome"].to_list()
