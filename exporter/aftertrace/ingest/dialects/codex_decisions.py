"""Decisions of Codex on a tool call: one word and a source, in the log event `tool_decision`.

Words are compared without case and underscores, since versions differ in both (`ApprovedForSession` was once sent as
`approvedforsession`). A call that the configuration forbids has no decision at all: where the source is `Config`,
nobody was asked and the call went through, or a permission hook decided. A hook that lets a call through cannot be told
from the configuration; one that does not is the only thing that refuses under that name.
"""

from __future__ import annotations

from typing import Final

from aftertrace.ingest.dialects.events import Decider, Event

TOOL_DECISION: Final = "tool_decision"
UNANSWERED_ASK: Final = "unanswered_ask"
"""Refused in the name of the user by a program that has nobody to ask."""
HEADLESS: Final = "codex_exec"
"""Originator of `codex exec`, which refuses whatever it would have to ask."""

_STANDING: Final = {
    "approvedforsession": "session",
    "approvedexecpolicyamendment": "always",
    "approvedwithamendment": "always",
    "approvedmcppolicyamendment": "always",
    "approvedwithnetworkpolicyallow": "always",
}
"""Let through, and what is like it from now on too: for how long."""
_DENIED: Final = frozenset({"denied", "deniedwithreason", "deniedwithnetworkpolicydeny"})
_ALLOWERS: Final[dict[str, Decider]] = {"config": "policy", "automatedreviewer": "guardrail"}
_DENIERS: Final[dict[str, Decider]] = {"config": "hook", "automatedreviewer": "guardrail"}


def decision(
    decided: str | None, source: str | None, *, originator: str | None = None, reviewer: str | None = None
) -> list[Event]:
    """What a decision states; the caller adds time and call.

    Args:
        decided: the word, such as `approved`, `denied`, `abort`, `timed_out`.
        source: `Config`, `User` or `AutomatedReviewer`.
        originator: the program that embeds Codex; nobody sits at `codex_exec`.
        reviewer: the account of the session, an asserted identity; it counts where a user decided.
    """
    word, by = _plain(decided), _plain(source)
    event = Event(event="policy.evaluated", state="unknown", rule=TOOL_DECISION)
    event.attributes = {key: value for key, value in (("decision", decided), ("source", source)) if value is not None}
    if word == "approved" or word in _STANDING:
        event.state, event.decided_by = "allow", _ALLOWERS.get(by)
        if word in _STANDING:
            event.attributes["grant_scope"] = _STANDING[word]
        if by == "user":
            _answer(event, "approval.granted", reviewer)
    elif word == "timedout":
        event.event, event.state, event.decided_by = "approval.expired", None, "timeout"
    elif word in _DENIED or word == "abort":
        event.state, event.decided_by = "deny", _DENIERS.get(by)
        if by == "user" and originator == HEADLESS:
            event.decided_by, event.rule = "policy", UNANSWERED_ASK
        elif by == "user":
            _answer(event, "approval.rejected", reviewer)
            if word == "abort":
                return [event, _interruption(event)]
    return [event]


def _plain(word: str | None) -> str:
    return "" if word is None else word.replace("_", "").lower()


def _answer(event: Event, answered: str, reviewer: str | None) -> None:
    event.event, event.state, event.decided_by = answered, None, "human"
    if reviewer is not None:
        event.decider, event.identity = reviewer, "asserted"


def _interruption(answer: Event) -> Event:
    """A user who aborts refuses the call and ends the turn with it."""
    return Event(event="tool.called", state="cancelled", decided_by=answer.decided_by, rule=answer.rule)
