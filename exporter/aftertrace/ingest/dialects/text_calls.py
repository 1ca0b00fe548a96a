"""Calls that exist only as text: harnesses that write tool calls and refusals into ordinary messages.

Only what the harness says is read. A call that a model merely writes about cannot be told from a quotation, but a
harness that answers "the function calling of X has been refused" states that X was proposed and did not run.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aftertrace.ingest.dialects import messages
from aftertrace.ingest.dialects.events import Decider, Event

MAX_CHARACTERS: Final = 20_000
"""Texts are looked at up to here."""

FEEDBACK: Final = "feedback"
"""`group` of what a harness says in a message: a span may tell of the same call, with the same words."""

REPLAYED_TURNS: Final = 3
"""How many answers back a model call's input is read: the last is new, those before it stand in for lost records."""

_RAN: Final = re.compile(r"\s*<returncode>(-?\d{1,10})</returncode>")
_REFUSED: Final = re.compile(r"function calling of (.{1,8000}?) has been refused", re.DOTALL)
_LISTED: Final = re.compile(r"""function\\?['"]: ?\{\\?['"]name\\?['"]: ?\\?['"]([^'"\\]{1,200})""")
_TIMED_OUT: Final = re.compile(
    r"The last command <command>.{0,8000}?</command> timed out and has been killed", re.DOTALL
)
_NO_ACTION: Final = re.compile(r"\s*Please always provide EXACTLY ONE action in triple backticks")


def feedback(given: Any) -> list[Event]:
    """The calls that the user messages of a model call's input tell of.

    `attributes.message` is how many messages came before, `attributes.after` a digest of the agent's message that is
    answered: both the same however often the history is repeated, and the second also where its beginning is cut off.
    With `attributes.replayed`, an earlier model call was told of it first.
    """
    found: list[Event] = []
    for turn, (place, answered, text) in enumerate(messages.told_by_users(given, REPLAYED_TURNS)):
        of_text = [*_ran(text), *told(text)]
        after = messages.value_digest(answered) if of_text else None
        for event in of_text:
            event.attributes |= {"message": place, "after": after}
            if turn:
                event.attributes["replayed"] = True
        found += of_text
    return found


def _ran(text: str) -> list[Event]:
    """The command that mini-swe-agent ran, told with its exit code and output."""
    match = _RAN.match(text)
    if match is None:
        return []
    failed = int(match[1]) != 0
    return [
        Event(
            event="tool.called",
            state="failed" if failed else "completed",
            tool_name="bash",
            group=FEEDBACK,
            basis="inferred",
            content=text,
            reason=text[:MAX_CHARACTERS] if failed else None,
            rule="text:mini_swe_ran",
        )
    ]


def told(text: str | None) -> list[Event]:
    """The calls that a harness's message says did not end by themselves.

    DRIFT's validator, mini-swe-agent's format check and time limit.
    """
    if not text:
        return []
    head = text[:MAX_CHARACTERS]
    if _NO_ACTION.match(head):
        return [_refusal("bash", "program", "text:mini_swe_format", head)]
    if _TIMED_OUT.match(head):
        timed_out = _refusal("bash", "program", "text:mini_swe_timeout", head)
        timed_out.state, timed_out.decided_by = "failed", None
        return [timed_out]
    match = _REFUSED.search(head)
    if match is None:
        return []
    subject = match[1].strip()
    names = _LISTED.findall(subject) if subject.startswith("[") else [subject]
    return [_refusal(name, "guardrail", "text:drift", head) for name in names if name]


def _refusal(name: str, decided_by: Decider, rule: str, reason: str) -> Event:
    return Event(
        event="tool.called",
        state="refused",
        tool_name=name,
        group=FEEDBACK,
        basis="inferred",
        decided_by=decided_by,
        reason=reason,
        rule=rule,
    )
