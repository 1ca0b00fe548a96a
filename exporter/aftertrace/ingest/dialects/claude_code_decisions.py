"""Permission decisions of Claude Code: one pair of words, `decision` and `source`, in three kinds of record.

The same decision may be told by the log event `tool_decision`, by the log event `tool_result` and by the span
`claude_code.tool.blocked_on_user`. They disagree in Claude Code 2.1.197, where a headless span says `unknown`
for what the log event knows. An event from the weaker records carries `weight` (`result` or `span`) in its
attributes: it counts when no event without `weight` decides the same call.

The words `user_*` do not tell a person from the `can_use_tool` callback of an Agent SDK program, so they are
stated as `human_or_program`. What the session shows elsewhere settles it (`entrypoint`).
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from aftertrace.ingest.dialects.events import Decider, Event

Weight: TypeAlias = Literal["result", "span"]

TOOL_DECISION: Final = "tool_decision"
TOOL_RESULT: Final = "tool_result_decision"
BLOCKED_ON_USER: Final = "blocked_on_user"
UNANSWERED_ASK: Final = "unanswered_ask"
"""Refused and no source named: an ask in a run that has nobody to answer it."""

_ACCEPTED: Final = frozenset({"accept", "accepted", "allow", "approve", "approved"})
_REJECTED: Final = frozenset({"reject", "rejected", "deny", "denied", "abort"})
_DECIDERS: Final[dict[str, Decider]] = {"config": "policy", "hook": "hook", "classifier": "guardrail"}


def decision(
    decided: str | None,
    source: str | None,
    *,
    rule: str,
    weight: Weight | None = None,
    reviewer: str | None = None,
) -> Event:
    """What the words `decided` and `source` state; the caller adds time, wait and call.

    `reviewer` is the account of the session, an asserted identity; it counts where a user decided.
    """
    event = Event(event="policy.evaluated", state="unknown", rule=rule)
    if source is not None:
        event.attributes["source"] = source
    if weight is not None:
        event.attributes["weight"] = weight
    if decided in _ACCEPTED:
        event.state = "allow"
    elif decided in _REJECTED:
        event.state = "deny"
    else:
        return event
    if is_user(source):
        _decide_by_user(event, str(source), reviewer)
    elif source in _DECIDERS:
        event.decided_by = _DECIDERS[source]
    elif event.state == "deny":
        event.decided_by, event.rule = "policy", UNANSWERED_ASK
    return event


def is_user(source: str | None) -> bool:
    """Whether a source stands for an answer given: by a person, or by a program in a person's place."""
    return source is not None and source.startswith("user")


def entrypoint(query_source: Any, cc_entrypoint: str | None = None) -> str | None:
    """Through which door the session runs: `terminal` (a person at the prompt), `sdk` (a program), or
    another's name.

    Args: query_source: why a model request was made; `repl_main_thread…` and `sdk` are the main loop of
    either door. cc_entrypoint: the door by name, out of the first system block of a raw request body.
    """
    if cc_entrypoint is not None:
        return "terminal" if cc_entrypoint == "cli" else "sdk" if cc_entrypoint.startswith("sdk") else cc_entrypoint
    if isinstance(query_source, str):
        if query_source.startswith("repl_main_thread"):
            return "terminal"
        if query_source == "sdk":
            return "sdk"
    return None


def is_side_request(query_source: Any) -> bool:
    """Whether a model request serves the product and not the run: a title, a summary, a classifier."""
    return isinstance(query_source, str) and not query_source.startswith(("repl_main_thread", "sdk", "agent"))


def _decide_by_user(event: Event, source: str, reviewer: str | None) -> None:
    event.decided_by = "human_or_program"
    if reviewer is not None:
        event.decider, event.identity = reviewer, "asserted"
    if event.state == "allow":
        event.event, event.state = "approval.granted", None
        if source == "user_permanent":
            event.attributes["grant_scope"] = "always"
    elif source == "user_abort":
        event.event, event.state = "tool.called", "cancelled"
    else:
        event.event, event.state = "approval.rejected", None
